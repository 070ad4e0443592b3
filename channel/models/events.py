"""Events in the form of EPCIS 2.0: those that others sent, and those that our own documents are told as."""

from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channel.models.documents import Document
from common.ids import new_public_id


class Capture(models.Model):
    """One document of events that was sent, and what became of it."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "cap"))
    behaviour = models.CharField(_("at a fault"), max_length=8)
    payload_hash = models.BinaryField(max_length=32)
    by = models.CharField(_("sent by"), max_length=150)
    created_at = models.DateTimeField(_("sent at"))
    ended_at = models.DateTimeField(_("done at"))
    success = models.BooleanField(_("all captured"))
    captured = models.PositiveIntegerField(_("captured"), default=0)
    duplicates = models.PositiveIntegerField(_("known before"), default=0)
    errors = models.JSONField(_("faults"), default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(behaviour__in=["rollback", "proceed"]), name="capture_behaviour_is_known"
            ),
        ]


class Event(models.Model):
    """One event. Its id and its hash each name it once; a declaration of error has the id of what it declares wrong.

    ``applied``: what followed from it here: a document's status, ``not_applied``, or why nothing could; "" until then.
    ``origin`` names what an event of ours tells, where that is no document. ``spans``: the half-open ranges of labels
    that its classes and quantities count.
    """

    event_id = models.CharField(_("event id"), max_length=300)
    digest = models.CharField(_("hash"), max_length=100)
    is_error = models.BooleanField(_("declares an error"), default=False)
    kind = models.CharField(_("kind"), max_length=20)
    action = models.CharField(_("action"), max_length=8, blank=True, default="")
    biz_step = models.CharField(_("business step"), max_length=100, blank=True, default="")
    disposition = models.CharField(_("disposition"), max_length=100, blank=True, default="")
    event_time = models.DateTimeField(_("event time"))
    record_time = models.DateTimeField(_("recorded at"))
    epcs = ArrayField(models.CharField(max_length=300), default=list)
    body = models.JSONField()
    capture = models.ForeignKey(Capture, models.PROTECT, null=True, blank=True, related_name="events")
    document = models.ForeignKey(Document, models.PROTECT, null=True, blank=True, related_name="events")
    applied = models.CharField(_("what followed"), max_length=24, blank=True, default="")
    origin = models.CharField(_("what it tells"), max_length=60, null=True, blank=True)  # noqa: DJ001 - unique
    spans = models.JSONField(_("labels counted"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event_id", "is_error"], name="an_event_id_names_one_event"),
            models.UniqueConstraint(fields=["digest", "is_error"], name="an_event_is_kept_once"),
            models.UniqueConstraint(fields=["origin"], name="what_happened_is_told_once"),
        ]
        indexes = [
            GinIndex(fields=["epcs"], name="event_by_epc"),
            models.Index(fields=["event_time", "id"], name="event_by_time"),
            models.Index(fields=["id"], condition=Q(applied=""), name="event_to_apply"),
            models.Index(fields=["id"], condition=Q(spans__isnull=False), name="event_that_counts"),
        ]


class Told(models.Model):
    """How far a source of facts (`settings.EVENT_SOURCES`) has been told: the highest key that was reached."""

    source = models.CharField(max_length=40, primary_key=True)
    key = models.BigIntegerField(default=0)
