"""One label from order to last scan, and the alarms that say that something was printed twice, leaked, or lapses."""

from datetime import timedelta

import pytest
from django.core.cache import cache

from common.clock import now
from console.events import Alarm
from console.history import history_of
from console.today import alarms, today
from labels import rolls
from labels.models import Batch, Roll, Sighting
from labels.queries import Status, secrets_of, serials_of, states
from labels.recalls import Scope, lift_recall, recall
from labels.services import NotReady, activate, block, cancel_activation, lift
from printing import accounts, lost, services
from redemption.rules import Door, Outcome, Place
from redemption.services import redeem, reverse_redemption, verify
from staff import approvals
from staff.models import Audit
from tests.makers import make_attempt, make_campaign, make_check
from tests.printing.conftest import Handing, build, client_of, handing  # noqa: F401

MINUTE = timedelta(minutes=1)


def handed_over(handing: Handing, number: int) -> Roll:  # noqa: F811
    one = handing.files[number - 1]
    services.download(one.pk, at=handing.at + MINUTE, asked_by="ren")
    services.acknowledge(one.pk, plain_hash=one.plain_hash, at=handing.at + 2 * MINUTE)
    return Roll.objects.get(pk=one.roll_id)


def alarms_now() -> list[Alarm]:
    cache.clear()
    return alarms(today(now()))


def titles(part: str) -> list[str]:
    return [alarm.href for alarm in alarms_now() if part in alarm.title]


def test_every_event_of_one_label_stands_in_order(handing: Handing) -> None:  # noqa: F811
    start, batch = handing.at, handing.batch
    lost.report(handing.files[0].pk, leaked=False, at=start, asked_by="pia")
    handing.files[0].refresh_from_db()
    row = lost.issue_again(handing.files[0], by=handing.pia, at=start)
    handing.files[0] = build(row, handing.ola, start).handovers.get()
    roll = handed_over(handing, 1)
    label_no = int(roll.label_range.lower) + 4
    serial, secret = serials_of([label_no])[0], secrets_of([label_no])[0]
    step = iter(start + n * MINUTE for n in range(3, 40))
    verify(make_check(serial=serial, cookie="early", at=next(step)))
    rolls.receive(roll.pk, good=19, spoiled=[(7, 7)], samples=[serial], document="DN-7", at=next(step), asked_by="wei")
    whole, product = (int(roll.label_range.lower), int(roll.label_range.upper)), batch.product
    first = activate(label_range=whole, product=product, lot="L7", market="CN", at=next(step), asked_by="wei")
    cancel_activation(first, at=next(step), asked_by="wei")
    activate(label_range=whole, product=product, lot="L8", document="AC-0712", at=next(step), asked_by="wei")
    lift(block(label_range=whole, reason="lost", at=next(step), asked_by="ola"), at=next(step), asked_by="ola")
    make_campaign(product=product, at=start)
    verify(make_check(serial=serial, cookie="one", door=Door.WEB, at=next(step)))
    redeem(make_attempt(secret, at=next(step)))
    reverse_redemption(label_no, at=next(step), asked_by="fin", reason="returned")
    lift_recall(recall(Scope(product=product, lot="L8"), at=next(step), asked_by="leo"), at=next(step), asked_by="leo")
    last = verify(make_check(serial=serial, cookie="two", door=Door.WEB, at=next(step)))

    found = history_of(label_no, at=next(step), sees_people=True)

    told = [event.title for event in reversed(found.events)]
    assert told == [
        "Ordered with batch " + batch.number, "Codes generated and proved",
        "Print asked for, Red Press", "Print approved by a second person", "Print file built and proved",
        "Print file reported lost",
        "Print asked for, Red Press", "Print approved by a second person", "Print file built and proved",
        "Print file fetched for Red Press", "Handed over to Red Press", "Not released",
        f"Received with roll {roll}", f"Read from roll {roll} as a sample",
        "Activated for Spring Tea", "Activation cancelled", "Activated for Spring Tea",
        "Blocked: lost", "Block lifted", "Repeat, someone else", "Redeemed", "Points taken back",
        "Recalled", "Recall ended", found.events[0].title,
    ]  # fmt: skip
    assert last.outcome is not Outcome.RECALLED
    assert [event.at for event in found.events] == sorted((event.at for event in found.events), reverse=True)
    assert found.roll == roll
    assert all(event.href for event in found.events if event.ref)
    page = client_of(handing.ola).get(f"/console/labels/{serial}").content.decode()
    assert all(text in page for text in ("Received with roll", "DN-7", "AC-0712", "good 19, spoiled 1"))
    spoiled = history_of(int(roll.label_range.lower), at=now(), sees_people=True)
    assert "Blocked: spoiled in production" in [event.title for event in spoiled.events]


