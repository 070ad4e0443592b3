"""What was asked and answered: requests, scans, redemptions and their reversals, and the failures of askers.

`Scan` and `Redemption` are written once for each attempt or win, so their columns are few, small and widest first.
Links to people and partners carry no constraint and no index: those rows are never deleted, and a key lock on a busy
retailer's row by every redemption would cost more than it proves (`queries.verify` proves it instead).
"""

import uuid
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField, BigIntegerRangeField
from django.contrib.postgres.indexes import BrinIndex, GistIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from channel.models import Partner
from common.ids import new_public_id
from labels.models import Product
from lottery.models import Campaign
from redemption.rules import Act, By, Detail, Door, Outcome

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field


class CodedField(_Field):
    """A member of an enumeration kept as a small number: its place in ``order``, which may grow but never change."""

    def __init__(self, *args: Any, order: tuple[Enum, ...] = (), **kwargs: Any) -> None:
        self.order = order
        kwargs["choices"] = [(member, member.value) for member in order] or None
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        """Return the column's type."""
        return "SmallIntegerField"

    def deconstruct(self) -> Any:
        """Leave the enumeration out of migrations: the column is a small number."""
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        return name, "django.db.models.SmallIntegerField", args, kwargs

    def code_of(self, member: Enum | None) -> int | None:
        """Return the number under which ``member`` is kept."""
        return None if member is None else self.order.index(member)

    def member_of(self, code: int | None) -> Any:
        """Return the member kept as ``code``."""
        return None if code is None else self.order[code]

    def from_db_value(self, value: int | None, _expression: Any, _connection: Any) -> Any:
        """Read the number as its member."""
        return self.member_of(value)

    def to_python(self, value: Any) -> Any:
        """Accept a member or its value."""
        return next((member for member in self.order if value in (member, member.value)), None)

    def get_prep_value(self, value: Any) -> Any:
        """Write a member, or the value of one, as its number."""
        return value if value is None or type(value) is int else self.code_of(self.to_python(value))


OUTCOMES = tuple(Outcome)
DETAILS = tuple(Detail)
ACTS = tuple(Act)
DOORS = tuple(Door)
BYS = tuple(By)


class Scan(models.Model):
    """One attempt that was looked at, and what it was told. Append-only; the receipt number is computed from ``id``.

    ``points``: paid to the consumer by a redemption, or what a check was told the label still holds.
    """

    at = models.DateTimeField(_("at"))
    label_no = models.BigIntegerField(null=True)
    asker = models.BigIntegerField(null=True, help_text=_("see redemption.rules.asker_key"))
    points = models.BigIntegerField(_("points"), default=0)
    balance = models.BigIntegerField(_("balance"), default=0)
    first_scan_id = models.BigIntegerField(null=True)
    client_id = models.IntegerField(null=True)
    product_id = models.IntegerField(null=True)
    earlier_count = models.IntegerField(default=0)
    ended_on = models.DateField(null=True)
    act = CodedField(_("act"), order=ACTS)
    door = CodedField(_("door"), order=DOORS)
    outcome = CodedField(_("outcome"), order=OUTCOMES)
    detail = CodedField(_("detail"), order=DETAILS, null=True)
    by = CodedField(order=BYS, null=True)
    want = models.SmallIntegerField(null=True)
    got = models.SmallIntegerField(null=True)
    tries_left = models.SmallIntegerField(null=True)
    opens_visit = models.BooleanField(default=False)
    by_serial = models.BooleanField(default=False)
    spent = models.BooleanField(default=False, help_text=_("the code had been redeemed before"))

    class Meta:
        indexes = [
            models.Index(fields=["label_no", "id"], name="scan_by_label", condition=Q(label_no__isnull=False)),
            BrinIndex(fields=["at"], autosummarize=True, name="scan_by_time"),
        ]


