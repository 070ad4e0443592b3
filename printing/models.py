"""Presses and their keys, what is to be printed and what it looks like, and what was handed over to whom."""

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from common.models import Job
from labels.models import Batch, Product, Roll
from printing import template as layouts
from staff.models import Approval, User

_RECIPIENT = r"^age1[02-9ac-hj-np-z]{58}$"


class Press(models.Model):
    """Whoever prints, and the key that files for them are encrypted to."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "prs"))
    name = models.CharField(_("name"), max_length=60, unique=True)
    recipient = models.CharField(_("age recipient"), max_length=80, help_text=_("Begins with age1."))
    fingerprint = models.CharField(_("fingerprint"), max_length=32)
    checked_at = models.DateTimeField(_("fingerprint checked at"), null=True, blank=True)
    checked_by = models.CharField(_("checked by"), max_length=150, blank=True, default="")
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(recipient__regex=_RECIPIENT), name="press_key_is_an_x25519_recipient"),
            models.CheckConstraint(
                condition=Q(fingerprint__regex=r"^[0-9a-f]{32}$"), name="press_fingerprint_has_32_digits"
            ),
            models.CheckConstraint(
                condition=Q(checked_at=None, checked_by="") | Q(checked_at__isnull=False) & ~Q(checked_by=""),
                name="who_checked_a_press_key_is_named",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PressAccount(models.Model):
    """Somebody at a press who signs in here: sees the files of that press, and nothing else."""

    press = models.ForeignKey(Press, models.PROTECT, related_name="accounts", verbose_name=_("press"))
    user = models.OneToOneField(User, models.PROTECT, related_name="+", verbose_name=_("user name"))
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="")


class PrintJob(models.Model):
    """Some rolls of one batch for one press: asked by one person, approved by another, built once."""

    class Output(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", _("JSON lines")
        PDF = "pdf", "PDF"
        PDF_RAW = "pdf_raw", _("PDF, not compressed")
        ZPL = "zpl", "ZPL"

    class Proof(models.TextChoices):
        SAMPLE = "sample", _("a sample of each roll")
        FULL = "full", _("every label")

    DRAWN = ("pdf", "pdf_raw", "zpl")  # what needs a template

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "prj"))
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="print_jobs", verbose_name=_("batch"))
    first_roll = models.PositiveIntegerField(_("from roll"))
    last_roll = models.PositiveIntegerField(_("to roll"))
    press = models.ForeignKey(Press, models.PROTECT, related_name="print_jobs", verbose_name=_("press"))
    recipient = models.CharField(max_length=80)
    output = models.CharField(_("file"), max_length=8, choices=Output.choices, default=Output.CSV)
    version = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, blank=True, related_name="prints", verbose_name=_("template")
    )
    values = models.JSONField(default=dict, blank=True)
    proof = models.CharField(_("decoded"), max_length=6, choices=Proof.choices, default=Proof.SAMPLE)
    reissue_of = models.ForeignKey(
        "Handover", models.PROTECT, null=True, blank=True, related_name="reissues", verbose_name=_("instead of")
    )
    approval = models.ForeignKey(Approval, models.PROTECT, related_name="+")
    requester = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    approver = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    job = models.OneToOneField(Job, models.PROTECT, null=True, blank=True, related_name="+")
    requested_at = models.DateTimeField(_("asked at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approver=None) | ~Q(approver=F("requester")),
                name="who_asks_for_a_print_does_not_approve_it",
            ),
            models.CheckConstraint(
                condition=Q(job=None, approver=None) | Q(job__isnull=False, approver__isnull=False),
                name="a_print_is_built_once_approved",
            ),
            models.CheckConstraint(
                condition=Q(first_roll__gte=1, last_roll__gte=F("first_roll")), name="a_print_has_rolls"
            ),
            models.CheckConstraint(
                condition=Q(output__in=["pdf", "pdf_raw", "zpl"], version__isnull=False)
                | Q(output__in=["csv", "jsonl"], version=None),
                name="what_is_drawn_has_a_template",
            ),
            models.CheckConstraint(
                condition=Q(reissue_of=None) | Q(first_roll=F("last_roll")), name="a_lost_file_is_issued_again_alone"
            ),
            models.CheckConstraint(
                condition=Q(recipient__regex=_RECIPIENT), name="a_print_goes_to_an_x25519_recipient"
            ),
        ]
        indexes = [models.Index(fields=["-requested_at", "-id"], name="print_job_newest_first")]

    @property
    def template(self) -> layouts.Template | None:
        """What is drawn, with the texts that were asked for; None for rows of data."""
        return self.version.as_template(self.values) if self.version else None


class SignOff(models.Model):
    """Somebody of the brand has looked at the sample sheet of a template, for one host, GTIN and form of code."""

    sheet = models.CharField(_("sample sheet"), max_length=64, unique=True, help_text=_("SHA-256 of what it shows"))
    template_hash = models.CharField(_("SHA-256 of the template"), max_length=64)
    file_hash = models.CharField(_("SHA-256 of the file"), max_length=64)
    signed_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("signed off by"))
    signed_at = models.DateTimeField(_("signed off at"))
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    sheet__regex=r"^[0-9a-f]{64}$",
                    template_hash__regex=r"^[0-9a-f]{64}$",
                    file_hash__regex=r"^[0-9a-f]{64}$",
                ),
                name="a_sign_off_names_what_was_seen",
            )
        ]


class Handover(models.Model):
    """One encrypted file of one roll for one press, downloaded once. Every copy has set-up strips of its own."""

    class State(models.TextChoices):
        BUILDING = "building", _("being built")
        READY = "ready", _("ready")
        DOWNLOADED = "downloaded", _("downloaded")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        EXPIRED = "expired", _("expired")
        LOST = "lost", _("lost")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("proof failed")

    OPEN = ("building", "ready", "downloaded")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "hov"))
    print_job = models.ForeignKey(PrintJob, models.PROTECT, related_name="handovers")
    roll = models.ForeignKey(Roll, models.PROTECT, related_name="handovers", verbose_name=_("roll"))
    requester = models.ForeignKey(User, models.PROTECT, related_name="+")
    approver = models.ForeignKey(User, models.PROTECT, related_name="+")
    canary_range = BigIntegerRangeField(_("label numbers of set-up strips"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.BUILDING)
    lines = models.PositiveIntegerField(_("lines of the file"))
    plain_hash = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True, default="")
    cipher_hash = models.CharField(_("SHA-256 of the encrypted file"), max_length=64, blank=True, default="")
    cipher_bytes = models.BigIntegerField(_("bytes"), null=True, blank=True)
    report = models.JSONField(_("proof"), default=dict, blank=True)
    manifest = models.BinaryField(blank=True, default=b"")
    signature = models.BinaryField(max_length=64, blank=True, default=b"")
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("link ends"), null=True, blank=True)
    downloaded_at = models.DateTimeField(_("downloaded at"), null=True, blank=True)
    downloaded_by = models.CharField(_("downloaded by"), max_length=150, blank=True, default="")
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("file deleted at"), null=True, blank=True)
    lost_at = models.DateTimeField(_("reported lost at"), null=True, blank=True)
    lost_by = models.CharField(_("reported lost by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(approver=F("requester")), name="who_asks_for_a_handover_does_not_approve_it"
            ),
            models.UniqueConstraint(
                fields=["roll"],
                condition=Q(state__in=["building", "ready", "downloaded"]),
                name="a_roll_has_one_open_handover",
            ),
            ExclusionConstraint(
                name="no_two_copies_share_a_set_up_strip", expressions=[("canary_range", RangeOperators.OVERLAPS)]
            ),
            models.CheckConstraint(
                condition=Q(state__in=["building", "cancelled", "failed"])
                | Q(
                    plain_hash__regex=r"^[0-9a-f]{64}$", cipher_hash__regex=r"^[0-9a-f]{64}$", expires_at__isnull=False
                ),
                name="a_finished_file_has_its_hashes",
            ),
            models.CheckConstraint(
                condition=~Q(state="acknowledged")
                | Q(downloaded_at__isnull=False, acknowledged_at__isnull=False, deleted_at__isnull=False),
                name="what_is_acknowledged_was_downloaded_and_is_deleted",
            ),
            models.CheckConstraint(
                condition=Q(downloaded_at=None, downloaded_by="")
                | Q(downloaded_at__isnull=False) & ~Q(downloaded_by=""),
                name="who_downloaded_a_file_is_named",
            ),
            models.CheckConstraint(
                condition=~Q(state="downloaded") | Q(downloaded_at__isnull=False), name="a_download_says_when"
            ),
            models.CheckConstraint(
                condition=Q(state="lost", lost_at__isnull=False, deleted_at__isnull=False)
                | ~Q(state="lost") & Q(lost_at=None),
                name="a_lost_file_says_when_and_is_deleted",
            ),
            models.CheckConstraint(
                condition=Q(canary_range__isempty=False, canary_range__lower_inf=False, canary_range__upper_inf=False),
                name="a_copy_has_set_up_strips",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def strips(self) -> int:
        """How many set-up strips the file has."""
        return int(self.canary_range.upper - self.canary_range.lower)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The labels of the file's lines: half of the strips, the roll, the other half; half-open ranges."""
        first, end = int(self.canary_range.lower), int(self.canary_range.upper)
        middle = first + (end - first) // 2
        return [(first, middle), (int(self.roll.label_range.lower), int(self.roll.label_range.upper)), (middle, end)]


