"""The second chance: each unit that nobody has is drawn exactly once, so that held and available add up to the quantity."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from brands.models import Brand
from ledger.queries import balance
from lottery import keys
from lottery.models import Campaign, Claim, Draw
from lottery.services import Ask, Enter, NewDraw, NewPool, advance, claiming
from lottery.services.arming import close_due, eligible_of
from lottery.services.reserve import available
from tests.lottery import world
from tests.makers import labels_of, make_batch, make_member

LABELS = 60
QUANTITIES = {1: 2, 2: 6, 3: 12}
FIRST, SECOND = world.CLOSES + timedelta(hours=1), world.CLOSES + timedelta(days=40)
LATE = timedelta(minutes=2)


@pytest.fixture
def campaign(brand: Brand) -> Campaign:
    """An instant game over sixty labels, with two second-chance draws after its end."""
    keys.forget()
    batch = make_batch(count=LABELS)
    tiers = [
        world.tier(number, quantity, kind="points" if number == 3 else "goods", alternates=1)
        for number, quantity in QUANTITIES.items()
    ]
    draft = world.draft(
        kind="both",
        tiers=tiers,
        pools=[NewPool(number=1, ranges=[(batch.label_range.lower, batch.label_range.upper)])],
        draws=[NewDraw(number=n, opens_at=world.OPENS, close_at=at) for n, at in enumerate((FIRST, SECOND), 1)],
        terms={"enter": world.ENTER_ALL, "draw": {"one_per": "entry", "prizes": "reserve"}},
    )
    found = world.opened(world.armed(world.published(draft)))
    found.batch = batch  # type: ignore[attr-defined]
    return found


def redeem(campaign: Campaign, share: float, *, excluded: int = 0) -> list[Claim]:
    """Play a share of the labels, the first ``excluded`` of them for points only; return the claims."""
    labels = labels_of(campaign.batch)[: int(LABELS * share)]  # type: ignore[attr-defined]
    keys.load([campaign.pk])
    member = make_member("+8613800270000")
    asks = [
        Ask(
            label_no=label, scan_id=label, account_id=member.account_id, member_id=member.pk, at=world.OPENS, slot=3,
            excluded=place < excluded,
        )
        for place, label in enumerate(labels)
    ]  # fmt: skip
    with transaction.atomic():
        world.play_all(asks)
    return list(Claim.objects.filter(play__isnull=False).order_by("pk"))


def draw_it(draw: Draw, *, entries: int, close_at=FIRST) -> Draw:
    """Let a second-chance draw have so many entries and run to its proof."""
    Draw.objects.filter(pk=draw.pk, state="scheduled").update(state="open")
    people = [make_member(f"+86138{draw.number:03}{number:05}") for number in range(entries)]
    keys.load([draw.campaign_id])
    with transaction.atomic():
        for place, one in enumerate(people):
            label = 10_000 * draw.number + place
            world.enter_all([Enter(label_no=label, account_id=one.account_id, at=world.OPENS)])
    close_due(at=close_at)
    advance(draw.pk, at=close_at + LATE)
    draw.refresh_from_db()
    assert draw.state == Draw.State.LISTED
    world.beacon_out(draw.round or 0, at=close_at + timedelta(hours=1))
    return advance(draw.pk, at=close_at + timedelta(hours=1))


def held(campaign: Campaign) -> Counter[int]:
    """Return the units of each tier that somebody has."""
    standing = Claim.objects.filter(campaign=campaign).exclude(state__in=Claim.ENDED_WITHOUT)
    return Counter(standing.values_list("tier__tier", flat=True))


def listed(draw: Draw) -> dict[int, int]:
    return {tier: quantity for tier, quantity, _alternates in draw.prizes or []}


def test_what_nobody_won_is_drawn_to_the_unit(campaign: Campaign) -> None:
    redeem(campaign, 0.5, excluded=10)
    won = held(campaign)
    [first, _second] = campaign.draws.order_by("number")

    done = draw_it(first, entries=40)

    assert listed(done) == {tier: QUANTITIES[tier] - won[tier] for tier in QUANTITIES}
    assert sum(listed(done).values()) > 5
    assert held(campaign) == QUANTITIES
    pointed = Claim.objects.filter(pick__draw=done, tier__tier=3)
    assert {balance(claim.account_id) for claim in pointed} == {50}


def test_prizes_that_winners_gave_up_are_in_it(campaign: Campaign) -> None:
    claims = [claim for claim in redeem(campaign, 1.0) if claim.state == "won"]
    for claim in claims[:3]:
        claiming.lose(claim.pk, "refused", reason="declined", by="winner", at=world.OPENS)
    lost = Counter(claim.tier.tier for claim in claims[:3])
    [first, _second] = campaign.draws.order_by("number")

    done = draw_it(first, entries=40)

    assert listed(done) == {tier: lost[tier] for tier in QUANTITIES}
    assert held(campaign) == QUANTITIES


def test_it_waits_for_the_end_of_the_game(campaign: Campaign) -> None:
    [first, _second] = campaign.draws.order_by("number")
    Draw.objects.filter(pk=first.pk).update(state="closing")

    advance(first.pk, at=FIRST + LATE)

    first.refresh_from_db()
    assert (first.state, first.prizes) == ("closing", None)


def test_what_one_draw_could_not_give_goes_to_the_next_and_nothing_twice(campaign: Campaign) -> None:
    redeem(campaign, 0.5)
    first, second = campaign.draws.order_by("number")
    done = draw_it(first, entries=3)
    assert sum(listed(done).values()) > 3
    before = held(campaign)
    drawn = Claim.objects.filter(pick__draw=done, state="won").first()
    assert drawn is not None
    claiming.lose(drawn.pk, "disqualified", reason="fraud", by="clerk", at=FIRST + timedelta(days=1))
    before[drawn.tier.tier] -= 1

    last = draw_it(second, entries=60, close_at=SECOND)

    assert listed(last) == {tier: QUANTITIES[tier] - before[tier] for tier in QUANTITIES}
    assert held(campaign) == QUANTITIES


def test_what_a_listed_draw_is_about_to_give_is_nobodys_else(campaign: Campaign) -> None:
    redeem(campaign, 0.5)
    first, second = campaign.draws.order_by("number")
    close_due(at=FIRST)
    advance(first.pk, at=FIRST + LATE)
    first.refresh_from_db()

    with transaction.atomic():
        left = available(second)

    assert first.state == Draw.State.LISTED
    assert left == dict.fromkeys(QUANTITIES, 0)
    assert sum(len(range(*span)) for pool in campaign.pools.all() for span in eligible_of(pool)) == LABELS


@pytest.mark.parametrize("change", [{"prizes": [[1, 5, 0]]}, {"prizes": [[1, 5, 0]], "round": 7}])
def test_its_prizes_are_not_set_by_hand(campaign: Campaign, change: dict[str, object]) -> None:
    for draw in campaign.draws.all():
        with pytest.raises(DatabaseError), transaction.atomic():
            Draw.objects.filter(pk=draw.pk).update(**change)
