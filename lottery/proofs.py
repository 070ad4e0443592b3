"""What anybody may know of draws and instant games: how far they are, when what was fixed, their proofs, who won.

Reading only. Nothing here tells who has entered before the entries are listed, or which labels win before the reveal.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Func, IntegerField, Q, QuerySet

from lottery.beacon_settings import default_beacon
from lottery.beacons import Beacon
from lottery.models import Bundle, Campaign, Claim, Commitment, Draw, Entry, Pick, PrizeTier
from lottery.rules import Terms

SLICE_BYTES = 1 << 20
MOST_NAMED = 100  # winners of a tier that a page names; the bundle has them all
MOST_RECEIPT_BYTES = 20_000
_PUBLIC = [state for state in Campaign.State.values if state != Campaign.State.DRAFT]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline. ``state``: done, now (waited for), or next. ``at``: when it was or will be; ``hash``: hex."""

    name: str
    state: str
    at: datetime | None
    hash: str = ""
    round: int | None = None


@dataclass(frozen=True, slots=True)
class Winner:
    """One unit won, as the public may know it. ``instead``: an alternate's, after its winner did not take it."""

    entry: int
    phone: str
    instead: bool


@dataclass(frozen=True, slots=True)
class TierResult:
    """The units of one tier of a draw, and who won the first of them. ``more``: winners that are not named here."""

    tier: PrizeTier | None
    number: int
    quantity: int
    alternates: int
    winners: list[Winner] = field(default_factory=list)
    more: int = 0


# --- draws -------------------------------------------------------------------------------------------------------------


def draws() -> QuerySet[Draw]:
    """Return the draws whose rules are public, the newest close first."""
    found = Draw.objects.filter(rules__isnull=False, campaign__published_at__isnull=False)
    return found.select_related("campaign").order_by("-close_at", "-pk")


def draw(public_id: str) -> Draw | None:
    """Return a draw whose rules are public."""
    return draws().filter(public_id=public_id).first()


def beacon_of(campaign: Campaign) -> Beacon:
    """Return the beacon that a campaign's rules name."""
    return Terms.read(campaign.terms, beacon=default_beacon()).beacon


def moment_of(beacon: Beacon, round_no: int | None) -> datetime | None:
    """Return when a round comes out."""
    return datetime.fromtimestamp(beacon.time_of(round_no), UTC) if round_no else None


def draw_steps(one: Draw, *, at: datetime) -> list[Step]:
    """Return the timeline of a draw: rules, entries, close, root, public value, result."""
    due = moment_of(beacon_of(one.campaign), one.round)
    halted = one.state == Draw.State.HALTED
    order = [
        Step("rules", _state(one.rules_at is not None, False), one.rules_at, _hex(one.rules_hash)),
        Step("entries", _state(at >= one.opens_at, False), one.opens_at),
        Step("close", _state(one.state not in {"scheduled", "open", "halted"}, one.state == "open"), one.close_at),
        Step("root", _state(one.root is not None, one.state == "closing"), one.listed_at, _hex(one.root)),
        Step(
            "value",
            _state(one.seed is not None, one.state == Draw.State.LISTED),
            due,
            _hex(one.seed),
            one.round,
        ),
        Step(
            "result",
            _state(one.state == Draw.State.PUBLISHED, one.state in {"seeded", "selected"}),
            one.published_at,
        ),
    ]
    return [step for step in order if not halted or step.state == "done"]


def _state(done: bool, now: bool) -> str:
    return "done" if done else "now" if now else "next"


def _hex(value: Any) -> str:
    return bytes(value).hex() if value else ""


def results(one: Draw) -> list[TierResult]:
    """Return the prizes of a draw by tier, with its winners once it is published."""
    use = PrizeTier.Use.INSTANT if one.campaign.has_instant and _is_reserve(one) else PrizeTier.Use.DRAW
    tiers = {tier.tier: tier for tier in one.campaign.tiers.filter(use=use)}
    named = _winners(one) if one.state == Draw.State.PUBLISHED else {}
    return [
        TierResult(
            tiers.get(number),
            number,
            quantity,
            alternates,
            [_winner(claim) for claim in named.get(number, [])[:MOST_NAMED]],
            max(0, len(named.get(number, [])) - MOST_NAMED),
        )
        for number, quantity, alternates in one.prizes or []
    ]


def _is_reserve(one: Draw) -> bool:
    return Terms.read(one.campaign.terms, beacon=default_beacon()).reserve


def _winners(one: Draw) -> dict[int, list[Claim]]:
    """Return by tier the claims of a draw that were not lost, in the order of the picks."""
    claims = Claim.objects.filter(pick__draw=one).exclude(state__in=Claim.ENDED_WITHOUT)
    found: dict[int, list[Claim]] = {}
    for claim in claims.select_related("pick", "member").order_by("pick__pick_no"):
        if claim.pick is not None:
            found.setdefault(claim.pick.tier, []).append(claim)
    return found


