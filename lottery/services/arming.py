"""The life of a published campaign: arming of its instant game by two persons, opening, closing, halting, revealing.

Locks: the campaign's advisory lock (shared by plays, exclusive at the close), then its row. Keys are derived and wrapped
before the transaction.
"""

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.db import Rows, array, ask, inside_transaction, schema_name
from lottery import bundles, content, keys, prf
from lottery.beacon_settings import default_beacon
from lottery.beacons import Beacon
from lottery.errors import BadCampaign, BadSecret, CampaignState, NotYet
from lottery.models import Bundle, Campaign, Claim, Commitment, Draw, Pool
from lottery.rules import Terms
from lottery.services import beaconing
from lottery.services.drafting import locked
from lottery.services.publishing import commit_first, our_share, write_commitment
from staff import approvals, audit
from staff.keys import brand_key, create_key, sign_key
from staff.models import BrandKey

ARM, HALT, GIVE_UP = "lottery.arm", "lottery.halt", "lottery.give_up"


@inside_transaction
def lock_games(numbers: Sequence[int], *, exclusive: bool = False) -> None:
    """Take the advisory locks of draws (their ids) and of campaigns' games (minus their ids), in order.

    A play or an entry shares them; who closes a draw or game takes one alone: it waits for those in flight.
    """
    if not numbers:
        return
    # `unnest` gives them in order: one statement locks them one after the other.
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    ask(
        f"SELECT {function}(hashtext(%s), n) FROM unnest(%s::int[]) AS n",  # noqa: S608 - one of two names
        [schema_name(), array(sorted(set(numbers)))],
    )


def lock_open_draws(campaign_ids: Collection[int]) -> Rows:
    """Share the locks of the draws of these campaigns that are open, in order; ask for their ids, first in each row."""
    return ask(
        "SELECT n.id, pg_advisory_xact_lock_shared(hashtext(%s), n.id)::text FROM (SELECT d.id::int AS id FROM lottery_draw d"
        " WHERE d.campaign_id = ANY(%s::bigint[]) AND d.state = 'open' ORDER BY d.id) AS n",
        [schema_name(), array(campaign_ids)],
    )


def first_commitment(campaign: Campaign) -> tuple[Commitment, dict[str, Any]]:
    """Return the first commitment that stands, with its value. Raises `CampaignState`."""
    given_up = Commitment.objects.filter(campaign=campaign, kind=Commitment.Kind.GIVEN_UP).values("attempt")
    found = (
        Commitment.objects.filter(campaign=campaign, kind=Commitment.Kind.FIRST)
        .exclude(attempt__in=given_up)
        .order_by("-attempt")
        .first()
    )
    if found is None:
        raise CampaignState(_("There is no commitment that stands."))
    return found, json.loads(bytes(found.content))


def arm_payload(campaign: Campaign) -> dict[str, Any]:
    """Return what two persons agree to when they arm a game."""
    commitment, _value = first_commitment(campaign)
    return {"campaign": campaign.public_id, "commitment": bytes(commitment.hash).hex()}


@dataclass(frozen=True, slots=True)
class _Armed:
    """What follows from the secrets and the public value, computed before the transaction."""

    key: bytes
    limits: dict[int, list[prf.Threshold]]
    second: dict[str, Any]


