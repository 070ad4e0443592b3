"""What an attempt amounts to: pure facts in, one verdict out. Knows no database, no clock and no key.

`decide` puts the steps of docs/algorithms/redemption.md in order; the words that follow from a verdict are in
`redemption.messages`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from lottery.told import EntryTold, PlayTold


class Outcome(StrEnum):
    """All that a person who checks or redeems a label may hear."""

    GENUINE_FIRST = "GENUINE_FIRST"
    GENUINE_REPEAT = "GENUINE_REPEAT"
    REDEEMED = "REDEEMED"
    ALREADY_REDEEMED = "ALREADY_REDEEMED"
    NOT_RELEASED = "NOT_RELEASED"
    RECALLED = "RECALLED"
    WITHDRAWN = "WITHDRAWN"
    ENDED = "ENDED"
    CAMPAIGN_EXHAUSTED = "CAMPAIGN_EXHAUSTED"
    TYPO = "TYPO"
    UNKNOWN = "UNKNOWN"
    TOO_MANY_TRIES = "TOO_MANY_TRIES"


class Detail(StrEnum):
    """Which of several texts of one outcome is said."""

    MALFORMED = "malformed"
    TYPO = "typo"
    SERIAL_TYPED = "serial_typed"
    MISMATCH = "mismatch"
    TEST_LABEL = "test_label"
    STOLEN = "stolen"
    RETIRED = "retired"
    WRONG_GTIN = "wrong_gtin"


class Act(StrEnum):
    CHECK = "check"
    REDEEM = "redeem"


class Door(StrEnum):
    WEB = "web"
    API = "api"
    SMS = "sms"
    VOICE = "voice"


class By(StrEnum):
    """Whose visit or redemption it was, as far as the asker may know."""

    YOU = "you"
    OTHER = "other"
    UNKNOWN = "unknown"


class AskerKind(StrEnum):
    """What an asker's number counts: members, pending holders, or visitors known by a MAC alone."""

    MEMBER = "member"
    PENDING = "pending"
    VISITOR = "visitor"


_ASKER_KINDS = tuple(AskerKind)
_ASKER_NUMBERS = {kind: number for number, kind in enumerate(_ASKER_KINDS)}


def asker_key(kind: AskerKind, number: int) -> int:
    """Return the one number by which scans name an asker: opaque, and the same for one person at two doors."""
    return number * 4 + _ASKER_NUMBERS[kind]


def asker_of(key: int) -> tuple[AskerKind, int]:
    """Return what `asker_key` put together."""
    return _ASKER_KINDS[key % 4], key // 4


@dataclass(frozen=True, slots=True)
class Place:
    """A fix: degrees (WGS 84) and metres. ``datum``: what the device gave; ``consent``: the version of what was agreed to."""

    lat: float
    lon: float
    accuracy_m: float | None = None
    datum: str = "wgs84"
    consent: str = ""


@dataclass(slots=True, kw_only=True, unsafe_hash=True)  # frozen, it would be five times as dear to make
class Attempt:
    """One try at one door, exactly as typed, never changed. ``request_id`` is empty where the door has none (a check)."""

    door: Door
    at: datetime
    request_id: str = ""
    code: str | None = None
    serial: str | None = None
    gtin: str | None = None
    phone: str | None = None
    member_id: int | None = None
    asker: str | None = None
    client_id: int | None = None
    cookie: str | None = None
    retailer: str | None = None
    promoter: str | None = None
    place: Place | None = None
    language: str = ""
    ip_prefix: str = ""
    test_mode: bool = False
    proof: str = ""  # the puzzle that was solved for it (`redemption.work`)


