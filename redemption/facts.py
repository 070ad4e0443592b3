"""What is known about attempts before they are decided: the typed code, the asker, the label's past. Reads only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _

from channel.queries import Earner, Routed, ask_earners, ask_routes
from common.db import array, ask, bytes_array, moments, pipelined
from common.errors import DomainError, NotFound
from common.geo import Region
from labels.queries import LabelState, Resolution, Typed, ask_states, resolve_many
from lottery.queries import Ended, Offer, ask_offers
from members.models import PendingHolder
from members.queries import Holder, ask_holders_of, ask_members, ask_pending, asker_indexes, indexes_of
from redemption.errors import UnknownPartner
from redemption.models import DOORS, Visitor
from redemption.receipts import Seen
from redemption.rules import Act, AskerKind, Attempt, By, Door, Facts, OfferState, asker_key, asker_of
from staff.vault import blind_indexes

VISIT = timedelta(minutes=30)
NO_POINTS: Mapping[str, int] = {"consumer": 0, "retailer": 0, "promoter": 0}


class Spent(NamedTuple):
    """The redemption of a label. ``seen``: when and where, if it has been read."""

    scan_id: int
    at: datetime
    asker: int
    account_id: int
    points: int
    seen: Seen | None = None


@dataclass(slots=True)
class Past:
    """Earlier visits to a label, as one asker sees them: all but the present visit."""

    spent: Spent | None = None
    visits: int = 0
    first_scan_id: int | None = None
    first: Seen | None = None
    mine: int = 0
    nobody: int = 0
    in_visit: bool = False


@dataclass(slots=True, eq=False)
class Case:
    """One attempt on its way to an answer."""

    act: Act
    attempt: Attempt
    resolution: Resolution
    region: Region | None = None  # of the device's fix
    beside: tuple[str, ...] = ()  # cities across a border near by (see redemption.places)
    other_regions: list[tuple[str, Region]] = field(
        default_factory=list
    )  # as told by other sources (see redemption.places)
    retailer: Earner | None = None
    promoter: Earner | None = None
    holder: Holder | None = None
    visitor_id: int | None = None
    mac: bytes | None = None  # under which an asker without a member is known again
    device: bytes | None = None  # the MAC of the cookie, where there is one
    state: LabelState | None = None
    past: Past = field(default_factory=Past)
    offer: Offer | Ended | None = None
    points: Mapping[str, int] = field(default_factory=lambda: NO_POINTS)
    need: int = 0
    exhausted: bool = False
    route: Routed | None = None  # whose goods the label is
    is_stopped: bool = False  # a caution pays nothing; what is decided and told stays the same
    holding: int | None = None  # the caution that holds what is paid
    scan_id: int = 0
    label_no: int | None = field(init=False)

    def __post_init__(self) -> None:
        # The label, if the code is of one and nothing spoke against it before its state was asked.
        self.label_no = self.resolution.label_no if self.resolution.known else None

    def again(self) -> "Case":
        """Return the same attempt as it was before its transaction."""
        return Case(
            act=self.act,
            attempt=self.attempt,
            resolution=self.resolution,
            region=self.region,
            beside=self.beside,
            other_regions=self.other_regions,
            retailer=self.retailer,
            promoter=self.promoter,
            holder=None if self.holder and self.holder.created else self.holder,
            visitor_id=self.visitor_id,
            mac=self.mac,
            device=self.device,
        )

    @property
    def secret_typed(self) -> bool:
        """Whether the hidden code was given, and not the open serial."""
        return self.attempt.code is not None

    @property
    def is_locked(self) -> bool:
        """Whether a member types a hidden code who typed too many wrong ones in a row. Open serials are still read."""
        return self.secret_typed and self.holder is not None and self.holder.is_locked

    @property
    def product_id(self) -> int | None:
        """The product that the label is bound to (before activation: that of its batch)."""
        return self.state.product_id if self.state else self.resolution.product_id if self.label_no else None

    @property
    def city(self) -> tuple[str, str] | None:
        """Where the attempt was made, as far as others may hear it: the city in English and Chinese."""
        return (self.region.name_en, self.region.name_zh) if self.region and self.region.name_en else None

    @property
    def askers(self) -> list[int]:
        """Every number under which this asker may have been here before, the strongest first."""
        found, holder = [], self.holder
        if holder is not None:
            if holder.member_id is not None:
                found.append(asker_key(AskerKind.MEMBER, holder.member_id))
            if holder.pending_id is not None:
                found.append(asker_key(AskerKind.PENDING, holder.pending_id))
        if self.visitor_id is not None:
            found.append(asker_key(AskerKind.VISITOR, self.visitor_id))
        return found

    @property
    def has_name(self) -> bool:
        """Whether the asker can be told from others at all."""
        attempt = self.attempt
        return bool(attempt.member_id or attempt.phone or attempt.asker or attempt.cookie)

    def make_offer(self, offer: Offer | Ended | None) -> None:
        """Take in what the product's codes earn now: points of each party of this attempt, and their sum."""
        self.offer = offer
        if isinstance(offer, Offer):
            consumer = offer.points_of("consumer")
            retailer = offer.points_of("retailer") if self.retailer else 0
            promoter = offer.points_of("promoter") if self.promoter else 0
            self.points = {"consumer": consumer, "retailer": retailer, "promoter": promoter}
            self.need = consumer + retailer + promoter

    def payments(self) -> list[tuple[int, int, int | None]]:
        """Return (account, points, months until they expire) of those whom this attempt pays."""
        if not isinstance(self.offer, Offer):
            return []
        points, awards = self.points, self.offer.awards
        return [
            (earner.account_id, points[party], awards[party].expires_after_months)
            for party, earner in (("consumer", self.holder), ("retailer", self.retailer), ("promoter", self.promoter))
            if earner is not None and points[party]
        ]

    def redeemed_by(self) -> By | None:
        """Return whose redemption stands on the label, as this asker may know it; None if the secret is unused."""
        spent = self.past.spent
        if spent is None:
            return None
        if spent.asker in self.askers or (self.holder and self.holder.account_id == spent.account_id):
            return By.YOU
        return By.OTHER if self.has_name else By.UNKNOWN

    def earlier_by(self) -> By:
        """Return whose the earlier visits were: yours if all are, another's if any surely is, else unknown."""
        past = self.past
        if past.visits and past.mine == past.visits:
            return By.YOU
        if self.has_name and past.visits > past.mine + past.nobody:
            return By.OTHER
        return By.UNKNOWN

    def facts(self) -> Facts:
        """Return all that the verdict depends on."""
        state = self.state
        return Facts(
            act=self.act,
            secret_typed=self.secret_typed,
            status=state.status if state else self.resolution.status,
            reason=state.reason if state else None,
            spares_redeemed=state.spares_redeemed if state else False,
            redeemed_by=self.redeemed_by(),
            visits_before=self.past.visits,
            offer=self.offer_state(),
        )

    def offer_state(self) -> OfferState:
        """Return whether the offer pays this attempt."""
        if self.exhausted:
            return OfferState.EXHAUSTED
        if isinstance(self.offer, Ended):
            return OfferState.ENDED
        if self.offer is None:
            return OfferState.NONE
        short = self.offer.left is not None and self.offer.left < self.need
        return OfferState.EXHAUSTED if short else OfferState.OPEN


