"""The instant game from draft to reveal: exact counts, nobody can choose winners, and anybody can check it."""

import json
from collections import Counter
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import transaction

from common.canonical import canonical
from common.signing import is_signed
from lottery import bundles, content, keys, prf, verify_draw
from lottery.errors import BadCampaign, BadSecret, CampaignState, KeysMissing, NotReady, NotYet
from lottery.models import BudgetSlot, Campaign, Claim, Commitment, Play, Pool, RulesVersion
from lottery.services import Ask, arm, arm_payload, reveal, subject_of
from lottery.services.arming import close_due, first_commitment, give_up, halt_game, halt_payload
from lottery.services.playing import units_left
from staff.keys import sign_key
from tests.conftest import NOW
from tests.lottery import world
from tests.makers import labels_of, make_batch, make_member

LABELS = 200


@pytest.fixture
def batch(brand):
    keys.forget()
    return make_batch(count=LABELS)


@pytest.fixture
def member(brand):
    return make_member()


def ask(label_no, member, *, at=world.OPENS, **values):
    return Ask(
        label_no=label_no, scan_id=label_no, account_id=member.account_id, member_id=member.pk, at=at, slot=3, **values
    )


def play_all(labels, member, **values):
    campaigns = list(Campaign.objects.values_list("pk", flat=True))
    keys.load(campaigns)
    with transaction.atomic():
        return world.play_all([ask(label_no, member, **values) for label_no in labels])


def test_every_label_played_gives_exactly_the_prizes(batch, member):
    campaign = world.open_game(batch, world.tier(1, 1), world.tier(2, 7), world.tier(3, 40, kind="points"))

    played = play_all(labels_of(batch), member)

    won = Counter(one.tier.tier for one in played.values() if one.tier)
    assert won == {1: 1, 2: 7, 3: 40}
    assert len(played) == LABELS
    assert units_left(campaign.pk) == {1: 0, 2: 0, 3: 0}
    assert not Play.objects.filter(over_budget=True).exists()
    assert Claim.objects.filter(state="won").count() == 8
    assert Claim.objects.filter(state="done").count() == 40


def test_touched_and_void_labels_take_no_part(batch, member):
    touched = labels_of(batch)[:50]
    campaign = world.open_game(batch, world.tier(1, 150), touched=touched)

    played = play_all(labels_of(batch), member)

    assert Pool.objects.get(campaign=campaign).eligible == 150
    assert {label for label, one in played.items() if one.outcome == Play.Outcome.POINTS_ONLY} == set(touched)
    assert {label for label, one in played.items() if one.tier} == set(labels_of(batch)[50:])


def test_a_label_plays_once_in_a_campaign(batch, member):
    from django.db import IntegrityError

    world.open_game(batch, world.tier(1, 1))
    play_all(labels_of(batch)[:1], member)

    with pytest.raises(IntegrityError, match="label_plays_once"), transaction.atomic():
        world.play_all([ask(labels_of(batch)[0], member)._replace(scan_id=LABELS + 1)])


def test_before_arming_nothing_is_played(batch, member):
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    world.published(world.instant(ranges, world.tier(1, 1)))
    world.opened(Campaign.objects.get(), at=world.OPENS)

    assert play_all(labels_of(batch), member) == {}
    assert Campaign.objects.get().state == "published"


def test_keys_are_asked_for_by_name(batch, member):
    campaign = world.open_game(batch, world.tier(1, 1))
    keys.forget()

    with pytest.raises(KeysMissing) as missing, transaction.atomic():
        world.play_all([ask(labels_of(batch)[0], member)])

    assert missing.value.campaign_ids == {campaign.pk}


def test_limits_and_exclusions_give_points_only(batch, member):
    limits = [{"act": "play", "subject": "member", "period": "day", "most": 3}]
    world.open_game(batch, world.tier(1, LABELS), terms={"limits": limits})
    labels = labels_of(batch)
    me = {"member": subject_of("member", member.uuid.bytes)}

    mine = play_all(labels[:5], member, subjects=me)
    excluded = play_all(labels[5:6], member, excluded=True)
    tomorrow = play_all(labels[6:8], member, subjects=me, at=world.OPENS + timedelta(days=1))

    assert [one.outcome for one in mine.values()] == [1, 1, 1, 2, 2]
    assert {one.reason for one in mine.values()} == {0, Play.Reason.LIMIT}
    assert excluded[labels[5]].reason == Play.Reason.EXCLUDED
    assert [one.outcome for one in tomorrow.values()] == [1, 1]


