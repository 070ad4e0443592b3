"""The verbs of printing: presses, requests, building, and handing over one file of one roll to one press.

Two persons: who asks for a print is not who approves it; `start` uses the approval up and leaves a job that builds.
Locks: the batch's row, then rolls, then handovers. Refusals are audited by the door that hears them (`refused`).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pyrage
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q
from django.utils.translation import gettext as _

from common import jobs
from common.db import inside_transaction
from common.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from labels import rolls
from labels.models import Batch, Roll
from labels.services import STRIPS
from printing import handover as files, samples
from printing.building import JOB_KIND
from printing.models import Handover, Press, PrintJob, TemplateVersion
from staff import approvals, audit
from staff.models import User

ACT = "printing.handover"
RESUME_LIFE = timedelta(hours=24)
MOST_ROLLS = 2_000
_State = Handover.State


class BadRecipient(Invalid):
    """That is no age recipient of X25519: it begins with age1 and has 62 symbols."""

    code = "bad_recipient"


class PressExists(Conflict):
    """There is already a press of that name."""

    code = "press_exists"


class WrongFingerprint(Conflict):
    """The fingerprint that was read out is another one: do not use this key."""

    code = "wrong_fingerprint"


class PressNotReady(Conflict):
    """The press is not in use, or nobody has checked its key by telephone."""

    code = "press_not_ready"


class KeyChanged(Conflict):
    """The press has another key than the one that was approved."""

    code = "key_changed"


class NotToPrint(Invalid):
    """These rolls cannot be printed now."""

    code = "not_to_print"


class RollIsOut(Conflict):
    """A file of one of the rolls is on its way to a press already."""

    code = "roll_is_out"


class NoStripsLeft(Conflict):
    """The batch has no label left for set-up strips: a roll can be handed over four times."""

    code = "no_strips_left"


class StartedAlready(Conflict):
    """The files are built already, or being built."""

    code = "started_already"


class Gone(NotFound):
    """The file has been downloaded, its link has ended, or it was deleted."""

    code = "gone"


class WrongHash(Invalid):
    """The hash is not that of the file: what the press has is not what was handed over."""

    code = "wrong_hash"


class TamperedManifest(Invalid):
    """The press has another manifest than the one that was signed: it must not print."""

    code = "tampered_manifest"


class NotDownloaded(Conflict):
    """Only a file that has been downloaded can be acknowledged, and only once."""

    code = "not_downloaded"


class LoneApprover(Forbidden):
    """Who asked for the print cannot have approved it."""

    code = "lone_approver"


# --- presses -------------------------------------------------------------------------------------------------------


def _checked_recipient(text: str) -> str:
    recipient = text.strip()
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise BadRecipient(_("That is no age recipient of X25519: it begins with age1 and has 62 symbols.")) from None
    return recipient


def create_press(*, name: str, recipient: str, at: datetime) -> Press:
    """Register a press with its key, not checked yet. Raises `BadRecipient`, `PressExists`."""
    recipient = _checked_recipient(recipient)
    press = Press(name=name, recipient=recipient, fingerprint=files.fingerprint(recipient), created_at=at)
    try:
        with transaction.atomic():
            press.save(force_insert=True)
    except IntegrityError as error:
        raise PressExists(_("There is already a press of that name.")) from error
    return press


def change_key(press: Press, *, recipient: str) -> Press:
    """Give a press another key: it must be checked again before anything is handed over. Raises `BadRecipient`."""
    recipient = _checked_recipient(recipient)
    press.recipient, press.fingerprint = recipient, files.fingerprint(recipient)
    press.checked_at, press.checked_by = None, ""
    press.save(update_fields=["recipient", "fingerprint", "checked_at", "checked_by"])
    return press


def check_key(press: Press, *, read_out: str, at: datetime, asked_by: str) -> Press:
    """Note that the press read out this fingerprint by telephone. Raises `WrongFingerprint`."""
    if "".join(read_out.split()).lower() != press.fingerprint:
        raise WrongFingerprint(_("The fingerprint that was read out is another one: do not use this key."))
    Press.objects.filter(pk=press.pk, fingerprint=press.fingerprint).update(checked_at=at, checked_by=asked_by)
    press.refresh_from_db()
    return press


def set_in_use(press: Press, *, is_active: bool) -> None:
    """Take a press into use, or out of it."""
    Press.objects.filter(pk=press.pk).update(is_active=is_active)


# --- request and start ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewPrint:
    """What is asked for: rolls of a batch, for a press, as a kind of file; PDF and ZPL are drawn by a template."""

    batch: Batch
    first_roll: int
    last_roll: int
    press: Press
    output: str = PrintJob.Output.CSV
    version: TemplateVersion | None = None
    proof: str = PrintJob.Proof.SAMPLE
    reissue_of: Handover | None = None


def request(new: NewPrint, *, by: User, at: datetime) -> PrintJob:
    """Ask for files of rolls for a press; another person must approve exactly this.

    Raises `PressNotReady`, `NotToPrint`, `BadForBatch`, `labels.rolls.OnHold`.
    """
    _refuse_output(new)  # draws and decodes a sample sheet, which no transaction waits for
    with transaction.atomic(durable=True):
        _refuse_press(new.press)
        _rolls_to_print(new.batch, new.first_roll, new.last_roll)
        row = PrintJob(
            batch=new.batch,
            first_roll=new.first_roll,
            last_roll=new.last_roll,
            press=new.press,
            recipient=new.press.recipient,
            output=new.output,
            version=new.version,
            values=samples.values_of(new.batch) if new.version else {},
            proof=new.proof,
            reissue_of=new.reissue_of,
            requester=by,
            requested_at=at,
        )
        row.approval = approvals.request(ACT, payload_of(row), by=by, at=at)
        row.save(force_insert=True)
    return row


def payload_of(row: PrintJob) -> dict[str, Any]:
    """Return what the second person approves."""
    payload = {
        "print": row.public_id,
        "batch": row.batch.number,
        "rolls": f"{row.first_roll}-{row.last_roll}",
        "press": row.press.name,
        "key": files.fingerprint(row.recipient),
        "file": row.output,
    }
    if row.version is not None:
        payload |= {"template": str(row.version), "template_sha256": row.version.sha256}
    if row.reissue_of is not None:
        payload |= {"instead_of": row.reissue_of.public_id}
    return payload


def _refuse_output(new: NewPrint) -> None:
    if new.output not in PrintJob.Output.values or new.proof not in PrintJob.Proof.values:
        raise NotToPrint(_("There is no such kind of file."))
    if (new.output in PrintJob.DRAWN) != (new.version is not None):
        raise NotToPrint(_("PDF and ZPL are drawn by a template; the other kinds of file have none."))
    if new.version is not None:
        samples.refuse_template(new.version.as_template(samples.values_of(new.batch)), samples.order_of(new.batch, 0))


def _refuse_press(press: Press) -> None:
    if not press.is_active or press.checked_at is None:
        raise PressNotReady(_("The press is not in use, or nobody has checked its key by telephone."))


def _rolls_to_print(batch: Batch, first: int, last: int) -> list[Roll]:
    """Return the rolls, in order. Raises `NotToPrint`, `labels.rolls.OnHold`."""
    rolls.refuse_held(batch)
    found = list(batch.rolls.filter(number__gte=first, number__lte=last).order_by("number"))
    if batch.state in {Batch.State.DRAFT, Batch.State.CLOSED, Batch.State.VOID} or not found:
        raise NotToPrint(_("This batch has no such rolls, or is over."))
    if len(found) != last - first + 1 or len(found) > MOST_ROLLS:
        raise NotToPrint(_("This batch has no such rolls, or they are too many at once."))
    if any(roll.state == Roll.State.RECEIVED for roll in found):
        raise NotToPrint(_("A roll that has been received is not printed again: order labels to replace it."))
    return found


def start(print_job_id: int, *, at: datetime, asked_by: str = "") -> PrintJob:
    """Use the approval up and leave a job that builds one file a roll, each with set-up strips of its own.

    Raises `staff.approvals.NotApproved`, `LoneApprover`, `NotSignedOff`, `KeyChanged`, `PressNotReady`, `NotToPrint`,
    `RollIsOut`, `NoStripsLeft`, `StartedAlready`, `labels.rolls.OnHold`.
    """
    with transaction.atomic(durable=True):
        batch_id = PrintJob.objects.values_list("batch_id", flat=True).get(pk=print_job_id)
        batch = Batch.objects.select_for_update(no_key=True).get(pk=batch_id)
        row = (
            PrintJob.objects.select_for_update(of=("self",))
            .select_related("press", "batch", "approval", "version__template", "reissue_of")
            .get(pk=print_job_id)
        )
        if row.job_id is not None:
            raise StartedAlready(_("The files are built already, or being built."))
        if row.press.recipient != row.recipient:
            raise KeyChanged(_("The press has another key than the one that was approved."))
        _refuse_press(row.press)
        found = _rolls_to_print(batch, row.first_roll, row.last_roll)
        samples.refuse_unsigned(row)
        approvals.consume(row.approval_id, ACT, payload_of(row), at=at)
        if row.approval.decided_by_id in {None, row.requester_id}:
            raise LoneApprover(_("Who asked for the print cannot have approved it."))
        row.approver, row.started_at = row.approval.decided_by, at
        lines = [roll.count + STRIPS for roll in found]
        subject = f"{batch.number} · {row.first_roll}–{row.last_roll}"
        row.job = jobs.create(kind=JOB_KIND, subject=subject, total=sum(lines), at=at, asked_by=asked_by)
        row.save(update_fields=["approver", "started_at", "job"])
        _open_handovers(row, batch, found, lines)
        transaction.on_commit(partial(_push, row.pk))
    return row


@inside_transaction
def _open_handovers(row: PrintJob, batch: Batch, found: list[Roll], lines: list[int]) -> None:
    """Take fresh set-up strips for each roll (the batch's row is locked). Raises `RollIsOut`, `NoStripsLeft`."""
    if batch.canary_range is None:
        raise NoStripsLeft(_("The batch was not ordered for a press."))
    taken = Handover.objects.filter(roll__batch=batch).values_list("canary_range", flat=True)
    start_at = max([int(part.upper) for part in taken], default=int(batch.canary_range.lower))
    if start_at + STRIPS * len(found) > batch.canary_range.upper:
        raise NoStripsLeft(_("The batch has no label left for set-up strips: order labels to replace the rolls."))
    made = [
        Handover(
            print_job=row,
            roll=roll,
            requester_id=row.requester_id,
            approver=row.approver,
            canary_range=NumericRange(start_at + STRIPS * place, start_at + STRIPS * (place + 1)),
            lines=count,
        )
        for place, (roll, count) in enumerate(zip(found, lines, strict=True))
    ]
    try:
        with transaction.atomic():
            Handover.objects.bulk_create(made, batch_size=1_000)
    except IntegrityError as error:
        if "a_roll_has_one_open_handover" not in str(error):
            raise
        raise RollIsOut(_("A file of one of the rolls is on its way to a press already.")) from error


def _push(print_job_id: int) -> None:
    from printing.tasks import build, push

    push(build, print_job_id)


# --- handing over --------------------------------------------------------------------------------------------------


def download(handover_id: int, *, start: int = 0, at: datetime, asked_by: str) -> Handover:
    """Allow one download of a file; one that broke off goes on from byte ``start`` within 24 hours, by the same person.

    Raises `Gone`.
    """
    public_id = Handover.objects.values_list("public_id", flat=True).get(pk=handover_id)
    if not files.path_of(public_id).is_file():
        raise Gone(_("This file has been downloaded, its link has ended, or it was deleted."))
    with transaction.atomic(durable=True):
        fresh = Handover.objects.filter(
            pk=handover_id, state=_State.READY, downloaded_at=None, expires_at__gt=at, deleted_at=None
        )
        if start == 0:
            allowed = fresh.update(state=_State.DOWNLOADED, downloaded_at=at, downloaded_by=asked_by)
        else:
            allowed = Handover.objects.filter(
                pk=handover_id,
                state=_State.DOWNLOADED,
                downloaded_at__gt=at - RESUME_LIFE,
                downloaded_by=asked_by,
                expires_at__gt=at,
                deleted_at=None,
                cipher_bytes__gt=start,
            ).count()
        if not allowed:
            raise Gone(_("This file has been downloaded, its link has ended, or it was deleted."))
        found = Handover.objects.get(pk=handover_id)
        facts = {"handover": found.public_id, "from": start, "bytes": found.cipher_bytes}
        audit.record("download", at=at, table="printing_handover", row_id=str(handover_id), facts=facts)
    return found


def acknowledge(handover_id: int, *, plain_hash: str, manifest_hash: str = "", at: datetime) -> Handover:
    """Note that the press has the file, whole: the cipher text is deleted, the roll is handed over.

    The hashes are SHA-256 in hexadecimal digits; a press that names no ``manifest_hash`` is taken at its word for the file.
    Raises `WrongHash`, `TamperedManifest`, `NotDownloaded`, `labels.rolls.OnHold`, `labels.rolls.RollNotReady`.
    """
    with transaction.atomic(durable=True):
        roll_id = Handover.objects.values_list("roll_id", flat=True).get(pk=handover_id)
        rolls.lock_roll(roll_id)
        one = Handover.objects.select_for_update().get(pk=handover_id)
        if one.state != _State.DOWNLOADED:
            raise NotDownloaded(_("Only a file that has been downloaded can be acknowledged, and only once."))
        if _digits(plain_hash) != one.plain_hash:
            raise WrongHash(_("That is not the hash of this file: what the press has is not what was handed over."))
        if _digits(manifest_hash) not in {"", hashlib.sha256(bytes(one.manifest)).hexdigest()}:
            raise TamperedManifest
        rolls.hand_over(roll_id, set_up=one.strips, at=at)
        one.state, one.acknowledged_at, one.deleted_at = _State.ACKNOWLEDGED, at, at
        one.save(update_fields=["state", "acknowledged_at", "deleted_at"])
        transaction.on_commit(partial(delete_file, one.public_id))
    return one


def _digits(text: str) -> str:
    return "".join(text.split()).lower()


def expire(*, at: datetime) -> int:
    """End the links whose time is over and delete their files; return how many. Can run twice."""
    over = Q(state__in=[_State.READY, _State.DOWNLOADED], expires_at__lte=at)
    found = list(Handover.objects.filter(over).values_list("pk", "public_id"))
    for pk, public_id in found:
        if Handover.objects.filter(over, pk=pk).update(state=_State.EXPIRED, deleted_at=at):
            delete_file(public_id)
    return len(found)


def tidy() -> int:
    """Delete files that no open handover knows: of a crash between two steps. Return how many."""
    place = files.folder()
    if not place.is_dir():
        return 0
    known = set(Handover.objects.filter(state__in=Handover.OPEN).values_list("public_id", flat=True))
    strays = [path for path in place.iterdir() if path.stem not in known]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def delete_file(public_id: str) -> None:
    """Delete the encrypted file of a hand-over."""
    files.path_of(public_id).unlink(missing_ok=True)


def refused(error: DomainError, *, what: str, row: Handover | PrintJob, at: datetime) -> None:
    """Keep a refusal in the trail: somebody tried what must not be."""
    facts = {"refused": error.code, "of": row.public_id, "what": what}
    audit.record("refused", at=at, table=row._meta.db_table, row_id=str(row.pk), facts=facts)