def cases_of(act: Act, attempts: Sequence[Attempt]) -> list[Case]:
    """Resolve what was typed. Runs outside the transaction: keys may have to be unwrapped."""
    typed = [
        Typed(
            code=attempt.code if attempt.code is not None else attempt.serial or "",
            purpose="serial" if attempt.code is None else "secret",
            serial=attempt.serial if attempt.code is not None else None,
            gtin=attempt.gtin,
            test_mode=attempt.test_mode,
        )
        for attempt in attempts
    ]
    return [Case(act, attempt, resolution) for attempt, resolution in zip(attempts, resolve_many(typed), strict=True)]


def find_people(cases: Sequence[Case]) -> dict[Case, DomainError]:
    """Fill in the partners named, and who asks, as far as they are known already: one round trip.

    Returns an error for each case that names no retailer or promoter of ours.
    """
    numbers = {n for case in cases for n in (case.attempt.retailer, case.attempt.promoter) if n is not None}
    phones = indexes_of(case.attempt.phone for case in cases if case.attempt.phone)
    askers = asker_indexes((case.attempt.client_id or 0, case.attempt.asker) for case in cases if case.attempt.asker)
    cookies = [case.attempt.cookie for case in cases if case.attempt.cookie]
    cookie_macs = dict(zip(cookies, blind_indexes(cookies, purpose="cookie"), strict=True)) if cookies else {}
    member_ids = {case.attempt.member_id for case in cases if case.attempt.member_id is not None}
    with pipelined():
        partners = ask_earners(numbers) if numbers else dict
        signed_in = ask_holders_of(member_ids) if member_ids else dict
        members = ask_members(phones.values()) if phones else dict
        pending = ask_pending({client_id for client_id, _ in askers}, askers.values()) if askers else dict
        visitors = ask_visitors([*askers.values(), *cookie_macs.values()]) if askers or cookies else dict
    earners, by_id, by_phone, by_asker, by_mac = partners(), signed_in(), members(), pending(), visitors()
    for case in cases:
        attempt = case.attempt
        case.device = cookie_macs.get(attempt.cookie or "")
        if attempt.member_id is not None:
            case.holder = by_id.get(attempt.member_id)
            if case.holder is None:
                raise NotFound
            case.mac = case.device
        elif attempt.phone:
            case.mac = phones[attempt.phone]
            case.holder = by_phone.get(case.mac)
        elif attempt.asker:
            case.mac = askers[attempt.client_id or 0, attempt.asker]
            case.holder = by_asker.get(case.mac)
        elif attempt.cookie:
            case.mac = case.device
        case.visitor_id = by_mac.get(case.mac)
        case.retailer, case.promoter = earners.get(attempt.retailer or ""), earners.get(attempt.promoter or "")
    find_visitors([case for case in cases if case.attempt.phone and not case.holder])
    return _strangers(cases) if numbers else {}


