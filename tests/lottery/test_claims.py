"""A prize on its way from the win to the winner: every step, every forbidden one, and who may take it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from brands.models import Brand
from common.phone import mask_phone
from ledger.queries import balance
from lottery import claims as rules, verify_draw
from lottery.errors import BadClaim, ClaimLate, ClaimState, LimitReached, MayNotTakePart, NoSuchClaim
from lottery.models import Bundle, Claim, ClaimDetails, ClaimMove, Exclusion, Pick, PrizeTier
from lottery.rules import claim_deadline
from lottery.services import claiming, papers, telling
from members.personal import erase_member, export_member
from sms_gateway.models import OutboundMessage
from sms_gateway.segments import parts_of
from staff import approvals
from staff.approvals import NeedsApproval, SamePerson
from tests.lottery import world
from tests.lottery.pictures import photograph
from tests.lottery.prizes import ADDRESS, DRAWN, TOLD, draw_prizes, one_prize, winner
from tests.makers import make_member

STATES = list(rules.NEXT)


def claimed(claim: Claim, **values: str) -> Claim:
    return claiming.claim_prize(claim.pk, member=winner(claim), given={**ADDRESS, **values}, at=TOLD)


def states(claim: Claim) -> list[str]:
    return list(claim.moves.order_by("id").values_list("after", flat=True))


# --- the ordinary way ----------------------------------------------------------------------------------------------------


def test_goods_go_from_the_win_to_the_door(brand: Brand) -> None:
    claim = one_prize("goods", level=1)
    clerk, sender = world.user("clerk", "support"), world.user("sender", "warehouse")

    claimed(claim)
    claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)
    claiming.approve(claim.pk, by=clerk, seen="checked", at=TOLD)
    claiming.send(claim.pk, courier="顺丰", tracking_no="SF1", by=sender, seen="approved", at=TOLD)
    claiming.received(claim.pk, at=TOLD)

    assert states(claim) == ["won", "notified", "claimed", "checked", "approved", "sent", "done"]
    assert list(claim.moves.order_by("id").values_list("moved_by", flat=True)) == [
        "", "system", "winner", "clerk", "clerk", "sender", "winner",
    ]  # fmt: skip
    assert claiming.details_of(claim)["address"] == ADDRESS["address"]


def test_details_are_kept_encrypted(brand: Brand) -> None:
    claim = claimed(one_prize("goods"))

    blob = bytes(ClaimDetails.objects.get(claim=claim).cipher or b"")

    assert ADDRESS["name"].encode() not in blob
    assert claiming.details_of(claim)["name"] == ADDRESS["name"]


def test_a_small_prize_asks_for_the_phone_alone_and_waits_for_nobody(brand: Brand) -> None:
    claim = one_prize("voucher", price=2_000)

    claiming.claim_prize(claim.pk, member=winner(claim), given={}, at=TOLD)

    assert states(claim) == ["won", "notified", "claimed", "checked", "approved"]


def test_points_drawn_are_given_with_the_draw(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 2, use="draw", kind="points"), people=3)

    claims = list(Claim.objects.filter(pick__draw=draw))

    assert [claim.state for claim in claims] == ["done", "done"]
    assert [balance(claim.account_id) for claim in claims] == [50, 50]


@pytest.mark.parametrize("lacking", ["name", "phone", "region", "address"])
def test_what_is_asked_for_must_be_given(brand: Brand, lacking: str) -> None:
    claim = one_prize("goods", level=1)

    with pytest.raises(BadClaim) as refused:
        claimed(claim, **{lacking: " "})

    assert refused.value.extra["fields"] == [lacking]
    assert Claim.objects.get(pk=claim.pk).state == "won"


def test_a_stranger_cannot_claim_it(brand: Brand) -> None:
    claim = one_prize()

    with pytest.raises(NoSuchClaim):
        claiming.claim_prize(claim.pk, member=make_member("+8613900000001"), given=ADDRESS, at=TOLD)


# --- every forbidden step ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", STATES)
def test_only_the_steps_of_the_rules_are_taken(brand: Brand, before: str) -> None:
    claim = one_prize()
    Claim.objects.filter(pk=claim.pk).update(state=before)

    for after in STATES:
        if after in rules.NEXT[before]:
            with transaction.atomic():
                claiming.move(claim.pk, after, at=TOLD, by="x")
                transaction.set_rollback(True)
            continue
        with pytest.raises(ClaimState), transaction.atomic():
            claiming.move(claim.pk, after, at=TOLD, by="x")

    assert Claim.objects.get(pk=claim.pk).state == before
    assert states(claim) == ["won"]


def test_who_decided_on_another_state_is_refused(brand: Brand) -> None:
    claim, clerk = claimed(one_prize("goods", level=1)), world.user("clerk", "support")
    claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)

    with pytest.raises(ClaimState):
        claiming.lose(claim.pk, "refused", reason="not_identified", by="other", at=TOLD, seen="claimed")

    assert states(claim)[-1] == "checked"


def test_the_log_is_append_only(brand: Brand) -> None:
    claim = one_prize()

    for change in (lambda: claim.moves.update(reason="x"), lambda: claim.moves.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.parametrize(("after", "reason"), [("refused", "excluded"), ("disqualified", "late"), ("expired", "x")])
def test_a_loss_needs_a_reason_of_its_kind(brand: Brand, after: str, reason: str) -> None:
    with pytest.raises(BadClaim):
        claiming.lose(one_prize().pk, after, reason=reason, by="clerk", at=TOLD)


# --- identification ------------------------------------------------------------------------------------------------------


def test_each_level_asks_for_more() -> None:
    asked = [rules.asked_of("voucher", level) for level in range(4)]

    assert [one.fields for one in asked] == [
        (),
        ("name", "address"),
        ("name", "address"),
        ("name", "address", "tax_no"),
    ]
    assert [one.documents for one in asked] == [(), (), ("identity",), ("identity", "tax")]
    assert [one.present for one in asked] == [False, False, False, True]


@pytest.mark.parametrize(
    ("price", "level"), [(49_999, 0), (50_000, 1), (499_999, 1), (500_000, 2), (4_999_999, 2), (5_000_000, 3)]
)
def test_the_usual_level_follows_the_price(price: int, level: int) -> None:
    assert rules.level_of(price, "CNY") == level


def test_a_document_must_have_been_seen_by_staff(brand: Brand) -> None:
    claim, clerk = claimed(one_prize("goods", level=2)), world.user("clerk", "support")
    row = papers.add(claim.pk, "identity", photograph(), by="winner", at=TOLD)

    with pytest.raises(BadClaim) as refused:
        claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)
    picture = papers.look_at(row.pk, claim=claim, by=clerk, at=TOLD)
    claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)

    assert refused.value.extra["fields"] == ["identity"]
    assert picture[:3] == b"\xff\xd8\xff"
    assert b"JFIF" not in bytes(row.cipher or b"")
    assert states(claim)[-1] == "checked"


def test_the_highest_level_asks_for_presence_and_a_tax_form(brand: Brand) -> None:
    claim, clerk = claimed(one_prize("goods", level=3), tax_no="330"), world.user("clerk", "support")

    with pytest.raises(BadClaim) as alone:
        claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD)
    with pytest.raises(BadClaim) as present:
        claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD, how="in_person")
    form = papers.add(claim.pk, "tax", photograph(), by="clerk", at=TOLD)
    papers.look_at(form.pk, claim=claim, by=clerk, at=TOLD)
    claiming.check(claim.pk, by=clerk, seen="claimed", at=TOLD, how="in_person")

    assert alone.value.extra["fields"] == ["identity", "tax", "present"]
    assert present.value.extra["fields"] == ["tax"]
    assert claim.moves.order_by("id").last().reason == "in_person"


def test_pictures_are_deleted_ninety_days_after_the_end(brand: Brand) -> None:
    claim = claimed(one_prize("goods", level=2))
    papers.add(claim.pk, "identity", photograph(), by="winner", at=TOLD)
    claiming.lose(claim.pk, "refused", reason="not_identified", by="clerk", at=TOLD)

    early = papers.forget_old(at=TOLD + timedelta(days=90, seconds=-1))
    due = papers.forget_old(at=TOLD + timedelta(days=90))

    assert (early, due) == (0, 1)
    assert claim.documents.get().cipher is None


@pytest.mark.parametrize("sent", [b"", b"<svg/>", b"\xff\xd8\xff" + b"x" * 100, b"GIF89a"])
def test_what_is_no_photograph_is_refused(brand: Brand, sent: bytes) -> None:
    claim = one_prize("goods", level=2)

    with pytest.raises(BadClaim):
        papers.add(claim.pk, "identity", sent, by="winner", at=TOLD)


# --- two persons ---------------------------------------------------------------------------------------------------------


def checked(price: int) -> Claim:
    claim = claimed(one_prize("goods", level=1, price=price))
    claiming.check(claim.pk, by=world.user("registrar", "support"), seen="claimed", at=TOLD)
    return claim


def test_one_person_approves_up_to_the_limit(brand: Brand) -> None:
    claim = checked(brand.claim_limit)

    claiming.approve(claim.pk, by=world.user("registrar", "support"), seen="checked", at=TOLD)

    assert states(claim)[-1] == "approved"


def test_above_the_limit_two_persons_approve_and_neither_registered_the_winner(brand: Brand) -> None:
    claim = checked(brand.claim_limit + 1)
    registrar, first, second = (world.user(name, "legal") for name in ("registrar", "first", "second"))

    with pytest.raises(SamePerson):
        claiming.approve(claim.pk, by=registrar, seen="checked", at=TOLD)
    with pytest.raises(NeedsApproval) as asked:
        claiming.approve(claim.pk, by=first, seen="checked", at=TOLD)
    for wrong in (first, registrar):
        with pytest.raises(SamePerson), transaction.atomic():
            approvals.decide(asked.value.approval.pk, approved=True, by=wrong, at=TOLD)
    with pytest.raises(NeedsApproval):
        claiming.approve(claim.pk, by=first, seen="checked", at=TOLD)
    assert states(claim)[-1] == "checked"
    with transaction.atomic():
        approvals.decide(asked.value.approval.pk, approved=True, by=second, at=TOLD)
    claiming.approve(claim.pk, by=first, seen="checked", at=TOLD)

    assert states(claim)[-1] == "approved"
    with pytest.raises(ClaimState):
        claiming.approve(claim.pk, by=first, seen="checked", at=TOLD)


# --- deadlines -----------------------------------------------------------------------------------------------------------


def test_a_prize_can_be_claimed_to_the_last_second_and_not_after(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 2, use="draw", alternates=1), people=3)
    early, late = Claim.objects.filter(pick__draw=draw).order_by("pk")
    assert early.deadline_at == late.deadline_at == claim_deadline(DRAWN, 30, "Asia/Shanghai")

    claiming.claim_prize(
        early.pk, member=winner(early), given=ADDRESS, at=early.deadline_at - timedelta(microseconds=1)
    )
    with pytest.raises(ClaimLate):
        claiming.claim_prize(late.pk, member=winner(late), given=ADDRESS, at=late.deadline_at)

    assert "claimed" in states(early)
    assert states(late) == ["won", "expired"]
    assert Claim.objects.filter(pick__role="alternate").count() == 1


@pytest.mark.parametrize(("second", "state"), [(-1, "won"), (0, "expired"), (1, "expired")])
def test_the_sweep_lets_late_prizes_go(brand: Brand, second: int, state: str) -> None:
    claim = one_prize()

    claiming.expire_due(at=claim.deadline_at + timedelta(seconds=second))

    assert states(claim)[-1] == state


def test_the_last_day_ends_at_midnight_of_the_campaign(brand: Brand) -> None:
    claim = one_prize()

    day = rules.last_day(claim.deadline_at, "Asia/Shanghai")

    assert day.isoformat() == "2026-12-23"
    assert claim.deadline_at.isoformat() == "2026-12-23T16:00:00+00:00"


def test_an_alternate_has_fourteen_days(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 1, use="draw", alternates=1), people=3)
    claiming.lose(Claim.objects.get(pick__draw=draw).pk, "refused", reason="declined", by="winner", at=TOLD)

    claim = Claim.objects.get(pick__role="alternate")

    assert claim.deadline_at == claim_deadline(TOLD, 14, "Asia/Shanghai")


def test_winners_are_told_once_and_reminded_three_times(brand: Brand) -> None:
    claim = one_prize()
    told = [telling.tell_winners(at=DRAWN), telling.tell_winners(at=DRAWN)]
    moments = rules.reminders(claim.won_at, claim.deadline_at)

    sent = [
        telling.remind_winners(at=moment + timedelta(seconds=second)) for moment in moments for second in (-1, 0, 1)
    ]

    assert told == [1, 0]
    assert sent == [0, 1, 0] * 3
    assert OutboundMessage.objects.filter(purpose="notice").count() == 4
    assert states(claim) == ["won", "notified"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_notices_fit_into_two_parts_with_the_longest_names(brand: Brand, language: str) -> None:
    claim = one_prize()
    claim.tier.name, claim.tier.name_zh = "Y" * 80, "壶" * 40
    claim.member.language = language  # type: ignore[union-attr]

    texts = [telling.won_text(claim), telling.reminder_text(claim)]

    assert [parts_of(text).count <= 2 for text in texts] == [True, True], texts
    assert all("/me/prizes" in text for text in texts)


def test_new_rules_give_those_who_have_not_claimed_more_time(brand: Brand) -> None:
    claim, late = one_prize(), one_prize()
    Claim.objects.filter(pk=late.pk).update(deadline_at=TOLD)
    PrizeTier.objects.update(claim_days=40)

    with transaction.atomic():
        claiming.extend_deadlines([claim.tier_id, late.tier_id], at=TOLD)

    assert Claim.objects.get(pk=claim.pk).deadline_at == claim_deadline(DRAWN, 40, "Asia/Shanghai")
    assert Claim.objects.get(pk=late.pk).deadline_at == TOLD


def test_reminders_stop_with_the_claim(brand: Brand) -> None:
    claim = one_prize()
    telling.tell_winners(at=DRAWN)
    claimed(claim)

    assert telling.remind_winners(at=claim.deadline_at - timedelta(hours=1)) == 0


def test_reminders_are_half_time_a_week_and_a_day_before() -> None:
    won, end = (datetime(2026, month, 1, tzinfo=UTC) for month in (11, 12))

    assert [moment.day for moment in rules.reminders(won, end)] == [16, 24, 30]
    assert rules.reminders(won, won + timedelta(hours=20)) == [won + timedelta(hours=10)]


# --- the next in line ----------------------------------------------------------------------------------------------------


def edition(number: int) -> list[dict]:
    files = verify_draw.unpack(bytes(Bundle.objects.get(edition=number).data))
    return [json.loads(line) for line in files["claims.jsonl"].splitlines()]


def test_the_next_alternates_of_the_tier_move_up_in_order(brand: Brand) -> None:
    tiers = [world.tier(1, 1, use="draw", alternates=2), world.tier(2, 1, use="draw", alternates=1)]
    draw = draw_prizes(*tiers, people=8)
    first = Claim.objects.get(pick__draw=draw, tier__tier=1)

    claiming.lose(first.pk, "refused", reason="declined", by="winner", at=TOLD)
    second = Claim.objects.get(pick__role="alternate")
    claiming.lose(second.pk, "disqualified", reason="fraud", by="clerk", at=TOLD + timedelta(days=1))
    third = Claim.objects.exclude(pk=second.pk).get(pick__role="alternate")
    claiming.lose(third.pk, "refused", reason="declined", by="winner", at=TOLD + timedelta(days=2))

    assert [(claim.pick.tier, claim.pick.unit) for claim in (second, third)] == [(1, 1), (1, 2)]
    assert not Claim.objects.filter(state="won", tier__tier=1).exists()
    assert Claim.objects.filter(tier__tier=2).count() == 1
    assert Bundle.objects.filter(draw=draw).count() == 4
    assert [(line["state"], line["reason"]) for line in edition(3)] == [
        ("refused", "declined"), ("won", ""), ("disqualified", "fraud"), ("won", ""),
    ]  # fmt: skip
    for number in range(1, 5):
        report = verify_draw.verify(bytes(Bundle.objects.get(edition=number).data), {})
        assert "order of claims" in {line["check"] for line in report.lines}


def test_the_sweep_moves_alternates_up_once(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 2, use="draw", alternates=3), people=6)
    late = DRAWN + timedelta(days=40)

    swept = [claiming.expire_due(at=late), claiming.promote_due(at=late), claiming.promote_due(at=late)]

    assert swept == [2, 2, 0]
    assert Claim.objects.filter(pick__draw=draw, pick__role="alternate").count() == 2


def test_an_excluded_winner_is_found_at_the_claim(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 1, use="draw", alternates=1), people=3)
    claim = Claim.objects.get(pick__draw=draw)
    member = winner(claim)
    Exclusion.objects.create(by="phone", index=member.phone_index, why="staff", added_by="x", added_at=TOLD)

    with pytest.raises(MayNotTakePart):
        claimed(claim)

    assert states(claim) == ["won", "disqualified"]
    assert Claim.objects.get(pick__role="alternate").state == "won"


def test_an_account_is_paid_as_often_as_the_rules_allow(brand: Brand) -> None:
    terms = {"enter": world.ENTER_ALL, "limits": [{"act": "win", "subject": "payout", "period": "all", "most": 1}]}
    draw = draw_prizes(world.tier(1, 2, use="draw", kind="cash"), people=3, terms=terms)
    first, second = Claim.objects.filter(pick__draw=draw)
    claimed(first, payee="zhang@example.com")

    with pytest.raises(LimitReached):
        claimed(second, payee=" Zhang@example.com")

    assert states(second) == ["won"]


# --- a person who is forgotten -------------------------------------------------------------------------------------------


def test_what_was_told_is_given_out_and_forgotten(brand: Brand) -> None:
    draw = draw_prizes(world.tier(1, 1, use="draw", alternates=1, id_level=2), people=3)
    claim = Claim.objects.get(pick__draw=draw)
    claimed(claim)
    papers.add(claim.pk, "identity", photograph(), by="winner", at=TOLD)
    [exported] = export_member(winner(claim))["prizes"]

    erase_member(winner(claim), at=TOLD, asked_by="the member")
    claiming.promote_due(at=TOLD)

    assert exported["told"]["address"] == ADDRESS["address"]
    assert claiming.details_of(claim) == {}
    assert claim.documents.get().cipher is None
    assert states(claim)[-1] == "refused"
    assert claim.moves.order_by("id").last().reason == "erased"
    assert Claim.objects.filter(pick__role="alternate").count() == 1


def test_a_claim_row_holds_no_word_of_who(brand: Brand) -> None:
    claim = claimed(one_prize("goods"))

    kept = json.dumps(
        [str(value) for value in [*ClaimMove.objects.values(), *Claim.objects.filter(pk=claim.pk).values()]]
    )

    assert ADDRESS["name"] not in kept
    assert winner(claim).phone not in kept
    assert mask_phone(winner(claim).phone) not in kept
    assert Pick.objects.exists()
