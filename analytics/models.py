"""What was found about goods and codes: each run's findings, the scores that stand now, verdicts, and roll-ups.

Findings are written once and never changed: a later run writes its own. Shipments, units, labels and partners are named
by number, without constraints: those rows are never deleted, and most findings are looked at by nobody.
"""

from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from analytics.bundle_models import EvidenceBundle
from analytics.case_models import (
    Appeal,
    Case,
    CaseAnswer,
    CaseDecision,
    CaseEntry,
    CasePhoto,
    CasePhotoContent,
    CaseQuestion,
    FieldCheck,
)
from common.ids import new_public_id
from lottery.models import Campaign

__all__ = [
    "Appeal",
    "Case",
    "CaseAnswer",
    "CaseDecision",
    "CaseEntry",
    "CaseFinding",
    "CasePhoto",
    "CasePhotoContent",
    "CaseQuestion",
    "CodeFinding",
    "CodeVerdict",
    "EvidenceBundle",
    "FairnessReport",
    "FarmFinding",
    "FieldCheck",
    "Finding",
    "FitRun",
    "FitState",
    "Inspector",
    "RegionDay",
    "RouteFinding",
    "ScanFinding",
    "ScanHour",
    "ShipmentScore",
    "Tempering",
    "Touched",
    "TouchedShipment",
    "Verdict",
]


class FitRun(models.Model):
    """One night's fit of all shipments of the last twelve months. Written when it has ended; append-only."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "fit"))
    began_at = models.DateTimeField(_("began at"))
    ended_at = models.DateTimeField(_("ended at"))
    scans_from = models.DateTimeField(_("scans from"))
    scans_until = models.DateTimeField(_("scans until"))
    eta = models.FloatField(help_text=_("tempering of a case's evidence"))
    parameters = models.JSONField(_("parameters"))
    counts = models.JSONField(_("counts"))
    data_hash = models.BinaryField(_("hash of the data"), max_length=32)
    code_version = models.CharField(_("version of the program"), max_length=40)
    seconds = models.FloatField(_("seconds"))
    alert_from = models.FloatField(help_text=_("the lowest probability on the list; 1 if the list is empty"))

    class Meta:
        indexes = [models.Index(fields=["-ended_at", "-id"], name="fit_newest_first")]
        constraints = [
            models.CheckConstraint(condition=Q(eta__gte=0.5, eta__lte=1), name="eta_is_between_half_and_one")
        ]

    def __str__(self) -> str:
        return self.public_id


class FitState(models.Model):
    """What rescoring one shipment needs of the newest fit (`analytics.fitting.State`); an older one's is deleted."""

    run = models.OneToOneField(FitRun, models.PROTECT, primary_key=True, related_name="state")
    blob = models.BinaryField()


class ShipmentScore(models.Model):
    """How a shipment stands now: rewritten by each fit, and by a rescore when its goods are scanned.

    ``log_factors``: (V,) float64, log BF_s(b), from which the other shipments of its distributor are judged again.
    """

    shipment_id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey(FitRun, models.PROTECT, related_name="+", db_index=False)
    distributor_id = models.BigIntegerField()
    dest_id = models.BigIntegerField(null=True)
    probability = models.FloatField()
    scans = models.IntegerField()
    log_factors = models.BinaryField()
    scored_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-probability"], name="score_highest_first")]
        constraints = [
            models.CheckConstraint(condition=Q(probability__gte=0, probability__lte=1), name="score_is_a_probability")
        ]


