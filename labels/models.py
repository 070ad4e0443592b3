"""Products, slots of keys, and what is known about ranges of labels. There is no row per label, and no code.

A label is its ``label_no``; everything said about labels is said about a half-open range of them.
"""

from functools import partial
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Coalesce, Mod, Substr
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import get_language, gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from common.models import Job
from labels.linkset import link_types

MAX_LABEL_NO = 10**14 - 1
_OVERLAPS = [("label_range", RangeOperators.OVERLAPS)]


def _lower(field: str) -> Func:
    return Func(F(field), function="lower", output_field=models.BigIntegerField())


def _upper(field: str) -> Func:
    return Func(F(field), function="upper", output_field=models.BigIntegerField())


def _sound() -> Q:
    """Say that ``label_range`` is one: an empty or open range has a NULL bound, and a CHECK lets NULL pass."""
    lower, upper = _lower("label_range"), _upper("label_range")
    return (
        Q(label_range__isempty=False)
        & Q(label_range__lower_inf=False)
        & Q(label_range__upper_inf=False)
        & Q(GreaterThanOrEqual(lower, 1))
        & Q(LessThanOrEqual(upper, MAX_LABEL_NO + 1))
    )


def _range_is_sound(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=_sound(), name=name)


def _ends_after(began: str, ended: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{ended: None}) | Q(**{f"{ended}__gte": F(began)}), name=name)


def _check_digit_fits(field: str) -> Exact:
    """Say that the 14 digits of a field end with the check digit of the others (GS1 General Specifications, 7.9)."""
    digits = [Cast(Substr(field, place, 1), models.IntegerField()) for place in range(1, 15)]
    total = sum((digit * 3 for digit in digits[2::2]), digits[0] * 3)
    return Exact(Mod(sum(digits[1::2], total), 10), 0)


class Product(models.Model):
    """What a label may be bound to; its GTIN stands in the label's Digital Link."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "prd"))
    gtin = models.CharField(_("GTIN"), max_length=14, unique=True, help_text=_("14 digits, zeros in front"))
    sku = models.CharField(_("article number"), max_length=40, blank=True, default="")
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40)
    description = models.TextField(_("description in English"), max_length=600, blank=True, default="")
    description_zh = models.TextField(_("description in Chinese"), max_length=300, blank=True, default="")
    margin = models.BigIntegerField(
        _("margin a unit"), null=True, blank=True, help_text=_("what one diverted unit costs, in minor units")
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="", db_default="")
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(margin=None, currency="") | Q(margin__gte=0, currency__regex=r"^[A-Z]{3}$"),
                name="product_margin_has_a_currency",
            ),
            # PostgreSQL asks in the order of names: 14 digits first, so that no cast below can fail.
            models.CheckConstraint(condition=Q(gtin__regex=r"^[0-9]{14}$"), name="product_gtin_has_14_digits"),
            models.CheckConstraint(condition=_check_digit_fits("gtin"), name="product_gtin_has_its_check_digit"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="product_newest_first")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The product's name in the reader's language."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name

    @property
    def display_description(self) -> str:
        """The product's description in the reader's language."""
        return self.description_zh if (get_language() or "").startswith("zh") else self.description


class ProductLink(models.Model):
    """A page about a product elsewhere on the web, told by the GS1 Digital Link of its labels."""

    class MediaType(models.TextChoices):
        HTML = "text/html", _("web page")
        JSON = "application/json", "JSON"
        JSON_LD = "application/ld+json", "JSON-LD"
        PDF = "application/pdf", "PDF"

    product = models.ForeignKey(Product, models.CASCADE, related_name="links", verbose_name=_("product"))
    link_type = models.CharField(_("kind of link"), max_length=40)
    href = models.URLField(_("address"), max_length=500)
    title = models.CharField(_("title in English"), max_length=80)
    title_zh = models.CharField(_("title in Chinese"), max_length=40)
    language = models.CharField(_("language"), max_length=20, blank=True, default="")
    media_type = models.CharField(_("format"), max_length=40, choices=MediaType.choices, default=MediaType.HTML)
    is_default = models.BooleanField(_("opens on scanning"), default=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "link_type", "language"], name="product_has_one_link_of_a_type_and_language"
            ),
            models.UniqueConstraint(
                fields=["product", "language"],
                condition=Q(is_default=True),
                name="product_has_one_default_link_for_a_language",
            ),
            models.CheckConstraint(
                condition=Q(href__regex=r"^https://[^/?#\s]+([/?#]\S*)?$"), name="product_link_is_https"
            ),
            models.CheckConstraint(
                condition=Q(link_type__regex=r"^[a-z][A-Za-z]*$"), name="product_link_type_is_a_name"
            ),
            models.CheckConstraint(
                condition=Q(language__regex=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$"),
                name="product_link_language_is_a_tag",
            ),
        ]

    def __str__(self) -> str:
        return self.display_title

    @property
    def display_title(self) -> str:
        """The link's title in the reader's language."""
        return self.title_zh if (get_language() or "").startswith("zh") else self.title

    @property
    def display_type(self) -> str:
        """The kind of link in the reader's language, or its bare name if the vocabulary has dropped it."""
        titles = link_types().get(self.link_type)
        chinese = (get_language() or "").startswith("zh")
        return titles["zh" if chinese else "en"] if titles else self.link_type