def test_a_prize_over_budget_is_owed(batch, member, caplog):
    campaign = world.open_game(batch, world.tier(1, LABELS))
    BudgetSlot.objects.filter(budget__tier__campaign=campaign).update(left=0)

    played = play_all(labels_of(batch)[:2], member)

    assert all(one.over_budget and one.tier for one in played.values())
    assert Play.objects.filter(over_budget=True).count() == 2
    assert "over budget" in caplog.text


def test_a_halted_game_pays_points_only(batch, member):
    campaign = world.open_game(batch, world.tier(1, LABELS))
    approval = world.approved("lottery.halt", halt_payload(campaign, "wrong prizes"))

    halt_game(campaign.pk, reason="wrong prizes", approval_id=approval, at=world.OPENS)

    assert play_all(labels_of(batch)[:1], member)[labels_of(batch)[0]].reason == Play.Reason.HALTED


def test_the_first_commitment_hides_and_binds(batch):
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.published(world.instant(ranges, world.tier(1, 1)))

    commitment, value = first_commitment(campaign)

    assert value["beacon"]["round"] == world.private_chain.beacon().first_round_from(int(NOW.timestamp()) + 1800)
    pool = Pool.objects.get(campaign=campaign)
    assert value["pools"][0]["ranges"] == sha256(bytes(pool.ranges_salt) + canonical(pool.ranges)).hexdigest()
    assert len(bytes(pool.ranges_salt)) == 16
    assert value["pools"][0]["n"] == LABELS
    assert is_signed(
        bytes(commitment.key), content.COMMITMENT_TAG, bytes(commitment.content), bytes(commitment.signature)
    )
    assert RulesVersion.objects.get(campaign=campaign).hash.hex() == value["rules"]


def test_arming_waits_for_the_round_and_gives_the_same_when_done_again(batch):
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.published(world.instant(ranges, world.tier(1, 1)))
    approval = world.approved("lottery.arm", arm_payload(campaign))
    with pytest.raises(NotYet):
        arm(campaign.pk, approval_id=approval, at=NOW, armed_by="maker")

    world.armed(campaign)

    with pytest.raises(CampaignState):
        arm(campaign.pk, approval_id=approval, at=NOW, armed_by="maker")
    assert Commitment.objects.filter(campaign=campaign).count() == 2


def test_a_witness_has_a_say(batch):
    s2, n2 = bytes(range(32)), bytes(range(32, 64))
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.instant(ranges, world.tier(1, 1), terms={"witness": True})
    with pytest.raises(BadCampaign):
        world.published(campaign)
    campaign = world.published(campaign, witness=prf.committed(s2, n2))
    with pytest.raises(BadSecret):
        world.armed(campaign, s2=bytes(32), n2=n2)

    campaign = world.armed(campaign, s2=s2, n2=n2)

    assert world.opened(campaign).state == "open"
    with pytest.raises(BadSecret):
        reveal_of(campaign)
    assert reveal(campaign.pk, at=world.CLOSES, s2=s2, n2=n2).edition == 1


def test_a_commitment_given_up_stays_public_and_its_successor_has_a_witness(batch):
    s2, n2 = bytes(range(32)), bytes(range(32, 64))
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.published(world.instant(ranges, world.tier(1, 1)))
    first, _value = first_commitment(campaign)
    approval = world.approved("lottery.give_up", {**arm_payload(campaign), "reason": "a secret was seen"})

    second = give_up(
        campaign.pk, reason="a secret was seen", approval_id=approval, at=NOW, by="maker", witness=prf.committed(s2, n2)
    )

    assert second.attempt == 2
    assert Commitment.objects.filter(campaign=campaign).count() == 3
    assert first_commitment(campaign)[0] == second != first
    assert world.armed(campaign, s2=s2, n2=n2).state == "armed"


