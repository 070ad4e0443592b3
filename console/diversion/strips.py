"""What each scan and each case of a finding says, ready to be shown: marks on a strip, and words beside them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

from django.db import connection
from django.utils.translation import gettext as _, pgettext

from analytics.models import CaseFinding, Finding
from channel.models import Partner, Region
from channel.queries import owners_of
from labels.queries import serials_of
from redemption.models import ScanPlace

WIDTH, HEIGHT, EDGE = 280.0, 14.0, 8.0
MOST_DOTS = 60
MOST_TIMES = 10_000
SPEAKS = log10(1.5)
SOURCES = ("gps", "ip", "phone")  # the best first


@dataclass(frozen=True, slots=True)
class Place:
    """Where one source says that a scan was made."""

    source: str
    code: str
    name: str
    accuracy_m: float | None

    @property
    def words(self) -> str:
        """The place with how it is known: "Guangzhou, fix within 20 m"."""
        if self.source == "gps":
            known = _("fix within {metres} m").format(metres=f"{self.accuracy_m:,.0f}") if self.accuracy_m else _("fix")
        else:
            known = pgettext("network", "address") if self.source == "ip" else _("telephone number")
        return f"{self.name} · {known}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One scan that counts. ``score``: log10 of how much likelier it was sold in the best other market."""

    scan_id: int
    label_no: int
    serial: str
    at: datetime
    device: str
    places: tuple[Place, ...]
    score: float
    words: str
    case: tuple[int | None, int | None, int]

    @property
    def best(self) -> Place | None:
        """What the best source says."""
        return self.places[0] if self.places else None

    @property
    def brief(self) -> str:
        """The score in few words, for a table that says above whose areas are meant."""
        if self.side == "none":
            return _("fits both areas alike")
        if self.side == "own":
            return _("{times} times more likely from the own area").format(times=times_of(self.score))
        return _("{times} times more likely from elsewhere").format(times=times_of(self.score))

    @property
    def side(self) -> str:
        """Which side it speaks for: "away", "own", or "none"."""
        return "none" if abs(self.score) < SPEAKS else "away" if self.score > 0 else "own"


@dataclass(frozen=True, slots=True)
class Mark:
    """A sighting on the strip of its case."""

    x: float
    sighting: Sighting

    @property
    def look(self) -> str:
        """Side and source as classes of the drawing."""
        best = self.sighting.best
        return f"{self.sighting.side} {best.source if best else 'nowhere'}"


@dataclass(frozen=True, slots=True)
class Strip:
    """One case, or one label alone: its labels from left to right, what was scanned, and how probably it went astray."""

    sscc: str
    probability: float
    labels: int
    marks: list[Mark]
    dots: list[float]
    holder: Partner | None = None

    @property
    def name(self) -> str:
        """The end of its number, by which a case is told from its neighbours."""
        return f"…{self.sscc[-6:-1]} {self.sscc[-1]}" if self.sscc else pgettext("a label in no case", "single label")

    @property
    def strongest(self) -> Sighting | None:
        """What speaks loudest in it, either way."""
        return max((mark.sighting for mark in self.marks), key=lambda one: abs(one.score), default=None)

    @property
    def summary(self) -> str:
        """The drawing in words."""
        away = sum(mark.sighting.side == "away" for mark in self.marks)
        return _("{seen} of {labels} labels scanned, {away} of them elsewhere").format(
            seen=len(self.marks), labels=self.labels, away=away
        )


def times_of(score: float) -> str:
    """Return how many times as likely a score is: "48", "2.5", "over 10,000"."""
    times = 10 ** min(abs(score), 12.0)
    if times > MOST_TIMES:
        return _("over {n}").format(n=f"{MOST_TIMES:,}")
    return f"{times:.1f}" if times < 3 else f"{times:,.0f}"


def times_words(score: float, own: str, other: str) -> str:
    """Say a score in words: "48 times more likely sold in B's area than in A's"."""
    if abs(score) < SPEAKS:
        return _("fits both areas alike")
    number = times_of(score)
    if score > 0:
        return _("{times} times more likely sold in {other}'s area than in {own}'s").format(
            times=number, other=other, own=own
        )
    return _("{times} times more likely sold in {own}'s own area").format(times=number, own=own)


_SEEN = """
SELECT f.scan_id, f.score, s.label_no, s.at, s.asker, s.product_id, r.unit_id, r.distributor_id
  FROM analytics_scanfinding f
  JOIN redemption_scan s ON s.id = f.scan_id
  LEFT JOIN redemption_scanroute r ON r.scan_id = f.scan_id
 WHERE f.finding_id = %s AND s.label_no IS NOT NULL
 ORDER BY s.at, s.id
"""


