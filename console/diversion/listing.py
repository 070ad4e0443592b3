"""Ranked findings as rows of a page: what the newest fit says of each shipment, narrowed as the reader asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _, pgettext

from analytics.models import Case, Finding, FitRun, ShipmentScore, Verdict
from channel.models import Document, Partner, Region, Territory
from common.charts import share
from common.money import shown
from console.diversion.scope import seen_by, touching
from console.navigation import exists
from labels.models import Product
from staff.models import User

LEVELS = tuple(Finding.Level.values)
NO_FILE = "none"
NOWHERE = "none"
MOST_CHOICES = 500
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """How the list is narrowed; what cannot be read asks for nothing."""

    product: str = ""
    distributor: str = ""
    dest: str = ""
    region: str = ""
    level: str = ""
    state: str = ""
    first: date | None = None
    last: date | None = None
    watched: bool = False

    @property
    def any(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(
            self.product
            or self.distributor
            or self.dest
            or self.region
            or self.level
            or self.state
            or self.first
            or self.last
        )


def asked_in(query: Mapping[str, str]) -> Asked:
    """Read the address of the page."""

    def text(name: str) -> str:
        return query.get(name, "").strip()[:40].replace("\x00", "")

    def day(name: str) -> date | None:
        try:
            return date.fromisoformat(text(name))
        except ValueError:
            return None

    level = text("level")
    return Asked(
        product=text("product"),
        distributor=text("distributor"),
        dest=text("dest"),
        region=text("region").upper(),
        level=level if level in LEVELS else "",
        state=text("state"),
        first=day("first"),
        last=day("last"),
        watched=query.get("watched") == "1",
    )


def newest(run: FitRun | None) -> "QuerySet[Finding]":
    """Return the newest finding of each shipment since a run: the run's own, or a rescore's after it."""
    later = Finding.objects.filter(run=run, shipment_id=OuterRef("shipment_id"), pk__gt=OuterRef("pk"))
    return Finding.objects.filter(~Exists(later), run=run)


def found(run: FitRun | None, asked: Asked, user: User) -> "QuerySet[Finding]":
    """Return the findings that the reader may see and asks for."""
    rows = seen_by(user, newest(run))
    if not asked.watched:
        rows = rows.filter(alert=True)
    if asked.product:
        product = Product.objects.filter(public_id=asked.product).values_list("pk", flat=True).first()
        rows = rows.filter(products__contains=[product or 0])
    if asked.distributor:
        partner = Partner.objects.filter(public_id=asked.distributor).values_list("pk", flat=True).first()
        rows = rows.filter(distributor_id=partner or 0)
    if asked.dest == NOWHERE:
        rows = rows.filter(dest_id=None)
    elif asked.dest:
        partner = Partner.objects.filter(public_id=asked.dest).values_list("pk", flat=True).first()
        rows = rows.filter(dest_id=partner or 0)
    if asked.region:
        rows = touching(rows, [asked.region])
    if asked.level:
        rows = rows.filter(level=asked.level)
    if asked.state:
        files = Case.objects.filter(shipment_id=OuterRef("shipment_id"))
        later = Case.objects.filter(shipment_id=OuterRef("shipment_id"), pk__gt=OuterRef("pk"))
        newest_file = files.filter(~Exists(later), state=asked.state)
        rows = rows.filter(~Exists(files) if asked.state == NO_FILE else Exists(newest_file))
    if asked.first:
        rows = rows.filter(last_scan_at__gte=_midnight(asked.first))
    if asked.last:
        rows = rows.filter(first_scan_at__lt=_midnight(asked.last + timedelta(days=1)))
    return rows


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True, slots=True)
class Row:
    """One finding with the names of what it is about."""

    finding: Finding
    distributor: Partner | None
    dest: Partner | None
    shipment: Document | None
    score: ShipmentScore | None
    verdict: Verdict | None
    file: Case | None = None
    products: list[Product] = field(default_factory=list)

    @property
    def route(self) -> str:
        """Where the goods went, in words."""
        return self.dest.display_name if self.dest else _("where nobody sells, or scattered")

    @property
    def value(self) -> str:
        """What is lost if the expected units went astray; empty where no margin is known."""
        return value_of(self.finding)

    @property
    def bar(self) -> float:
        """P as the length of a bar."""
        return share(self.finding.probability, 1)

    @property
    def file_href(self) -> str:
        """The page of the file; empty without one."""
        return file_href(self.file) if self.file else ""


def file_href(file: Case) -> str:
    """Return the page of a file, if pages of files answer."""
    path = f"/console/cases/{file.public_id}"
    return path if exists("/console/cases") else ""


def value_of(finding: Finding) -> str:
    """Return expected units × margin as an amount; empty where no margin is known."""
    if finding.margin is None:
        return ""
    return shown(round(finding.expected_units * finding.margin), finding.currency)


def rows_of(findings: Sequence[Finding]) -> list[Row]:
    """Name what some findings are about, with one query for each kind of thing."""
    named = {one for row in findings for one in (row.distributor_id, row.dest_id) if one}
    shipments = [row.shipment_id for row in findings]
    partners = Partner.objects.in_bulk(named)
    documents = Document.objects.in_bulk(shipments)
    scores = ShipmentScore.objects.in_bulk(shipments)
    verdicts, files = verdicts_of(shipments), files_of(shipments)
    products = Product.objects.in_bulk({product for row in findings for product in row.products})
    return [
        Row(
            finding=row,
            distributor=partners.get(row.distributor_id),
            dest=partners.get(row.dest_id or 0),
            shipment=documents.get(row.shipment_id),
            score=scores.get(row.shipment_id),
            verdict=verdicts.get(row.shipment_id),
            file=files.get(row.shipment_id),
            products=[products[product] for product in row.products if product in products],
        )
        for row in findings
    ]


def files_of(shipments: Iterable[int]) -> dict[int, Case]:
    """Return the newest file of each shipment that has one."""
    rows = Case.objects.filter(shipment_id__in=list(shipments)).select_related("assignee").order_by("pk")
    return {row.shipment_id: row for row in rows}


def verdicts_of(shipments: Iterable[int]) -> dict[int, Verdict]:
    """Return the verdict that counts for each shipment that has one: the last."""
    rows = Verdict.objects.filter(shipment_id__in=list(shipments)).order_by("decided_at", "pk")
    return {row.shipment_id: row for row in rows}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer."""

    products: list[Product]
    distributors: list[Partner]
    regions: list[Region]


