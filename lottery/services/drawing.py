"""A draw from its close to its proof, one step a transaction: each is a conditional change of state and deterministic.

``close → list → seed → select → publish``. A worker may die between or within any two: what was committed stands, the
rest is done again with the same result, and a difference raises `Differs`. Sealed anchors prove the order of things.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from common.canonical import canonical
from common.db import inside_transaction
from common.signing import sign
from ledger.models import Account
from ledger.services import NewTransfer, anchor, post, settle, system_account
from lottery import bundles, content, keys
from lottery.beacon_settings import default_beacon
from lottery.draw import Entry as Line, Listed, Prize, listed, order_of, seed_of, select
from lottery.errors import DrawState, NotYet
from lottery.models import Campaign, Claim, ClaimMove, Draw, Entry, Pick, PrizeTier
from lottery.queries import excluded_names
from lottery.rules import Terms, claim_deadline
from lottery.services import beaconing, entering, reserve
from lottery.services.arming import lock_games
from staff.keys import sign_key

log = logging.getLogger(__name__)
LATEST_S = 60  # a list that comes out later than this before its round waits for another
ALTERNATE_DAYS = 14


class Differs(RuntimeError):
    """A step done again came to another result than is stored: somebody has changed something."""


def on_step(name: str) -> None:
    """Tests replace this to die here; ``name`` is "<step> begun" or "<step> done"."""


def terms_of(draw: Draw) -> Terms:
    """Return the terms of a draw's campaign."""
    return Terms.read(draw.campaign.terms, beacon=default_beacon())


def _locked(draw_id: int, state: str) -> Draw:
    """Lock a draw for a change of state. Raises `DrawState` if it is not in that state."""
    lock_games([draw_id], exclusive=True)
    draw = Draw.objects.select_for_update(of=("self",), no_key=True).select_related("campaign").get(pk=draw_id)
    if draw.state != state:
        raise DrawState
    return draw


def close_draw(draw_id: int, *, at: datetime) -> Draw:
    """Close a draw: entries in flight are waited for, later ones refused. Raises `DrawState`."""
    with transaction.atomic():
        draw = _locked(draw_id, Draw.State.OPEN)
        if at < draw.close_at:
            raise DrawState
        draw.state = Draw.State.CLOSING
        draw.save(update_fields=["state"])
        on_step("close begun")
    return draw


def live_lines(draw: Draw) -> list[Line]:
    """Return a draw's live entries as they are published."""
    rows = Entry.objects.filter(draw=draw, state=Entry.State.LIVE)
    values = rows.values_list("id", "who", "weight", "source", "ref", "kin")
    return [Line(*row) for row in values.iterator(chunk_size=20_000)]


def voided_lines(draw: Draw) -> list[dict[str, Any]]:
    """Return a draw's void entries: leaf, reason, time; by leaf."""
    rows = Entry.objects.filter(draw=draw, state=Entry.State.VOIDED).values_list("leaf", "void_reason", "voided_at")
    return [
        {"leaf": leaf, "reason": reason, "at": content.unix(at) if at else 0}
        for leaf, reason, at in sorted((bytes(leaf).hex(), reason, at) for leaf, reason, at in rows)
    ]


