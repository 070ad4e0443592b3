"""Real threads at one claim, at a stock of codes and at one payment: one moves it, no code twice, no money twice."""

import threading
from collections import Counter

import pytest

from lottery.errors import ClaimState
from lottery.models import Claim, Payout, Pick, VoucherCode
from lottery.payers import Paid
from lottery.services import claiming, paying, stock
from tests.lottery import world
from tests.lottery.prizes import ADDRESS, TOLD, draw_prizes, one_prize, winner
from tests.races.test_draws import together

pytestmark = pytest.mark.races


def test_two_clerks_on_one_claim(real_commits):
    claim = one_prize("goods", level=1)
    claiming.claim_prize(claim.pk, member=winner(claim), given=ADDRESS, at=TOLD)
    clerks = [world.user(f"clerk{n}", "support") for n in range(8)]

    def check(clerk):
        return lambda: claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)

    def refuse(clerk):
        return lambda: claiming.lose(
            claim.pk, "refused", reason="not_identified", by=clerk.username, at=TOLD, seen="claimed"
        )

    found = together(real_commits, [(check if n % 2 else refuse)(clerk) for n, clerk in enumerate(clerks)])

    refused = [one for one in found if isinstance(one, Exception)]
    assert len(refused) == 7
    assert {type(one) for one in refused} == {ClaimState}
    assert claim.moves.filter(before="claimed").count() == 1


def test_many_lost_at_once_take_one_alternate_each(real_commits):
    draw = draw_prizes(world.tier(1, 4, use="draw", alternates=3), people=8)
    claims = list(Claim.objects.filter(pick__draw=draw))

    found = together(
        real_commits,
        [
            lambda claim=claim: claiming.lose(claim.pk, "refused", reason="declined", by="winner", at=TOLD)
            for claim in claims
        ],
    )

    assert [one for one in found if isinstance(one, Exception)] == []
    assert Claim.objects.filter(pick__role=Pick.Role.ALTERNATE).count() == 3
    assert Claim.objects.filter(state="won").count() == 3


def test_each_code_goes_to_one_claim(real_commits):
    draw = draw_prizes(world.tier(1, 8, use="draw", kind="voucher"), people=8)
    claims = list(Claim.objects.filter(pick__draw=draw))
    stock.add(claims[0].tier_id, "\n".join(f"A{n}" for n in range(6)), by="x", at=TOLD)

    together(
        real_commits,
        [
            lambda claim=claim: claiming.claim_prize(claim.pk, member=winner(claim), given={}, at=TOLD)
            for claim in claims
        ]
        + [lambda: claiming.hand_out_due(at=TOLD)] * 2,
    )

    assert Counter(Claim.objects.values_list("state", flat=True)) == {"sent": 6, "approved": 2}
    assert len({stock.code_of(claim) for claim in Claim.objects.filter(state="sent")}) == 6
    assert not VoucherCode.objects.filter(claim=None).exists()


def test_a_payer_is_asked_by_one_worker_and_pays_once(real_commits):
    claim = one_prize("cash")
    claim = claiming.claim_prize(claim.pk, member=winner(claim), given={"name": "a", "payee": "b"}, at=TOLD)
    lock, calls = threading.Lock(), Counter()

    class Bank:
        def pay(self, order):
            with lock:
                calls[order.key] += 1
            raise TimeoutError  # it has paid, and nobody hears of it

        def look_up(self, key):
            return Paid("B-1") if calls[key] else None

    payout = Payout.objects.get(claim=claim)
    first = together(real_commits, [lambda: paying.pay_one(payout.pk, Bank(), at=TOLD)] * 8)
    later = Payout.objects.get(pk=payout.pk).due_at
    second = together(real_commits, [lambda: paying.pay_one(payout.pk, Bank(), at=later)] * 8)

    assert (first, Counter(second)) == ([False] * 8, Counter({False: 7, True: 1}))
    assert calls == {payout.key: 1}
    assert list(claim.moves.order_by("id").values_list("after", flat=True))[-2:] == ["paid", "done"]