class Redemption(models.Model):
    """The one win of a label. Its key is the label: the database itself picks one winner among any number of tries."""

    label_no = models.BigIntegerField(primary_key=True)
    scan_id = models.BigIntegerField()
    at = models.DateTimeField(_("at"))
    asker = models.BigIntegerField()
    account_id = models.BigIntegerField()
    points = models.BigIntegerField(_("points"))
    retailer_points = models.BigIntegerField(_("points of the retailer"), default=0)
    promoter_points = models.BigIntegerField(_("points of the promoter"), default=0)
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    retailer = models.ForeignKey(
        Partner, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    promoter = models.ForeignKey(
        Partner, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    client_id = models.IntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(points__gte=0, retailer_points__gte=0, promoter_points__gte=0),
                name="redemption_pays_nothing_negative",
            ),
            models.CheckConstraint(
                condition=(Q(retailer_points=0) | Q(retailer__isnull=False))
                & (Q(promoter_points=0) | Q(promoter__isnull=False)),
                name="redemption_pays_only_named_partners",
            ),
        ]
        indexes = [models.Index(fields=["account_id", "scan_id"], name="redemption_by_account")]


class Reversal(models.Model):
    """A redemption taken back: its points were returned, by staff, for a reason. The code stays used. Append-only."""

    redemption = models.OneToOneField(Redemption, models.PROTECT, primary_key=True, related_name="reversal")
    at = models.DateTimeField(_("at"))
    reason = models.CharField(_("reason"), max_length=200)
    asked_by = models.CharField(_("by"), max_length=150)


class Request(models.Model):
    """An idempotency key and the scan that answered it, from which the same answer is rendered for ever.

    Written first in its transaction, so that a twin waits here. ``content_mac`` is keyed: a plain digest of a short
    secret could be reversed.
    """

    pk = models.CompositePrimaryKey("door", "client_id", "request_id")
    scan_id = models.BigIntegerField()
    client_id = models.IntegerField(default=0)
    door = CodedField(order=DOORS)
    request_id = models.CharField(max_length=200)
    content_mac = models.BinaryField(max_length=32)


class ScanPlace(models.Model):
    """Where an attempt was made, as one source tells it. Coordinates are erased after 90 days; the region stays.

    Coordinates are WGS 84, ``datum`` says what the device gave. ``consent`` is the version of the words under which a
    person gave a fix; addresses and numbers leave no more than a region. ``beside``: the cities that a fix may be of as
    well, because the border is near and no polygons tell where it runs (`redemption.places.BORDER_KM`).
    """

    class Source(models.TextChoices):
        GPS = "gps", _("device")
        IP = "ip", pgettext_lazy("network", "address")
        PHONE = "phone", _("number")

    class Datum(models.TextChoices):
        WGS84 = "wgs84", "WGS 84"
        GCJ02 = "gcj02", "GCJ-02"

    pk = models.CompositePrimaryKey("scan_id", "source")
    scan_id = models.BigIntegerField()
    source = models.CharField(_("source"), max_length=5, choices=Source.choices)
    region = models.CharField(_("region"), max_length=20, blank=True)
    city = models.CharField(_("city in English"), max_length=60, blank=True)
    city_zh = models.CharField(_("city in Chinese"), max_length=30, blank=True)
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    confidence = models.FloatField(default=0.0)
    datum = models.CharField(max_length=5, choices=Datum.choices, blank=True, default="", db_default="")
    consent = models.CharField(_("consent"), max_length=12, blank=True, default="", db_default="")
    beside = ArrayField(models.CharField(max_length=20), null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lat=None, lon=None) | Q(lat__range=(-90, 90), lon__range=(-180, 180)),
                name="place_is_on_earth",
            ),
            models.CheckConstraint(
                condition=Q(source="gps") | Q(lat=None, lon=None), name="only_a_device_gives_a_point"
            ),
        ]
        indexes = [models.Index(fields=["at"], condition=Q(lat__isnull=False), name="place_to_forget")]