def list_draw(draw_id: int, *, at: datetime) -> Draw:
    """Fix a closed draw's entries under one signed root, before the round that decides.

    A second-chance draw waits for the end of its instant game. Raises `DrawState`, `NotYet`.
    """
    key = sign_key(at=at)
    before = Draw.objects.select_related("campaign").get(pk=draw_id)
    names = excluded_names(before, keys.draw_key(before))
    with transaction.atomic():
        if terms_of(before).reserve:
            lock_games([-before.campaign_id], exclusive=True)  # no play is in flight while the reserve is counted
        draw = _locked(draw_id, Draw.State.CLOSING)
        found = listed(live_lines(draw))
        terms = terms_of(draw)
        if terms.reserve and draw.campaign.state in Campaign.BEFORE_THE_END:
            raise NotYet
        if content.unix(at) > terms.beacon.time_of(draw.round or 0) - LATEST_S:
            draw.round = terms.beacon.first_round_from(content.unix(at) + 1800)
        if terms.reserve:
            draw.prizes = _reserve(draw)
        root = root_value(draw, found, names, at=at)
        draw.root, draw.root_json = found.root, canonical(root)
        draw.root_signature = sign(key, content.ROOT_TAG, draw.root_json)
        draw.excluded, draw.listed_at, draw.state = names, at, Draw.State.LISTED
        draw.save()
        anchor(kind="draw_root", subject=draw.uuid.hex, digest=sha256(draw.root_json).digest(), at=at)
        on_step("list begun")
    return draw


def root_value(draw: Draw, found: Listed, names: Sequence[str], *, at: datetime) -> dict[str, Any]:
    """Return root.json: all that is fixed before the public value is known."""
    return {
        "v": 1,
        "draw": draw.uuid.hex,
        "rules": bytes(draw.rules_hash or b"").hex(),
        "root": found.root.hex(),
        "n": len(found.entries),
        "weight": found.weight,
        "voided": sha256(canonical(voided_lines(draw))).hexdigest(),
        "excluded": sha256(canonical(list(names))).hexdigest(),
        "prizes": [
            {"tier": tier, "quantity": quantity, "alternates": more} for tier, quantity, more in draw.prizes or []
        ],
        "round": draw.round,
        "published_at": content.unix(at),
    }


@inside_transaction
def _reserve(draw: Draw) -> list[list[int]]:
    """Return the prizes of a second-chance draw: the units of the instant game that nobody has."""
    left = reserve.available(draw)
    tiers = draw.campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier")
    prizes = [Prize.usual(tier.tier, left[tier.tier], tier.alternates) for tier in tiers]
    return [[prize.tier, prize.quantity, prize.alternates] for prize in prizes]


def seed_draw(draw_id: int, *, at: datetime) -> Draw:
    """Take the public value, once it is there. Raises `NotYet`, `DrawState`."""
    with transaction.atomic():
        draw = _locked(draw_id, Draw.State.LISTED)
        terms = terms_of(draw)
        value = beaconing.value_of(terms.beacon, draw.round or 0)
        if value is None:
            raise NotYet
        draw.seed = seed_of(rules_hash=bytes(draw.rules_hash or b""), root=bytes(draw.root or b""), beacon=value)
        draw.state = Draw.State.SEEDED
        draw.save(update_fields=["seed", "state"])
        on_step("seed begun")
    return draw


def prizes_of(draw: Draw) -> list[Prize]:
    """Return the prizes of a draw with their alternates."""
    return [Prize(tier, quantity, alternates) for tier, quantity, alternates in draw.prizes or []]


def select_draw(draw_id: int, *, at: datetime) -> Draw:
    """Pick winners and alternates. Raises `Differs` if picks are stored already and are others; `DrawState`."""
    with transaction.atomic():
        draw = _locked(draw_id, Draw.State.SEEDED)
        found = listed(live_lines(draw))
        if found.root != bytes(draw.root or b""):
            raise Differs("the entries are not those that were listed")
        prizes, one_per = prizes_of(draw), terms_of(draw).one_per
        picks = select(seed=bytes(draw.seed or b""), entries=found.entries, prizes=prizes, one_per=one_per)
        rows = [
            Pick(
                draw=draw,
                pick_no=pick.pick,
                entry_id=found.entries[pick.index].entry,
                tier=pick.tier,
                unit=pick.unit,
                role=pick.role,
                tries=pick.tries,
            )
            for pick in picks
        ]
        _keep_picks(draw, rows)
        draw.result = canonical(
            {
                "v": 1,
                "draw": draw.uuid.hex,
                "seed": bytes(draw.seed or b"").hex(),
                "picks": [
                    {
                        "pick": pick.pick,
                        "tries": pick.tries,
                        "leaf": found.leaves[pick.index].hex(),
                        "tier": pick.tier,
                        "unit": pick.unit,
                        "role": pick.role,
                    }
                    for pick in picks
                ],
                "unfilled": len(order_of(prizes)) - len(picks),
            }
        )
        draw.state = Draw.State.SELECTED
        draw.save(update_fields=["result", "state"])
        on_step("select begun")
    return draw


