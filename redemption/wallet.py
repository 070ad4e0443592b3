"""A member's points as people read them: entries with their why, product and receipt; lots that expire soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import get_language, gettext as _

from brands.queries import brand_date
from labels.models import Product
from labels.queries import receipt_nos
from ledger import queries as ledger
from ledger.models import Cause, Kind, Transfer
from ledger.queries import Line
from redemption.models import Scan

EXPIRING_WITHIN_DAYS = 60
SOON_DAYS = 14
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


def entries(account_id: int, *, cursor: int | None, limit: int) -> tuple[list[Entry], int | None]:
    """Return a page of a holder's entries, newest first, and the cursor of the next page."""
    page = ledger.statement(account_id, cursor, limit)
    causes = _redemptions_of(page.lines)
    products = _products({scan.product_id for scan in causes.values()})
    numbers = dict(zip(causes, receipt_nos([scan.pk for scan in causes.values()]), strict=True))
    return [_entry(line, causes, products, numbers) for line in page.lines], page.cursor


def _redemptions_of(lines: Sequence[Line]) -> dict[int, Scan]:
    """Return, by transfer, the scan of the redemption that each is about, straight or as its reversal."""
    scans = {line.transfer_id: line.cause_id for line in lines if line.cause_kind == Cause.REDEMPTION}
    reversals = {line.cause_id: line.transfer_id for line in lines if line.kind == Kind.REVERSAL}
    if reversals:
        found = Transfer.objects.filter(pk__in=reversals, cause_kind=Cause.REDEMPTION)
        scans |= {reversals[pk]: scan_id for pk, scan_id in found.values_list("pk", "cause_id")}
    by_id = Scan.objects.in_bulk(set(scans.values())) if scans else {}
    return {pk: by_id[scan_id] for pk, scan_id in scans.items() if scan_id in by_id}


def _products(ids: set[int | None]) -> dict[int, str]:
    column = "name_zh" if (get_language() or "").startswith("zh") else "name"
    rows = Product.objects.filter(pk__in=[pk for pk in ids if pk is not None])
    return {pk: here or name for pk, here, name in rows.values_list("pk", column, "name")}


def _entry(line: Line, causes: dict[int, Scan], products: dict[int, str], numbers: dict[int, str]) -> Entry:
    scan = causes.get(line.transfer_id)
    product = products.get(scan.product_id or 0, "") if scan else ""
    kind = Kind(line.kind)
    return Entry(
        at=line.posted_at,
        amount=line.change,
        title=product or kind_name(kind),
        why=kind_name(kind) if product and kind is not Kind.AWARD else "",
        receipt_no=numbers.get(line.transfer_id, ""),
        icon=_ICONS.get(kind, "file"),
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


def expiring(account_id: int, at: datetime) -> list[Expiring]:
    """Return the lots that expire within sixty days in the brand's zone, the next first."""
    today = brand_date(at)
    return [
        Expiring(left, day, (day - today).days, soon=(day - today).days <= SOON_DAYS)
        for day, left in ledger.expiring_soon(account_id, EXPIRING_WITHIN_DAYS, at)
    ]
