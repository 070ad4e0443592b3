"""What was done with goods: documents, their lines, the movements that they made, and where each label was when.

A movement is never changed. `Custody` is derived from movements (`channel.chain`), and can be made from them anew.
"""

from functools import partial

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, BigIntegerRangeField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from channel.models.partners import Partner
from channel.models.regions import Region
from channel.models.units import Unit, range_is_sound
from common.ids import new_public_id
from labels.models import Block


class Document(models.Model):
    """One act with goods, on paper or from a machine. (kind, issuer, number) names it for ever.

    ``issuer`` None is the brand. ``refers`` is the shipment received, the return inspected, the document cancelled.
    ``content_hash`` is the SHA-256 of its canonical content: the same again gets the same answer, another one none.
    """

    class Kind(models.TextChoices):
        PACKING = "packing", _("packing")
        UNPACKING = "unpacking", _("opening")
        RELABEL = "relabel", _("new label")
        SHIPMENT = "shipment", _("shipment")
        RECEIPT = "receipt", _("receipt")
        TRANSFER = "transfer", pgettext_lazy("goods", "transfer")
        RETURN = "return", _("return of goods")
        INSPECTION = "inspection", _("inspection")
        RECALL = "recall", _("recall")
        STOLEN = "stolen", _("theft")
        CANCEL = "cancel", _("cancellation")

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("document", "proposed")
        DONE = "done", pgettext_lazy("document", "done")
        REFUSED = "refused", pgettext_lazy("document", "refused")
        CANCELLED = "cancelled", pgettext_lazy("document", "cancelled")

    class Status(models.TextChoices):
        ACCEPTED = "ACCEPTED", _("accepted")
        PARTIALLY_ACCEPTED = "PARTIALLY_ACCEPTED", _("partly accepted")
        REJECTED = "REJECTED", _("rejected")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "doc"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    issuer = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    number = models.CharField(_("number"), max_length=80)
    content_hash = models.BinaryField(max_length=32)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.DONE)
    status = models.CharField(_("status"), max_length=18, choices=Status.choices)
    source = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    destination = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    market = models.ForeignKey(Region, models.PROTECT, null=True, blank=True, related_name="+")
    refers = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="referring")
    reason = models.CharField(_("reason"), max_length=300, blank=True, default="")
    site = models.CharField(_("site"), max_length=60, blank=True, default="")
    accepted = models.PositiveIntegerField(_("accepted"), default=0)
    duplicate = models.PositiveIntegerField(_("duplicate"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    labels = models.BigIntegerField(_("labels"), default=0)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    recorded_by = models.CharField(_("recorded by"), max_length=150, blank=True, default="")
    source_agreed_at = models.DateTimeField(_("agreed by the giver at"), null=True, blank=True)
    destination_agreed_at = models.DateTimeField(_("agreed by the taker at"), null=True, blank=True)
    brand_agreed_at = models.DateTimeField(_("agreed by the brand at"), null=True, blank=True)
    blocks = models.ManyToManyField(Block, related_name="+", verbose_name=_("blocks"))
    swept_at = models.DateTimeField(_("scans re-attributed at"), null=True, blank=True)
    told_at = models.DateTimeField(_("told as events at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "issuer", "number"], nulls_distinct=False, name="document_is_named_once"
            ),
            models.CheckConstraint(condition=Q(recorded_at__gte=F("happened_at")), name="document_tells_no_future"),
            models.CheckConstraint(condition=~Q(refers=F("id")), name="document_refers_to_another"),
            models.CheckConstraint(
                condition=Q(state="done") | Q(state="cancelled") | Q(kind="transfer"),
                name="only_a_transfer_is_first_proposed",
            ),
        ]
        indexes = [
            models.Index(fields=["-recorded_at", "-id"], name="document_newest_first"),
            models.Index(fields=["id"], condition=Q(swept_at=None), name="document_to_sweep"),
            models.Index(fields=["id"], condition=Q(told_at=None), name="document_to_tell"),
        ]

    def __str__(self) -> str:
        return self.number


class Line(models.Model):
    """One line of a document as it was given, and what became of it. Append-only."""

    class Outcome(models.TextChoices):
        ACCEPTED = "ACCEPTED", _("accepted")
        DUPLICATE = "DUPLICATE", _("duplicate")
        REJECTED = "REJECTED", _("rejected")

    class Condition(models.TextChoices):
        FULL = "full", pgettext_lazy("goods received", "full")
        SHORT = "short", pgettext_lazy("goods received", "missing")
        OVER = "over", pgettext_lazy("goods received", "extra")
        DAMAGED = "damaged", pgettext_lazy("goods received", "damaged")

    document = models.ForeignKey(Document, models.PROTECT, related_name="lines")
    place = models.PositiveIntegerField(_("line"))
    item = models.CharField(_("as given"), max_length=300)
    condition = models.CharField(_("condition"), max_length=8, choices=Condition.choices, blank=True, default="")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="lines")
    labels = models.BigIntegerField(_("labels"), default=0)
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome.choices)
    reason = models.CharField(_("reason"), max_length=24, blank=True, default="")
    held_by = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "place"], name="document_has_one_line_at_a_place"),
            models.CheckConstraint(
                condition=Q(outcome="REJECTED") & ~Q(reason="") | ~Q(outcome="REJECTED") & Q(reason=""),
                name="a_rejected_line_says_why",
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=Q(reason="held_by_other"), name="line_for_the_desk")]