ART = "art:"  # in a stored layout, a picture is named by its hash: {"data": "art:<sha256>"}


class Art(models.Model):
    """A picture for templates, as it was checked and kept: PNG or JPEG, named by its hash. Append-only."""

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=80)
    media_type = models.CharField(max_length=20)
    data = models.BinaryField()
    width = models.PositiveIntegerField(_("width in pixels"))
    height = models.PositiveIntegerField(_("height in pixels"))
    source_sha256 = models.CharField(_("hash of the file sent"), max_length=64)
    created_at = models.DateTimeField(pgettext_lazy("upload", "sent at"))
    created_by = models.CharField(pgettext_lazy("upload", "sent by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="art_is_named_by_its_hash"),
            models.CheckConstraint(
                condition=Q(media_type__in=["image/png", "image/jpeg"]), name="art_is_a_png_or_a_jpeg"
            ),
            models.CheckConstraint(condition=Q(width__gte=1, height__gte=1), name="art_has_a_size"),
        ]

    def __str__(self) -> str:
        return self.name


class Template(models.Model):
    """What a kind of label, card or sheet looks like, by name; the look itself is its newest version."""

    class Kind(models.TextChoices):
        UNIT = "unit", _("unit label")
        INNER = "inner", _("inner pack label")
        CASE = "case", _("case label")
        PALLET = "pallet", _("pallet label")
        TALKER = "talker", _("shelf talker")
        CARD = "card", _("member card")
        COUPON = "coupon", _("coupon")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "tpl"))
    name = models.CharField(_("name"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("made at"))
    created_by = models.CharField(_("made by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["unit", "inner", "case", "pallet", "talker", "card", "coupon"]),
                name="template_kind_is_known",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="template_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def newest(self) -> "TemplateVersion":
        """The version that new prints take."""
        return self.versions.select_related("template").latest("number")

    def as_template(self, values: Mapping[str, str] | None = None) -> layouts.Template:
        """Return the newest version, ready to draw."""
        return self.newest.as_template(values)


class TemplateVersion(models.Model):
    """One look of a template. Append-only: what was printed once can be printed again, to the last dot."""

    template = models.ForeignKey(Template, models.PROTECT, related_name="versions", verbose_name=_("template"))
    number = models.PositiveIntegerField(_("version"))
    layout = models.JSONField(_("layout"))
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("made at"))
    created_by = models.CharField(_("made by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="a_template_numbers_its_versions"),
            models.CheckConstraint(condition=Q(number__gte=1), name="template_versions_count_from_one"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="template_version_is_named_by_its_hash"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template.name} v{self.number}"

    def as_template(self, values: Mapping[str, str] | None = None) -> layouts.Template:
        """Return this version ready to draw: pictures in place, ``{product}`` and its like filled in from ``values``."""
        return layouts.parse(with_art(self.layout)).filled(values or {})


class DefaultTemplate(models.Model):
    """The template that is proposed for a product's labels of one kind, or (without product) for all products."""

    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="+")
    kind = models.CharField(max_length=8)
    template = models.ForeignKey(Template, models.PROTECT, related_name="defaults")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "kind"], nulls_distinct=False, name="one_default_template_a_product_and_kind"
            )
        ]