def arm(
    campaign_id: int,
    *,
    approval_id: int,
    at: datetime,
    armed_by: str,
    s2: bytes = b"",
    n2: bytes = b"",
) -> Commitment:
    """Derive a published game's key and thresholds from the secrets and the public value, and commit to them.

    ``s2``, ``n2``: the witness's, where there is one. Run again after a failure, it gives the same. Raises `NotYet` (the
    round is waited for), `BadSecret`, `CampaignState`, `approvals.NotApproved`.
    """
    key = sign_key(at=at)
    campaign = Campaign.objects.exclude(kind__in=[Campaign.Kind.POINTS, Campaign.Kind.DRAW]).get(pk=campaign_id)
    if campaign.state != Campaign.State.PUBLISHED:
        raise CampaignState(_("The campaign is %(state)s.") % {"state": campaign.get_state_display()})
    first, value = first_commitment(campaign)
    armed = _derive(campaign, first, value, s2=s2, n2=n2, at=at)
    _keep_key(campaign, armed.key, at=at)
    with transaction.atomic(durable=True):
        campaign = locked(campaign_id, Campaign.State.PUBLISHED)
        approvals.consume(approval_id, ARM, arm_payload(campaign), at=at)
        audit.record("arm", at=at, table="lottery_campaign", row_id=str(campaign.pk), facts={"by": armed_by})
        for pool in campaign.pools.order_by("number"):
            pool.thresholds = keys.seal_thresholds(
                armed.key, campaign.uuid, pool.number, armed.limits[pool.number], os.urandom(12)
            )
            pool.save(update_fields=["thresholds"])
        second = write_commitment(
            campaign,
            Commitment.Kind.SECOND,
            armed.second,
            attempt=first.attempt,
            key=key,
            at=at,
            by=armed_by,
        )
        campaign.state = Campaign.State.ARMED
        campaign.save(update_fields=["state"])
    keys.forget_campaign(campaign.pk)
    return second


def _derive(
    campaign: Campaign, first: Commitment, value: dict[str, Any], *, s2: bytes, n2: bytes, at: datetime
) -> _Armed:
    shares = our_share(campaign, first.attempt, at=at)
    bound = [prf.committed(shares.s1, shares.n1).hex()]
    if len(value["k"]) > 1:
        if len(s2) != 32 or len(n2) != 32:
            raise BadSecret(_("The witness's secret and nonce have 32 bytes each."))
        bound.append(prf.committed(s2, n2).hex())
    elif s2 or n2:
        raise BadSecret(_("This game has no witness."))
    if bound != value["k"]:
        raise BadSecret
    beacon, round_no = Beacon.from_json(value["beacon"]), value["beacon"]["round"]
    drawn = beaconing.value_of(beacon, round_no)
    if drawn is None:
        raise NotYet(_("Waiting for round %(round)s of the beacon.") % {"round": round_no}, round=round_no)
    game_key = prf.game_key(s1=shares.s1, s2=s2, beacon=drawn, campaign=campaign.uuid)
    limits = {
        pool.number: prf.thresholds(
            game_key, prf.pool_tag(campaign.uuid, pool.number), eligible_of(pool), pool.quantities
        )
        for pool in campaign.pools.order_by("number")
    }
    second = content.second_commitment(
        campaign,
        first=bytes(first.hash),
        round_no=round_no,
        signature=drawn.hex(),
        key_hash=sha256(game_key).digest(),
        thresholds_hash=sha256(canonical(thresholds_value(limits))).digest(),
    )
    return _Armed(game_key, limits, second)


def eligible_of(pool: Pool) -> list[prf.Span]:
    """Return the labels of a pool that take part."""
    spans, out = ([(int(first), int(beyond)) for first, beyond in rows] for rows in (pool.ranges, pool.excluded))
    return prf.subtract(spans, out)


def thresholds_value(limits: dict[int, list[prf.Threshold]]) -> list[dict[str, Any]]:
    """Return all pools' thresholds as they are hashed and revealed."""
    return [{"pool": number, "th": prf.thresholds_json(limits[number])} for number in sorted(limits)]


def _keep_key(campaign: Campaign, key: bytes, *, at: datetime) -> None:
    """Store the game's key wrapped; it is the same at every try."""
    try:
        with transaction.atomic():
            create_key(BrandKey.Kind.GAME, at=at, name=campaign.public_id, plain=key)
    except IntegrityError:
        if brand_key(BrandKey.Kind.GAME, name=campaign.public_id) != key:
            raise BadSecret from None


