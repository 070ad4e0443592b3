"""A redeemed label plays and enters within its own transaction; what it won is told, the same for ever."""

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from common.postgresql.sender import Sender
from ledger.models import Cause, Transfer
from lottery import keys, queries as lottery_queries
from lottery.models import BudgetSlot, Campaign, Claim, Draw, Entry, Exclusion, Household, Play, PrizeTier
from lottery.rules import DOORS
from lottery.services import close_draw, playing
from lottery.services.playing import units_left
from members.models import Member
from members.personal import export_member
from redemption.models import Redemption, Scan
from redemption.queries import receipt as receipt_of
from redemption.rules import Door, Outcome
from redemption.services import redeem, redeem_many
from tests.environment import BRAND
from tests.lottery import world
from tests.makers import (
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_member,
    secrets_of,
)

AT = world.OPENS + timedelta(hours=1)


def phones(count: int) -> list[str]:
    return [f"+8613800138{n:03}" for n in range(count)]


def attempts_on(codes: list[str], **values: object) -> list:
    return [
        make_attempt(code, **{"phone": phone, "at": AT, **values})
        for code, phone in zip(codes, phones(len(codes)), strict=True)
    ]


def test_all_labels_of_a_pool_win_exactly_its_prizes(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(60)
    campaign = world.open_game(batch, world.tier(1, 1), world.tier(2, 7), world.tier(3, 12, kind="points"))

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert {receipt.outcome for receipt in receipts} == {Outcome.REDEEMED}
    plays = [receipt.play for receipt in receipts if receipt.play]
    assert Counter(play.prize.tier if play.prize else None for play in plays) == {1: 1, 2: 7, 3: 12, None: 40}
    assert all(play.campaign == campaign.public_id for play in plays)
    assert {play.claim for play in plays if play.won} == set(Claim.objects.values_list("public_id", flat=True))
    assert all(receipt.balance == 100 + receipt.play.points for receipt in receipts if receipt.play)
    assert all(balance_of(phone) == receipt.balance for phone, receipt in zip(phones(60), receipts, strict=True))
    assert Transfer.objects.filter(cause_kind=Cause.PLAY).count() == 12
    call_command("verify_ledger", schema=BRAND)


def test_the_same_request_is_told_the_same_play_for_ever(brand: Brand) -> None:
    batch = make_active_batch(8)
    world.open_game(batch, world.tier(1, 2), world.tier(2, 3, kind="points"))
    world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": world.ENTER_ALL})
    attempts = attempts_on(secrets_of(batch))
    first = redeem_many(attempts)

    again = redeem_many(attempts)
    alone = [redeem(attempt) for attempt in attempts]

    assert again == alone == first
    assert {receipt.play.outcome for receipt in first if receipt.play} == {"won", "no_prize"}
    assert all(receipt.entries for receipt in first)
    by_number = [receipt_of(receipt.receipt_no or "") for receipt in first]
    assert [(one.play, one.entries) for one in by_number if one] == [(one.play, one.entries) for one in first]
    assert Play.objects.count() == 8 == Entry.objects.count()


def test_only_the_redeemer_hears_what_the_label_won(brand: Brand) -> None:
    batch = make_active_batch(1)
    world.open_game(batch, world.tier(1, 1))
    [code] = secrets_of(batch)
    first = redeem(make_attempt(code, at=AT))

    mine = redeem(make_attempt(code, at=AT))
    others = redeem(make_attempt(code, at=AT, phone=STRANGER_PHONE))

    assert first.play is not None
    assert first.play.won
    assert (mine.outcome, mine.play) == (Outcome.ALREADY_REDEEMED, first.play)
    assert (others.outcome, others.play) == (Outcome.ALREADY_REDEEMED, None)


def test_two_at_one_label_play_once(brand: Brand) -> None:
    batch = make_active_batch(1)
    world.open_game(batch, world.tier(1, 1))
    [code] = secrets_of(batch)

    receipts = redeem_many([make_attempt(code, at=AT), make_attempt(code, at=AT, phone=STRANGER_PHONE)])

    assert [bool(receipt.play) for receipt in receipts] == [True, False]
    assert Play.objects.count() == Claim.objects.count() == 1


def test_a_check_and_a_refusal_play_nothing(brand: Brand) -> None:
    from redemption.services import verify

    batch = make_active_batch(2)
    world.open_game(batch, world.tier(1, 2))
    code = secrets_of(batch)[0]

    checked = verify(make_check(code=code, at=AT))
    refused = redeem(make_attempt(code[:-1] + str((int(code[-1]) + 1) % 10), at=AT))

    assert (checked.play, refused.play) == (None, None)
    assert not Play.objects.exists()


def exclude(index: bytes, by: str = "phone") -> Exclusion:
    return Exclusion.objects.create(by=by, index=index, why="staff", added_by="maker", added_at=AT)


def test_excluded_people_and_their_households_never_win(brand: Brand) -> None:
    batch = make_active_batch(4)
    world.open_game(batch, world.tier(1, 4))
    world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": world.ENTER_ALL})
    staff, spouse, other, device = (make_member(phone) for phone in phones(4))
    exclude(staff.phone_index)
    home = uuid4()
    for member in (staff, spouse):
        Household.objects.create(index=member.phone_index, household=home, declared_at=AT)
    from redemption.facts import blind_indexes

    exclude(blind_indexes(["cookie-of-staff"], purpose="cookie")[0], by="device")
    codes = secrets_of(batch)

    receipts = redeem_many(
        [
            *attempts_on(codes[:3]),
            make_attempt(codes[3], at=AT, door=Door.WEB, member_id=device.pk, cookie="cookie-of-staff"),
        ]
    )

    assert [receipt.play.outcome for receipt in receipts if receipt.play] == [
        "points_only", "points_only", "won", "points_only",
    ]  # fmt: skip
    assert set(Play.objects.exclude(outcome=1).values_list("reason", flat=True)) == {Play.Reason.EXCLUDED}
    assert [claim.member_id for claim in Claim.objects.all()] == [other.pk]
    assert set(Entry.objects.values_list("account_id", flat=True)) == {other.account_id}
    assert all(receipt.outcome is Outcome.REDEEMED for receipt in receipts)


def test_a_code_takes_part_at_the_doors_of_its_game_alone(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(4)
    game = world.open_game(batch, world.tier(1, 4), terms={"doors": ["web", "voice"]})
    for terms in ({"doors": ["sms"]}, {}):
        world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": {"label": 1}, **terms})
    at_sms, anywhere = Draw.objects.order_by("pk")
    doors = [Door.WEB, Door.API, Door.SMS, Door.VOICE]

    receipts = redeem_many(
        [
            make_attempt(code, phone=phone, at=AT, door=door)
            for door, code, phone in zip(doors, secrets_of(batch), phones(4), strict=True)
        ]
    )

    assert [receipt.play.outcome for receipt in receipts if receipt.play] == [
        "won", "points_only", "points_only", "won",
    ]  # fmt: skip
    assert all(receipt.outcome is Outcome.REDEEMED and receipt.balance == 100 for receipt in receipts)
    assert set(Play.objects.exclude(outcome=1).values_list("reason", flat=True)) == {Play.Reason.DOOR}
    assert units_left(game.pk) == {1: 2}
    assert list(Entry.objects.filter(draw=at_sms).values_list("source_id", flat=True)) == [labels_of(batch)[2]]
    assert Entry.objects.filter(draw=anywhere).count() == 4


def test_the_doors_of_terms_are_those_of_redemptions() -> None:
    assert set(DOORS) == set(Door)


def test_limits_count_member_phone_and_household(brand: Brand) -> None:
    batch = make_active_batch(6)
    limits = [{"act": "play", "subject": "household", "period": "day", "most": 2}]
    world.open_game(batch, world.tier(1, 6), terms={"limits": limits})
    home = uuid4()
    for phone in phones(3):
        Household.objects.create(index=make_member(phone).phone_index, household=home, declared_at=AT)

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert [receipt.play.outcome for receipt in receipts if receipt.play] == [
        "won", "won", "points_only", "won", "won", "won",
    ]  # fmt: skip


def test_keys_are_loaded_outside_the_transaction(brand: Brand) -> None:
    batch = make_active_batch(2)
    world.open_game(batch, world.tier(1, 2))
    keys.forget()

    receipt = redeem(make_attempt(secrets_of(batch)[0], at=AT))

    assert receipt.play is not None
    assert receipt.play.won
    assert Scan.objects.count() == Redemption.objects.count() == 1


def test_a_game_loaded_before_it_was_armed_is_played(brand: Brand) -> None:
    batch = make_active_batch(2)
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.published(world.instant(ranges, world.tier(1, 2)))
    keys.load([campaign.pk])
    stale = dict(keys._kept)
    world.opened(world.armed(campaign))
    keys._kept.update(stale)  # another process, which knows nothing of the arming

    receipt = redeem(make_attempt(secrets_of(batch)[0], at=AT))

    assert receipt.play is not None


def test_a_points_budget_that_runs_short_refuses_and_plays_nothing(brand: Brand) -> None:
    make_campaign(budget=250)
    batch = make_active_batch(5)
    world.open_game(batch, world.tier(1, 5, kind="points"))

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert Counter(receipt.outcome for receipt in receipts) == {Outcome.REDEEMED: 2, Outcome.CAMPAIGN_EXHAUSTED: 3}
    assert [bool(receipt.play) for receipt in receipts] == [receipt.outcome is Outcome.REDEEMED for receipt in receipts]
    assert sum(BudgetSlot.objects.filter(budget__tier__isnull=False).values_list("left", flat=True)) == 3
    call_command("verify_ledger", schema=BRAND)


def test_what_is_owed_is_paid_out_of_a_prize_too(brand: Brand) -> None:
    from redemption.services import reverse_redemption
    from tests.conftest import NOW

    make_campaign()
    owed, batch = make_active_batch(1), make_active_batch(1)
    redeem(make_attempt(secrets_of(owed)[0]))
    member = Member.objects.get()
    spend(member.account_id, 100)
    reverse_redemption(labels_of(owed)[0], at=NOW, asked_by="maker", reason="returned")
    world.open_game(batch, world.tier(1, 1, kind="points"))

    receipt = redeem(make_attempt(secrets_of(batch)[0], at=AT))

    assert receipt.balance == balance_of() == 50  # 100 for the code and 50 of the prize, 100 owed
    call_command("verify_ledger", schema=BRAND)


def spend(account_id: int, points: int) -> None:
    from django.db import transaction

    from ledger.services import NewTransfer, post, system_account

    with transaction.atomic():
        post([NewTransfer(account_id, system_account("redeemed"), points, "spend", "order", 1)], at=AT)


def test_losing_plays_weigh_more_in_a_draw(brand: Brand) -> None:
    batch = make_active_batch(4)
    world.open_game(batch, world.tier(1, 2))
    campaign, [draw] = world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": {"label": 1, "losing_play": 2}})

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    weights = {receipt.play.outcome: receipt.entries[0].weight for receipt in receipts if receipt.play}
    assert weights == {"won": 1, "no_prize": 3}
    assert {receipt.entries[0].draw for receipt in receipts} == {draw.public_id}
    close_draw(draw.pk, at=draw.close_at)
    assert campaign.state == Campaign.State.OPEN


@pytest.mark.parametrize("count", [1, 16, 64])
def test_a_batch_that_plays_takes_the_same_few_statements_whatever_its_size(brand: Brand, count: int) -> None:
    make_campaign(budget=10**9)
    batch = make_active_batch(2 * count)
    world.open_game(batch, world.tier(1, count), world.tier(2, count, kind="points"))
    codes = secrets_of(batch)
    redeem_many(attempts_on(codes[:count]))

    with CaptureQueriesContext(connection) as queries:
        receipts = redeem_many(attempts_on(codes[count:]))

    assert all(receipt.play for receipt in receipts)
    assert len(queries) <= 36, [query["sql"][:90] for query in queries]


def round_trips(codes: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Redeem codes and return how often the database was waited for."""
    waited = []
    exchange = Sender._exchange
    with monkeypatch.context() as patched:
        patched.setattr(Sender, "_exchange", lambda self, *sent: waited.append(sent) or exchange(self, *sent))
        redeem_many(attempts_on(codes))
    assert waited
    return len(waited)


def test_a_game_adds_no_round_trip(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign(budget=10**9)
    plain, playing = make_active_batch(16), make_active_batch(16)
    world.open_game(playing, world.tier(1, 4), world.tier(2, 8, kind="points"))
    lottery_queries._excluding.clear()
    redeem_many(attempts_on(secrets_of(plain)[:8]))  # keys and members are known
    redeem_many(attempts_on(secrets_of(playing)[:8]))

    without = round_trips(secrets_of(plain)[8:], monkeypatch)
    with_game = round_trips(secrets_of(playing)[8:], monkeypatch)

    assert Play.objects.count() == 16
    assert Play.objects.filter(pk__in=Redemption.objects.values("scan_id")).count() == 16
    assert with_game == without


def test_units_of_many_slots_are_taken_at_once(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighteen units lie in sixteen slots: a batch that wins them all empties each."""
    batch = make_active_batch(18)
    campaign = world.open_game(batch, world.tier(1, 18))
    by_hand: list[bool] = []
    take = playing._take_by_hand
    monkeypatch.setattr(playing, "_take_by_hand", lambda wins: by_hand.append(True) or take(wins))

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert all(receipt.play and receipt.play.won for receipt in receipts)
    assert units_left(campaign.pk) == {1: 0}
    assert by_hand == []


def test_a_batch_that_finds_too_few_units_takes_them_by_hand(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rolls back and runs again; each label is paid and wins once, from whatever slots hold units by then."""
    make_campaign()
    batch = make_active_batch(3)
    campaign = world.open_game(batch, world.tier(1, 3, kind="points"))
    slots = BudgetSlot.objects.filter(budget__tier__isnull=False)
    slots.update(left=0)
    take = playing._take_by_hand
    monkeypatch.setattr(
        playing, "_take_by_hand", lambda wins: slots.filter(slot__in=[2, 9, 15]).update(left=1) and take(wins)
    )

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert [receipt.balance for receipt in receipts] == [150] * 3
    assert Play.objects.count() == Claim.objects.count() == Scan.objects.count() == 3
    assert not Play.objects.filter(over_budget=True).exists()
    assert units_left(campaign.pk) == {1: 0}
    call_command("verify_ledger", schema=BRAND)


def test_by_hand_too_prizes_are_locked_behind_the_counters_of_draws(brand: Brand) -> None:
    """The one lock order: limit counters, then the slots of prizes."""
    batch = make_active_batch(2)
    world.open_game(batch, world.tier(1, 2))
    limits = [{"act": "entry", "subject": "member", "period": "day", "most": 5}]
    world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": world.ENTER_ALL, "limits": limits})
    BudgetSlot.objects.filter(budget__tier__isnull=False).update(left=0)

    with CaptureQueriesContext(connection) as queries:
        redeem_many(attempts_on(secrets_of(batch)))

    sent = [query["sql"] for query in queries]
    counted = [place for place, sql in enumerate(sent) if "INTO lottery_limituse" in sql]
    [locked] = [place for place, sql in enumerate(sent) if '"lottery_budgetslot"' in sql and "FOR NO KEY UPDATE" in sql]
    assert Entry.objects.count() == 2
    assert counted[-1] < locked


def test_a_prize_that_no_counter_holds_is_owed(brand: Brand, caplog: pytest.LogCaptureFixture) -> None:
    make_campaign()
    batch = make_active_batch(3)
    world.open_game(batch, world.tier(1, 3, kind="points"))
    BudgetSlot.objects.filter(budget__tier__isnull=False).update(left=0)
    BudgetSlot.objects.filter(budget__tier__isnull=False, slot=5).update(left=1)

    receipts = redeem_many(attempts_on(secrets_of(batch)))

    assert [receipt.balance for receipt in receipts] == [150] * 3
    assert [play.over_budget for play in Play.objects.order_by("pk")] == [False, True, True]
    assert caplog.text.count("over budget") == 2
    call_command("verify_ledger", schema=BRAND)


def test_whoever_is_excluded_first_wins_nothing_from_then_on(brand: Brand) -> None:
    """A process that knows of no exclusion in the brand asks whether that is still so."""
    batch = make_active_batch(3)
    world.open_game(batch, world.tier(1, 3))
    lottery_queries._excluding.clear()
    codes = secrets_of(batch)
    first = redeem(make_attempt(codes[0], at=AT))
    row = exclude(Member.objects.get().phone_index)

    second = redeem(make_attempt(codes[1], at=AT))
    Exclusion.objects.filter(pk=row.pk).update(removed_at=AT)
    third = redeem(make_attempt(codes[2], at=AT))

    assert [one.play.outcome for one in (first, second, third) if one.play] == ["won", "points_only", "won"]


def test_an_export_tells_what_labels_played(brand: Brand) -> None:
    batch = make_active_batch(2)
    campaign = world.open_game(batch, world.tier(1, 1))
    redeem_many([make_attempt(code, at=AT) for code in secrets_of(batch)])

    played = [row["play"] for row in export_member(Member.objects.get())["redemptions"]]

    assert {play["campaign"] for play in played} == {campaign.public_id}
    prize = PrizeTier.objects.get().name
    assert {(play["outcome"], play["prize"]) for play in played} == {("won", prize), ("no_prize", None)}


# --- taken back ------------------------------------------------------------------------------------------------------------


def test_taking_a_redemption_back_takes_what_it_won(brand: Brand) -> None:
    from redemption.services import reverse_redemption

    make_campaign()
    batch = make_active_batch(2)
    campaign = world.open_game(batch, world.tier(1, 2, kind="points"))
    _draws, [draw] = world.open_draws(world.tier(1, 2, use="draw"), terms={"enter": world.ENTER_ALL})
    redeem_many(attempts_on(secrets_of(batch)))
    left = units_left(campaign.pk)

    reverse_redemption(labels_of(batch)[0], at=AT, asked_by="maker", reason="returned")

    assert [balance_of(phone) for phone in phones(2)] == [0, 150]
    assert sorted(Claim.objects.values_list("state", flat=True)) == ["disqualified", "done"]
    assert sorted(draw.entries.values_list("state", flat=True)) == ["live", "voided"]
    assert units_left(campaign.pk) == left  # the unit is not won again: it is the reserve's
    call_command("verify_ledger", schema=BRAND)


@pytest.mark.parametrize(("state", "after"), [("won", "disqualified"), ("approved", "disqualified"), ("sent", "sent")])
def test_a_prize_on_its_way_is_not_called_back(brand: Brand, state: str, after: str) -> None:
    from redemption.services import reverse_redemption

    batch = make_active_batch(1)
    world.open_game(batch, world.tier(1, 1))
    first = redeem(make_attempt(secrets_of(batch)[0], at=AT))
    Claim.objects.update(state=state)

    reverse_redemption(labels_of(batch)[0], at=AT, asked_by="maker", reason="returned")

    assert Claim.objects.get().state == after
    assert redeem(make_attempt(secrets_of(batch)[0], at=AT)).play == first.play