@inside_transaction
def _keep_picks(draw: Draw, rows: Sequence[Pick]) -> None:
    def value(pick: Pick) -> tuple[object, ...]:
        return pick.pick_no, pick.entry_id, pick.tier, pick.unit, pick.role, pick.tries

    stored = list(Pick.objects.filter(draw=draw).order_by("pick_no"))
    if stored and [value(pick) for pick in stored] != [value(pick) for pick in rows]:
        raise Differs("other picks are stored")
    if not stored:
        Pick.objects.bulk_create(rows)


def publish_draw(draw_id: int, *, at: datetime) -> Draw:
    """Open the winners' claims and publish the proof, edition 1. Raises `DrawState`."""
    key = sign_key(at=at)
    campaign_id = Draw.objects.values_list("campaign_id", flat=True).get(pk=draw_id)
    keys.load([campaign_id])
    with transaction.atomic():
        draw = _locked(draw_id, Draw.State.SELECTED)
        _carry(draw, at=at)
        claims = [make_claim(pick, at=at) for pick in draw.picks.filter(role=Pick.Role.WINNER).order_by("pick_no")]
        draw.state, draw.published_at = Draw.State.PUBLISHED, at
        draw.save(update_fields=["state", "published_at"])
        bundles.write_edition(draw, key=key, at=at)
        log.info("a draw was published", extra={"draw": draw.public_id, "count": len(claims)})
        on_step("publish begun")
    return draw


@inside_transaction
def _carry(draw: Draw, *, at: datetime) -> None:
    """Let the entries that did not win go on to the next draw of the series, where the rules say so."""
    following = draw.campaign.draws.filter(
        number__gt=draw.number, state__in=[Draw.State.SCHEDULED, Draw.State.OPEN]
    ).order_by("number")
    found = keys.kept(draw.campaign_id)
    coming = following.first()
    if not terms_of(draw).carry or coming is None or found is None or found.draws is None:
        return
    lock_games([coming.pk])
    won = set(draw.picks.filter(role=Pick.Role.WINNER).values_list("entry_id", flat=True))
    entering.carry_over(draw, coming, found.draws, won=won, at=at)


@inside_transaction
def make_claim(pick: Pick, *, at: datetime) -> Claim:
    """Open the claim of a pick: a winner's, or an alternate's whose turn it is. Points and coupons are given with it.

    Somebody whose account is closed by then has been forgotten: the prize is lost at once, and the next in line moves up.
    """
    draw = pick.draw
    use = PrizeTier.Use.INSTANT if terms_of(draw).reserve else PrizeTier.Use.DRAW
    tier = PrizeTier.objects.get(campaign=draw.campaign, use=use, tier=pick.tier)
    gone = pick.entry.account.status == Account.Status.CLOSED
    at_once = Claim.State.DONE if tier.kind in PrizeTier.AT_ONCE else Claim.State.WON
    claim, made = Claim.objects.get_or_create(
        pick=pick,
        defaults={
            "campaign": draw.campaign,
            "tier": tier,
            "unit": pick.unit,
            "account_id": pick.entry.account_id,
            "member_id": _member_of(pick.entry.account_id),
            "state": Claim.State.REFUSED if gone else at_once,
            "won_at": at,
            "moved_at": at if gone else None,
            "deadline_at": claim_deadline(at, days_to_claim(tier, pick), draw.campaign.zone),
        },
    )
    if made:
        ClaimMove.objects.create(claim=claim, after=claim.state, reason="erased" if gone else "", at=at)
    if made and tier.points and not gone:
        source = system_account("issuance")
        post([NewTransfer(source, claim.account_id, tier.points, "prize", "claim", claim.pk)], at=at)
    return claim