class Finding(models.Model):
    """What one run, or a rescore after it, says of a shipment that may have been diverted. Append-only.

    ``probability`` is P(s); ``dest_id`` the likeliest other distributor, empty if the goods trickled, scattered, or went
    where nobody sells. ``expected_cases`` and ``expected_units`` are expectations over all that was shipped. The shares
    ``travelled``, ``online``, ``border`` and ``away`` are those of the innocent explanations in the honest likelihood.
    ``without``: P(s) judged again without one source ("gps", "ip", "phone") or the strongest device ("device"), and with
    one explanation three times as common as it was learned ("travelled", "online", "border", "away"); see
    `analytics.rescoring.doubts`. ``priority`` = P(s) × expected units × margin per unit: the order of work.
    """

    class Level(models.TextChoices):
        ACCUSABLE = "accusable", _("accusable")
        WATCH = "watch", _("watch")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "fin"))
    run = models.ForeignKey(FitRun, models.PROTECT, related_name="findings")
    shipment_id = models.BigIntegerField()
    distributor_id = models.BigIntegerField()
    dest_id = models.BigIntegerField(null=True)
    probability = models.FloatField(_("probability"))
    distributor_probability = models.FloatField(_("probability that the distributor diverts"))
    alert = models.BooleanField(_("on the list"))
    level = models.CharField(_("level"), max_length=9, choices=Level.choices)
    expected_cases = models.FloatField(_("expected cases"))
    expected_units = models.FloatField(_("expected units"))
    labels = models.IntegerField(_("labels seen"))
    devices = models.IntegerField(_("devices"))
    cases = models.IntegerField(_("cases seen"))
    scans = models.IntegerField(_("scans"))
    shipped_labels = models.IntegerField(_("labels shipped"))
    first_scan_at = models.DateTimeField(_("first scan"), null=True)
    last_scan_at = models.DateTimeField(_("last scan"), null=True)
    travelled = models.FloatField()
    online = models.FloatField()
    border = models.FloatField()
    away = models.FloatField()
    without = models.JSONField(
        default=dict, help_text=_("probability without one source, or without the strongest device")
    )
    scans_away = models.IntegerField(_("scans that speak for another place"), default=0, db_default=0)
    expected_away = models.FloatField(_("scans expected away from where the goods were sold"), default=0, db_default=0)
    copied_labels = models.IntegerField(_("labels left out as copied"), default=0, db_default=0)
    products = ArrayField(models.BigIntegerField(), default=list, db_default=[])
    margin = models.FloatField(_("margin a unit"), null=True, help_text=_("in minor units of the currency"))
    currency = models.CharField(_("currency"), max_length=3, default="", db_default="", blank=True)
    priority = models.FloatField(_("order of work"), default=0, db_default=0)
    found_at = models.DateTimeField(_("found at"))

    class Meta:
        indexes = [
            models.Index(fields=["run", "-probability"], name="finding_of_run_by_p"),
            models.Index(fields=["shipment_id", "-found_at"], name="finding_by_shipment"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1), name="finding_is_a_probability"
            ),
            models.CheckConstraint(condition=Q(level__in=["accusable", "watch"]), name="finding_level_is_known"),
        ]

    def __str__(self) -> str:
        return self.public_id


class CaseFinding(models.Model):
    """P(c) of one case of a finding's shipment; of a label alone, where it was shipped in no case."""

    finding = models.ForeignKey(Finding, models.PROTECT, related_name="case_findings")
    unit_id = models.BigIntegerField(null=True)
    label_no = models.BigIntegerField(null=True)
    holder_id = models.BigIntegerField()
    probability = models.FloatField()
    scans = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["finding", "unit_id", "label_no", "holder_id"],
                nulls_distinct=False,
                name="case_is_found_once_a_holder",
            ),
            models.CheckConstraint(
                condition=Q(unit_id=None, label_no__isnull=False) | Q(unit_id__isnull=False, label_no=None),
                name="a_case_is_a_unit_or_a_label_alone",
            ),
        ]


class ScanFinding(models.Model):
    """What one scan says: log10 of how much likelier it was sold in the best other market than in the own one."""

    finding = models.ForeignKey(Finding, models.PROTECT, related_name="scan_findings")
    scan_id = models.BigIntegerField()
    score = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["finding", "scan_id"], name="scan_speaks_once_in_a_finding")]


