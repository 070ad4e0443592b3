"""Signs that something was printed twice or leaked, and labels that are about to lapse."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import BigIntegerField, Count, Exists, F, Func, OuterRef, Q, Sum
from django.utils.translation import gettext as _, ngettext

from common.templatetags.show import num
from console.events import Alarm
from labels.models import Activation, Batch, Block, Sighting
from labels.queries import local_date, serials_of
from printing.models import Handover
from redemption.models import OUTCOMES, Scan
from redemption.rules import Outcome

SEEN_WITHIN = timedelta(days=7)
LAPSE_SOON = timedelta(days=14)
_MOST = 5
_EARLY = """
SELECT s.label_no, count(DISTINCT p.city)
  FROM redemption_scan s JOIN redemption_scanplace p ON p.scan_id = s.id
 WHERE s.outcome = %(outcome)s AND s.at >= %(since)s AND s.label_no IS NOT NULL AND p.city <> ''
 GROUP BY 1 HAVING count(DISTINCT p.city) > 1 ORDER BY 1 DESC LIMIT 100
"""


def print_alarms(*, start: datetime, at: datetime) -> list[Alarm]:
    """Return what somebody should look at, gravest first. ``start``: of today."""
    since = start - SEEN_WITHIN
    return [*_copies_met(since), *_printed_twice(since), *_lapsing(at)]


def _copies_met(since: datetime) -> list[Alarm]:
    """Tell of copies of print files whose set-up strips were met at any door, and of rolls with two such copies."""
    bound = {"output_field": BigIntegerField()}
    met = Scan.objects.filter(
        label_no__gte=Func(OuterRef("canary_range"), function="lower", **bound),
        label_no__lt=Func(OuterRef("canary_range"), function="upper", **bound),
    )
    seen = Handover.objects.filter(Exists(met)).select_related("roll__batch", "print_job__press").order_by("-id")
    by_roll: dict[int, list[Handover]] = defaultdict(list)
    for one in seen[:200]:
        by_roll[one.roll_id].append(one)
    twice = [
        Alarm(
            "no",
            "octagon",
            _("Two copies of roll {roll} were printed").format(roll=copies[0].roll),
            _("Set-up strips of both were met: {copies}").format(copies=", ".join(one.public_id for one in copies)),
            f"/console/handovers/{copies[0].public_id}",
        )
        for copies in by_roll.values()
        if len(copies) > 1
    ]
    lately = seen.filter(Exists(met.filter(at__gte=since)))
    return [
        *twice[:_MOST],
        *(
            Alarm(
                "no",
                "octagon",
                _("A file that was reported lost has been printed")
                if one.lost_at
                else _("A set-up strip was met that should never leave the press"),
                _("Copy of roll {roll} for {press}").format(roll=one.roll, press=one.print_job.press.name),
                f"/console/handovers/{one.public_id}",
            )
            for one in lately[:_MOST]
        ),
    ]


def _printed_twice(since: datetime) -> list[Alarm]:
    """Tell of serials read at two places before they were on sale: on two rolls, twice on one, in two cities."""
    read = Sighting.objects.values("label_no").annotate(rolls=Count("roll", distinct=True), times=Sum("times"))
    suspects = {row["label_no"]: _("read at receipt, {n} times") for row in read.filter(times__gt=1)[:100]}
    times = {row["label_no"]: row["times"] for row in read.filter(times__gt=1)[:100]}
    with connection.cursor() as cursor:
        cursor.execute(_EARLY, {"outcome": OUTCOMES.index(Outcome.NOT_RELEASED), "since": since})
        for label_no, cities in cursor.fetchall():
            suspects[label_no] = _("asked for in {n} cities before it was on sale")
            times[label_no] = cities
    known = [no for no in suspects if not _is_settled(no)][:_MOST]
    return [
        Alarm(
            "no",
            "octagon",
            _("A serial is at two places: printed twice?"),
            suspects[label_no].format(n=num(times[label_no])),
            f"/console/labels/{serial}",
        )
        for label_no, serial in zip(known, serials_of(known), strict=True)
    ]


def _is_settled(label_no: int) -> bool:
    """Return whether somebody has blocked the label as printed twice, or for a leak."""
    reasons = [Block.Reason.DUPLICATE_PRINT, Block.Reason.FILE_LEAK]
    return Block.objects.filter(label_range__contains=label_no, lifted_at=None, reason__in=reasons).exists()


def _lapsing(at: datetime) -> list[Alarm]:
    """Tell of batches with labels that lapse soon unless they are put on sale."""
    today = local_date(at)
    open_states = [Batch.State.GENERATED, Batch.State.HANDED_OVER, Batch.State.RECEIVED, Batch.State.ACTIVE]
    soon = Q(activate_by__gte=today, activate_by__lt=today + LAPSE_SOON, state__in=open_states)
    batches = list(Batch.objects.filter(soon, secret_slot__number__gte=1).order_by("activate_by", "id")[:50])
    active: Counter[int] = Counter()
    sizes = Activation.objects.filter(batch__in=batches, cancelled_at=None).annotate(
        n=Func(F("label_range"), function="upper", **(bound := {"output_field": BigIntegerField()}))
        - Func(F("label_range"), function="lower", **bound)
    )
    for batch_id, count in sizes.values_list("batch_id", "n"):
        active[batch_id] += count
    found = []
    for batch in batches:
        left = batch.count - active[batch.pk]
        if left > 0 and batch.activate_by is not None:
            title = ngettext(
                "{n} label of batch {number} lapses soon", "{n} labels of batch {number} lapse soon", left
            ).format(n=num(left), number=batch.number)
            detail = _("Put them on sale by {day}, or they end unused.").format(day=batch.activate_by.isoformat())
            found.append(Alarm("wait", "clock", title, detail, f"/console/batches/{batch.public_id}"))
    return found[:_MOST]
