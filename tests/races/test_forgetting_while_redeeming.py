"""A person is forgotten while their redemptions are under way: nothing is stranded, the books prove."""

from dataclasses import replace
from threading import Barrier, Event, Thread

import pytest
from django.db import connection

from brands.models import Brand
from common.errors import DomainError
from ledger.models import Account
from ledger.queries import verify as verify_ledger
from members.models import Member
from members.personal import erase_member
from redemption.queries import verify as verify_redemptions
from redemption.rules import Attempt, Outcome
from redemption.services import redeem
from tests.conftest import NOW
from tests.makers import CONSUMER, make_active_batch, make_attempt, make_campaign, make_member, secrets_of

THREADS, EACH = 8, 6


@pytest.mark.races
def test_nothing_is_stranded_on_a_closed_account(real_commits: Brand) -> None:
    make_campaign()
    codes = secrets_of(make_active_batch(THREADS * EACH))
    member = make_member()
    start, under_way, forgotten, outcomes = Barrier(THREADS), Event(), Event(), []

    def redeem_until_answered(attempt: Attempt) -> Outcome:
        for _ in range(20):
            try:
                return redeem(attempt).outcome
            except DomainError:  # nothing was written: the same attempt may be sent again
                continue
        raise AssertionError("never answered")

    def consume(part: int) -> None:
        connection.set_tenant(real_commits)
        start.wait()
        try:
            mine = codes[part::THREADS]
            for code in mine:
                if code == mine[-1]:  # however quick the others were, somebody comes afterwards
                    forgotten.wait(60)
                outcome = redeem_until_answered(replace(make_attempt(code), phone=CONSUMER))
                outcomes.append(outcome)
                if len(outcomes) >= THREADS:
                    under_way.set()
        finally:
            connection.close()

    threads = [Thread(target=consume, args=(part,)) for part in range(THREADS)]
    for thread in threads:
        thread.start()
    assert under_way.wait(60)
    erase_member(member, at=NOW, asked_by="test")
    forgotten.set()
    for thread in threads:
        thread.join(60)

    assert outcomes == [Outcome.REDEEMED] * len(codes)
    erased, new = Member.objects.order_by("pk")
    assert (erased.state, erased.account.status, erased.account.posted) == ("erased", "closed", 0)
    assert new.account.posted + erased.erasure.points_settled == 100 * len(codes)
    assert Account.objects.filter(party="consumer").count() == 2
    assert [*verify_ledger(), *verify_redemptions()] == []
