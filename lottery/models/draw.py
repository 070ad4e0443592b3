"""Draws (LD1): their entries, what was picked, and the public values that decided."""

import uuid
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from ledger.models import Account
from lottery.models.campaign import Campaign


class Draw(models.Model):
    """One draw: its rules are signed before the first entry, its entries before the public value that decides.

    ``round``: the beacon's round of the rules, or the one it moved to because the list was late. ``prizes`` null: the
    rules say "reserve", and what is left of the instant game is counted when the entries are listed.
    """

    class State(models.TextChoices):
        SCHEDULED = "scheduled", pgettext_lazy("draw", "scheduled")
        OPEN = "open", pgettext_lazy("draw", "open")
        CLOSING = "closing", pgettext_lazy("draw", "closing")
        LISTED = "listed", pgettext_lazy("draw", "entries listed")
        SEEDED = "seeded", pgettext_lazy("draw", "public value known")
        SELECTED = "selected", pgettext_lazy("draw", "drawn")
        PUBLISHED = "published", pgettext_lazy("draw", "published")
        HALTED = "halted", pgettext_lazy("draw", "halted")

    UNDER_WAY = ("closing", "listed", "seeded", "selected")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "drw"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="draws", db_index=False)
    number = models.PositiveSmallIntegerField(_("draw"), default=1)
    opens_at = models.DateTimeField(_("opens at"))
    close_at = models.DateTimeField(_("closes at"))
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.SCHEDULED)
    rules = models.BinaryField(null=True)
    rules_hash = models.BinaryField(max_length=32, null=True)
    rules_key = models.BinaryField(_("public key"), max_length=32, null=True)
    rules_signature = models.BinaryField(max_length=64, null=True)
    rules_at = models.DateTimeField(_("rules signed at"), null=True)
    prizes = models.JSONField(null=True)
    round = models.BigIntegerField(_("round of the beacon"), null=True)
    root = models.BinaryField(max_length=32, null=True)
    root_json = models.BinaryField(null=True)
    root_signature = models.BinaryField(max_length=64, null=True)
    excluded = models.JSONField(null=True)
    seed = models.BinaryField(max_length=32, null=True)
    result = models.BinaryField(null=True)
    listed_at = models.DateTimeField(_("entries listed at"), null=True)
    published_at = models.DateTimeField(_("published at"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="draw_exists_once_in_a_campaign"),
            models.CheckConstraint(
                condition=Q(state__in=["scheduled", "open", "closing", "halted"], root=None)
                | Q(root__isnull=False, root_json__isnull=False, root_signature__isnull=False, listed_at__isnull=False),
                name="draw_is_listed_with_its_root",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["seeded", "selected", "published"]) | Q(seed__isnull=False),
                name="draw_that_is_seeded_has_its_seed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["selected", "published"]) | Q(result__isnull=False),
                name="draw_that_is_selected_has_its_result",
            ),
            models.CheckConstraint(
                condition=Q(state="published", published_at__isnull=False) | ~Q(state="published"),
                name="draw_that_is_published_says_when",
            ),
        ]
        indexes = [models.Index(fields=["state", "close_at"], name="draw_to_be_closed")]

    def __str__(self) -> str:
        return self.public_id


class Entry(models.Model):
    """One entry of one draw. ``id`` is the public number; ``who``, ``kin`` and ``ref`` tell nothing without a key."""

    class Source(models.TextChoices):
        LABEL = "label", _("redemption")
        POINTS = "points", _("points")
        FREE = "free", _("free entry")
        CARRY = "carry", _("carried over")

    class State(models.TextChoices):
        LIVE = "live", pgettext_lazy("entry", "takes part")
        VOIDED = "voided", pgettext_lazy("entry", "void")

    draw = models.ForeignKey(Draw, models.PROTECT, related_name="entries", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False)
    who = models.CharField(max_length=32)
    kin = models.CharField(max_length=32, blank=True, default="")
    weight = models.PositiveIntegerField(_("weight"))
    source = models.CharField(_("source"), max_length=6, choices=Source.choices)
    source_id = models.BigIntegerField(help_text=_("label number, hold, free entry, or entry of the draw before"))
    request_id = models.CharField(max_length=100, blank=True, default="")
    ref = models.CharField(max_length=32)
    leaf = models.BinaryField(max_length=32)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.LIVE)
    void_reason = models.CharField(_("reason"), max_length=30, blank=True, default="")
    at = models.DateTimeField(_("at"))
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draw", "ref"], name="reference_enters_a_draw_once"),
            models.UniqueConstraint(
                fields=["draw", "account", "request_id"],
                condition=~Q(request_id=""),
                name="entry_is_asked_for_once",
            ),
            models.CheckConstraint(condition=Q(weight__gte=1), name="entry_weighs_something"),
            models.CheckConstraint(
                condition=Q(state="live", void_reason="", voided_at=None)
                | Q(state="voided", voided_at__isnull=False) & ~Q(void_reason=""),
                name="void_entry_says_why",
            ),
        ]
        indexes = [models.Index(fields=["account", "id"], name="entry_by_account")]