def test_a_pool_needs_its_manifests(batch):
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.instant(ranges, world.tier(1, 1))
    approval = world.approved("lottery.publish", world.publish_payload(campaign))

    with pytest.raises(NotReady):
        world.publish(campaign.pk, approval_id=approval, touched=[], at=NOW, published_by="maker")


def test_more_winners_than_labels_is_refused(batch):
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    with pytest.raises(BadCampaign):
        world.published(world.instant(ranges, world.tier(1, LABELS + 1)))
    assert world.published(world.instant(ranges, world.tier(1, LABELS))).state == "published"


# --- the reveal --------------------------------------------------------------------------------------------------------


def reveal_of(campaign):
    close_due(at=world.CLOSES)
    return reveal(campaign.pk, at=world.CLOSES)


@pytest.fixture
def revealed(batch, member, tmp_path):
    campaign = world.open_game(batch, world.tier(1, 3), world.tier(2, 20), touched=labels_of(batch)[:9])
    played = play_all(labels_of(batch)[9:60], member)
    bundle = reveal_of(campaign)
    path = tmp_path / "reveal.zip"
    path.write_bytes(bytes(bundle.data))
    return campaign, played, path


def check(path, capsys, *more):
    code = verify_draw.main([str(path), "--json", *map(str, more)])
    return code, json.loads(capsys.readouterr().out)


def test_the_reveal_holds(revealed, capsys):
    campaign, _played, path = revealed

    code, said = check(path, capsys)

    assert Campaign.objects.get(pk=campaign.pk).state == "revealed"
    assert (code, said["message"]) == (3, "the rest holds, but not shown: beacon")  # the chain is private
    assert any("all labels recounted" in line["detail"] for line in said["checks"])


def test_a_receipt_of_a_play_is_checked(revealed, capsys, tmp_path, at):
    campaign, played, path = revealed
    receipt_path = tmp_path / "receipt.json"
    second = Commitment.objects.get(campaign=campaign, kind=2)
    commitments = (bytes(first_commitment(campaign)[0].hash).hex(), bytes(second.hash).hex())
    winner = next(one for one in played.values() if one.tier)
    for tier, code in ((winner.tier.tier, 3), (None, 1)):
        receipt = bundles.play_receipt(
            campaign=campaign,
            pool=1,
            label_no=winner.label_no,
            tier=tier,
            outcome="won" if tier else "none",
            commitments=commitments,
            key=sign_key(at=at),
        )
        receipt_path.write_bytes(canonical(receipt))
        assert check(path, capsys, "--receipt", receipt_path)[0] == code


def test_without_cryptography_a_sample_is_checked(revealed, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)

    code, said = check(revealed[2], capsys)

    assert code == 3
    assert "pool 1, winners" in said["message"]


@pytest.mark.parametrize("change", ["th", "s1", "excluded", "quantities"])
def test_a_changed_reveal_fails_even_if_signed_anew(revealed, capsys, change, at):
    """The publisher itself changes one thing and signs all again."""
    _campaign, _played, path = revealed
    files = verify_draw.unpack(path.read_bytes())
    value = json.loads(files["reveal.json"])
    told = json.loads(files["commitments.json"])
    if change == "th":
        value["pools"][0]["th"][0][1] = str(int(value["pools"][0]["th"][0][1]) + 1)
    elif change == "s1":
        value["secrets"][0][0] = "00" * 32
    elif change == "excluded":
        value["pools"][0]["excluded"] = []
    else:
        told["first"]["pools"][0]["tiers"] = [4, 19]
    files["reveal.json"], files["commitments.json"] = canonical(value), canonical(told)
    key = sign_key(at=at)
    from common.signing import sign

    signatures = {
        "rules": json.loads(files["signatures.json"])["rules"],
        "first": sign(key, content.COMMITMENT_TAG, canonical(told["first"])).hex(),
        "second": sign(key, content.COMMITMENT_TAG, canonical(told["second"])).hex(),
    }
    for name in ("manifest.json", "signatures.json"):
        del files[name]
    path.write_bytes(bundles.pack("reveal", files, signatures, edition=1, before=None, key=key))

    code, said = check(path, capsys)

    assert (code, said["message"][:6]) == (1, "FAILED")
