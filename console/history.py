"""The life of one label: what was ordered, activated, blocked, asked and paid, newest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import get_language, gettext as _

from channel.models import Partner
from common.templatetags.show import groups, signed
from console import made
from console.events import CHECKS, POINTS, Event
from console.outcomes import DOORS, look_of
from labels import queries as labels
from labels.models import Batch, Product, Roll
from ledger.models import Account, Cause, Transfer
from lottery.models import Campaign
from members.models import Member
from redemption.models import Redemption, Reversal, Scan, ScanPlace, WasThatYou
from redemption.rules import AskerKind, Outcome, asker_of


@dataclass(frozen=True, slots=True)
class Line:
    """One side of the points paid for a label."""

    name: str
    points: int
    href: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """All that a page says about a label."""

    label_no: int
    serial: str
    batch: Batch
    product: Product | None
    state: labels.LabelState
    place_in_batch: int
    roll: Roll | None
    redemption: Redemption | None
    reversal: Reversal | None
    events: list[Event]
    lines: list[Line] = field(default_factory=list)
    checks: int = 0
    askers: int = 0
    others_asked: bool = False

    @property
    def points(self) -> int:
        """What was paid to all parties together."""
        return -sum(line.points for line in self.lines if line.points < 0)


def history_of(label_no: int, *, at: datetime, sees_people: bool) -> History:
    """Return the life of an issued label. ``sees_people``: whether members may be named (by masked number)."""
    state = labels.states([label_no], at)[label_no]
    batch = Batch.objects.select_related("product", "secret_slot").get(label_range__contains=label_no)
    scans = list(Scan.objects.filter(label_no=label_no).order_by("-id")[:500])
    redemption = Redemption.objects.select_related("retailer", "promoter", "campaign").filter(pk=label_no).first()
    reversal = Reversal.objects.filter(redemption_id=label_no).first()
    people = _People(scans, redemption, sees_people=sees_people)
    events = [
        *made.events_of(label_no, batch, state),
        *_scanned(scans, redemption, people),
        *_reversed(reversal),
    ]
    lines = _lines(redemption, people)
    return History(
        label_no=label_no,
        serial=labels.serials_of([label_no])[0],
        batch=batch,
        product=Product.objects.filter(pk=state.product_id or 0).first(),
        state=state,
        place_in_batch=label_no - batch.label_range.lower + 1,
        roll=Roll.objects.select_related("batch").filter(label_range__contains=label_no).first(),
        redemption=redemption,
        reversal=reversal,
        events=[
            event
            for _at, _place, event in sorted(
                ((e.at, n, e) for n, e in enumerate(events)), key=lambda found: found[:2], reverse=True
            )
        ],
        lines=lines,
        checks=sum(scan.opens_visit for scan in scans),
        askers=len({scan.asker for scan in scans if scan.asker is not None}),
        others_asked=any(look_of(scan.outcome, scan.by).look == "wait" for scan in scans),
    )


def receipt_href(receipt: str) -> str:
    """Return the page of a receipt."""
    return f"/console/receipts/{receipt}"


class _People:
    """Who asked and who earned, as this reader may see them."""

    def __init__(self, scans: Sequence[Scan], redemption: Redemption | None, *, sees_people: bool) -> None:
        self.sees_people = sees_people
        keys = [asker_of(scan.asker) for scan in scans if scan.asker is not None]
        ids = {number for kind, number in keys if kind is AskerKind.MEMBER}
        account = redemption.account_id if redemption else 0
        found = [*Member.objects.filter(pk__in=ids), *Member.objects.filter(account_id=account)]
        self._by_id = {member.pk: member for member in found}
        self._by_account = {member.account_id: member for member in found}

    def name(self, asker: int | None) -> str:
        """Return what to call an asker."""
        if asker is None:
            return _("somebody unknown")
        kind, number = asker_of(asker)
        if kind is AskerKind.PENDING:
            return _("a user of an API client")
        return self._member(self._by_id.get(number)) if kind is AskerKind.MEMBER else _("a visitor")

    def earner(self, account_id: int) -> Line:
        """Return whose account it is, with nothing paid yet."""
        member = self._by_account.get(account_id)
        href = f"/console/members/{member.public_id}" if member and self.sees_people else ""
        return Line(self._member(member) if member else _("a user of an API client"), 0, href)

    def _member(self, member: Member | None) -> str:
        if member is None or not self.sees_people or not member.masked_phone:
            return _("a member")
        return _("member {phone}").format(phone=member.masked_phone)


def _scanned(scans: Sequence[Scan], redemption: Redemption | None, people: _People) -> Iterable[Event]:
    ids = [scan.pk for scan in scans]
    numbers = dict(zip(ids, labels.receipt_nos(ids), strict=True)) if ids else {}
    places = {place.scan_id: city_of(place) for place in ScanPlace.objects.filter(scan_id__in=ids)}
    answers = {row.scan_id: row.yes for row in WasThatYou.objects.filter(scan_id__in=ids).order_by("id")}
    for scan in scans:
        look = look_of(scan.outcome, scan.by)
        place, said = places.get(scan.pk), answers.get(scan.pk)
        parts = [people.name(scan.asker)]
        if redemption and scan.pk == redemption.scan_id:
            parts = [_("{points} to {name}").format(points=signed(scan.points), name=parts[0])]
            parts += _partners(redemption)
        if place:
            parts.append(place)
        if said is not None:
            parts.append(_("“That was me.”") if said else _("“That was not me.”"))
        yield Event(
            scan.at,
            POINTS if scan.outcome is Outcome.REDEEMED else CHECKS,
            str(look.word),
            " · ".join(parts),
            "no" if said is False else look.look,
            look.icon,
            str(DOORS[scan.door]),
            groups(numbers[scan.pk]),
            receipt_href(numbers[scan.pk]),
        )


def _partners(redemption: Redemption) -> list[str]:
    pairs = [(redemption.retailer, redemption.retailer_points), (redemption.promoter, redemption.promoter_points)]
    return [f"{partner.display_name} {signed(points)}" for partner, points in pairs if partner and points]


def _reversed(reversal: Reversal | None) -> Iterable[Event]:
    if reversal:
        yield Event(reversal.at, POINTS, _("Points taken back"), reversal.reason, "wait", "undo", reversal.asked_by)


def city_of(place: ScanPlace) -> str:
    """Return a place's city in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return (place.city_zh if chinese else place.city) or place.city