class Slot(models.Model):
    """One key and so one permutation of label numbers. Number 0 of every form is the test series."""

    class Purpose(models.TextChoices):
        SECRET = "secret", _("hidden code")
        SERIAL = "serial", _("serial")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DECRYPT_ONLY = "decrypt_only", _("only read")
        CLOSED = "closed", _("closed")

    purpose = models.CharField(_("purpose"), max_length=6, choices=Purpose.choices)
    form = models.CharField(_("form"), max_length=3)
    number = models.PositiveIntegerField(_("number"))
    generation = models.PositiveSmallIntegerField(_("generation"), default=0)
    root_version = models.PositiveSmallIntegerField(_("version of the root key"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "form", "number", "generation"], name="slot_exists_once"),
            models.CheckConstraint(condition=Q(purpose="secret") | Q(generation=0), name="serial_slot_is_never_reused"),
            models.CheckConstraint(
                condition=Q(purpose="secret", form__in=["N16", "N18", "N20", "B12", "B14", "B16"])
                | Q(purpose="serial", form="B12"),
                name="slot_form_is_known",
            ),
            models.CheckConstraint(condition=Q(root_version__gte=1), name="slot_root_is_not_version_0"),
            models.CheckConstraint(
                condition=Q(form__in=["N16", "N18"], number__lt=10)
                | Q(form="N20", number__lt=1_000)
                | Q(form__in=["B12", "B14"], number__lt=32)
                | Q(form="B16", number__lt=32_768),
                name="slot_number_fits_its_symbols",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "decrypt_only", "closed"]), name="slot_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["purpose", "form", "number"],
                condition=Q(state="open"),
                name="slot_is_open_in_one_generation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.form}/{self.number}" + (f".{self.generation}" if self.generation else "")

    @property
    def is_test(self) -> bool:
        """Whether this is the test series."""
        return self.number == 0


