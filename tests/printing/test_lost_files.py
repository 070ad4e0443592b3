"""A lost file: its link ends, the same codes are issued again to two persons, or the roll is blocked for a leak."""

import pyrage
import pytest
from django.db import IntegrityError, transaction

from labels import rolls
from labels.models import Block, Roll
from labels.queries import Status, states
from printing import handover as files, lost, services
from printing.models import Handover, PrintJob
from staff.models import Approval
from tests.printing.conftest import KEY, Handing, build, client_of, refusals


def codes_of(one: Handover) -> list[tuple[str, str]]:
    """Return serial and code of each line."""
    text = pyrage.decrypt(files.path_of(one.public_id).read_bytes(), [KEY]).decode()
    return [(line.split(",")[2], line.split(",")[4]) for line in text.splitlines()[1:]]


@pytest.mark.parametrize("fetched", [False, True])
def test_a_lost_file_is_issued_again_with_the_same_codes_and_other_strips(handing: Handing, fetched: bool) -> None:
    one, at = handing.files[1], handing.at
    before = codes_of(one)
    if fetched:
        services.download(one.pk, at=at, asked_by="pia")
    with pytest.raises(lost.NotLost):
        lost.issue_again(one, by=handing.pia, at=at)
    one = lost.report(one.pk, leaked=False, at=at, asked_by="pia")
    with pytest.raises(services.Gone):
        services.download(one.pk, at=at, asked_by="pia")

    row = lost.issue_again(one, by=handing.pia, at=at)
    with pytest.raises(services.approvals.NotApproved):
        services.start(row.pk, at=at)
    again = build(row, handing.ola, at).handovers.get()

    assert row.approval.payload["instead_of"] == one.public_id
    assert codes_of(again)[6:-6] == before[6:-6]
    assert set(codes_of(again)[:6]).isdisjoint(before)
    assert again.canary_range.lower >= one.canary_range.upper
    assert (again.roll_id, PrintJob.objects.get(pk=row.pk).reissue_of) == (one.roll_id, one)


def test_a_file_in_wrong_hands_blocks_its_roll_and_is_not_issued_again(handing: Handing) -> None:
    one, at = handing.files[0], handing.at
    first, end = one.roll.label_range.lower, one.roll.label_range.upper
    lost.report(one.pk, leaked=True, note="laptop stolen", at=at, asked_by="pia")

    found = Block.objects.get(reason="file_leak")
    assert (found.label_range.lower, found.label_range.upper, found.note) == (first, end, "laptop stolen")
    assert states([first, end], at)[first].status is Status.BLOCKED
    assert states([first, end], at)[end].status is Status.NOT_ACTIVE
    one.refresh_from_db()
    with pytest.raises(lost.FileLeaked):
        lost.issue_again(one, by=handing.pia, at=at)


def test_what_was_never_built_or_has_come_back_is_not_lost(handing: Handing) -> None:
    one, at = handing.files[0], handing.at
    Handover.objects.filter(pk=handing.files[2].pk).update(state="cancelled")
    with pytest.raises(lost.NotLost):
        lost.report(handing.files[2].pk, leaked=True, at=at, asked_by="pia")
    services.download(one.pk, at=at, asked_by="pia")
    services.acknowledge(one.pk, plain_hash=one.plain_hash, at=at)
    rolls.receive(one.roll_id, good=20, at=at)
    with pytest.raises(lost.NotLost):
        lost.report(one.pk, leaked=False, at=at, asked_by="pia")

    lost.report(one.pk, leaked=True, at=at, asked_by="pia")  # what was printed may still have leaked
    assert Roll.objects.get(pk=one.roll_id).state == "received"
    with pytest.raises(lost.NotLost):
        lost.report(one.pk, leaked=True, at=at, asked_by="pia")


def test_the_pages_report_a_loss_and_ask_again(handing: Handing) -> None:
    browser, one = client_of(handing.pia), handing.files[0]
    path = f"/console/handovers/{one.public_id}"
    browser.post(f"{path}/again")
    assert (refusals(), PrintJob.objects.count()) == ([("not_lost", "pia")], 1)
    assert browser.get(f"{path}/lost").status_code == 200
    assert browser.post(f"{path}/lost", {"note": "where is it?"}).status_code == 422
    assert browser.post(f"{path}/lost", {"leaked": "no"}).status_code == 302
    assert f"{path}/again" in browser.get(path).content.decode()

    page = browser.post(f"{path}/again")["Location"]

    assert one.public_id in browser.get(page).content.decode()
    assert Approval.objects.latest("id").payload["instead_of"] == one.public_id
    assert browser.get(path).content.decode().count(page) == 1


def test_the_database_holds_to_it(handing: Handing) -> None:
    with pytest.raises(IntegrityError, match="a_lost_file_says_when_and_is_deleted"), transaction.atomic():
        Handover.objects.update(state="lost")
    with pytest.raises(IntegrityError, match="a_lost_file_is_issued_again_alone"), transaction.atomic():
        PrintJob.objects.update(reissue_of=handing.files[0])
    with pytest.raises(IntegrityError, match="who_downloaded_a_file_is_named"), transaction.atomic():
        Handover.objects.update(downloaded_at=handing.at)