def sightings_of(finding: Finding, own: str) -> list[Sighting]:
    """Return the scans of a finding with their places in words, the oldest first. Devices are letters, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [finding.pk])
        rows = cursor.fetchall()
    places = _places([row[0] for row in rows])
    asked = [(places[row[0]][0].code, row[5], row[3]) for row in rows if places.get(row[0])]
    owners = dict(zip([row[0] for row in rows if places.get(row[0])], owners_of(asked), strict=True))
    names = {
        partner.pk: partner.display_name
        for partner in Partner.objects.filter(pk__in={one for many in owners.values() for one in many})
    }
    serials = serials_of([row[2] for row in rows]) if rows else []
    letters: dict[int | None, str] = {None: "–"}
    found = []
    for (scan_id, score, label_no, at, asker, _product, unit_id, holder_id), serial in zip(rows, serials, strict=True):
        letter = letters.setdefault(asker, _letter(len(letters) - 1))
        sellers = [one for one in owners.get(scan_id, ()) if one != finding.distributor_id]
        other = names[sellers[0]] if sellers else _("another partner")
        case = unit_id, None if unit_id else label_no, holder_id or finding.distributor_id
        words = times_words(score, own, other)
        found.append(
            Sighting(scan_id, label_no, serial, at, letter, tuple(places.get(scan_id, ())), score, words, case)
        )
    return found


def _letter(number: int) -> str:
    """Return a device's letter: A, B … Z, AA, AB and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _places(scan_ids: Sequence[int]) -> dict[int, list[Place]]:
    """Return the places of each scan, the best source first."""
    rows = list(ScanPlace.objects.filter(scan_id__in=scan_ids).exclude(region=""))
    regions = {row.code: row.display_name for row in Region.objects.filter(code__in={row.region for row in rows})}
    found: dict[int, list[Place]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: SOURCES.index(one.source)):
        name = regions.get(row.region, row.region)
        found[row.scan_id].append(Place(row.source, row.region, name, row.accuracy_m))
    return found


_UNITS = """
SELECT u.id, u.sscc, min(lower(r.label_range)), max(upper(r.label_range))
  FROM channel_unit u
  LEFT JOIN (
       SELECT unit_id, label_range FROM channel_unitrange WHERE unit_id = ANY (%(ids)s)
       UNION ALL
       SELECT p.parent_id, c.label_range FROM channel_unitparent p JOIN channel_unitrange c ON c.unit_id = p.child_id
        WHERE p.parent_id = ANY (%(ids)s)
  ) r ON r.unit_id = u.id
 WHERE u.id = ANY (%(ids)s)
 GROUP BY u.id, u.sscc
"""


def strips_of(finding: Finding, sightings: Iterable[Sighting], limit: int | None = None) -> list[Strip]:
    """Return the cases of a finding, the likeliest astray first."""
    rows = CaseFinding.objects.filter(finding=finding).order_by("-probability", "pk")
    cases = list(rows[:limit] if limit else rows)
    ids = [case.unit_id for case in cases if case.unit_id is not None]
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, {"ids": ids})
        units = {row[0]: row[1:] for row in cursor.fetchall()}
    holders = Partner.objects.in_bulk({case.holder_id for case in cases if case.holder_id != finding.distributor_id})
    seen: dict[tuple[int | None, int | None, int], list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        seen[sighting.case].append(sighting)
    found = []
    for case in cases:
        inside = seen.get((case.unit_id, case.label_no, case.holder_id), [])
        sscc, first, end = units.get(case.unit_id or 0, ("", None, None))
        if first is None:
            numbers = [one.label_no for one in inside]
            first, end = (min(numbers), max(numbers) + 1) if numbers else (0, 1)
        found.append(_strip(sscc, case, inside, (first, end), holders.get(case.holder_id)))
    return found


def _strip(
    sscc: str, case: CaseFinding, inside: Sequence[Sighting], span: tuple[int, int], holder: Partner | None
) -> Strip:
    first, end = span
    count = max(end - first, 1)
    step = (WIDTH - 2 * EDGE) / count

    def x(place: float) -> float:
        return round(EDGE + (place + 0.5) * step, 1)

    marks = [Mark(x(min(max(one.label_no - first, 0), count - 1)), one) for one in inside]
    dots = [x(place) for place in range(count)] if count <= MOST_DOTS else []
    return Strip(sscc, case.probability, count, marks, dots, holder)
