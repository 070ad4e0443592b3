"""What leads to rules and follows from them: a wizard's draft as typed, papers for the law, changes asked for, filings."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lottery.models.campaign import Campaign, RulesVersion


class Plan(models.Model):
    """What the wizard was told about a campaign so far, as it was typed: ``{step: {field: [text, …]}}``.

    The campaign's own rows follow whenever all steps are sound; published rules stand in `RulesVersion` alone.
    """

    campaign = models.OneToOneField(Campaign, models.PROTECT, primary_key=True, related_name="plan")
    steps = models.JSONField(default=dict)
    saved_at = models.DateTimeField(_("saved at"))
    saved_by = models.CharField(_("saved by"), max_length=150)


class LawDocument(models.Model):
    """A paper that an item of a country's checklist asks for. Append-only; the newest of an item counts."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="documents")
    item = models.CharField(_("item"), max_length=60)
    name = models.CharField(_("file"), max_length=120)
    media_type = models.CharField(_("media type"), max_length=40)
    data = models.BinaryField()
    hash = models.BinaryField(_("hash"), max_length=32)
    brought_by = models.CharField(_("brought by"), max_length=150)
    at = models.DateTimeField(_("at"))


class RulesChange(models.Model):
    """A change of published rules that waits for its two approvals, then names the version that it became."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="changes")
    content = models.JSONField()
    proposed_at = models.DateTimeField(_("proposed at"))
    proposed_by = models.CharField(_("proposed by"), max_length=150)
    dropped_at = models.DateTimeField(_("dropped at"), null=True, blank=True)
    version = models.OneToOneField(RulesVersion, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(version=None, dropped_at=None),
                name="campaign_has_one_change_waiting",
            ),
            models.CheckConstraint(
                condition=Q(version=None) | Q(dropped_at=None), name="dropped_change_became_no_version"
            ),
        ]


class Filing(models.Model):
    """Something that an authority wants by a day: a task until somebody says that it is done."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="filings")
    item = models.CharField(_("item"), max_length=60)
    due_on = models.DateField(_("due on"))
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    done_by = models.CharField(_("done by"), max_length=150, blank=True, default="")
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "item"], name="filing_is_due_once"),
            models.CheckConstraint(
                condition=Q(done_at=None, done_by="") | Q(done_at__isnull=False) & ~Q(done_by=""),
                name="filing_that_is_done_says_by_whom",
            ),
        ]
        indexes = [models.Index(fields=["due_on"], condition=Q(done_at=None), name="filing_that_is_due")]