class ScanRoute(models.Model):
    """Whose goods a scanned label was when it was scanned. Derived from the documents, and rebuilt when one comes late.

    A scan of a label that nobody had shipped by then has no row. ``unit_id``: the case it had been packed in;
    ``shipment_id``: the document that brought it to its holder; ``distributor_id``: the holder, or the nearest above it
    with a territory; ``market``: the codes of that one's regions when it was shipped; ``as_of``: when this was derived.
    """

    scan_id = models.BigIntegerField(primary_key=True)
    label_no = models.BigIntegerField()
    at = models.DateTimeField(_("at"))
    shipment_id = models.BigIntegerField(null=True)
    unit_id = models.BigIntegerField(null=True)
    distributor_id = models.BigIntegerField(null=True)
    market = ArrayField(models.CharField(max_length=20), default=list)
    as_of = models.DateTimeField(_("as of"))

    class Meta:
        indexes = [
            models.Index(fields=["shipment_id", "at"], name="route_by_shipment"),
            BrinIndex(fields=["at"], autosummarize=True, name="route_by_time"),
        ]


class Caution(models.Model):
    """Rewards of a range of labels, slowed on a suspicion; no verdict and no text changes.

    ``hold_reward``: what a redemption earns is paid and held until the caution is lifted; ``stop_points``: it earns 0.
    ``outcome`` says what became of the held rewards: paid out (``released``), or taken back (``refused``).
    """

    class Effect(models.TextChoices):
        HOLD_REWARD = "hold_reward", _("hold the reward")
        STOP_POINTS = "stop_points", _("pay no points")

    class Reason(models.TextChoices):
        CLONE = "clone", _("the label was copied")
        LEAK = "leak", _("the codes leaked")
        FARM = "farm", _("codes are harvested")
        DIVERSION = "diversion", _("the goods were diverted")
        OTHER = "other", _("another reason")

    class Outcome(models.TextChoices):
        RELEASED = "released", _("released")
        REFUSED = "refused", _("refused")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "cau"))
    label_range = BigIntegerRangeField(_("labels"))
    effect = models.CharField(_("effect"), max_length=11, choices=Effect.choices)
    reason = models.CharField(_("reason"), max_length=9, choices=Reason.choices)
    note = models.CharField(_("note"), max_length=300, blank=True)
    opened_at = models.DateTimeField(_("opened at"))
    opened_by = models.CharField(_("by"), max_length=150)
    lifted_at = models.DateTimeField(_("lifted at"), null=True)
    lifted_by = models.CharField(_("lifted by"), max_length=150, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome.choices, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by="", outcome="") | Q(lifted_at__isnull=False) & ~Q(outcome=""),
                name="caution_is_lifted_with_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(effect__in=["hold_reward", "stop_points"]), name="caution_effect_is_known"
            ),
            models.CheckConstraint(
                condition=Q(label_range__startswith__isnull=False, label_range__endswith__isnull=False)
                & ~Q(label_range__isempty=True),
                name="caution_covers_a_bounded_range",
            ),
        ]
        indexes = [
            models.Index(fields=["-opened_at", "-id"], name="caution_newest_first"),
            GistIndex(fields=["label_range"], condition=Q(lifted_at=None), name="caution_by_label"),
        ]


class HeldReward(models.Model):
    """One party's award that a caution holds: the hold of the ledger that goes with its transfer."""

    hold_id = models.BigIntegerField(primary_key=True)
    caution = models.ForeignKey(Caution, models.PROTECT, related_name="rewards")
    scan_id = models.BigIntegerField(db_index=True)
    label_no = models.BigIntegerField()


class FailedInput(models.Model):
    """What was typed when no label was found, masked (first four, last two symbols), with a keyed MAC to compare."""

    scan_id = models.BigIntegerField(primary_key=True)
    masked = models.CharField(_("as typed, masked"), max_length=40)
    mac = models.BinaryField(max_length=32, null=True)


class Visitor(models.Model):
    """An asker who is no member: a cookie, a number or an API client's reference, known by its MAC alone."""

    mac = models.BinaryField(max_length=16, unique=True, null=True)
    created_at = models.DateTimeField()