@dataclass(frozen=True, slots=True)
class ProductRef:
    id: int
    public_id: str
    gtin: str
    name: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """The visits before this one. ``first_place`` is a city, as (English, Chinese), or None."""

    count: int
    first_at: datetime
    first_place: tuple[str, str] | None
    first_door: Door
    by: By


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The redemption that came before."""

    at: datetime
    place: tuple[str, str] | None
    door: Door
    by: By


class Paid(NamedTuple):
    party: str
    points: int
    partner_id: int | None = None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)  # as an attempt
class Receipt:
    """The answer, never changed. ``receipt_no`` is None only where nothing was looked up (TOO_MANY_TRIES)."""

    outcome: Outcome
    at: datetime
    act: Act = Act.REDEEM
    detail: Detail | None = None
    receipt_no: str | None = None
    product: ProductRef | None = None
    serial: str | None = None
    points: int = 0
    balance: int = 0
    points_offered: int = 0
    earlier: Earlier | None = None
    redeemed: Redeemed | None = None
    paid: tuple[Paid, ...] = ()
    secret_unused: bool = False
    by_serial: bool = False
    want: int | None = None
    got: int | None = None
    tries_left: int | None = None
    retry_after_s: int | None = None
    needs_work: bool = False  # with TOO_MANY_TRIES: a proof of work would let it be looked at
    ended_on: date | None = None
    play: PlayTold | None = None  # what the redeemed label won, told to its redeemer only
    entries: tuple[EntryTold, ...] = ()


class OfferState(StrEnum):
    NONE = "none"
    OPEN = "open"
    ENDED = "ended"
    EXHAUSTED = "exhausted"


class Facts(NamedTuple):
    """All that the verdict depends on. ``status`` is a value of `labels.queries.Status`.

    ``redeemed_by`` is None for a label whose secret is unused; ``spares_redeemed`` says that the status is a block
    which does not touch redeemed labels; ``visits_before`` counts other visits than the present one.
    """

    act: Act
    secret_typed: bool
    status: str
    reason: str | None = None
    spares_redeemed: bool = False
    redeemed_by: By | None = None
    visits_before: int = 0
    offer: OfferState = OfferState.NONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """``is_failure``: charged to the asker's failure budgets. ``wins``: a redemption is to be written and paid."""

    outcome: Outcome
    detail: Detail | None = None
    is_failure: bool = False
    wins: bool = False


_BEFORE_ANY_LABEL = {
    "malformed": Verdict(Outcome.TYPO, Detail.MALFORMED),
    "typo": Verdict(Outcome.TYPO, Detail.TYPO),
    "serial_typed": Verdict(Outcome.TYPO, Detail.SERIAL_TYPED),
    "unknown": Verdict(Outcome.UNKNOWN, None, is_failure=True),
    "wrong_gtin": Verdict(Outcome.UNKNOWN, Detail.WRONG_GTIN, is_failure=True),
    "mismatch": Verdict(Outcome.UNKNOWN, Detail.MISMATCH, is_failure=True),
    "retired": Verdict(Outcome.ENDED, Detail.RETIRED),
    "test_label": Verdict(Outcome.WITHDRAWN, Detail.TEST_LABEL, is_failure=True),
}
_BLOCKS = frozenset({"void", "blocked"})
REDEEMED = Verdict(Outcome.REDEEMED, wins=True)
_FIRST, _REPEAT = Verdict(Outcome.GENUINE_FIRST), Verdict(Outcome.GENUINE_REPEAT)


def decide(facts: Facts) -> Verdict:
    """Return the verdict: the first step that applies, in one order for every door."""
    if facts.status in _BEFORE_ANY_LABEL:
        return _BEFORE_ANY_LABEL[facts.status]
    if facts.status == "recalled":
        return Verdict(Outcome.RECALLED)
    if facts.status in _BLOCKS and not facts.spares_redeemed:
        return _withdrawn(facts)
    if facts.redeemed_by is not None:
        return _spent(facts, facts.redeemed_by)
    if facts.status in _BLOCKS:
        return _withdrawn(facts)
    if facts.status == "lapsed":
        return Verdict(Outcome.WITHDRAWN, None, is_failure=True)
    if facts.status == "not_active":
        return Verdict(Outcome.NOT_RELEASED, None, is_failure=True)
    if facts.status == "ended":
        return Verdict(Outcome.ENDED)
    if facts.status != "active":
        raise ValueError(f"no verdict for the status {facts.status}")
    if facts.act is Act.CHECK:
        return _REPEAT if facts.visits_before else _FIRST
    return _offered(facts.offer)


def _withdrawn(facts: Facts) -> Verdict:
    return Verdict(Outcome.WITHDRAWN, Detail.STOLEN if facts.reason == "stolen" else None, is_failure=True)


def _spent(facts: Facts, by: By) -> Verdict:
    if facts.act is Act.CHECK and by is By.YOU:
        return _REPEAT
    return Verdict(Outcome.ALREADY_REDEEMED, None, is_failure=facts.secret_typed and by is not By.YOU)


def _offered(offer: OfferState) -> Verdict:
    if offer is OfferState.ENDED:
        return Verdict(Outcome.ENDED)
    if offer is OfferState.EXHAUSTED:
        return Verdict(Outcome.CAMPAIGN_EXHAUSTED)
    return REDEEMED


class Standing(StrEnum):
    """How a page shows an outcome: green tick, amber clock, red cross."""

    OK = "ok"
    WAIT = "wait"
    NO = "no"