def test_a_set_up_strip_tells_its_copy(handing: Handing) -> None:  # noqa: F811
    strip = int(handing.files[1].canary_range.lower)

    told = history_of(strip, at=now(), sees_people=True)

    assert {event.ref for event in told.events} >= {handing.files[1].public_id, handing.batch.number}
    assert not {event.ref for event in told.events} & {handing.files[0].public_id, handing.files[2].public_id}


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_two_copies_of_one_roll_that_were_both_met_raise_an_alarm(handing: Handing) -> None:  # noqa: F811
    one = lost.report(handing.files[0].pk, leaked=False, at=handing.at, asked_by="pia")
    again = build(lost.issue_again(one, by=handing.pia, at=handing.at), handing.ola, handing.at).handovers.get()
    strips = [int(copy.canary_range.lower) for copy in (one, again)]
    redeem(make_attempt(secrets_of(strips[1:])[0], at=now()))
    assert len(titles("A set-up strip was met")) == 1
    assert titles("Two copies") == titles("reported lost has been printed") == []

    redeem(make_attempt(secrets_of(strips[:1])[0], at=now()))

    assert titles("reported lost has been printed") == [f"/console/handovers/{one.public_id}"]
    assert titles("Two copies") == [f"/console/handovers/{again.public_id}"]


def test_a_serial_read_on_two_rolls_or_twice_on_one_raises_an_alarm(handing: Handing) -> None:  # noqa: F811
    first, second = handed_over(handing, 1), handed_over(handing, 2)
    serial, other = serials_of([int(first.label_range.lower), int(second.label_range.lower)])
    rolls.receive(first.pk, good=20, samples=[serial], at=now())
    assert titles("at two places") == []
    with pytest.raises(rolls.NotOfThisRoll):
        rolls.receive(second.pk, good=20, samples=[serial], at=now())
    assert titles("at two places") == [f"/console/labels/{serial}"]
    with pytest.raises(rolls.NotOfThisRoll):
        rolls.receive(second.pk, good=20, samples=[other, other], at=now())  # the first was a slip
    assert titles("at two places") == [f"/console/labels/{other}"]

    label = int(second.label_range.lower)
    block(label_range=(label, label + 1), reason="duplicate_print", at=now())
    assert titles("at two places") == []
    rolls.receive(second.pk, good=20, samples=serials_of([label + 1]), at=now())
    assert Sighting.objects.filter(roll=second).count() == 1


def test_a_serial_asked_for_in_two_cities_before_its_time_raises_an_alarm(handing: Handing) -> None:  # noqa: F811
    serial = serials_of([3])[0]
    places = (Place(30.27, 120.15, 12.0), Place(30.66, 104.06, 40.0))
    verify(make_check(serial=serial, cookie="one", door=Door.WEB, place=places[0], at=now()))
    assert titles("at two places") == []

    verify(make_check(serial=serial, cookie="two", door=Door.WEB, place=places[1], at=now()))

    assert titles("at two places") == [f"/console/labels/{serial}"]


# --- expiry of codes never used --------------------------------------------------------------------------------------


def test_what_is_never_put_on_sale_warns_and_lapses(handing: Handing) -> None:  # noqa: F811
    roll = handed_over(handing, 1)
    batch = Batch.objects.get(pk=handing.batch.pk)
    assert batch.activate_by is not None
    assert titles("lapse soon") == []
    Batch.objects.update(activate_by=now().date() + timedelta(days=3))
    rolls.receive(roll.pk, good=20, at=now())
    one = int(roll.label_range.lower)
    activate(label_range=(one, one + 5), product=batch.product, at=now())
    assert titles("45 labels of batch") == [f"/console/batches/{batch.public_id}"]

    late = now() + timedelta(days=5)
    found = states([one, one + 5], late)
    told = verify(make_check(serial=serials_of([one + 5])[0], door=Door.WEB, at=late))
    with pytest.raises(NotReady, match="lapsed"):
        activate(label_range=(one + 5, one + 10), product=batch.product, at=late)

    assert [found[no].status for no in (one, one + 5)] == [Status.ACTIVE, Status.LAPSED]
    assert told.outcome is Outcome.WITHDRAWN
    assert "Lapsed" in [event.title for event in history_of(one + 5, at=late, sees_people=True).events]


# --- a lone approver -------------------------------------------------------------------------------------------------


def test_an_approver_who_may_not_is_refused_in_the_inbox_and_kept(handing: Handing) -> None:  # noqa: F811
    row = services.request(services.NewPrint(handing.batch, 1, 1, handing.blue), by=handing.pia, at=now())
    path = f"/console/approvals/{row.approval_id}/decide"
    marketer = accounts.User.objects.create_user("mo", role="marketer")

    client_of(handing.pia).post(path, {"decision": "yes"})
    assert client_of(marketer).post(path, {"decision": "yes"}).status_code == 404
    row.approval.refresh_from_db()
    assert row.approval.approved is None
    client_of(handing.ola).post(path, {"decision": "yes"})

    kept = Audit.objects.filter(act="refused", table_name="staff_approval", row_id=str(row.approval_id))
    assert [(entry.actor, entry.after["refused"]) for entry in kept.order_by("id")] == [
        ("pia", "same_person"),
        ("mo", "role"),
    ]
    row.approval.refresh_from_db()
    assert row.approval.approved is True
    with pytest.raises(approvals.NotApproved):
        services.approvals.consume(row.approval_id, services.ACT, {}, at=now())
