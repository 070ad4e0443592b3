"""Campaigns and their rules: what is offered, between when, and the versions that were published."""

from functools import partial

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import get_language, gettext_lazy as _

from common.db import Xid8Field
from common.ids import new_public_id
from labels.models import Product


class Campaign(models.Model):
    """An offer between two moments: points per product and party, or prizes by instant win, or by draw, or both.

    A points campaign goes draft → open → closed or halted. One with prizes is published first, with rules that no one
    can change; an instant game is then armed, and nothing is played before. ``terms``: what the rules say and no row
    does (texts, contact, limits, ways to enter), as docs/algorithms/draws.md lists them.
    """

    class Kind(models.TextChoices):
        POINTS = "points", _("points")
        INSTANT = "instant", _("instant win")
        DRAW = "draw", _("draw")
        BOTH = "both", _("instant win and draw")

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        ARMED = "armed", _("armed")
        OPEN = "open", _("open")
        CLOSING = "closing", _("closing")
        CLOSED = "closed", _("closed")
        REVEALED = "revealed", _("revealed")
        HALTED = "halted", _("halted")

    BEFORE_THE_END = ("draft", "published", "armed", "open")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "cmp"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.POINTS)
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.DRAFT)
    opens_at = models.DateTimeField(_("opens at"))
    closes_at = models.DateTimeField(_("closes at"), null=True, blank=True, help_text=_("empty: until it is closed"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    halt_reason = models.CharField(_("reason of the halt, public"), max_length=200, blank=True, default="")
    daily_cap = models.PositiveIntegerField(
        _("codes a day for each consumer"), null=True, blank=True, help_text=_("empty: no cap")
    )
    total_cap = models.PositiveIntegerField(
        _("codes in all for each consumer"), null=True, blank=True, help_text=_("empty: no cap")
    )
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="")
    uuid = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    zone = models.CharField(_("time zone"), max_length=40, blank=True, default="")
    places = models.JSONField(_("countries"), default=list, blank=True)
    terms = models.JSONField(_("terms"), default=dict, blank=True)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="points", state__in=["draft", "open", "closed", "halted"], published_at=None)
                | Q(kind__in=["instant", "draw", "both"], state__in=["draft"], published_at=None)
                | Q(kind__in=["instant", "draw", "both"], published_at__isnull=False, closes_at__isnull=False)
                & ~Q(state="draft"),
                name="campaign_state_fits_its_kind",
            ),
            models.CheckConstraint(condition=~Q(kind="draw") | ~Q(state="armed"), name="only_an_instant_game_is_armed"),
            models.CheckConstraint(
                condition=Q(closes_at=None) | Q(closes_at__gt=F("opens_at")), name="campaign_closes_after_it_opens"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "published", "armed", "open"], ended_at=None)
                | Q(state__in=["closing", "closed", "revealed", "halted"], ended_at__isnull=False),
                name="campaign_that_ended_says_when",
            ),
            models.CheckConstraint(condition=~Q(state="halted") | ~Q(halt_reason=""), name="halted_campaign_says_why"),
            models.CheckConstraint(
                condition=(Q(daily_cap=None) | Q(daily_cap__gt=0)) & (Q(total_cap=None) | Q(total_cap__gt=0)),
                name="campaign_caps_are_positive",
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="campaign_newest_first")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The campaign's name in the reader's language."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name

    @property
    def has_instant(self) -> bool:
        """Whether there is an instant game in it."""
        return self.kind in {self.Kind.INSTANT, self.Kind.BOTH}

    @property
    def has_draws(self) -> bool:
        """Whether there are draws in it."""
        return self.kind in {self.Kind.DRAW, self.Kind.BOTH}


class RulesVersion(models.Model):
    """The rules as they were published: canonical JSON, its hash, the brand's signature. Append-only, for ever.

    ``xact``: rows that the rules cover may change only in the transaction that writes a new version.
    """

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="versions", db_index=False)
    n = models.PositiveSmallIntegerField(_("version"))
    content = models.BinaryField(_("text"))
    hash = models.BinaryField(_("hash"), max_length=32)
    key = models.BinaryField(_("public key"), max_length=32)
    signature = models.BinaryField(_("signature"), max_length=64)
    reason = models.CharField(_("reason of the change"), max_length=200, blank=True, default="")
    published_at = models.DateTimeField(_("published at"))
    published_by = models.CharField(_("published by"), max_length=150)
    xact = Xid8Field(db_default=Func(function="pg_current_xact_id"), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "n"], name="rules_version_exists_once"),
            models.CheckConstraint(condition=Q(n=1, reason="") | Q(n__gt=1) & ~Q(reason=""), name="new_rules_say_why"),
        ]


class SignOff(models.Model):
    """That a person stands for one item of a country's checklist. Append-only; the newest of an item counts."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="sign_offs")
    item = models.CharField(_("item"), max_length=60)
    name = models.CharField(_("name"), max_length=100)
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    signed_by = models.CharField(_("signed by"), max_length=150)
    at = models.DateTimeField(_("at"))


class Award(models.Model):
    """How many points one party gets for one code of a product (or of any product)."""

    class Party(models.TextChoices):
        CONSUMER = "consumer", _("consumer")
        RETAILER = "retailer", _("retailer")
        PROMOTER = "promoter", _("promoter")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="awards")
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("empty: any product")
    )
    party = models.CharField(_("party"), max_length=8, choices=Party.choices)
    points = models.BigIntegerField(_("points"))
    expires_after_months = models.PositiveSmallIntegerField(
        _("points expire after"), null=True, blank=True, help_text=_("months, to the end of the month; empty: never")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "product", "party"], name="award_is_stated_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(points__gt=0, points__lte=10**9), name="award_points_are_positive"),
            models.CheckConstraint(
                condition=Q(expires_after_months=None) | Q(expires_after_months__range=(1, 120)),
                name="award_expires_within_ten_years",
            ),
        ]
