"""The file of an investigation: what was asked, seen and decided about one shipment, each with its moment and name.

"Case" is a file here; a carton of goods is `channel.models.Unit`. All but `Case` itself is written once: the database
refuses to change or delete it (migrations ``case_guards``), and refuses a move that is not in `MOVES`. Who acted is kept
by user name, as in the audit trail.
"""

import uuid
from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from brands.queries import brand_date
from common.ids import new_public_id
from staff.models import User

PHOTO_FIELD = "analytics.CasePhoto.content"
"""What the bytes of a photograph are bound to where they are encrypted (`staff.vault`)."""
DECISIONS = ["confirmed", "rejected", "explained"]
STATES = ["new", "watch", "field_check", *DECISIONS, "closed"]
# Each move that there is. A verdict against the partner comes from a field check alone; only an appeal leads back.
MOVES: dict[str, tuple[str, ...]] = {
    "new": ("watch", "field_check", "rejected", "explained"),
    "watch": ("field_check", "rejected", "explained"),
    "field_check": ("watch", "confirmed", "rejected", "explained"),
    "confirmed": ("closed", "field_check"),
    "rejected": ("closed", "field_check"),
    "explained": ("closed", "field_check"),
    "closed": ("field_check",),
}


def _is_a_place() -> Q:
    """Say that a place is a point on Earth (WGS 84, degrees) or nothing."""
    nowhere = Q(lat=None, lon=None, accuracy_m=None)
    return nowhere | Q(lat__gte=-90, lat__lte=90, lon__gte=-180, lon__lte=180)


class Case(models.Model):
    """The file about one shipment. At most one that is not closed for each; ``moved_at``: since when it is in its state.

    ``distributor_id`` is the partner to whom the goods were shipped; ``finding`` what the file was opened upon.
    """

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("file", "new")
        WATCH = "watch", pgettext_lazy("file", "watched")
        FIELD_CHECK = "field_check", pgettext_lazy("file", "checked in the field")
        CONFIRMED = "confirmed", pgettext_lazy("file", "confirmed")
        REJECTED = "rejected", pgettext_lazy("file", "rejected")
        EXPLAINED = "explained", pgettext_lazy("file", "explained")
        CLOSED = "closed", pgettext_lazy("file", "closed")

    DECIDED = frozenset(DECISIONS)

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "cas"))
    shipment_id = models.BigIntegerField()
    distributor_id = models.BigIntegerField()
    finding = models.ForeignKey("analytics.Finding", models.PROTECT, null=True, related_name="files")
    state = models.CharField(_("state"), max_length=11, choices=State.choices, default=State.NEW)
    assignee = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("in charge"))
    due_on = models.DateField(_("due on"), null=True)
    opened_at = models.DateTimeField(_("opened at"))
    opened_by = models.CharField(_("opened by"), max_length=150)
    moved_at = models.DateTimeField(_("moved at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shipment_id"], condition=~Q(state="closed"), name="shipment_has_one_open_file"
            ),
            models.CheckConstraint(condition=Q(state__in=STATES), name="file_state_is_known"),
        ]
        indexes = [
            models.Index(fields=["-opened_at", "-id"], name="file_newest_first"),
            models.Index(fields=["distributor_id", "-id"], name="file_by_distributor"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What people call the file: "F-0231"."""
        return f"F-{self.pk:04}"


class CaseEntry(models.Model):
    """One line of a file's log. ``data`` holds ids and values, no personal data."""

    class Kind(models.TextChoices):
        OPENED = "opened", pgettext_lazy("log", "opened")
        ASSIGNED = "assigned", pgettext_lazy("log", "put in charge")
        DUE = "due", pgettext_lazy("log", "due day set")
        MOVED = "moved", pgettext_lazy("log", "moved")
        NOTE = "note", pgettext_lazy("log", "note")
        PHOTO = "photo", pgettext_lazy("log", "photograph added")
        FIELD_CHECK = "field_check", pgettext_lazy("log", "checked in the field")
        ASKED = "asked", pgettext_lazy("log", "partner asked")
        ANSWERED = "answered", pgettext_lazy("log", "partner answered")
        DECIDED = "decided", pgettext_lazy("log", "decided")
        APPEALED = "appealed", pgettext_lazy("log", "appealed")
        CAUTION = "caution", pgettext_lazy("log", "caution opened")
        LIFTED = "lifted", pgettext_lazy("log", "caution lifted")
        EXPORTED = "exported", pgettext_lazy("log", "evidence exported")

    case = models.ForeignKey(Case, models.PROTECT, related_name="entries")
    at = models.DateTimeField(_("at"))
    by = models.CharField(_("by"), max_length=150)
    kind = models.CharField(_("what"), max_length=11, choices=Kind.choices)
    text = models.CharField(_("text"), max_length=2_000, blank=True, default="")
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(kind="note") | ~Q(text=""), name="a_note_says_something"),
        ]
        indexes = [models.Index(fields=["case", "id"], name="entry_of_file")]


