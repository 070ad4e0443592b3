"""Reading redemptions: receipts, the scans of a label, what a member redeemed; and the proof that all belongs together."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from labels.models import Activation
from labels.queries import scan_id_of
from ledger.models import Cause, Kind
from ledger.proof import Check, Fault
from members.models import Member, PendingHolder
from redemption.models import OUTCOMES, Redemption, Scan
from redemption.receipts import receipts_of
from redemption.rules import AskerKind, Outcome, Receipt, asker_key

LEAST_LABELS = 1000  # put on sale in a year, for a share of them to say something


def receipt(number: str) -> Receipt | None:
    """Return the answer that a receipt number names, or None. Blanks and hyphens between the digits are ignored."""
    scan = scan_of_receipt(number)
    return receipts_of([scan], with_serials=True)[0] if scan else None


def scan_of_receipt(number: str) -> Scan | None:
    """Return the scan that a receipt number names, or None."""
    digits = number.replace(" ", "").replace("-", "")
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        return None
    scan_id = scan_id_of(digits)
    return Scan.objects.filter(pk=scan_id).first() if scan_id is not None else None


def scans_of_label(label_no: int) -> QuerySet[Scan]:
    """Return all that was asked about a label, the newest first."""
    return Scan.objects.filter(label_no=label_no).order_by("-pk")


def redemption_of_label(label_no: int) -> Redemption | None:
    """Return a label's redemption with its partners, product, campaign and reversal, or None."""
    related = Redemption.objects.select_related("retailer", "promoter", "product", "campaign", "reversal")
    return related.filter(pk=label_no).first()


def receipts_of_member(member_id: int, cursor: int | None = None, limit: int = 20) -> tuple[list[Receipt], int | None]:
    """Return what a member redeemed (also as an asker, before claiming), the newest first, and the next cursor."""
    rows = _redemptions_of(member_id)
    if cursor is not None:
        rows = rows.filter(scan_id__lt=cursor)
    ids = list(rows.order_by("-scan_id").values_list("scan_id", flat=True)[: limit + 1])
    scans = Scan.objects.in_bulk(ids[:limit])
    receipts = receipts_of([scans[scan_id] for scan_id in ids[:limit]])
    return receipts, ids[limit - 1] if len(ids) > limit else None


def is_of_member(number: str, member_id: int) -> bool:
    """Return whether a receipt is a member's: of an own check or redemption, or of one that they claimed."""
    scan = scan_of_receipt(number)
    if scan is None:
        return False
    own = scan.asker == asker_key(AskerKind.MEMBER, member_id)
    return own or _redemptions_of(member_id).filter(scan_id=scan.pk).exists()


