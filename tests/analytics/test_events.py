"""A check in a shop is told as an event once its file is decided, and says neither where nor by whom."""

import json
from decimal import Decimal
from uuid import UUID

from analytics import case_evidence, casework
from analytics.case_evidence import Seen
from analytics.photos import Spot
from brands.models import Brand
from channel import telling
from channel.models import Event
from tests.analytics.files import make_file
from tests.conftest import NOW
from tests.makers import serial_of


def test_a_check_is_told_after_the_decision_alone(brand: Brand) -> None:
    filed = make_file()
    seen = Seen(
        label=serial_of(filed.goods.labels(0)[0]),
        shop="Corner of Nanjing Road",
        invoice="F-77",
        price=Decimal("12.50"),
        note="dusty",
        spot=Spot(23.13131, 113.26262, 12.0),
        photos=(),
    )
    case_evidence.field_check(filed.case.pk, uuid=UUID(int=7), seen=seen, at=NOW, by="ina")
    telling.tell_facts(at=NOW)
    assert not Event.objects.filter(biz_step="inspecting").exists()

    casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", at=NOW, by="lea")
    telling.tell_facts(at=NOW)
    telling.tell_facts(at=NOW)

    event = Event.objects.get(biz_step="inspecting").body
    assert [one.rpartition("/21/")[2] for one in event["epcList"]] == [seen.label]
    assert not any(word in json.dumps(event) for word in ("Nanjing", "F-77", "ina", "dusty", "23.13131", "12.50"))