def choices(run: FitRun | None, user: User) -> Choices:
    """Return the products, distributors and provinces of which there are findings to be seen."""
    seen = seen_by(user, newest(run))
    pairs = list(seen.values_list("distributor_id", "products"))
    partners = Partner.objects.filter(pk__in={distributor for distributor, _products in pairs})
    products = Product.objects.filter(pk__in={product for _distributor, many in pairs for product in many})
    held = Territory.objects.filter(partner__in=partners).values("region_id")
    return Choices(
        products=list(products.order_by("name")[:MOST_CHOICES]),
        distributors=list(partners.order_by("number")[:MOST_CHOICES]),
        regions=list(Region.objects.filter(pk__in=held).order_by("code")[:MOST_CHOICES]),
    )


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of when the list is: the run, and what has been judged again since."""

    run: FitRun
    rescored_at: datetime | None
    alerts: int
    expected_false: float

    @property
    def false_share(self) -> float:
        """The expected share of false alarms, in percent."""
        return 100 * self.expected_false / self.alerts if self.alerts else 0.0


def freshness(run: FitRun, user: User) -> Freshness:
    """Return of when the findings are, how many there are on the list, and how many of them are expected to be false."""
    alerts = [1 - p for p in seen_by(user, newest(run)).filter(alert=True).values_list("probability", flat=True)]
    last = ShipmentScore.objects.order_by("-scored_at").values_list("scored_at", flat=True).first()
    return Freshness(run, last if last and last > run.scans_until else None, len(alerts), sum(alerts))


def columns() -> list[tuple[Any, Any]]:
    """Return the columns of the list as a file."""
    return [
        (_("Finding"), lambda row: row.finding.public_id),
        (_("Shipment"), lambda row: row.shipment.number if row.shipment else ""),
        (_("Distributor"), lambda row: row.distributor or ""),
        (_("Surfaced with"), lambda row: row.route),
        (_("Probability"), lambda row: round(row.finding.probability, 4)),
        (_("Level"), lambda row: row.finding.get_level_display()),
        (_("Expected cases"), lambda row: round(row.finding.expected_cases, 1)),
        (_("Expected units"), lambda row: round(row.finding.expected_units)),
        (_("Value"), lambda row: row.value),
        (_("Labels seen"), lambda row: row.finding.labels),
        (_("Labels shipped"), lambda row: row.finding.shipped_labels),
        (_("First scan"), lambda row: row.finding.first_scan_at),
        (_("Last scan"), lambda row: row.finding.last_scan_at),
        (pgettext("investigation", "File"), lambda row: row.file.number if row.file else ""),
        (_("State"), lambda row: row.file.get_state_display() if row.file else ""),
        (_("In charge"), lambda row: (row.file.assignee or "") if row.file else ""),
        (_("Verdict"), lambda row: row.verdict.get_decision_display() if row.verdict else ""),
    ]
