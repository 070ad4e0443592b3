"""What is known about attempts before they are decided: the typed code, the asker, the label's past. Reads only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from channel.queries import Earner
from common.db import array, moments, prepared
from labels.queries import LabelState, Resolution, Typed, resolve_many
from lottery.queries import Ended, Offer
from members.models import PendingHolder
from members.queries import Holder, asker_index, holder_of, members_at, pending_at
from redemption.models import Visitor
from redemption.rules import Act, AskerKind, Attempt, By, Door, Facts, OfferState, asker_key, asker_of
from staff.vault import blind_index

VISIT = timedelta(minutes=30)
NO_POINTS: Mapping[str, int] = {"consumer": 0, "retailer": 0, "promoter": 0}


@dataclass(frozen=True, slots=True)
class Spent:
    """The redemption of a label."""

    scan_id: int
    at: datetime
    asker: int
    account_id: int
    points: int


@dataclass(slots=True)
class Past:
    """Earlier visits to a label, as one asker sees them: all but the present visit."""

    spent: Spent | None = None
    visits: int = 0
    first_scan_id: int | None = None
    mine: int = 0
    nobody: int = 0
    in_visit: bool = False


@dataclass(slots=True, eq=False)
class Case:
    """One attempt on its way to an answer."""

    act: Act
    attempt: Attempt
    resolution: Resolution
    retailer: Earner | None = None
    promoter: Earner | None = None
    holder: Holder | None = None
    visitor_id: int | None = None
    state: LabelState | None = None
    past: Past = field(default_factory=Past)
    offer: Offer | Ended | None = None
    points: Mapping[str, int] = field(default_factory=lambda: NO_POINTS)
    need: int = 0
    exhausted: bool = False
    scan_id: int = 0
    label_no: int | None = field(init=False)

    def __post_init__(self) -> None:
        # The label, if the code is of one and nothing spoke against it before its state was asked.
        self.label_no = self.resolution.label_no if self.resolution.known else None

    def again(self) -> "Case":
        """Return the same attempt as it was before anything was read or written for it."""
        return Case(self.act, self.attempt, self.resolution, self.retailer, self.promoter)

    @property
    def secret_typed(self) -> bool:
        """Whether the hidden code was given, and not the open serial."""
        return self.attempt.code is not None

    @property
    def product_id(self) -> int | None:
        """The product that the label is bound to (before activation: that of its batch)."""
        return self.state.product_id if self.state else self.resolution.product_id if self.label_no else None

    @property
    def askers(self) -> list[int]:
        """Every number under which this asker may have been here before, the strongest first."""
        found = []
        if self.holder and self.holder.member_id is not None:
            found.append(asker_key(AskerKind.MEMBER, self.holder.member_id))
        if self.holder and self.holder.pending_id is not None:
            found.append(asker_key(AskerKind.PENDING, self.holder.pending_id))
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
            self.points = {
                "consumer": offer.points_of("consumer"),
                "retailer": offer.points_of("retailer") if self.retailer else 0,
                "promoter": offer.points_of("promoter") if self.promoter else 0,
            }
            self.need = sum(self.points.values())

    def payments(self) -> Iterator[tuple[int, int, int | None]]:
        """Yield (account, points, months until they expire) of those whom this attempt pays."""
        if isinstance(self.offer, Offer):
            for party, earner in (("consumer", self.holder), ("retailer", self.retailer), ("promoter", self.promoter)):
                if earner is not None and self.points[party]:
                    yield earner.account_id, self.points[party], self.offer.awards[party].expires_after_months

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
            offer=self._offer_state(),
        )

    def _offer_state(self) -> OfferState:
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


def find_holders(cases: Iterable[Case]) -> None:
    """Fill in the members and pending holders that exist already: at most two statements."""
    cases = list(cases)
    phones = {case.attempt.phone for case in cases if case.attempt.phone}
    askers = {(case.attempt.client_id or 0, case.attempt.asker) for case in cases if case.attempt.asker}
    by_phone = members_at(phones) if phones else {}
    by_asker = pending_at(askers) if askers else {}
    for case in cases:
        attempt = case.attempt
        if attempt.member_id is not None:
            case.holder = holder_of(attempt.member_id)
        elif attempt.phone:
            case.holder = by_phone.get(attempt.phone)
        elif attempt.asker:
            case.holder = by_asker.get((attempt.client_id or 0, attempt.asker))


def visitor_mac(attempt: Attempt) -> bytes | None:
    """Return the MAC under which an asker without a member is known again."""
    if attempt.phone:
        return blind_index(attempt.phone)
    if attempt.asker:
        return asker_index(attempt.client_id or 0, attempt.asker)
    return blind_index(attempt.cookie, purpose="cookie") if attempt.cookie else None


def find_visitors(cases: Iterable[Case], *, create_at: datetime | None = None) -> None:
    """Fill in the visitors that are known by their MAC; make those that are missing if ``create_at`` is given."""
    groups: dict[bytes, list[Case]] = {}
    for case in cases:
        mac = visitor_mac(case.attempt)
        if mac is not None:
            groups.setdefault(mac, []).append(case)
    if not groups:
        return
    found = {bytes(mac or b""): pk for mac, pk in Visitor.objects.filter(mac__in=list(groups)).values_list("mac", "pk")}
    missing = sorted(mac for mac, group in groups.items() if mac not in found and all(not c.holder for c in group))
    if missing and create_at is not None:
        rows = [Visitor(mac=mac, created_at=create_at) for mac in missing]
        Visitor.objects.bulk_create(rows, ignore_conflicts=True)
        found |= {bytes(mac or b""): pk for mac, pk in Visitor.objects.filter(mac__in=missing).values_list("mac", "pk")}
    for mac, group in groups.items():
        for case in group:
            case.visitor_id = found.get(mac)


def find_past(cases: Sequence[Case]) -> None:
    """Fill in each label's redemption and earlier visits, as its asker sees them: one statement."""
    known = [case for case in cases if case.label_no is not None]
    if not known:
        return
    askers = [(*case.askers, None, None, None)[:3] for case in known]
    with prepared() as cursor:
        cursor.execute(
            """
            SELECT a.n, r.scan_id, r.at, r.asker, r.account_id, r.points, h.visits, h.first_id, h.mine, h.nobody, h.now
              FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
                   AS a (n, label_no, one, two, three, since)
              LEFT JOIN redemption_redemption r ON r.label_no = a.label_no
             CROSS JOIN LATERAL (
                   SELECT count(*) FILTER (WHERE NOT present), min(id) FILTER (WHERE NOT present),
                          count(*) FILTER (WHERE me AND NOT present), count(*) FILTER (WHERE asker IS NULL),
                          count(*) FILTER (WHERE present) > 0
                     FROM (SELECT s.id, s.asker, me, me AND s.at > a.since AS present
                             FROM redemption_scan s,
                                  LATERAL (SELECT coalesce(s.asker IN (a.one, a.two, a.three), false) AS me) m
                            WHERE s.label_no = a.label_no AND s.opens_visit) v
                   ) AS h (visits, first_id, mine, nobody, now)
            """,
            [
                array(range(len(known))),
                array(case.label_no for case in known),
                *(array(column) for column in zip(*askers, strict=True)),
                moments(case.attempt.at - VISIT for case in known),
            ],
        )
        rows = cursor.fetchall()
    for n, scan_id, at, asker, account_id, points, visits, first_id, mine, nobody, now in rows:
        spent = None if scan_id is None else Spent(scan_id, at, asker, account_id, points)
        known[n].past = Past(spent, visits, first_id, mine, nobody, now)
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
            case.past.spent = replace(spent, asker=case.askers[0])


def client_of(attempt: Attempt) -> int:
    """Return the number that scopes request ids: that of the API key, 0 at the other doors."""
    return attempt.client_id or 0 if attempt.door is Door.API else 0
