"""What the map of diversion shows, put together once: for its script, its table and its file the same figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from analytics.models import FitRun
from analytics.routes import Route, found_routes
from analytics.services import newest_run
from analytics.travel import SOURCES
from analytics.whereabouts import Expected, Rate, Seen, expected_away, main_places, rates, seen
from channel.models import Partner, Region, Territory
from channel.queries import owners_of
from console.diversion.base_map import Base, base_for
from console.diversion.periods import Asked, week_name

TOWNS = 40
MOST_SHADED = 600


@dataclass
class Row:
    """One place: scans in the market of whose goods they were, outside it by source, and how many honest ones would be."""

    code: str
    name: str
    owner: str
    kind: str = ""
    own: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    expected: float | None = None

    @property
    def away(self) -> int:
        return sum(self.outside.values())

    @property
    def gps(self) -> int:
        return self.outside["gps"]

    @property
    def ip(self) -> int:
        return self.outside["ip"]

    @property
    def phone(self) -> int:
        return self.outside["phone"]

    @property
    def striking(self) -> bool:
        """Whether there are far more than travel brings: three times as many, and three more."""
        return self.expected is not None and self.away >= max(3 * self.expected, self.expected + 3)


@dataclass(frozen=True)
class Week:
    """A bar under the map: scans outside the market in one week, and the honest ones expected there."""

    monday: date
    away: int
    expected: float | None
    x: float
    width: float
    y: float
    height: float
    mark_y: float | None


@dataclass(frozen=True)
class Picture:
    """All that was asked for, as it stands at ``at``."""

    asked: Asked
    at: datetime
    sightings: list[Seen]
    expected: list[Expected] | None
    run: FitRun | None
    routes: list[Route]
    places: dict[int, str]
    regions: dict[str, Region]
    partners: dict[int, Partner]
    shaded: list[str]
    base: Base
    rate: Rate

    # --- figures ---------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[Row]:
        """The places of the chosen week, or of all, those with most scans outside their market first."""
        week = self.asked.week
        seen_ = [one for one in self.sightings if week in {None, one.week}]
        told = [one for one in self.expected or [] if week in {None, one.week}]
        by_region: dict[str, Row] = {}
        codes = sorted({one.region for one in seen_} | {one.region for one in told})
        owners = owners_of([(code, None, self.at) for code in codes])
        for code, found in zip(codes, owners, strict=True):
            owner = self.partners.get(found[0]) if found else None
            by_region[code] = Row(
                code,
                self.name_of(code),
                owner.display_name if owner else "",
                self._wide(code),
                expected=None if self.expected is None else 0.0,
            )
        for one in seen_:
            if one.own:
                by_region[one.region].own += one.scans
            else:
                by_region[one.region].outside[one.source] += one.scans
        for honest in told:
            row = by_region[honest.region]
            row.expected = (row.expected or 0.0) + honest.scans
        worth = [row for row in by_region.values() if row.own or row.away or (row.expected or 0) >= 0.05]
        return sorted(worth, key=lambda row: (-row.away, -row.own, -(row.expected or 0), row.code))

    @cached_property
    def total(self) -> Row:
        """The sum of the rows."""
        found = Row("", _("All"), "", expected=None if self.expected is None else 0.0)
        for row in self.rows:
            found.own += row.own
            found.outside.update(row.outside)
            if found.expected is not None:
                found.expected += row.expected or 0.0
        return found

    @cached_property
    def weeks(self) -> list[Week]:
        """The bars, in a box of 600 × 48."""
        away: Counter[date] = Counter()
        for one in self.sightings:
            away[one.week] += 0 if one.own else one.scans
        honest: dict[date, float] = defaultdict(float)
        for told in self.expected or []:
            honest[told.week] += told.scans
        top = max([*away.values(), *honest.values(), 1])
        step = 600 / self.asked.length  # the slider's first place is all weeks
        width = round(min(step * 0.7, 18.0), 1)
        found = []
        for place, monday in enumerate(self.asked.weeks):
            height = round(44 * away[monday] / top, 1)
            mark = None if self.expected is None else round(46 - 44 * honest[monday] / top, 1)
            value = None if self.expected is None else honest[monday]
            x = round((place + 1) * step - width / 2, 1)
            found.append(Week(monday, away[monday], value, x, width, round(46 - height, 1), height, mark))
        return found

    def name_of(self, code: str) -> str:
        """Return a region's name in the reader's language, with its code where it has no name."""
        region = self.regions.get(code)
        return region.display_name if region else code

    @property
    def placed(self) -> int:
        """Scans of the chosen week, or of all, that told a place."""
        return self.total.own + self.total.away

    @property
    def last_day(self) -> date:
        return self.asked.until - timedelta(days=1)

    @property
    def week_name(self) -> str:
        return week_name(self.asked.week) if self.asked.week else ""

    def _wide(self, code: str) -> str:
        """Return what kind of region this is, unless it is a city or finer."""
        region = self.regions.get(code)
        wide = region is not None and region.kind in {Region.Kind.COUNTRY, Region.Kind.PROVINCE}
        return region.get_kind_display() if region and wide else ""

    # --- what the script draws ---------------------------------------------------------------------------------------

    @cached_property
    def drawn(self) -> dict[str, Any]:
        """What goes to the script: places by their number in ``regions``, weeks and sources by their place."""
        routes = [one for one in self.routes if one.dest_id in self.places and one.distributor_id in self.places]
        ends = [code for one in routes for code in (self.places[one.distributor_id], self.places[one.dest_id or 0])]
        told = {one.region for one in self.sightings} | {one.region for one in self.expected or []}
        number: dict[str, int] = {}
        regions: list[tuple[str, str, float, float]] = []
        for code in [*sorted(told), *self.shaded, *ends, *self._towns]:
            point = self._point(code)
            if point is not None and code not in number:
                number[code] = len(regions)
                regions.append((code, self.name_of(code), *point))
        week = {monday: place for place, monday in enumerate(self.asked.weeks)}
        source = {name: place for place, name in enumerate(SOURCES)}
        return {
            "regions": regions,
            "weeks": [week_name(monday) for monday in self.asked.weeks],
            "seen": [
                (week[one.week], number[one.region], source[one.source], int(one.own), one.scans)
                for one in self.sightings
                if one.region in number and one.source in source
            ],
            "expected": [
                (week[one.week], number[one.region], source[one.source], round(one.scans, 4))
                for one in self.expected or []
                if one.region in number and one.scans >= 0.0005
            ],
            "territory": [number[code] for code in self.shaded if code in number],
            "given": sorted({*self.shaded, *self._given}),
            "towns": [number[code] for code in self._towns if code in number],
            "routes": [
                (
                    number[self.places[one.distributor_id]],
                    number[self.places[one.dest_id or 0]],
                    round(one.shipments, 2),
                    round(one.cases, 2),
                    self.title_of(one),
                )
                for one in routes
                if self.places[one.distributor_id] in number and self.places[one.dest_id or 0] in number
            ],
            "outlines": self.base.outlines,
            "attribution": self.base.attribution,
            "words": self._words(),
        }

    def title_of(self, route: Route) -> str:
        """Return "from → to"."""
        names = [
            self.partners[one].display_name
            for one in (route.distributor_id, route.dest_id or 0)
            if one in self.partners
        ]
        return " → ".join(names)

    def _words(self) -> dict[str, str]:
        whose = self.asked.partner.display_name if self.asked.partner else _("All distributors")
        return {
            "every": _("all {n} weeks").format(n=self.asked.length),
            "own": _("{place}: {n} scans in the own market, place told by {source}"),
            "away": _("{place}: {n} scans outside the own market, place told by {source}"),
            "expected": _("{place}: honest travel would bring {n}"),
            "route": _("{route}: {cases} cases and {shipments} shipments expected"),
            "gps": _("the device"),
            "ip": _("the address"),
            "phone": _("the number"),
            "largest": _("A bubble of full size is {n} scans."),
            "title": _("Where goods were scanned: {whose}").format(whose=whose),
            "file": f"diversion-map-{self.asked.since.isoformat()}",
        }

    @cached_property
    def _given(self) -> list[str]:
        """The regions that were given to the chosen partner: outlines of them are shaded as they are."""
        if self.asked.partner is None:
            return []
        day = self.at.date()
        held = Territory.objects.filter(partner=self.asked.partner, valid_from__lte=day).exclude(valid_to__lt=day)
        return list(held.values_list("region__code", flat=True))

    @cached_property
    def _towns(self) -> list[str]:
        cities = [one for one in self.regions.values() if one.kind == Region.Kind.CITY and one.lat is not None]
        return [one.code for one in sorted(cities, key=lambda one: (-(one.population or 0), one.code))[:TOWNS]]

    def _point(self, code: str) -> tuple[float, float] | None:
        """Return latitude and longitude of a region's centre, of what it lies in where it has none."""
        region = self.regions.get(code)
        while region is not None:
            if region.lat is not None and region.lon is not None:
                return round(region.lat, 3), round(region.lon, 3)
            region = region.parent
        return None


