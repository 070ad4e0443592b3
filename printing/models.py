"""Presses and their keys, what is to be printed, and what was handed over to whom."""

from functools import partial

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.ids import new_public_id
from common.models import Job
from labels.models import Batch, Roll
from staff.models import Approval, User


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
            models.CheckConstraint(
                condition=Q(recipient__regex=r"^age1[02-9ac-hj-np-z]{58}$"), name="press_key_is_an_x25519_recipient"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PrintJob(models.Model):
    """Some rolls of one batch for one press: asked by one person, approved by another, built once."""

    class Output(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", _("JSON lines")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "prj"))
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="print_jobs", verbose_name=_("batch"))
    first_roll = models.PositiveIntegerField(_("from roll"))
    last_roll = models.PositiveIntegerField(_("to roll"))
    press = models.ForeignKey(Press, models.PROTECT, related_name="print_jobs", verbose_name=_("press"))
    recipient = models.CharField(max_length=80)
    output = models.CharField(_("file"), max_length=8, choices=Output.choices, default=Output.CSV)
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
        ]
        indexes = [models.Index(fields=["-requested_at", "-id"], name="print_job_newest_first")]


class Handover(models.Model):
    """One encrypted file of one roll for one press, downloaded once. Every copy has set-up strips of its own."""

    class State(models.TextChoices):
        BUILDING = "building", _("being built")
        READY = "ready", _("ready")
        DOWNLOADED = "downloaded", _("downloaded")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        EXPIRED = "expired", _("expired")
        CANCELLED = "cancelled", _("cancelled")

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
    manifest = models.BinaryField(blank=True, default=b"")
    signature = models.BinaryField(max_length=64, blank=True, default=b"")
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("link ends"), null=True, blank=True)
    downloaded_at = models.DateTimeField(_("downloaded at"), null=True, blank=True)
    downloaded_by = models.CharField(_("downloaded by"), max_length=150, blank=True, default="")
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("file deleted at"), null=True, blank=True)

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
                condition=Q(state__in=["building", "cancelled"])
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
