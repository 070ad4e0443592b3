"""What campaigns hold about a member is given out, and forgotten with them."""

from uuid import uuid4

from ledger.models import Anchor
from lottery.models import Household
from members.personal import erase_member, export_member
from tests.lottery.test_draws import draw, fill  # noqa: F401 - a fixture


def test_entries_are_given_out_and_the_household_is_forgotten(draw, at):  # noqa: F811 - the fixture
    member = fill(draw, 3)[0]
    Household.objects.create(index=member.phone_index, household=uuid4(), declared_at=at)
    assert [entry["draw"] for entry in export_member(member)["entries"]] == [draw.public_id] * 3

    erase_member(member, at=at, asked_by="the member")

    assert not Household.objects.exists()
    assert [row.subject for row in Anchor.objects.filter(kind="erasure")] == [member.public_id]
