"""The same claim form, sent by many threads at once: one member signs in, one redemption, one receipt for all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections

from brands.models import Brand
from common.clock import now
from members.models import Member
from redemption.models import Redemption
from tests.makers import POINTS_PER_LABEL, balance_of, labels_of, make_active_batch, make_campaign, secret_of
from tests.redemption.web import Person

pytestmark = pytest.mark.races
PRESSES = 8


def test_every_press_of_one_form_gets_the_same_receipt(real_commits: Brand) -> None:
    at = now() - timedelta(days=1)
    batch = make_active_batch(2, at=at)
    make_campaign(product=batch.product, at=at)
    secret = secret_of(labels_of(batch)[0])
    person = Person()
    page = person.press(person.get("/claim"), "claim", "send", code=secret, phone=person.phone)
    typed = {"code": secret, "phone": person.phone, "one_time_code": person.last_code()}
    start = Barrier(PRESSES)

    def press(_turn: int) -> tuple[int, str]:
        alone = Person()
        alone.cookies = person.cookies.copy()
        try:
            start.wait(timeout=20)
            answer = alone.press(page, "claim", "redeem", **typed)
            return answer.status_code, answer.headers.get("Location", "")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PRESSES) as pool:
        answers = set(pool.map(press, range(PRESSES)))

    assert {status for status, _address in answers} == {303}
    assert len(answers) == 1
    assert Redemption.objects.count() == 1
    assert Member.objects.count() == 1
    assert balance_of(person.phone) == POINTS_PER_LABEL