class FieldCheck(models.Model):
    """What an investigator found in a shop. ``uuid`` is made on the phone: sent twice, it is one check.

    ``label`` is as scanned or typed; ``label_no`` the label that it names, if any. ``price``: of one unit, in the money
    of that place. ``lat``, ``lon`` in degrees (WGS 84), ``accuracy_m`` in metres, given by the phone with consent.
    """

    case = models.ForeignKey(Case, models.PROTECT, related_name="checks")
    uuid = models.UUIDField(unique=True)
    label = models.CharField(_("label"), max_length=300)
    label_no = models.BigIntegerField(null=True)
    shop = models.CharField(_("shop"), max_length=120)
    invoice = models.CharField(_("invoice number"), max_length=60, blank=True, default="")
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True)
    note = models.CharField(_("note"), max_length=1_000, blank=True, default="")
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    done_at = models.DateTimeField(_("done at"))
    by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(shop=""), name="a_check_names_its_shop"),
            models.CheckConstraint(condition=~Q(label=""), name="a_check_names_its_label"),
            models.CheckConstraint(condition=Q(price=None) | Q(price__gte=0), name="a_price_is_not_negative"),
            models.CheckConstraint(condition=_is_a_place(), name="a_check_is_on_earth"),
        ]
        indexes = [models.Index(fields=["case", "id"], name="check_of_file")]


class CaseQuestion(models.Model):
    """A question to a partner, with the evidence that is shown to them: frozen as they will see it.

    ``released``: rows of shown evidence, as JSON. The partner may answer until the end of ``answer_by`` in the brand's
    zone; ``answered_at`` is filled in once, by the first answer.
    """

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "que"))
    case = models.ForeignKey(Case, models.PROTECT, related_name="questions")
    partner_id = models.BigIntegerField()
    text = models.CharField(_("question"), max_length=2_000)
    released = models.JSONField(default=list)
    asked_at = models.DateTimeField(_("asked at"))
    asked_by = models.CharField(_("asked by"), max_length=150)
    answer_by = models.DateField(_("answer by"))
    answered_at = models.DateTimeField(_("answered at"), null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="a_question_asks_something")]
        indexes = [models.Index(fields=["partner_id", "-id"], name="question_of_partner")]