def put_together(asked: Asked, *, at: datetime) -> Picture:
    """Read all that the map, its table and its file need."""
    every = seen(since=asked.since, until=asked.until, distributor_id=asked.partner_id)
    sightings = [one for one in every if asked.shows(one.distributor_id)]
    run = newest_run()
    told = expected_away(run, sightings)
    places = main_places()
    routes = [one for one in found_routes(run, fits=1) if asked.shows(one.distributor_id, one.dest_id)]
    shaded = territory_of(asked.partner, at=at) if asked.partner else []
    codes = {one.region for one in sightings} | {one.region for one in told or []} | set(places.values()) | set(shaded)
    regions = {one.code: one for one in Region.objects.filter(code__in=codes).select_related("parent__parent")}
    counted = rates(since=asked.since, until=asked.until)
    return Picture(
        asked=asked,
        at=at,
        sightings=sightings,
        expected=told,
        run=run,
        routes=routes,
        places=places,
        regions=regions,
        partners=_partners(routes),
        shaded=shaded,
        base=base_for(codes),
        rate=sum_of(counted[one] for one in counted if asked.shows(one)),
    )


def _partners(routes: Sequence[Route]) -> dict[int, Partner]:
    named = {one for route in routes for one in (route.distributor_id, route.dest_id) if one}
    held = Territory.objects.order_by().values_list("partner_id", flat=True).distinct()
    return Partner.objects.in_bulk([*named, *held])


