from datetime import timedelta

import pytest

from brands.models import Brand
from console.events import CHECKS, LABEL, POINTS
from console.history import history_of
from labels.services import block
from redemption.services import redeem, reverse_redemption, verify
from tests.conftest import NOW
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_partner,
    secret_of,
    serial_of,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def label_no(real_commits: Brand) -> int:
    batch = make_active_batch(5)
    make_campaign(product=batch.product)
    make_partner("retailer", number="R1001")
    make_partner("promoter", number="P2002", name="Lin Wei")
    return labels_of(batch)[1]


def lived(label_no: int) -> None:
    verify(make_check(serial=serial_of(label_no), cookie="one", door="web", at=NOW + HOUR))
    redeem(make_attempt(secret_of(label_no), retailer="R1001", promoter="P2002", at=NOW + 2 * HOUR))
    verify(make_check(serial=serial_of(label_no), cookie="two", door="web", at=NOW + 50 * HOUR))


def test_every_event_stands_in_order(label_no: int) -> None:
    lived(label_no)

    found = history_of(label_no, at=NOW + 51 * HOUR, sees_people=True)

    assert [event.at for event in found.events] == sorted((event.at for event in found.events), reverse=True)
    counts = {group: sum(event.group == group for event in found.events) for group in (CHECKS, LABEL, POINTS)}
    assert counts == {CHECKS: 2, LABEL: 3, POINTS: 1}
    assert (found.serial, found.place_in_batch, found.others_asked) == (serial_of(label_no), 2, True)


def test_the_points_of_one_group_sum_to_zero(label_no: int) -> None:
    lived(label_no)

    lines = history_of(label_no, at=NOW, sees_people=True).lines

    assert {line.name: line.points for line in lines} == {
        "Campaign Spring": -115, "Member 138****8000": 100, "Corner Shop": 10, "Lin Wei": 5,
    }  # fmt: skip
    assert sum(line.points for line in lines) == 0


def test_a_reversal_leaves_nothing_paid(label_no: int) -> None:
    lived(label_no)
    reverse_redemption(label_no, at=NOW + 60 * HOUR, asked_by="ada", reason="display pack")

    found = history_of(label_no, at=NOW + 61 * HOUR, sees_people=True)

    assert [event.title for event in found.events if event.group == POINTS] == ["Points taken back", "Redeemed"]
    assert found.points == 0
    assert sum(line.points for line in found.lines) == 0


def test_who_may_not_see_members_sees_no_number(label_no: int) -> None:
    lived(label_no)
    assert "138****8000" in str(history_of(label_no, at=NOW, sees_people=True))

    assert "138****8000" not in str(history_of(label_no, at=NOW, sees_people=False))


def test_a_block_is_told_with_its_reason(label_no: int) -> None:
    block(label_range=(label_no, label_no + 1), reason="stolen", at=NOW + HOUR, note="Van", asked_by="ada")

    found = history_of(label_no, at=NOW + 2 * HOUR, sees_people=True)

    assert found.state.status == "blocked"
    assert ("Blocked: stolen", "Van") in [(event.title, event.detail) for event in found.events]