class CaseAnswer(models.Model):
    """What a partner said to a question. What they sent with it are `CasePhoto` rows.

    ``uuid`` names it for its sender: sent twice, it is one answer. One that came after the last day says so by ``at``.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    question = models.ForeignKey(CaseQuestion, models.PROTECT, related_name="answers")
    text = models.CharField(_("answer"), max_length=4_000)
    at = models.DateTimeField(_("at"))
    by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="an_answer_says_something")]

    @property
    def late(self) -> bool:
        """Whether it came after the question's last day, in the brand's zone."""
        return brand_date(self.at) > self.question.answer_by


class CasePhoto(models.Model):
    """A photograph or paper in a file: of a field check, of a partner's answer, or brought by itself.

    ``sha256`` is that of the bytes as they came; ``at`` the server's time at which they came. The bytes are in
    `CasePhotoContent`, encrypted, until they are deleted.
    """

    class MediaType(models.TextChoices):
        JPEG = "image/jpeg", "JPEG"
        PNG = "image/png", "PNG"
        WEBP = "image/webp", "WebP"
        HEIC = "image/heic", "HEIC"
        PDF = "application/pdf", "PDF"

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "pho"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="photos")
    check_of = models.ForeignKey(FieldCheck, models.PROTECT, null=True, related_name="photos")
    answer = models.ForeignKey(CaseAnswer, models.PROTECT, null=True, related_name="uploads")
    sha256 = models.BinaryField(max_length=32)
    size = models.PositiveIntegerField(_("bytes"))
    media_type = models.CharField(max_length=15, choices=MediaType.choices)
    name = models.CharField(_("name of the file"), max_length=120, blank=True, default="")
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    at = models.DateTimeField(_("received at"))
    by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(check_of=None) | Q(answer=None), name="a_photo_is_of_one_thing"),
            models.CheckConstraint(
                condition=Q(media_type__startswith="image/") | Q(answer__isnull=False), name="papers_come_with_answers"
            ),
            models.CheckConstraint(condition=_is_a_place(), name="a_photo_is_from_earth"),
        ]
        indexes = [models.Index(fields=["case", "id"], name="photo_of_file")]


class CasePhotoContent(models.Model):
    """The bytes of a photograph, encrypted by the brand's key. Written once; deleted when the file is old."""

    photo = models.OneToOneField(CasePhoto, models.PROTECT, primary_key=True, related_name="content")
    cipher = models.BinaryField()


class CaseDecision(models.Model):
    """What was decided about a file, by somebody who did not investigate it.

    ``investigators``: the user names of those who did, as it stood then. ``heard``: the question to which the partner
    answered or could have answered; needed to confirm. ``verdict`` is empty for a shipment that was never scored.
    ``penalty`` is what a person wrote, never computed. ``told`` is written for the partner, who reads nothing else of a
    decision but what was decided.
    """

    case = models.ForeignKey(Case, models.PROTECT, related_name="decisions")
    verdict = models.OneToOneField("analytics.Verdict", models.PROTECT, null=True, related_name="of_file")
    decision = models.CharField(_("decision"), max_length=9, choices=[(one, one) for one in DECISIONS])
    reason = models.CharField(_("reason"), max_length=2_000)
    penalty = models.CharField(_("penalty"), max_length=1_000, blank=True, default="")
    told = models.CharField(_("words for the partner"), max_length=2_000, blank=True, default="", db_default="")
    heard = models.ForeignKey(CaseQuestion, models.PROTECT, null=True, related_name="+")
    investigators = ArrayField(models.CharField(max_length=150))
    at = models.DateTimeField(_("at"))
    decided_by = models.CharField(_("decided by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(decision__in=DECISIONS), name="decision_of_a_file_is_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="a_decision_says_why"),
            models.CheckConstraint(
                condition=~Q(decision="confirmed") | Q(heard__isnull=False),
                name="confirmed_after_the_partner_was_heard",
            ),
            models.CheckConstraint(
                condition=~Q(investigators__contains=[F("decided_by")]), name="who_decides_did_not_investigate"
            ),
            models.CheckConstraint(
                condition=Q(penalty="") | Q(decision="confirmed"), name="a_penalty_follows_a_confirmation"
            ),
        ]
        indexes = [models.Index(fields=["case", "id"], name="decision_of_file")]


class Appeal(models.Model):
    """An objection to a decision: it reopens the file. ``partner_id`` if the partner made it themselves."""

    decision = models.OneToOneField(CaseDecision, models.PROTECT, related_name="appeal")
    text = models.CharField(_("appeal"), max_length=4_000)
    partner_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(_("at"))
    by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="an_appeal_says_something")]