def sum_of(several: Iterable[Rate]) -> Rate:
    """Return the rate of several distributors together."""
    found = list(several)
    return Rate(sum(one.shipped for one in found), sum(one.seen for one in found))


def territory_of(partner: Partner, *, at: datetime) -> list[str]:
    """Return the cities that are a partner's now; its regions themselves where these are very many."""
    day = at.date()
    held = Territory.objects.filter(partner=partner, valid_from__lte=day).exclude(valid_to__lt=day)
    rows = list(Region.objects.filter(pk__in=held.values("region_id")))
    inside, wave = list(rows), [row for row in rows if row.kind in {Region.Kind.COUNTRY, Region.Kind.PROVINCE}]
    while wave and len(inside) <= MOST_SHADED:
        below = list(Region.objects.filter(parent__in=wave, valid_to=None).exclude(kind=Region.Kind.COUNTY))
        inside += below
        wave = [row for row in below if row.kind == Region.Kind.PROVINCE]
    if len(inside) > MOST_SHADED:
        return [row.code for row in rows]
    codes = sorted({row.code for row in inside})
    owners = owners_of([(code, None, at) for code in codes])
    kinds = {row.code: row.kind for row in inside}
    mine = [code for code, found in zip(codes, owners, strict=True) if partner.pk in found]
    fine = [code for code in mine if kinds[code] not in {Region.Kind.COUNTRY, Region.Kind.PROVINCE}]
    return fine or mine
