"""How a label came to be: ordered, generated, handed over to a press, received, put on sale, blocked, recalled, ended."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _, ngettext

from common.templatetags.show import num
from console.events import LABEL, Event
from labels.models import Activation, Batch, Block, Roll, Sighting
from labels.queries import LabelState, Status
from printing.models import Handover


def events_of(label_no: int, batch: Batch, state: LabelState) -> Iterable[Event]:
    """Return what production, warehouse and sales did with a label, in the order of their work."""
    yield from _ordered(batch)
    for one in _copies(label_no):
        yield from _handed_over(one)
    yield from _received(label_no)
    yield from _activated(label_no)
    yield from _blocked(label_no)
    yield from _ended(label_no, batch, state)


def _ordered(batch: Batch) -> Iterator[Event]:
    href = f"/console/batches/{batch.public_id}"
    title = _("Ordered with batch {number}").format(number=batch.number)
    count = ngettext("{count} label", "{count} labels", batch.count).format(count=num(batch.count))
    detail = _("{count}, slot {slot}").format(count=count, slot=batch.secret_slot)
    yield Event(batch.created_at, LABEL, title, detail, "", "plus", batch.ordered_by, batch.number, href)
    if batch.generated_at:
        title = _("Codes generated and proved")
        yield Event(batch.generated_at, LABEL, title, icon="shield", ref=batch.number, href=href)


def _copies(label_no: int) -> Iterable[Handover]:
    """Return the files that hold the label: those of its roll, or the one copy of which it is a set-up strip."""
    found = Handover.objects.select_related(
        "roll__batch", "print_job__press", "print_job__approval__decided_by", "requester", "approver"
    )
    of_roll, of_strips = (
        found.filter(roll__label_range__contains=label_no),
        found.filter(canary_range__contains=label_no),
    )
    return [*of_roll.order_by("id"), *of_strips.order_by("id")]


def _handed_over(one: Handover) -> Iterator[Event]:
    job, press = one.print_job, one.print_job.press.name
    href, print_href = f"/console/handovers/{one.public_id}", f"/console/prints/{job.public_id}"

    def step(at: datetime | None, title: str, by: str = "", look: str = "", icon: str = "printer") -> Iterator[Event]:
        if at is not None:
            detail = _("roll {roll}").format(roll=one.roll)
            yield Event(at, LABEL, title, detail, look, icon, by, one.public_id, href)

    rolls = _("rolls {first} to {last}").format(first=num(job.first_roll), last=num(job.last_roll))
    asked = _("Print asked for, {press}").format(press=press)
    yield Event(job.requested_at, LABEL, asked, rolls, "", "printer", one.requester.username, job.public_id, print_href)
    if job.approval.decided_at is not None:
        yield Event(
            job.approval.decided_at,
            LABEL,
            _("Print approved by a second person"),
            rolls,
            "",
            "shield",
            one.approver.username,
            job.public_id,
            print_href,
        )
    yield from step(one.ready_at, _("Print file built and proved"))
    yield from step(one.downloaded_at, _("Print file fetched for {press}").format(press=press), one.downloaded_by)
    yield from step(one.acknowledged_at, _("Handed over to {press}").format(press=press), press, "ok", "truck")
    yield from step(one.lost_at, _("Print file reported lost"), one.lost_by, "no", "warn")
    if one.state == Handover.State.EXPIRED:
        yield from step(one.deleted_at, _("Link to the print file ended"), "", "", "clock")


def _received(label_no: int) -> Iterator[Event]:
    roll = (
        Roll.objects.select_related("batch").filter(label_range__contains=label_no, received_at__isnull=False).first()
    )
    if roll is not None and roll.received_at is not None:
        counts = _("good {good}, spoiled {spoiled}, missing {missing}, read as a sample {sampled}").format(
            good=num(roll.good), spoiled=num(roll.spoiled), missing=num(roll.unaccounted), sampled=num(roll.sampled)
        )
        title = _("Received with roll {roll}").format(roll=roll)
        href = f"/console/batches/{roll.batch.public_id}/rolls"
        ref = roll.document or str(roll)
        yield Event(roll.received_at, LABEL, title, counts, "", "inbox", roll.received_by, ref, href)
    for seen in Sighting.objects.filter(label_no=label_no).select_related("roll__batch").order_by("id"):
        title = _("Read from roll {roll} as a sample").format(roll=seen.roll)
        detail = "" if seen.times == 1 else _("{n} times: printed twice?").format(n=num(seen.times))
        href = f"/console/batches/{seen.roll.batch.public_id}/rolls"
        yield Event(
            seen.seen_at, LABEL, title, detail, "no" if detail else "", "scan", seen.seen_by, str(seen.roll), href
        )


def _activated(label_no: int) -> Iterator[Event]:
    for row in Activation.objects.filter(label_range__contains=label_no).select_related("product", "batch"):
        parts = [ngettext("{count} label", "{count} labels", row.count).format(count=num(row.count))]
        if row.lot:
            parts.append(_("lot {lot}").format(lot=row.lot))
        if row.market:
            parts.append(_("market {market}").format(market=row.market))
        if row.valid_until:
            parts.append(_("codes until {day}").format(day=row.valid_until.isoformat()))
        href, ref = f"/console/batches/{row.batch.public_id}", row.document or row.batch.number
        title = _("Activated for {product}").format(product=row.product.display_name)
        detail = " · ".join(parts)
        yield Event(row.activated_at, LABEL, title, detail, "ok", "play", row.activated_by, ref, href)
        if row.cancelled_at:
            title = _("Activation cancelled")
            yield Event(row.cancelled_at, LABEL, title, detail, "wait", "undo", row.cancelled_by)


def _blocked(label_no: int) -> Iterator[Event]:
    for row in Block.objects.filter(label_range__contains=label_no).select_related("batch"):
        href, ref = f"/console/batches/{row.batch.public_id}", row.batch.number
        title = _("Blocked: {reason}").format(reason=row.get_reason_display())
        ended = _("Block lifted")
        if row.recall_id is not None:
            href, ref = f"/console/recalls/{row.recall_id}", ""
            title, ended, ref = _("Recalled"), _("Recall ended"), _("recall {n}").format(n=row.recall_id)
        yield Event(row.opened_at, LABEL, title, row.note, "no", "lock", row.opened_by, ref, href)
        if row.lifted_at:
            yield Event(row.lifted_at, LABEL, ended, "", "ok", "undo", row.lifted_by, ref, href)


def _ended(label_no: int, batch: Batch, state: LabelState) -> Iterator[Event]:
    """Tell of days that passed: nothing was written then."""
    href = f"/console/batches/{batch.public_id}"
    if state.status is Status.LAPSED and batch.activate_by is not None:
        title, detail = _("Lapsed"), _("never activated until {day}").format(day=batch.activate_by.isoformat())
        yield Event(_after(batch.activate_by), LABEL, title, detail, "wait", "clock", "", batch.number, href)
    if state.status is Status.ENDED and state.ended_on is not None:
        title = _("Codes ended, never redeemed or no longer counted")
        yield Event(_after(state.ended_on), LABEL, title, "", "wait", "clock", "", batch.number, href)


def _after(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