def touched(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return the labels of half-open ranges that were ever asked for: a game begins without them."""
    found: set[int] = set()
    for first, beyond in spans:
        inside = Scan.objects.filter(label_no__gte=first, label_no__lt=beyond)
        found.update(label for label in inside.values_list("label_no", flat=True).distinct() if label is not None)
    return sorted(found)


def redeemed_share(*, at: datetime) -> float | None:
    """Return which share of the labels put on sale in the last twelve months was redeemed; None if that says too little."""
    since = at - timedelta(days=365)
    ranges = Activation.objects.filter(activated_at__gte=since, cancelled_at=None).values_list("label_range", flat=True)
    spans = [(span.lower, span.upper) for span in ranges]
    labels = sum(beyond - first for first, beyond in spans)
    if labels < LEAST_LABELS:
        return None
    redeemed = sum(
        Redemption.objects.filter(label_no__gte=first, label_no__lt=beyond).count() for first, beyond in spans
    )
    return float(redeemed / labels)


def count_receipts(member_id: int) -> int:
    """Return how many codes a member redeemed."""
    return _redemptions_of(member_id).count()


def _redemptions_of(member_id: int) -> QuerySet[Redemption]:
    accounts = Member.objects.filter(pk=member_id).values_list("account_id", flat=True)
    claimed = PendingHolder.objects.filter(claimed_by=member_id).values_list("account_id", flat=True)
    return Redemption.objects.filter(account_id__in=[*accounts, *claimed])


CHECKS = (
    Check(
        "redemption_has_its_scan",
        "redemption_redemption",
        """SELECT r.label_no, format('names scan %%s, which is not its own', r.scan_id)
        FROM redemption_redemption r LEFT JOIN redemption_scan s ON s.id = r.scan_id
        WHERE s.id IS NULL OR s.label_no IS DISTINCT FROM r.label_no OR s.outcome <> %(redeemed)s
        ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "scan_has_its_redemption",
        "redemption_scan",
        """SELECT s.id, 'says redeemed, but there is no redemption'
        FROM redemption_scan s LEFT JOIN redemption_redemption r ON r.scan_id = s.id AND r.label_no = s.label_no
        WHERE s.outcome = %(redeemed)s AND r.label_no IS NULL ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "redemption_is_paid",
        "redemption_redemption",
        """SELECT r.label_no, format('should pay %%s, %%s, %%s and paid %%s, %%s, %%s', r.points, r.retailer_points,
               r.promoter_points, paid.consumer, paid.retailer, paid.promoter)
        FROM redemption_redemption r
        LEFT JOIN channel_partner a ON a.id = r.retailer_id
        LEFT JOIN channel_partner b ON b.id = r.promoter_id
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(t.amount) FILTER (WHERE t.credit_id = r.account_id), 0) AS consumer,
                   coalesce(sum(t.amount) FILTER (WHERE t.credit_id = a.account_id), 0) AS retailer,
                   coalesce(sum(t.amount) FILTER (WHERE t.credit_id = b.account_id), 0) AS promoter,
                   coalesce(sum(t.amount), 0) AS total
            FROM ledger_transfer t
            WHERE t.cause_kind = %(cause)s AND t.cause_id = r.scan_id AND t.kind = %(award)s) paid ON true
        WHERE (paid.consumer, paid.retailer, paid.promoter) <> (r.points, r.retailer_points, r.promoter_points)
           OR paid.total <> r.points + r.retailer_points + r.promoter_points
        ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "award_has_its_redemption",
        "ledger_transfer",
        """SELECT t.id, format('pays for redemption scan %%s, which redeemed nothing', t.cause_id)
        FROM ledger_transfer t LEFT JOIN redemption_redemption r ON r.scan_id = t.cause_id
        WHERE t.cause_kind = %(cause)s AND t.kind = %(award)s AND r.label_no IS NULL ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "request_has_its_scan",
        "redemption_request",
        """SELECT q.scan_id, format('is answered by scan %%s, which does not exist', q.scan_id)
        FROM redemption_request q LEFT JOIN redemption_scan s ON s.id = q.scan_id WHERE s.id IS NULL ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "redemption_names_partners",
        "redemption_redemption",
        """SELECT r.label_no, 'names a partner who does not exist'
        FROM redemption_redemption r
        LEFT JOIN channel_partner a ON a.id = r.retailer_id LEFT JOIN channel_partner b ON b.id = r.promoter_id
        WHERE (r.retailer_id IS NOT NULL AND a.id IS NULL) OR (r.promoter_id IS NOT NULL AND b.id IS NULL)
        ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "budget_is_exact",
        "lottery_budget",
        """SELECT b.id, format('holds %%s of %%s, while %%s were given out', held.points, b.total, spent.points)
        FROM lottery_budget b
        JOIN LATERAL (SELECT sum(s."left") AS points FROM lottery_budgetslot s WHERE s.budget_id = b.id) held ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(r.points + r.retailer_points + r.promoter_points - coalesce(refused.points, 0)), 0)
                   AS points
            FROM redemption_redemption r LEFT JOIN redemption_reversal v ON v.redemption_id = r.label_no
            LEFT JOIN (SELECT w.label_no, sum(h.settled) AS points FROM redemption_heldreward w
                       JOIN ledger_hold h ON h.id = w.hold_id AND h.cause_kind = %(cause)s GROUP BY w.label_no) refused
                   ON refused.label_no = r.label_no
            WHERE r.campaign_id = b.campaign_id AND v.redemption_id IS NULL) spent ON true
        WHERE b.campaign_id IS NOT NULL AND b.total <> held.points + spent.points ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "reversal_returns_all",
        "redemption_reversal",
        """SELECT v.redemption_id, format('left transfer %%s standing', t.id)
        FROM redemption_reversal v JOIN redemption_redemption r ON r.label_no = v.redemption_id
        JOIN ledger_transfer t ON t.cause_kind = %(cause)s AND t.cause_id = r.scan_id AND t.kind = %(award)s
        WHERE NOT EXISTS (SELECT 1 FROM ledger_transfer x WHERE x.kind = %(reversal)s AND x.cause_id = t.id)
        ORDER BY 1 LIMIT 1""",
    ),
)


def verify() -> Iterator[Fault]:
    """Yield the first row that breaks each promise between redemptions, scans, requests, transfers and budgets."""
    values = {
        "redeemed": OUTCOMES.index(Outcome.REDEEMED),
        "cause": Cause.REDEMPTION.value,
        "award": Kind.AWARD.value,
        "reversal": Kind.REVERSAL.value,
    }
    for check in CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(check.sql, values)
            for row, detail in cursor.fetchall():
                yield Fault(check.name, check.table, str(row), detail)