class Movement(models.Model):
    """Labels that went from one holder to another (None: the brand), or changed their state. Append-only.

    A movement of the state ``void`` takes back what the document ``voids`` did to its labels.
    """

    class State(models.TextChoices):
        IN_TRANSIT = "in_transit", _("on the way")
        HELD = "held", _("in stock")
        DAMAGED = "damaged", _("damaged")
        MISSING = "missing", _("missing")
        RETURNED = "returned", _("returned, not inspected")
        RELEASED = "released", _("released again")
        DESTROYED = "destroyed", _("destroyed")
        STOLEN = "stolen", _("stolen")
        VOID = "void", _("taken back")

    document = models.ForeignKey(Document, models.PROTECT, related_name="movements")
    label_range = BigIntegerRangeField(_("label numbers"))
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="movements")
    source = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    destination = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    voids = models.ForeignKey(Document, models.PROTECT, null=True, blank=True, related_name="voided_by")
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta:
        constraints = [
            range_is_sound("movement_range_is_sound"),
            models.CheckConstraint(
                condition=Q(state="void", voids__isnull=False) | (~Q(state="void") & Q(voids=None)),
                name="only_a_void_movement_takes_back",
            ),
        ]
        indexes = [GistIndex(fields=["label_range"], name="movement_by_label")]


class Custody(models.Model):
    """Who held labels during a time, in which state, and for which market: derived from movements.

    ``partner`` None is the brand. ``shipment`` is the document that brought the goods to whom they were last sold or
    moved; ``distributor`` the partner or the nearest above it that owned a territory then, ``market`` the codes of its
    regions at that moment. Labels without a row have never left the brand.
    """

    label_range = BigIntegerRangeField(_("label numbers"))
    during = DateTimeRangeField(_("during"))
    movement = models.ForeignKey(Movement, models.PROTECT, related_name="+")
    partner = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(_("state"), max_length=10, choices=Movement.State.choices)
    shipment = models.ForeignKey(Document, models.PROTECT, null=True, blank=True, related_name="+")
    shipped_at = models.DateTimeField(_("shipped at"), null=True, blank=True)
    distributor = models.ForeignKey(Partner, models.PROTECT, null=True, blank=True, related_name="+")
    market = ArrayField(models.CharField(max_length=20), default=list)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="a_label_is_in_one_hand_at_a_time",
                expressions=[("label_range", RangeOperators.OVERLAPS), ("during", RangeOperators.OVERLAPS)],
            ),
            range_is_sound("custody_range_is_sound"),
            models.CheckConstraint(
                condition=Q(during__isempty=False) & Q(during__lower_inf=False), name="custody_lasts_some_time"
            ),
        ]
        indexes = [models.Index(fields=["partner"], condition=Q(during__upper_inf=True), name="custody_now_by_partner")]