class WasThatYou(models.Model):
    """A visitor's answer to "was that you?" under a GENUINE_REPEAT. Append-only; the last one counts."""

    scan_id = models.BigIntegerField(db_index=True)
    yes = models.BooleanField()
    at = models.DateTimeField()


class FailureRow(models.Model):
    """One failure charged to one subject; kept 48 hours, so that budgets can be counted again when their store is lost."""

    subject_mac = models.BinaryField(max_length=16)
    at = models.DateTimeField()
    target = models.BigIntegerField(help_text=_("the label, or minus a MAC of what was typed"))
    kind = models.CharField(max_length=8)

    class Meta:
        indexes = [
            models.Index(fields=["subject_mac", "target", "at"], name="failure_by_subject"),
            models.Index(fields=["at"], name="failure_by_time"),
        ]


class Refused(models.Model):
    """How often one subject was told TOO_MANY_TRIES within one minute: counted, since an attack must not fill the disk."""

    subject_mac = models.BinaryField(max_length=16)
    minute = models.DateTimeField()
    kind = models.CharField(max_length=8)
    count = models.IntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject_mac", "minute"], name="refusals_are_counted_by_minute")]


class ConsumerReport(models.Model):
    """What a consumer told us about a thing that is not what was bought. ``request_id`` names the form, sent once."""

    class Kind(models.TextChoices):
        FAKE = "fake", _("It looks fake or differs")
        USED = "used", _("The hidden code was open or used")
        SWAPPED = "swapped", _("Another product is in it")
        OTHER = "other", _("Something else")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "rep"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    request_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(_("what is wrong"), max_length=8, choices=Kind.choices)
    label = models.CharField(_("number on the label, as typed"), max_length=40, blank=True)
    bought_at = models.CharField(_("bought at"), max_length=200, blank=True)
    note = models.TextField(_("note"), max_length=1000, blank=True)
    phone_cipher = models.BinaryField(null=True)
    member_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["fake", "used", "swapped", "other"]), name="report_kind_is_known"
            ),
        ]
        indexes = [models.Index(fields=["-at", "-id"], name="report_newest_first")]


class Wording(models.Model):
    """A brand's own words for one text to telephones in one language (`redemption.texts`); changes are audited."""

    key = models.CharField(_("text"), max_length=24)
    language = models.CharField(_("language"), max_length=7)
    words = models.CharField(_("words"), max_length=400)
    one = models.CharField(_("words for the number one"), max_length=400, blank=True)
    changed_by = models.CharField(_("by"), max_length=150)
    changed_at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "language"], name="text_has_one_wording_per_language"),
            models.CheckConstraint(condition=~Q(words=""), name="wording_is_not_empty"),
        ]


class Recording(models.Model):
    """A prompt of the telephone door as a brand's own recording, played instead of being read out."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    prompt = models.CharField(_("prompt"), max_length=24)
    language = models.CharField(_("language"), max_length=7)
    media_type = models.CharField(_("kind of file"), max_length=20)
    audio = models.BinaryField()
    size = models.PositiveIntegerField(_("bytes"))
    uploaded_by = models.CharField(_("by"), max_length=150)
    uploaded_at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "language"], name="prompt_has_one_recording_per_language"),
            models.CheckConstraint(
                condition=Q(media_type__in=["audio/mpeg", "audio/wav"]), name="recording_is_mp3_or_wav"
            ),
        ]


class CallNote(models.Model):
    """What support noted about a call: one row a note. Append-only; what was said of a person is forgotten with them."""

    call_id = models.BigIntegerField(db_index=True)
    member_id = models.BigIntegerField(null=True, db_index=True)
    kind = models.CharField(_("about"), max_length=12)
    text = models.CharField(_("note"), max_length=300, blank=True)
    by = models.CharField(_("by"), max_length=150)
    at = models.DateTimeField(_("at"))