class FreeEntry(models.Model):
    """A way in without a purchase: one request of one person for one draw. Append-only."""

    draw = models.ForeignKey(Draw, models.PROTECT, related_name="free_entries", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_constraint=False)
    request_id = models.CharField(max_length=100)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["draw", "request_id"], name="free_entry_is_asked_for_once")]


class Pick(models.Model):
    """One entry drawn, as a winner or as an alternate of a tier. Append-only: a refusal changes claims, never picks."""

    class Role(models.TextChoices):
        WINNER = "winner", _("winner")
        ALTERNATE = "alternate", _("alternate")

    draw = models.ForeignKey(Draw, models.PROTECT, related_name="picks", db_index=False)
    pick_no = models.PositiveIntegerField(_("pick"))
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="+", db_index=False)
    tier = models.PositiveSmallIntegerField(_("tier"))
    unit = models.PositiveIntegerField(_("unit"))
    role = models.CharField(_("role"), max_length=9, choices=Role.choices)
    tries = models.PositiveIntegerField(_("tries"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draw", "pick_no"], name="pick_exists_once_in_a_draw"),
            models.UniqueConstraint(fields=["draw", "entry"], name="entry_is_picked_once"),
        ]


class Bundle(models.Model):
    """One edition of the public proof, as it is downloaded. Append-only; a new edition names the one before."""

    class Kind(models.TextChoices):
        DRAW = "draw", _("draw")
        REVEAL = "reveal", _("instant game")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="bundles")
    draw = models.ForeignKey(Draw, models.PROTECT, null=True, blank=True, related_name="bundles")
    kind = models.CharField(_("kind"), max_length=6, choices=Kind.choices)
    edition = models.PositiveSmallIntegerField(_("edition"))
    data = models.BinaryField()
    hash = models.BinaryField(_("hash"), max_length=32)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "draw", "edition"], name="bundle_edition_exists_once", nulls_distinct=False
            )
        ]

    @property
    def hash_hex(self) -> str:
        """SHA-256 of the whole file, as people compare it."""
        return bytes(self.hash).hex()


class BeaconValue(models.Model):
    """A public value that passed its check, kept for ever. Append-only; one for each source, chain and round."""

    class Source(models.TextChoices):
        DRAND = "drand", "drand"
        PRIVATE = "private", _("private chain, not public")
        MANUAL = "manual", _("public value typed by two persons")

    source = models.CharField(_("source"), max_length=7, choices=Source.choices)
    chain = models.CharField(_("chain"), max_length=64)
    round = models.BigIntegerField(_("round"))
    value = models.BinaryField(_("value"), help_text=_("a signature of 48 bytes, or the text typed"))
    url = models.CharField(_("address"), max_length=300, blank=True, default="")
    brought_by = models.CharField(_("brought by"), max_length=150, blank=True, default="")
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "chain", "round"], name="beacon_has_one_value_a_round")
        ]


class TypedValue(models.Model):
    """A public value as one person read and typed it; two equal ones of two persons become a `BeaconValue`."""

    chain = models.CharField(max_length=64)
    round = models.BigIntegerField()
    text = models.CharField(_("value"), max_length=1000)
    published_on = models.DateField(_("day of the numbers"), null=True, blank=True)
    url = models.CharField(_("address"), max_length=300)
    image = models.BinaryField(_("picture"), null=True, blank=True)
    typed_by = models.CharField(_("typed by"), max_length=150)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "round", "typed_by"], name="a_person_types_a_value_once")
        ]