class LabelCounter(models.Model):
    """The one row that hands out label numbers. ``version`` changes with whatever `queries` keeps in memory."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next = models.BigIntegerField(default=1)
    version = models.UUIDField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_label_counter"),
            models.CheckConstraint(
                condition=Q(next__gte=1, next__lte=MAX_LABEL_NO + 1), name="label_no_fits_14_digits"
            ),
        ]


class Batch(models.Model):
    """A range of labels, ordered once and owned for ever.

    With ``roll_labels`` a press prints it, in rolls of so many; then the range ends with labels for set-up strips.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        GENERATED = "generated", _("generated")
        HANDED_OVER = "handed_over", _("handed over")
        RECEIVED = "received", _("received")
        ACTIVE = "active", pgettext_lazy("batch", "active")
        CLOSED = "closed", _("closed")
        VOID = "void", _("void")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "bat"))
    number = models.CharField(_("batch"), max_length=12, unique=True)
    order_key = models.CharField(_("order key"), max_length=100, unique=True)
    order_hash = models.BinaryField(max_length=32)
    product = models.ForeignKey(Product, models.PROTECT, related_name="batches", verbose_name=_("product"))
    gtin_printed = models.CharField(_("GTIN in the QR code"), max_length=14)
    count = models.BigIntegerField(_("labels"))
    label_range = BigIntegerRangeField(_("label numbers"))
    roll_labels = models.PositiveIntegerField(_("labels of a roll"), null=True, blank=True)
    canary_range = BigIntegerRangeField(_("label numbers of set-up strips"), null=True, blank=True)
    secret_slot = models.ForeignKey(Slot, models.PROTECT, related_name="+")
    serial_slot = models.ForeignKey(Slot, models.PROTECT, related_name="+")
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.DRAFT)
    activate_by = models.DateField(_("activate by"), null=True, blank=True)
    generated_at = models.DateTimeField(_("generated at"), null=True, blank=True)
    created_at = models.DateTimeField(_("ordered at"))
    ordered_by = models.CharField(_("ordered by"), max_length=150, blank=True, default="")
    job = models.ForeignKey(Job, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            ExclusionConstraint(name="batches_never_share_a_label", expressions=_OVERLAPS),
            _range_is_sound("batch_range_is_sound"),
            models.CheckConstraint(condition=Q(count__gte=1, count__lte=200_000_000), name="batch_count_is_in_bounds"),
            models.CheckConstraint(condition=Q(gtin_printed__regex=r"^[0-9]{14}$"), name="batch_gtin_has_14_digits"),
            models.CheckConstraint(
                condition=Q(state="draft", generated_at=None)
                | Q(state="void")
                | Q(state__in=["generated", "handed_over", "received", "active", "closed"], generated_at__isnull=False),
                name="batch_is_a_draft_until_generated",
            ),
            models.CheckConstraint(
                condition=Q(
                    count=_upper("label_range")
                    - _lower("label_range")
                    - Coalesce(_upper("canary_range") - _lower("canary_range"), Value(0))
                ),
                name="batch_count_is_its_range",
            ),
            # Without the first two an empty or open range would pass: "is contained" is then true or NULL.
            models.CheckConstraint(
                condition=Q(canary_range=None, roll_labels=None)
                | (
                    Q(roll_labels__isnull=False, roll_labels__gte=1)
                    & Q(canary_range__isempty=False)
                    & Q(canary_range__lower_inf=False)
                    & Q(canary_range__upper_inf=False)
                    & Q(canary_range__contained_by=F("label_range"))
                    & Q(canary_range__endswith=_upper("label_range"))
                ),
                name="set_up_strips_are_the_end_of_the_batch",
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="batch_newest_first")]

    def __str__(self) -> str:
        return self.number

    @property
    def is_test(self) -> bool:
        """Whether the labels are of the test series."""
        return self.secret_slot.is_test

    @property
    def goods(self) -> tuple[int, int]:
        """The half-open range of the labels that are meant for goods: all but the set-up strips."""
        first = int(self.label_range.lower)
        return first, first + self.count


class HandoverHold(models.Model):
    """While one is open, no roll of the batch is handed over: somebody above must finish something first."""

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="holds")
    name = models.CharField(_("name"), max_length=40)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    opened_at = models.DateTimeField(_("opened at"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "name"], condition=Q(lifted_at=None), name="a_hold_is_open_once_a_batch"
            ),
            _ends_after("opened_at", "lifted_at", "a_hold_is_lifted_after_it_was_opened"),
        ]


