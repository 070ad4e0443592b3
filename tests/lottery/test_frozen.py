"""What was published cannot be changed, not even by SQL; a new version may only give more."""

import pytest
from django.db import DatabaseError, connection, transaction

from config import embedded
from labels.models import HandoverHold
from lottery import keys
from lottery.errors import BadCampaign
from lottery.models import PrizeTier, RulesVersion
from lottery.services import Amendment, amend, bring_document, prepare_pools
from staff.approvals import NotApproved
from tests.conftest import NOW
from tests.lottery import world
from tests.makers import make_batch


@pytest.fixture
def campaign(brand):
    keys.forget()
    batch = make_batch(count=20)
    spans = [(batch.label_range.lower, batch.label_range.upper)]
    drafted = world.instant(spans, world.tier(1, 1), world.tier(2, 3))
    bring_document(drafted.pk, "x", file_name="a.pdf", data=b"%PDF-1", name="L", brought_by="leo", at=NOW)
    return world.published(drafted)


FROZEN = [
    "UPDATE lottery_prizetier SET quantity = 2 WHERE tier = 1",
    "UPDATE lottery_prizetier SET quantity = 0 WHERE tier = 1",
    "UPDATE lottery_prizetier SET claim_days = 1",
    "UPDATE lottery_prizetier SET name = 'Better'",
    "DELETE FROM lottery_prizetier WHERE tier = 2",
    "INSERT INTO lottery_prizetier (campaign_id, use, tier, kind, name, name_zh, quantity, unit_cost, market_price,"
    " delivery_cost, withheld_tax, currency, claim_days, id_level) SELECT campaign_id, use, 9, kind, name, name_zh,"
    " 1, 1, 1, 0, 0, currency, 1, 0 FROM lottery_prizetier LIMIT 1",
    "UPDATE lottery_campaign SET closes_at = closes_at - interval '1 day'",
    "UPDATE lottery_campaign SET terms = '{}'::jsonb || '{\"a\": 1}'",
    "UPDATE lottery_pool SET ranges = '[[1, 2]]'",
    "UPDATE lottery_pool SET quantities = '[0, 0]'",
    "DELETE FROM lottery_poolrange",
    "UPDATE lottery_rulesversion SET reason = 'none'",
    "DELETE FROM lottery_commitment",
    "UPDATE lottery_commitment SET content = 'x'",
    "UPDATE lottery_rulesversion SET content = 'x'",
    "TRUNCATE lottery_rulesversion CASCADE",
    "UPDATE lottery_campaign SET opens_at = opens_at + interval '1 day'",
    "UPDATE lottery_campaign SET places = '[]', zone = 'UTC'",
    "INSERT INTO lottery_poolrange (campaign_id, pool_id, label_range) SELECT campaign_id, pool_id, '[1,2)' FROM lottery_poolrange",
    "UPDATE lottery_lawdocument SET name = 'other'",
    "ALTER TABLE lottery_prizetier DISABLE TRIGGER ALL",
    "DROP TRIGGER published_campaign ON lottery_campaign",
]


def test_these_statements_are_sent_as_the_application(campaign):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (embedded.APP_ROLE, False)


@pytest.mark.parametrize("statement", FROZEN)
def test_a_frozen_rule_cannot_be_changed_by_sql(campaign, statement):
    refused = pytest.raises(DatabaseError, match=r"do not change|append-only|permission denied|must be owner")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_before_it_is_published_a_draft_changes(brand):
    batch = make_batch(count=20)
    world.instant([(batch.label_range.lower, batch.label_range.upper)], world.tier(1, 1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lottery_prizetier SET quantity = 2")
        assert cursor.rowcount == 1


def test_an_armed_pool_does_not_change(campaign):
    world.armed(campaign)
    with pytest.raises(DatabaseError, match="armed pool"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE lottery_pool SET thresholds = NULL")


def amended(campaign, change):
    approvals = tuple(
        world.approved("lottery.amend", {**change.payload(campaign), "voice": voice}, approver=f"approver {voice}")
        for voice in (1, 2)
    )
    return amend(campaign.pk, change, approval_ids=approvals, at=NOW, by="maker")


def test_a_deadline_is_extended_by_a_new_version(campaign):
    tier = PrizeTier.objects.get(tier=1)

    version = amended(campaign, Amendment(reason="holidays", claim_days={tier.pk: 60}, name="Spring again"))

    assert (version.n, version.reason) == (2, "holidays")
    assert PrizeTier.objects.get(pk=tier.pk).claim_days == 60
    assert b'"claim_days":60' in bytes(version.content)
    assert b'"claim_days":60' not in bytes(RulesVersion.objects.get(campaign=campaign, n=1).content)


@pytest.mark.parametrize("change", [{"claim_days": 1}, {"prizes": 9}, {"prizes": 0}])
def test_a_new_version_takes_nothing_away_and_leaves_the_instant_game_alone(campaign, change):
    tier = PrizeTier.objects.get(tier=1)
    [(name, value)] = change.items()

    with pytest.raises(BadCampaign):
        amended(campaign, Amendment(reason="savings", **{name: {tier.pk: value}}))

    assert campaign.versions.count() == 1


def test_two_approvals_are_needed(campaign):
    change = Amendment(reason="holidays", name="Other")
    first = world.approved("lottery.amend", {**change.payload(campaign), "voice": 1})

    with pytest.raises(NotApproved):
        amend(campaign.pk, change, approval_ids=(first, first), at=NOW, by="maker")
    second = world.approved("lottery.amend", {**change.payload(campaign), "voice": 2})
    with pytest.raises(NotApproved, match="Two different persons"):  # the same person spoke twice
        amend(campaign.pk, change, approval_ids=(first, second), at=NOW, by="maker")


def test_a_batch_is_kept_from_the_press_until_the_commitment(brand):
    keys.forget()
    batch = make_batch(count=20)
    campaign = world.instant([(batch.label_range.lower, batch.label_range.upper)], world.tier(1, 1))
    prepare_pools(campaign.pk, at=NOW)
    assert HandoverHold.objects.get().lifted_at is None

    world.published(campaign)

    assert HandoverHold.objects.get().lifted_at is not None