class RouteFinding(models.Model):
    """Shipments and cases that went from one distributor to another's market, by expectation. Append-only.

    Without ``dest_id`` they went where nobody sells, trickled over a border or were scattered.
    """

    run = models.ForeignKey(FitRun, models.PROTECT, related_name="routes", db_index=False)
    distributor_id = models.BigIntegerField()
    dest_id = models.BigIntegerField(null=True)
    expected_shipments = models.FloatField(_("expected shipments"))
    expected_cases = models.FloatField(_("expected cases"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "distributor_id", "dest_id"], nulls_distinct=False, name="route_is_found_once_a_run"
            )
        ]


class CodeFinding(models.Model):
    """A label that seems to live twice. Append-only. ``run`` is empty for what is plain at the first scan.

    ``score``: z, the log odds that it was copied (never shipped: 50 more).
    """

    class Kind(models.TextChoices):
        COPIED = "copied", _("seen in too many places")
        NEVER_SHIPPED = "never_shipped", _("scanned, but never shipped")
        VOID = "void", _("scanned, though void")
        EARLY = "early", _("scanned before it was shipped")

    run = models.ForeignKey(FitRun, models.PROTECT, null=True, related_name="codes")
    label_no = models.BigIntegerField()
    kind = models.CharField(_("kind"), max_length=13, choices=Kind.choices)
    score = models.FloatField(null=True)
    follow_ups = models.IntegerField(default=0)
    scan_id = models.BigIntegerField(null=True)
    found_at = models.DateTimeField(_("found at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["label_no", "kind", "run"], nulls_distinct=False, name="code_is_found_once_a_run"
            )
        ]
        indexes = [models.Index(fields=["-found_at", "-id"], name="code_finding_newest_first")]


class CodeVerdict(models.Model):
    """What somebody found out about a label that seemed to live twice. Append-only; the last one of a label counts."""

    class Decision(models.TextChoices):
        COPIED = "copied", _("copied")
        HONEST = "honest", _("honest")

    label_no = models.BigIntegerField()
    decision = models.CharField(_("decision"), max_length=6, choices=Decision.choices)
    note = models.CharField(_("note"), max_length=300, blank=True, default="")
    decided_at = models.DateTimeField(_("decided at"))
    decided_by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(decision__in=["copied", "honest"]), name="code_verdict_is_known")
        ]
        indexes = [models.Index(fields=["label_no", "id"], name="code_verdict_by_label")]


class FarmFinding(models.Model):
    """A sign that codes are harvested, as one night saw it. Append-only.

    ``full_case``: more labels of a unit were redeemed than chance allows (``chance``, `analytics.farms.chance_of`);
    ``sequence``: one asker redeemed neighbours. Labels of the case, or the neighbours, ``first_label`` … ``last_label``, both ends included.
    """

    class Kind(models.TextChoices):
        FULL_CASE = "full_case", _("too many of one case redeemed")
        SEQUENCE = "sequence", _("neighbours redeemed by one person")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "frm"))
    run = models.ForeignKey(FitRun, models.PROTECT, related_name="farms", db_index=False)
    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices)
    unit_id = models.BigIntegerField(null=True)
    asker = models.BigIntegerField(null=True)
    first_label = models.BigIntegerField()
    last_label = models.BigIntegerField()
    redeemed = models.IntegerField(_("redeemed"))
    labels = models.IntegerField(_("labels"))
    chance = models.FloatField(_("probability by chance"), null=True)
    found_at = models.DateTimeField(_("found at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "kind", "first_label", "asker"], nulls_distinct=False, name="farm_is_found_once_a_run"
            ),
            models.CheckConstraint(
                condition=Q(kind="full_case", unit_id__isnull=False) | Q(kind="sequence", asker__isnull=False),
                name="farm_is_a_case_or_somebody",
            ),
            models.CheckConstraint(condition=Q(last_label__gte=models.F("first_label")), name="farm_range_is_sound"),
        ]

    @property
    def hold_range(self) -> tuple[int, int]:
        """The half-open range of labels to hold: the case; or the neighbours, and as many after them."""
        ahead = self.redeemed if self.kind == self.Kind.SEQUENCE else 0
        return self.first_label, self.last_label + 1 + ahead


