"""What people find out about labels that seem to live twice, and the cautions that follow."""

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from analytics.models import CodeFinding, CodeVerdict
from common.errors import NotFound
from redemption.models import Caution
from redemption.services import caution, lift_caution

_KIND = CodeFinding.Kind
REASONS = {
    _KIND.COPIED: Caution.Reason.CLONE,
    _KIND.VOID: Caution.Reason.CLONE,
    _KIND.NEVER_SHIPPED: Caution.Reason.LEAK,
    _KIND.EARLY: Caution.Reason.LEAK,
}


class NotSuspected(NotFound):
    """Nothing was found about this label."""

    code = "not_suspected"


def open_cautions(label_no: int) -> list[Caution]:
    """Return the open cautions that stop the points of this label alone."""
    rows = Caution.objects.filter(
        label_range=(label_no, label_no + 1), effect=Caution.Effect.STOP_POINTS, lifted_at=None
    )
    return list(rows.order_by("pk"))


def confirm_copied(label_no: int, *, note: str, at: datetime, by: str) -> CodeVerdict:
    """Say that a label was copied: it pays no points, and its scans are evidence of nothing. Twice is once.

    A label that was never sold leaked, another was cloned: that is the caution's reason. Raises `NotSuspected`.
    """
    kinds = list(CodeFinding.objects.filter(label_no=label_no).order_by("-pk").values_list("kind", flat=True)[:20])
    if not kinds:
        raise NotSuspected(_("Nothing was found about this label."))
    leaked = all(REASONS[_KIND(kind)] == Caution.Reason.LEAK for kind in kinds)
    reason = Caution.Reason.LEAK if leaked else Caution.Reason.CLONE
    with transaction.atomic(durable=True):
        _alone(label_no)
        if not open_cautions(label_no):
            caution(
                first=label_no, end=label_no + 1, effect=Caution.Effect.STOP_POINTS, reason=reason, note=note, at=at, by=by
            )  # fmt: skip
        return _decide(label_no, CodeVerdict.Decision.COPIED, note=note, at=at, by=by)


def clear(label_no: int, *, note: str, at: datetime, by: str) -> CodeVerdict:
    """Say that a label is honest, sold or unsold: what stopped its points is lifted. Raises `NotSuspected`."""
    if not CodeFinding.objects.filter(label_no=label_no).exists():
        raise NotSuspected(_("Nothing was found about this label."))
    for row in open_cautions(label_no):
        lift_caution(row.public_id, outcome=Caution.Outcome.RELEASED, at=at, by=by)
    with transaction.atomic(durable=True):
        _alone(label_no)
        return _decide(label_no, CodeVerdict.Decision.HONEST, note=note, at=at, by=by)


def verdicts_of(labels: list[int]) -> dict[int, CodeVerdict]:
    """Return the verdict that counts for each label that has one: the last."""
    return {row.label_no: row for row in CodeVerdict.objects.filter(label_no__in=labels).order_by("pk")}


def _alone(label_no: int) -> None:
    """Let one decide about a label at a time, until this transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('analytics.copies.' || current_schema()), %s)", [
            label_no % 2**31
        ])  # fmt: skip


def _decide(label_no: int, decision: str, *, note: str, at: datetime, by: str) -> CodeVerdict:
    last = CodeVerdict.objects.filter(label_no=label_no).order_by("-pk").first()
    if last is not None and last.decision == decision and last.note == note[:300]:
        return last
    return CodeVerdict.objects.create(
        label_no=label_no, decision=decision, note=note[:300], decided_at=at, decided_by=by[:150]
    )