def _strangers(cases: Iterable[Case]) -> dict[Case, DomainError]:
    """Return the cases that name a partner who is none of ours, or not of that kind."""
    errors: dict[Case, DomainError] = {}
    for case in cases:
        for kind, number, earner in (
            ("retailer", case.attempt.retailer, case.retailer),
            ("promoter", case.attempt.promoter, case.promoter),
        ):
            if number is not None and (earner is None or earner.kind != kind):
                errors[case] = UnknownPartner(_("There is no such retailer or promoter."), field=kind)
    return errors


def ask_visitors(macs: Iterable[bytes]) -> Callable[[], dict[bytes | None, int]]:
    """Ask for the visitors known by these MACs."""
    rows = ask("SELECT mac, id FROM redemption_visitor WHERE mac = ANY (%s::bytea[])", [bytes_array(macs)])
    return lambda: dict(rows())


def find_visitors(cases: Iterable[Case], *, create_at: datetime | None = None) -> None:
    """Fill in the visitors not looked for yet; make those that are missing if ``create_at`` is given."""
    nameless = {case.mac: case for case in cases if case.visitor_id is None and case.mac is not None}
    if not nameless:
        return
    found = ask_visitors(nameless)()
    missing = [mac for mac in sorted(nameless) if mac not in found]
    if missing and create_at is not None:
        rows = [Visitor(mac=mac, created_at=create_at) for mac in missing]
        Visitor.objects.bulk_create(rows, ignore_conflicts=True)
        found |= ask_visitors(missing)()
    for case in cases:
        if case.visitor_id is None:
            case.visitor_id = found.get(case.mac)


def ask_labels(cases: Sequence[Case], *, at: datetime) -> Callable[[], None]:
    """Ask for each label's state, past and offer, as its asker sees them; what is returned fills them in."""
    known = [case for case in cases if case.label_no is not None]
    if not known:
        return lambda: None
    states = ask_states(sorted({case.label_no or 0 for case in known}), at)
    past = _ask_past(known)
    products = {case.resolution.product_id or 0 for case in known}
    offers = ask_offers(products, at)

    def fill() -> None:
        stands, offered = states(), offers()
        for case in known:
            case.state = stands[case.label_no or 0]
        rebound = {case.product_id or 0 for case in known} - products
        if rebound:  # activation may bind a label to another product than its batch
            offered |= ask_offers(rebound, at)()
        for case in known:
            case.make_offer(offered.get(case.product_id or 0))
        past()
        _complete_past(known)

    return fill


def ask_routed(cases: Sequence[Case]) -> Callable[[], None]:
    """Ask whose goods each label is; what is returned fills it in."""
    known = [case for case in cases if case.label_no is not None]
    if not known:
        return lambda: None
    routes = ask_routes([case.label_no or 0 for case in known], [case.attempt.at for case in known])

    def fill() -> None:
        for place, route in routes().items():
            known[place].route = route

    return fill


def find_past(cases: Sequence[Case]) -> None:
    """Fill in each label's redemption and earlier visits, as its asker sees them: one statement."""
    known = [case for case in cases if case.label_no is not None]
    if known:
        _ask_past(known)()
        _complete_past(known)