def give_up(campaign_id: int, *, reason: str, approval_id: int, at: datetime, by: str, witness: bytes) -> Commitment:
    """Give up a first commitment before arming: it stays public with the reason, and its successor has a witness.

    Return the successor. Raises `BadCampaign`, `CampaignState`, `approvals.NotApproved`.
    """
    if not reason.strip():
        raise BadCampaign(_("A commitment that is given up says why, for the public to read."))
    campaign = Campaign.objects.get(pk=campaign_id)
    first, _value = first_commitment(campaign)
    key, shares = sign_key(at=at), our_share(campaign, first.attempt + 1, at=at)
    with transaction.atomic(durable=True):
        campaign = locked(campaign_id, Campaign.State.PUBLISHED)
        approvals.consume(approval_id, GIVE_UP, {**arm_payload(campaign), "reason": reason}, at=at)
        given_up = {"v": 1, "campaign": campaign.uuid.hex, "commitment": bytes(first.hash).hex(), "reason": reason}
        write_commitment(campaign, Commitment.Kind.GIVEN_UP, given_up, attempt=first.attempt, key=key, at=at, by=by)
        version = campaign.versions.order_by("-n")[0]
        return commit_first(
            campaign,
            shares=shares,
            witness=witness,
            attempt=first.attempt + 1,
            version=version,
            key=key,
            at=at,
            by=by,
        )


# --- opening, closing --------------------------------------------------------------------------------------------------------


def open_due(*, at: datetime) -> list[Campaign]:
    """Open the campaigns and draws whose time has come: an instant game must be armed. Return the campaigns.

    Nothing opens before every process knows of its publication (`lottery.keys.live`).
    """
    known = at - timedelta(seconds=2 * keys.LIVE_S)
    ready = Campaign.objects.filter(opens_at__lte=at, closes_at__gt=at, published_at__lte=known)
    with transaction.atomic():
        rows = list(
            (
                ready.filter(kind=Campaign.Kind.DRAW, state=Campaign.State.PUBLISHED)
                | ready.filter(kind__in=[Campaign.Kind.INSTANT, Campaign.Kind.BOTH], state=Campaign.State.ARMED)
            )
            .select_for_update(no_key=True, skip_locked=True)
            .order_by("pk")
        )
        Campaign.objects.filter(pk__in=[row.pk for row in rows]).update(state=Campaign.State.OPEN)
        Draw.objects.filter(state=Draw.State.SCHEDULED, opens_at__lte=at, campaign__state=Campaign.State.OPEN).update(
            state=Draw.State.OPEN
        )
    return rows


def close_due(*, at: datetime) -> int:
    """Close the games whose time is over; return how many. Plays in flight are waited for, later ones see it closed."""
    due = Campaign.objects.exclude(kind=Campaign.Kind.POINTS).filter(state=Campaign.State.OPEN, closes_at__lte=at)
    count = 0
    for campaign_id in due.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            lock_games([-campaign_id], exclusive=True)
            count += Campaign.objects.filter(pk=campaign_id, state=Campaign.State.OPEN).update(
                state=Campaign.State.CLOSING, ended_at=at
            )
    for campaign in Campaign.objects.filter(state=Campaign.State.CLOSING).order_by("pk"):
        busy = campaign.draws.exclude(state__in=[Draw.State.PUBLISHED, Draw.State.HALTED]).exists()
        if not busy:
            Campaign.objects.filter(pk=campaign.pk, state=Campaign.State.CLOSING).update(state=Campaign.State.CLOSED)
    return count


def halt_payload(campaign: Campaign, reason: str) -> dict[str, Any]:
    """Return what two persons agree to when they halt a campaign."""
    return {"campaign": campaign.public_id, "reason": reason}