class Verdict(models.Model):
    """What people found out about a shipment: the label by which probabilities are checked. Append-only; the last counts."""

    class Decision(models.TextChoices):
        CONFIRMED = "confirmed", _("confirmed")
        REJECTED = "rejected", pgettext_lazy("file", "rejected")
        EXPLAINED = "explained", _("explained")

    shipment_id = models.BigIntegerField(db_index=True)
    finding = models.ForeignKey(Finding, models.PROTECT, null=True, related_name="verdicts")
    probability = models.FloatField(_("probability"), help_text=_("as it was told when the verdict was given"))
    decision = models.CharField(_("decision"), max_length=9, choices=Decision.choices)
    decided_at = models.DateTimeField(_("decided at"))
    decided_by = models.CharField(_("by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(decision__in=["confirmed", "rejected", "explained"]), name="verdict_is_known"
            )
        ]


class Tempering(models.Model):
    """η from a day on, and from how many verdicts it was learned. Append-only; the newest counts."""

    eta = models.FloatField()
    verdicts = models.IntegerField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(eta__gte=0.5, eta__lte=1), name="tempering_is_between_half_and_one")
        ]


class ScanHour(models.Model):
    """Scans of one hour, counted: whose goods they were of, and in whose market they were made.

    0 stands for nobody: no distributor, no product, no known place. ``placed``: how many have a place at all.
    """

    pk = models.CompositePrimaryKey("hour", "distributor_id", "owner_id", "product_id")
    hour = models.DateTimeField(_("hour"))
    distributor_id = models.BigIntegerField()
    owner_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    scans = models.IntegerField(_("scans"))
    placed = models.IntegerField(_("with a place"))
    first_scans = models.IntegerField(_("first scans of a label"))
    redemptions = models.IntegerField(_("redemptions"))

    class Meta:
        indexes = [BrinIndex(fields=["hour"], name="scan_hours_by_time")]


class RegionDay(models.Model):
    """Scans of one day (UTC) in one region, by whose goods they were of and which source told the place."""

    pk = models.CompositePrimaryKey("day", "region", "distributor_id", "source")
    day = models.DateField(_("day"))
    region = models.CharField(_("region"), max_length=20)
    distributor_id = models.BigIntegerField()
    source = models.CharField(_("source"), max_length=5)
    owner_id = models.BigIntegerField()
    scans = models.IntegerField(_("scans"))


class Touched(models.Model):
    """An hour or a day (UTC) to be counted again. ``n`` grows with each touch, so that none is lost while counting."""

    class Grain(models.TextChoices):
        HOUR = "hour", _("hour")
        DAY = "day", _("day")

    pk = models.CompositePrimaryKey("grain", "start")
    grain = models.CharField(max_length=4, choices=Grain.choices)
    start = models.DateTimeField()
    n = models.BigIntegerField(default=1)


class TouchedShipment(models.Model):
    """A shipment of which something new was seen, to be judged again; ``n`` as in `Touched`."""

    shipment_id = models.BigIntegerField(primary_key=True)
    n = models.BigIntegerField(default=1)


class FairnessReport(models.Model):
    """Whether the wins of an instant game were spread as chance spreads them, as it stood at ``made_at``.

    ``content``: `analytics.fair_play.Report` as JSON. The last one stands; it can be made again from the plays at any time.
    """

    campaign = models.OneToOneField(Campaign, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(_("made at"))
    content = models.JSONField()


class Inspector(models.Model):
    """Somebody who scans for the brand, known as scans know an asker: what they see is evidence of no sale."""

    asker = models.BigIntegerField(primary_key=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    added_at = models.DateTimeField(_("added at"))
    added_by = models.CharField(_("by"), max_length=150)