def days_to_claim(tier: PrizeTier, pick: Pick | None) -> int:
    """Return how long a prize can be claimed: as its rules say, and at most fourteen days by an alternate."""
    alternate = pick is not None and pick.role == Pick.Role.ALTERNATE
    return min(tier.claim_days, ALTERNATE_DAYS) if alternate else tier.claim_days


def _member_of(account_id: int) -> int | None:
    from members.models import Member, PendingHolder

    member = Member.objects.filter(account_id=account_id).values_list("pk", flat=True).first()
    if member is None:
        claimed = PendingHolder.objects.filter(account_id=account_id)
        member = claimed.values_list("claimed_by_id", flat=True).first()
    return member


# --- going on ----------------------------------------------------------------------------------------------------------

Step = Callable[..., Draw]
STEPS: dict[str, tuple[str, Step]] = {
    Draw.State.OPEN: ("close", close_draw),
    Draw.State.CLOSING: ("list", list_draw),
    Draw.State.LISTED: ("seed", seed_draw),
    Draw.State.SEEDED: ("select", select_draw),
    Draw.State.SELECTED: ("publish", publish_draw),
}


def advance(draw_id: int, *, at: datetime) -> Draw:
    """Take a draw as far as it goes now. It may be run twice, by two workers, and again after a crash."""
    while True:
        draw = Draw.objects.select_related("campaign").get(pk=draw_id)
        name, step = STEPS.get(draw.state, ("", None))
        if step is None or (draw.state == Draw.State.OPEN and at < draw.close_at):
            return draw
        try:
            draw = step(draw_id, at=at)
        except NotYet:
            return draw
        except DrawState:  # another worker took the step
            if Draw.objects.values_list("state", flat=True).get(pk=draw_id) == draw.state:
                raise
        on_step(f"{name} done")


def advance_due(*, at: datetime) -> list[str]:
    """Take every draw that is due as far as it goes, and spend or give back what was held; return those published.

    A draw that cannot go on stands still with an alarm, and holds up no other.
    """
    due = Draw.objects.filter(state__in=Draw.UNDER_WAY) | Draw.objects.filter(state=Draw.State.OPEN, close_at__lte=at)
    published = []
    for draw_id, public_id in due.order_by("close_at", "pk").values_list("pk", "public_id"):
        try:
            draw = advance(draw_id, at=at)
        except Exception:  # whatever it is: others are due as well
            log.critical("a draw stands still", extra={"draw": public_id}, exc_info=True)
            continue
        if draw.state == Draw.State.PUBLISHED:
            published.append(draw.public_id)
    recent = Draw.objects.filter(listed_at__gt=at - 2 * entering.KEEP_HOLD, entries__source=Entry.Source.POINTS)
    for draw in recent.distinct():
        settle_holds(draw, at=at)
    for draw in Draw.objects.filter(state=Draw.State.HALTED, entries__state=Entry.State.LIVE).distinct():
        entering.give_holds_back(draw, at=at)
    return published


def settle_holds(draw: Draw, *, at: datetime) -> int:
    """Spend the points of a listed draw's entries, each once; return how many were open."""
    from ledger.models import Hold

    entries = draw.entries.filter(source=Entry.Source.POINTS, state=Entry.State.LIVE)
    open_holds = Hold.objects.filter(pk__in=entries.values("source_id"), state=Hold.State.OPEN).order_by("id")
    count = 0
    for hold_id in open_holds.values_list("pk", flat=True):
        with transaction.atomic():
            settle(hold_id=hold_id, credit=system_account("redeemed"), at=at, recorded_by=f"draw {draw.public_id}")
            count += 1
    return count