def _winner(claim: Claim) -> Winner:
    pick = claim.pick
    assert pick is not None  # noqa: S101 # nosec B101 - `_winners` keeps only claims of picks
    phone = claim.member.masked_phone if claim.member else ""
    return Winner(pick.entry_id, phone, pick.role == Pick.Role.ALTERNATE)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of an entry that somebody asks about. ``state``: listed, void, missing, early (not listed yet), unclear."""

    state: str
    entry: int | None = None
    weight: int = 0
    reason: str = ""
    tier: int | None = None
    role: str = ""


def find_entry(one: Draw, text: str) -> Found:
    """Return whether an entry took part: by its number, or by a receipt as it was given to the member.

    The list is public once it is signed; before, nothing is said. Of a receipt the signature is not looked at here: the
    page's own check does, and so does verify_draw.py.
    """
    number, leaf = _asked(one, text)
    if number is None:
        return Found("unclear")
    if one.root is None:
        return Found("early", number)
    entry = Entry.objects.filter(draw=one, pk=number).first()
    if entry is None or (leaf is not None and bytes(entry.leaf) != leaf):
        return Found("missing", number)
    if entry.state == Entry.State.VOIDED:
        return Found("void", number, reason=entry.void_reason)
    pick = Pick.objects.filter(draw=one, entry=entry).first() if one.state == Draw.State.PUBLISHED else None
    return Found("listed", number, entry.weight, tier=pick.tier if pick else None, role=pick.role if pick else "")


def _asked(one: Draw, text: str) -> tuple[int | None, bytes | None]:
    """Return entry number and leaf (None if only a number was given); no number if the text is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text), None
    try:
        said = json.loads(text[:MOST_RECEIPT_BYTES])["content"]
        if said["draw"] != one.uuid.hex:
            return None, None
        number = int(said["entry"])
        return (number, bytes.fromhex(said["leaf"])) if 0 < number < 2**63 else (None, None)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None


# --- instant games -------------------------------------------------------------------------------------------------------


def games() -> QuerySet[Campaign]:
    """Return the instant games whose rules are public, the newest first."""
    kinds = [Campaign.Kind.INSTANT, Campaign.Kind.BOTH]
    return Campaign.objects.filter(kind__in=kinds, published_at__isnull=False).order_by("-published_at", "-pk")


def commitments(campaign: Campaign) -> list[Commitment]:
    """Return a game's commitments as they were made, those given up too."""
    return list(Commitment.objects.filter(campaign=campaign).order_by("pk"))


def game_steps(campaign: Campaign, *, at: datetime) -> list[Step]:
    """Return the timeline of an instant game: rules, first commitment, public value, second, plays, close, reveal."""
    made = commitments(campaign)
    given_up = {one.attempt for one in made if one.kind == Commitment.Kind.GIVEN_UP}
    standing = {one.kind: one for one in made if one.attempt not in given_up}
    first, second = standing.get(Commitment.Kind.FIRST), standing.get(Commitment.Kind.SECOND)
    named = json.loads(bytes(first.content))["beacon"] if first else None
    round_no = named["round"] if named else None
    due = moment_of(Beacon.from_json(named), round_no) if named else None
    revealed = Bundle.objects.filter(campaign=campaign, kind=Bundle.Kind.REVEAL).defer("data").first()
    rules = campaign.versions.order_by("n").first()
    over = campaign.state in {"closing", "closed", "revealed", "halted"}
    steps = [
        Step(
            "rules", _state(rules is not None, False), rules.published_at if rules else None, _hex(rules and rules.hash)
        ),
        Step("first", _state(first is not None, False), first.at if first else None, _hex(first and first.hash)),
        Step("value", _state(second is not None, first is not None), due, "", round_no),
        Step("second", _state(second is not None, False), second.at if second else None, _hex(second and second.hash)),
        Step("plays", _state(second is not None and at >= campaign.opens_at, False), campaign.opens_at),
        Step("end", _state(over, campaign.state == "open"), campaign.ended_at or campaign.closes_at),
        Step("reveal", _state(revealed is not None, campaign.state == "closed"), revealed.at if revealed else None),
    ]
    return [step for step in steps if campaign.state != "halted" or step.state == "done"]


# --- the files -------------------------------------------------------------------------------------------------------------


def editions(*, draw: Draw | None = None, campaign: Campaign | None = None) -> QuerySet[Bundle]:
    """Return the proofs of a draw, or of a campaign's instant game, the newest first: each with its ``size``, without data."""
    which = Q(draw=draw) if draw is not None else Q(campaign=campaign, kind=Bundle.Kind.REVEAL)
    size = Func("data", function="octet_length", output_field=IntegerField())
    return Bundle.objects.filter(which).defer("data").annotate(size=size).order_by("-edition")


def slices(bundle_id: int, size: int) -> Iterator[bytes]:
    """Yield a proof in pieces of a megabyte, so that no process holds it whole."""
    for start in range(1, size + 1, SLICE_BYTES):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT substring(data FROM %s FOR %s) FROM lottery_bundle WHERE id = %s",
                [start, SLICE_BYTES, bundle_id],
            )
            row = cursor.fetchone()
        yield bytes(row[0])
