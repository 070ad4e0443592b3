"""A member's points as people read them: entries with their why, product and receipt; lots that expire soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import get_language, gettext as _

from labels.models import Product
from labels.queries import receipt_nos
from ledger.lots import NEVER
from ledger.models import Cause, Kind, Lot, Transfer
from redemption.models import Scan

EXPIRING_WITHIN = timedelta(days=60)
SOON = timedelta(days=14)
_ICONS = {Kind.AWARD: "tick", Kind.EXPIRE: "clock", Kind.SPEND: "store", Kind.REVERSAL: "undo", Kind.CLAWBACK: "undo"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the statement. ``why`` is empty where the title says it."""

    at: datetime
    amount: int
    title: str
    why: str
    receipt_no: str
    icon: str


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    expires_on: date
    days: int
    soon: bool


def entries(account_id: int, *, before: int | None, limit: int) -> tuple[list[Entry], int | None]:
    """Return the newest entries of a holder's account below transfer ``before``, and where the next page begins."""
    rows = _newest(account_id, before=before, limit=limit + 1)
    shown = rows[:limit]
    causes = _redemptions_of(shown)
    products = _products({scan.product_id for scan in causes.values()})
    numbers = dict(zip(causes, receipt_nos([scan.pk for scan in causes.values()]), strict=True))
    return (
        [_entry(row, account_id, causes, products, numbers) for row in shown],
        shown[-1].pk if len(rows) > limit else None,
    )


def _newest(account_id: int, *, before: int | None, limit: int) -> list[Transfer]:
    """Read from the two indexes of holders' transfers, then merge."""
    older = {} if before is None else {"pk__lt": before}
    into = Transfer.objects.filter(credit=account_id, kind__lt=20, **older)
    out = Transfer.objects.filter(debit=account_id, kind__gte=10, kind__lt=30, **older)
    rows = [*into.order_by("-pk")[:limit], *out.order_by("-pk")[:limit]]
    return sorted(rows, key=lambda row: -row.pk)[:limit]


def _redemptions_of(rows: Sequence[Transfer]) -> dict[int, Scan]:
    """Return, by transfer, the scan of the redemption that each is about, straight or as its reversal."""
    scans = {row.pk: row.cause_id for row in rows if row.cause_kind == Cause.REDEMPTION}
    reversed_rows = {row.cause_id: row.pk for row in rows if row.kind == Kind.REVERSAL}
    if reversed_rows:
        found = Transfer.objects.filter(pk__in=reversed_rows, cause_kind=Cause.REDEMPTION)
        scans |= {reversed_rows[pk]: scan_id for pk, scan_id in found.values_list("pk", "cause_id")}
    by_id = Scan.objects.in_bulk(set(scans.values())) if scans else {}
    return {pk: by_id[scan_id] for pk, scan_id in scans.items() if scan_id in by_id}


def _products(ids: set[int | None]) -> dict[int, str]:
    column = "name_zh" if (get_language() or "").startswith("zh") else "name"
    rows = Product.objects.filter(pk__in=[pk for pk in ids if pk is not None])
    return {pk: here or name for pk, here, name in rows.values_list("pk", column, "name")}


def _entry(
    row: Transfer, account_id: int, causes: dict[int, Scan], products: dict[int, str], numbers: dict[int, str]
) -> Entry:
    scan = causes.get(row.pk)
    product = products.get(scan.product_id or 0, "") if scan else ""
    kind = kind_name(Kind(row.kind))
    return Entry(
        at=row.posted_at,
        amount=row.amount if row.credit_id == account_id else -row.amount,
        title=product or kind,
        why=kind if product and row.kind != Kind.AWARD else "",
        receipt_no=numbers.get(row.pk, ""),
        icon=_ICONS.get(Kind(row.kind), "file"),
    )


def kind_name(kind: Kind) -> str:
    """Return what a movement of points is called in a wallet."""
    return {
        Kind.AWARD: _("Points for a code"),
        Kind.PRIZE: _("Prize"),
        Kind.GRANT: _("Gift of points"),
        Kind.RECHARGE: _("Points added"),
        Kind.MOVE: _("Points moved"),
        Kind.REVERSAL: _("Points taken back"),
        Kind.CLAWBACK: _("Points owed, paid back"),
        Kind.ADJUSTMENT: _("Correction"),
        Kind.SPEND: _("Points spent"),
        Kind.EXPIRE: _("Points expired"),
        Kind.PAYOUT: _("Points paid out"),
        Kind.FORFEIT: _("Points forfeited"),
        Kind.BUDGET: _("Points moved"),
    }[kind]


def expiring(account_id: int) -> list[Expiring]:
    """Return the lots that expire within sixty days in the brand's zone, the next first."""
    today = timezone.localdate()
    lots = Lot.objects.filter(
        account=account_id, left__gt=0, expires_on__gte=today, expires_on__lte=today + EXPIRING_WITHIN
    ).exclude(expires_on=NEVER)
    return [
        Expiring(lot.left, lot.expires_on, (lot.expires_on - today).days, lot.expires_on - today <= SOON)
        for lot in lots.order_by("expires_on")
    ]