def _lines(redemption: Redemption | None, people: _People) -> list[Line]:
    """Return the transfers of a redemption as sides that sum to zero; what a reversal moved back is summed in."""
    if redemption is None:
        return []
    paid = list(Transfer.objects.filter(cause_kind=Cause.REDEMPTION, cause_id=redemption.scan_id).order_by("id"))
    back = Transfer.objects.filter(cause_kind=Cause.TRANSFER, cause_id__in=[row.pk for row in paid])
    sums: dict[int, int] = {}
    for row in [*paid, *back]:
        sums[row.debit_id] = sums.get(row.debit_id, 0) - row.amount
        sums[row.credit_id] = sums.get(row.credit_id, 0) + row.amount
    accounts = {account.pk: account for account in Account.objects.filter(pk__in=sums)}
    partners = {partner.account_id: partner for partner in Partner.objects.filter(account_id__in=sums)}
    lines = []
    for account_id, points in sums.items():
        lines.append(_line(accounts[account_id], partners.get(account_id), redemption.campaign, people, points))
    return lines


def _line(account: Account, partner: Partner | None, campaign: Campaign | None, people: _People, points: int) -> Line:
    if partner:
        return Line(partner.display_name, points, f"/console/partners/{partner.public_id}")
    if account.kind == Account.Kind.HOLDER:
        holder = people.earner(account.pk)
        return Line(holder.name[:1].upper() + holder.name[1:], points, holder.href)
    if campaign:
        name = _("Campaign {name}").format(name=campaign.display_name)
        return Line(name, points, f"/console/campaigns/{campaign.public_id}")
    return Line(account.name[:1].upper() + account.name[1:], points, f"/console/ledger/accounts/{account.public_id}")