class Manifest(models.Model):
    """A Merkle root over the labels of a batch, as a game with prizes commits to it (`labels.manifests`).

    ``nodes``: the tree's nodes above each 1,024 leaves, 32 bytes each; the leaves are computed again when needed.
    """

    batch = models.OneToOneField(Batch, models.PROTECT, related_name="manifest")
    root = models.BinaryField(_("root"), max_length=32, null=True)
    nodes = models.BinaryField(null=True)
    job = models.ForeignKey(Job, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(_("asked for at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(root=None, nodes=None) | Q(root__isnull=False, nodes__isnull=False),
                name="manifest_has_its_root_and_nodes_together",
            )
        ]


class _Places:
    """First and last label of a range, by their places in the batch (from 1): how people name labels."""

    batch: "Batch"
    label_range: Any

    @property
    def first(self) -> int:
        """The first label's place."""
        return int(self.label_range.lower - self.batch.label_range.lower + 1)

    @property
    def last(self) -> int:
        """The last label's place."""
        return int(self.label_range.upper - self.batch.label_range.lower)

    @property
    def count(self) -> int:
        """How many labels there are."""
        return int(self.label_range.upper - self.label_range.lower)


class Roll(_Places, models.Model):
    """The part of a batch that comes from the press on one roll, and what came.

    The file of a roll has ``lines``: the labels, with half of the ``set_up`` strips before them and half after.
    """

    class State(models.TextChoices):
        READY = "ready", _("ready")
        HANDED_OVER = "handed_over", _("handed over")
        RECEIVED = "received", _("received")

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="rolls", verbose_name=_("batch"))
    number = models.PositiveIntegerField(_("roll"))
    label_range = BigIntegerRangeField(_("label numbers"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.READY)
    set_up = models.PositiveIntegerField(_("set-up strips"), default=0)
    lines = models.PositiveIntegerField(_("lines of the file"), null=True, blank=True)
    good = models.PositiveIntegerField(_("good"), null=True, blank=True)
    spoiled = models.PositiveIntegerField(_("spoiled"), null=True, blank=True)
    unaccounted = models.PositiveIntegerField(_("missing"), null=True, blank=True)
    sampled = models.PositiveIntegerField(_("labels read as a sample"), default=0)
    document = models.CharField(_("delivery note"), max_length=60, blank=True, default="")
    handed_over_at = models.DateTimeField(_("handed over at"), null=True, blank=True)
    received_at = models.DateTimeField(pgettext_lazy("goods", "received at"), null=True, blank=True)
    received_by = models.CharField(_("received by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            ExclusionConstraint(name="rolls_never_share_a_label", expressions=_OVERLAPS),
            models.UniqueConstraint(fields=["batch", "number"], name="a_roll_has_its_own_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="a_roll_number_counts_from_1"),
            models.CheckConstraint(
                condition=Q(state="ready", handed_over_at=None)
                | Q(state__in=["handed_over", "received"], handed_over_at__isnull=False),
                name="a_roll_handed_over_says_when",
            ),
            models.CheckConstraint(
                condition=Q(state="received") | Q(good=None, spoiled=None, unaccounted=None, received_at=None),
                name="only_a_roll_received_has_counts",
            ),
            _range_is_sound("roll_range_is_sound"),
            models.CheckConstraint(
                condition=Q(state="ready", lines=None)
                | Q(lines=_upper("label_range") - _lower("label_range") + F("set_up")),
                name="lines_are_labels_and_set_up_strips",
            ),
            models.CheckConstraint(
                condition=~Q(state="received")
                | Q(good__isnull=False, spoiled__isnull=False, unaccounted__isnull=False, received_at__isnull=False)
                & Q(lines=F("good") + F("spoiled") + F("unaccounted") + F("set_up")),
                name="what_is_received_adds_up_to_the_lines",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch.number}/{self.number}"

    @property
    def head(self) -> int:
        """How many set-up strips come before the first label."""
        return self.set_up // 2


class Sighting(models.Model):
    """A serial read from a roll when it was received. The same label on two rolls, or twice on one, was printed twice.

    ``times`` is how often one reading of the roll met it.
    """

    roll = models.ForeignKey(Roll, models.PROTECT, related_name="sightings", verbose_name=_("roll"))
    label_no = models.BigIntegerField(_("label number"))
    times = models.PositiveSmallIntegerField(_("times"), default=1)
    seen_at = models.DateTimeField(_("read at"))
    seen_by = models.CharField(_("read by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["label_no", "roll"], name="a_label_is_noted_once_a_roll"),
            models.CheckConstraint(
                condition=Q(label_no__gte=1, label_no__lte=MAX_LABEL_NO, times__gte=1), name="a_sighting_is_of_a_label"
            ),
        ]
        indexes = [models.Index(fields=["-seen_at", "-id"], name="sighting_newest_first")]


class Recall(models.Model):
    """A recall of a lot, a product or a range: one row, and a block on every activation that it meets."""

    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )
    lot = models.CharField(_("lot"), max_length=20, blank=True, default="")
    label_range = BigIntegerRangeField(_("label numbers"), null=True, blank=True)
    labels = models.BigIntegerField(_("labels"))
    note = models.CharField(_("note"), max_length=300, blank=True, default="")
    opened_at = models.DateTimeField(_("recalled at"))
    opened_by = models.CharField(_("recalled by"), max_length=150, blank=True, default="")
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.CharField(_("lifted by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(product__isnull=False, label_range=None)
                | Q(product=None, lot="", label_range__isnull=False),
                name="a_recall_is_of_a_product_or_a_range",
            ),
            models.CheckConstraint(condition=Q(label_range=None) | _sound(), name="recall_range_is_sound"),
            _ends_after("opened_at", "lifted_at", "a_recall_is_lifted_after_it_was_opened"),
        ]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="recall_newest_first")]


class Activation(_Places, models.Model):
    """A range of labels on sale: bound to a product, from now until cancelled or ended."""

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="activations", verbose_name=_("batch"))
    label_range = BigIntegerRangeField(_("label numbers"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    lot = models.CharField(_("lot"), max_length=20, blank=True, default="")
    expires_on = models.DateField(_("best before"), null=True, blank=True)
    market = models.CharField(_("market"), max_length=20, blank=True, default="")
    valid_until = models.DateField(_("codes valid until"), null=True, blank=True)
    document = models.CharField(_("document"), max_length=60, blank=True, default="")
    activated_at = models.DateTimeField(_("activated at"))
    activated_by = models.CharField(_("activated by"), max_length=150, blank=True, default="")
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="a_label_is_activated_once", expressions=_OVERLAPS, condition=Q(cancelled_at=None)
            ),
            _range_is_sound("activation_range_is_sound"),
            _ends_after("activated_at", "cancelled_at", "an_activation_is_cancelled_after_it_began"),
        ]
        indexes = [models.Index(fields=["-activated_at", "-id"], name="activation_newest_first")]


class Block(_Places, models.Model):
    """A range of labels that must not be honoured, and why. Blocks may overlap; the gravest one speaks."""

    class Reason(models.TextChoices):
        SPOILED = "spoiled", _("spoiled in production")
        DUPLICATE_PRINT = "duplicate_print", _("printed twice")
        UNACCOUNTED = "unaccounted", _("unaccounted for")
        CANARY = "canary", _("set-up strip")
        SAMPLE = "sample", _("sample")
        DESTROYED = "destroyed", _("destroyed")
        STOLEN = "stolen", _("stolen")
        LOST = "lost", _("lost")
        FILE_LEAK = "file_leak", _("print file leaked")
        KEY_COMPROMISE = "key_compromise", _("key compromised")
        LEGAL_HOLD = "legal_hold", _("legal hold")
        WITHDRAWN = "withdrawn", _("withdrawn from sale")
        RECALLED = "recalled", _("recalled for safety")

    VOIDING = ("spoiled", "duplicate_print", "unaccounted", "canary", "sample", "destroyed")
    FINAL = (*VOIDING, "stolen")

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="blocks", verbose_name=_("batch"))
    label_range = BigIntegerRangeField(_("label numbers"))
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    recall = models.ForeignKey(Recall, models.PROTECT, null=True, blank=True, related_name="blocks")
    spares_redeemed = models.BooleanField(_("spares labels already redeemed"))
    note = models.CharField(_("note"), max_length=300, blank=True, default="")
    opened_at = models.DateTimeField(_("blocked at"))
    opened_by = models.CharField(_("blocked by"), max_length=150, blank=True, default="")
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.CharField(_("lifted by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            _range_is_sound("block_range_is_sound"),
            models.CheckConstraint(
                condition=Q(lifted_at=None)
                | ~Q(
                    reason__in=["spoiled", "duplicate_print", "unaccounted", "canary", "sample", "destroyed", "stolen"]
                ),
                name="a_final_block_is_never_lifted",
            ),
            models.CheckConstraint(
                condition=~Q(reason="recalled", spares_redeemed=True), name="a_recall_spares_no_label"
            ),
            models.CheckConstraint(
                condition=Q(recall=None) | Q(reason="recalled"), name="a_block_of_a_recall_says_recalled"
            ),
            models.CheckConstraint(
                condition=Q(
                    reason__in=["spoiled", "duplicate_print", "unaccounted", "canary", "sample", "destroyed", "stolen"]
                )
                | Q(reason__in=["lost", "file_leak", "key_compromise", "legal_hold", "withdrawn", "recalled"]),
                name="a_block_has_a_known_reason",
            ),
            _ends_after("opened_at", "lifted_at", "a_block_is_lifted_after_it_was_opened"),
        ]
        indexes = [
            GistIndex(fields=["label_range"], name="block_by_label", condition=Q(lifted_at=None)),
            models.Index(fields=["-opened_at", "-id"], name="block_newest_first"),
        ]

    @property
    def is_final(self) -> bool:
        """Whether it can never be lifted."""
        return self.reason in self.FINAL
