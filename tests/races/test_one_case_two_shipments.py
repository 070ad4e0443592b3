"""Threads ship one case at the same moment, to two partners and under the same number: one shipment is made."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from brands.models import Brand
from channel.acts import Answer, ship
from channel.models import Custody, Document, Movement, Partner
from tests.channel.goods import ago, items, make_goods, paper

THREADS = 6


@pytest.mark.races
def test_one_case_goes_to_one_partner(real_commits: Brand) -> None:
    goods = make_goods(1)
    start = Barrier(THREADS)

    def send(number: int) -> tuple[str, str, int]:
        to: Partner = (goods.a, goods.b)[number % 2]
        connection.set_tenant(real_commits)
        try:
            start.wait(30)
            answer: Answer = ship(
                paper(ago(hours=1), number=f"S{number // 2}{number % 2}" if number < 4 else "S00"),
                items(goods.cases[0]),
                source=None,
                destination=goods.a if number >= 4 else to,
            )
            return answer.status, answer.lines[0].outcome, answer.document.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(send, range(THREADS)))

    assert Movement.objects.count() == 1
    assert Custody.objects.count() == 1
    assert sum(outcome == "ACCEPTED" for outcome in Document.objects.values_list("status", flat=True)) >= 1
    winner = Movement.objects.get().destination_id
    assert {outcome for _status, outcome, _pk in found} <= {"ACCEPTED", "DUPLICATE", "REJECTED"}
    assert Document.objects.filter(kind="shipment", number="S00").count() == 1
    same = [answer for place, answer in enumerate(found) if place in {0, 4, 5}]
    assert len(set(same)) == 1, "one number, one answer"
    losers = Document.objects.filter(kind="shipment").exclude(destination_id=winner)
    assert losers.count() == 2
    assert set(losers.values_list("status", flat=True)) == {"REJECTED"}