def halt_game(campaign_id: int, *, reason: str, approval_id: int, at: datetime) -> Campaign:
    """Stop a campaign with prizes, for a reason that the public may read: later plays earn points only.

    Draws that are not listed yet are halted too, and what was held for their entries is given back by the sweep.
    Raises `BadCampaign`, `CampaignState`, `approvals.NotApproved`.
    """
    if not reason.strip():
        raise BadCampaign(_("A halt needs a reason that the public may read."))
    with transaction.atomic(durable=True):
        draws = list(Draw.objects.filter(campaign_id=campaign_id).values_list("pk", flat=True))
        lock_games([-campaign_id, *draws], exclusive=True)
        campaign = locked(campaign_id, Campaign.State.PUBLISHED, Campaign.State.ARMED, Campaign.State.OPEN)
        approvals.consume(approval_id, HALT, halt_payload(campaign, reason), at=at)
        campaign.state, campaign.ended_at, campaign.halt_reason = Campaign.State.HALTED, at, reason.strip()[:200]
        campaign.save(update_fields=["state", "ended_at", "halt_reason"])
        waiting = [Draw.State.SCHEDULED, Draw.State.OPEN, Draw.State.CLOSING]
        campaign.draws.filter(state__in=waiting).update(state=Draw.State.HALTED)
    return campaign


def reveal_due(*, at: datetime) -> list[int]:
    """Return the closed games that may be revealed: no claim of theirs waits any more."""
    closed = Campaign.objects.filter(
        state=Campaign.State.CLOSED, kind__in=[Campaign.Kind.INSTANT, Campaign.Kind.BOTH], closes_at__lte=at
    )
    waiting = Claim.objects.filter(play__isnull=False, state__in=[Claim.State.WON, Claim.State.NOTIFIED])
    return list(closed.exclude(pk__in=waiting.values("campaign")).order_by("pk").values_list("pk", flat=True))


def reveal(campaign_id: int, *, at: datetime, s2: bytes = b"", n2: bytes = b"") -> Bundle:
    """Publish all that was hidden of a closed game, as a proof. Raises `CampaignState`, `BadSecret`."""
    key = sign_key(at=at)
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.state != Campaign.State.CLOSED or not campaign.has_instant:
        raise CampaignState(_("The campaign is %(state)s.") % {"state": campaign.get_state_display()})
    first, value = first_commitment(campaign)
    armed = _derive(campaign, first, value, s2=s2, n2=n2, at=at)
    shares = our_share(campaign, first.attempt, at=at)
    secrets = [(shares.s1, shares.n1), *([(s2, n2)] if s2 else [])]
    with transaction.atomic(durable=True):
        campaign = locked(campaign_id, Campaign.State.CLOSED)
        second = Commitment.objects.get(campaign=campaign, kind=Commitment.Kind.SECOND)
        if bytes(second.content) != canonical(armed.second):
            raise BadSecret
        bundle = bundles.write_reveal(
            campaign,
            first=first,
            second=second,
            secrets=secrets,
            game_key=armed.key,
            limits=armed.limits,
            key=key,
            at=at,
        )
        campaign.state = Campaign.State.REVEALED
        campaign.save(update_fields=["state"])
    return bundle


def reveal_all(*, at: datetime) -> list[Bundle]:
    """Reveal the games that are due; one with a witness waits for the witness's secret, and is revealed by `reveal`."""
    found = []
    for campaign_id in reveal_due(at=at):
        try:
            found.append(reveal(campaign_id, at=at))
        except BadSecret:  # there is a witness
            continue
    return found


def rounds_waited_for(*, at: datetime) -> list[tuple[Beacon, int]]:
    """Return the beacons' rounds that are out and that some game or draw waits for."""
    found: set[tuple[Beacon, int]] = set()
    for campaign in Campaign.objects.filter(
        state=Campaign.State.PUBLISHED, kind__in=[Campaign.Kind.INSTANT, Campaign.Kind.BOTH]
    ):
        _commitment, value = first_commitment(campaign)
        found.add((Beacon.from_json(value["beacon"]), value["beacon"]["round"]))
    for draw in Draw.objects.filter(state=Draw.State.LISTED).select_related("campaign"):
        terms = Terms.read(draw.campaign.terms, beacon=default_beacon())
        found.add((terms.beacon, draw.round or 0))
    return [
        (beacon, round_no)
        for beacon, round_no in sorted(found, key=lambda one: (one[0].chain, one[1]))
        if at.timestamp() >= beacon.time_of(round_no) and beaconing.value_of(beacon, round_no) is None
    ]
