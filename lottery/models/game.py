"""The instant game (IW1): pools of labels, commitments made before anybody can know who wins, and plays."""

from django.contrib.postgres.fields import BigIntegerRangeField
from django.contrib.postgres.indexes import BrinIndex, GistIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Account
from lottery.models.campaign import Campaign
from lottery.models.prize import PrizeTier


class Pool(models.Model):
    """Labels that share prizes: exactly ``quantities[t]`` of the ``eligible`` ones win tier t + 1.

    ``ranges`` and ``excluded`` are ``[[first, beyond], …]``; their salted hashes are committed to, and they themselves
    revealed at the end. ``thresholds``: encrypted under the game's key, known once the game is armed.
    """

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="pools", db_index=False)
    number = models.PositiveIntegerField(_("pool"))
    name = models.CharField(_("name"), max_length=80, blank=True, default="")
    quantities = models.JSONField(_("winners in each tier"), default=list)
    ranges = models.JSONField(default=list)
    excluded = models.JSONField(default=list)
    eligible = models.BigIntegerField(_("labels that take part"), null=True)
    ranges_salt = models.BinaryField(max_length=16, null=True)
    excluded_salt = models.BinaryField(max_length=16, null=True)
    manifest_roots = models.JSONField(default=list)
    thresholds = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="pool_exists_once_in_a_game"),
            models.CheckConstraint(condition=Q(number__gte=1), name="pools_count_from_one"),
        ]


class PoolRange(models.Model):
    """One range of a pool's labels: how the game of a label is found."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+")
    pool = models.ForeignKey(Pool, models.PROTECT, related_name="label_ranges")
    label_range = BigIntegerRangeField(_("label numbers"))

    class Meta:
        indexes = [GistIndex(fields=["label_range"], name="pool_range_by_label")]


class Commitment(models.Model):
    """What we bound ourselves to, signed and public. Append-only.

    1: secrets, pools and beacon round, before the beacon's value can be known. 2: the key and thresholds that follow
    from it. ``GIVEN_UP``: that a first commitment is not used, and why; it stays public, and the next needs a witness.
    """

    class Kind(models.IntegerChoices):
        GIVEN_UP = 0, _("given up")
        FIRST = 1, _("first commitment")
        SECOND = 2, _("second commitment")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="commitments", db_index=False)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    kind = models.SmallIntegerField(_("kind"), choices=Kind.choices)
    content = models.BinaryField(_("text"))
    hash = models.BinaryField(_("hash"), max_length=32)
    key = models.BinaryField(_("public key"), max_length=32)
    signature = models.BinaryField(_("signature"), max_length=64)
    at = models.DateTimeField(_("at"))
    made_by = models.CharField(_("by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "attempt", "kind"], name="commitment_is_made_once"),
        ]


class Play(models.Model):
    """What one redeemed label won, or not. Written once, in the transaction of its redemption.

    ``id`` is that of the redemption's scan, known before anything is written. ``over_budget``: the prize is owed although
    the counter of units was empty, which cannot happen unless something is wrong: an alarm is raised. Campaign, pool and
    tier are read under the game's lock and are never deleted: checking them again for each play would only cost. Who
    played is found by the redemption.
    """

    class Outcome(models.IntegerChoices):
        NO_PRIZE = 0, _("no prize")
        WON = 1, _("won")
        POINTS_ONLY = 2, _("points only")

    class Reason(models.IntegerChoices):
        NONE = 0, ""
        LIMIT = 1, _("limit of plays reached")
        EXCLUDED = 2, _("not allowed to take part")
        TOUCHED = 3, _("label does not take part")
        HALTED = 4, _("game halted")
        DOOR = 5, _("not a door of the game")

    id = models.BigIntegerField(primary_key=True)
    label_no = models.BigIntegerField()
    scan_id = models.BigIntegerField(help_text=_("of the redemption"))
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    at = models.DateTimeField(_("at"))
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="plays", db_index=False, db_constraint=False)
    pool = models.ForeignKey(Pool, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    tier = models.ForeignKey(
        PrizeTier, models.PROTECT, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    outcome = models.SmallIntegerField(_("outcome"), choices=Outcome.choices)
    reason = models.SmallIntegerField(_("reason"), choices=Reason.choices, default=Reason.NONE)
    version = models.SmallIntegerField(_("version of the rules"))
    over_budget = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "label_no"], name="label_plays_once_in_a_campaign"),
            models.CheckConstraint(
                condition=Q(outcome=1, tier__isnull=False, reason=0)
                | Q(outcome=0, tier=None, reason=0)
                | Q(outcome=2, tier=None, reason__gt=0),
                name="play_is_won_lost_or_points_only",
            ),
            models.CheckConstraint(condition=Q(over_budget=False) | Q(outcome=1), name="only_a_prize_is_over_budget"),
        ]
        indexes = [
            models.Index(fields=["campaign", "tier"], condition=Q(outcome=1), name="play_that_won"),
            BrinIndex(fields=["at"], name="play_in_time", pages_per_range=16),
        ]