def _ask_past(known: Sequence[Case]) -> Callable[[], None]:
    askers = [(*case.askers, None, None, None)[:3] for case in known]
    rows = ask(
        """
        SELECT a.n - 1, r.scan_id, r.at, r.asker, r.account_id, r.points, rs.door, rp.city, rp.city_zh,
               h.visits, h.first_id, h.mine, h.nobody, h.now, f.at, f.door, fp.city, fp.city_zh
          FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
               WITH ORDINALITY AS a (label_no, one, two, three, since, n)
          LEFT JOIN redemption_redemption r ON r.label_no = a.label_no
          LEFT JOIN redemption_scan rs ON rs.id = r.scan_id
          LEFT JOIN LATERAL (SELECT p.city, p.city_zh FROM redemption_scanplace p
                              WHERE p.scan_id = r.scan_id AND p.city <> '' ORDER BY p.source LIMIT 1) rp ON true
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE NOT present), min(id) FILTER (WHERE NOT present),
                      count(*) FILTER (WHERE me AND NOT present), count(*) FILTER (WHERE asker IS NULL),
                      count(*) FILTER (WHERE present) > 0
                 FROM (SELECT s.id, s.asker, me, me AND s.at > a.since AS present
                         FROM redemption_scan s,
                              LATERAL (SELECT coalesce(s.asker IN (a.one, a.two, a.three), false) AS me) m
                        WHERE s.label_no = a.label_no AND s.opens_visit) v
               ) AS h (visits, first_id, mine, nobody, now)
          LEFT JOIN redemption_scan f ON f.id = h.first_id
          LEFT JOIN LATERAL (SELECT p.city, p.city_zh FROM redemption_scanplace p
                              WHERE p.scan_id = h.first_id AND p.city <> '' ORDER BY p.source LIMIT 1) fp ON true
        """,
        [
            array(case.label_no for case in known),
            *(array(column) for column in zip(*askers, strict=True)),
            moments(case.attempt.at - VISIT for case in known),
        ],
    )

    def fill() -> None:
        for (
            n, scan_id, spent_at, asker, account_id, points, spent_door, spent_city, spent_city_zh,
            visits, first_id, mine, nobody, now, first_at, first_door, first_city, first_city_zh,
        ) in rows():  # fmt: skip
            spent = first = None
            if scan_id is not None:
                seen = _seen(spent_at, spent_door, spent_city, spent_city_zh)
                spent = Spent(scan_id, spent_at, asker, account_id, points, seen)
            if first_id is not None:
                first = _seen(first_at, first_door, first_city, first_city_zh)
            known[n].past = Past(spent, visits, first_id, first, mine, nobody, now)

    return fill


def _seen(at: datetime, door: int, city: str | None, city_zh: str | None) -> Seen:
    return Seen(at, DOORS[door], None if city is None else (city, city_zh or ""))


def _complete_past(known: Sequence[Case]) -> None:
    _know_claimed(known)
    _know_visitors([case for case in known if case.past.visits and case.holder and case.visitor_id is None])


def _know_visitors(cases: Sequence[Case]) -> None:
    """Count visits that a member made before anyone knew that it was one."""
    if not cases:
        return
    find_visitors(cases)
    known = [case for case in cases if case.visitor_id is not None]
    if known:
        find_past(known)


def _know_claimed(cases: Iterable[Case]) -> None:
    """Know a member again in a redemption that an API client made for them before they claimed it."""
    doubtful = [
        (case, case.past.spent, case.holder.member_id)
        for case in cases
        if case.past.spent and case.holder and case.holder.member_id is not None
        if asker_of(case.past.spent.asker)[0] is AskerKind.PENDING and case.past.spent.asker not in case.askers
    ]
    if not doubtful:
        return
    pending = {asker_of(spent.asker)[1] for _case, spent, _member in doubtful}
    claimed = dict(PendingHolder.objects.filter(pk__in=pending).values_list("pk", "claimed_by_id"))
    for case, spent, member_id in doubtful:
        if claimed.get(asker_of(spent.asker)[1]) == member_id:
            case.past.spent = spent._replace(asker=case.askers[0])


def seen_by(cases: Iterable[Case]) -> dict[int, Seen]:
    """Return when and where the earlier scans were made that these cases know of."""
    found = {case.past.first_scan_id or 0: case.past.first for case in cases if case.past.first}
    found |= {spent.scan_id: spent.seen for case in cases if (spent := case.past.spent) and spent.seen}
    return found


def client_of(attempt: Attempt) -> int:
    """Return the number that scopes request ids: that of the API key, 0 at the other doors."""
    return attempt.client_id or 0 if attempt.door is Door.API else 0