def with_art(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored layout with its pictures put in for their names. A picture that is not there stays a name."""
    elements = list(layout.get("elements", []))
    named = {one["data"][len(ART) :] for one in elements if _is_named(one)}
    found = {art.sha256: bytes(art.data) for art in Art.objects.filter(sha256__in=named)} if named else {}
    for place, one in enumerate(elements):
        if _is_named(one) and (data := found.get(one["data"][len(ART) :])):
            elements[place] = {**one, "data": base64.b64encode(data).decode()}
    return {**layout, "elements": elements}


def _is_named(element: Any) -> bool:
    return isinstance(element, dict) and str(element.get("data", "")).startswith(ART)


class SsccCounter(models.Model):
    """The next serial reference of one GS1 company prefix, so that no SSCC is ever given out twice."""

    prefix = models.CharField(_("GS1 company prefix"), max_length=10, unique=True)
    next = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(prefix__regex=r"^[0-9]{4,10}$"), name="company_prefix_is_4_to_10_digits"
            ),
            models.CheckConstraint(condition=Q(next__gte=0), name="sscc_counter_only_rises_from_zero"),
        ]


class Run(models.Model):
    """Files of anything but unit labels: packs, shelf talkers, cards, coupons; they are made when asked for.

    Append-only but for its cancelling, which frees the labels inside a pack, but no number.

    Packs: ``numbers`` are SSCCs without their check digit (17 digits), ``label_range`` what lies in them,
    ``per_pack`` units each; the n-th pack has the n-th number and the n-th part of the range. Coupons: ``numbers`` are
    places in the brand's sequence of coupons. Talkers and cards: ``subjects`` are public ids.
    """

    PACKS = ("inner", "case", "pallet")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "run"))
    order_key = models.CharField(max_length=100, unique=True)
    version = models.ForeignKey(TemplateVersion, models.PROTECT, related_name="runs", verbose_name=_("template"))
    kind = models.CharField(_("kind"), max_length=8, choices=Template.Kind.choices)
    count = models.PositiveIntegerField(_("pieces"))
    batch = models.ForeignKey(Batch, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("batch"))
    inside = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="outer")
    label_range = BigIntegerRangeField(_("labels inside"), null=True, blank=True)
    per_pack = models.PositiveIntegerField(_("units in a pack"), null=True, blank=True)
    lot = models.CharField(_("lot"), max_length=20, blank=True, default="")
    numbers = BigIntegerRangeField(_("numbers"), null=True, blank=True)
    subjects = models.JSONField(_("for whom"), default=list, blank=True)
    note = models.CharField(_("note"), max_length=80, blank=True, default="")
    created_at = models.DateTimeField(_("asked at"))
    created_by = models.CharField(_("asked by"), max_length=150, blank=True, default="")
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(count__gte=1), name="a_run_has_pieces"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["inner", "case", "pallet"],
                    batch__isnull=False,
                    label_range__isnull=False,
                    per_pack__gte=1,
                    numbers__isnull=False,
                )
                | Q(kind="coupon", numbers__isnull=False, label_range=None, per_pack=None)
                | Q(kind__in=["talker", "card"], numbers=None, label_range=None, per_pack=None),
                name="a_run_has_what_its_kind_needs",
            ),
            ExclusionConstraint(
                name="no_sscc_is_given_out_twice",
                expressions=[("numbers", RangeOperators.OVERLAPS)],
                condition=Q(kind__in=["inner", "case", "pallet"]),
            ),
            ExclusionConstraint(
                name="no_coupon_number_is_given_out_twice",
                expressions=[("numbers", RangeOperators.OVERLAPS)],
                condition=Q(kind="coupon"),
            ),
            ExclusionConstraint(
                name="no_label_lies_in_two_inner_packs",
                expressions=[("label_range", RangeOperators.OVERLAPS)],
                condition=Q(kind="inner", cancelled_at=None),
            ),
            ExclusionConstraint(
                name="no_label_lies_in_two_cases",
                expressions=[("label_range", RangeOperators.OVERLAPS)],
                condition=Q(kind="case", cancelled_at=None),
            ),
            ExclusionConstraint(
                name="no_label_lies_on_two_pallets",
                expressions=[("label_range", RangeOperators.OVERLAPS)],
                condition=Q(kind="pallet", cancelled_at=None),
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="run_newest_first")]

    def __str__(self) -> str:
        return self.public_id
