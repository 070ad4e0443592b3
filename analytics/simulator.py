"""Worlds in which it is known who diverts, to measure the detector on. Pure and seeded.

Its kernels are not the detector's: trips follow lognormal distances, addresses err to gateways of their own, numbers
migrate by another law, shares and markets are drawn otherwise. `known` hands the true ones to an oracle, which knows
everything but who diverts.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics import diversion, files, goods
from analytics.geography import Flags, Floats, Geography, Ints, Region, Territory, build, distance_km, rows_to_one
from analytics.goods import DAY_S, NONE, Scans, Shipments, Transfers
from analytics.problem import Known, Problem, find_markets

START_S = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
WEEKS = 60
FIRST_LABEL = 1_000_000
MARKET, TRICKLE, SCATTER = 0, 1, 2
BULK_BUYERS = 0.08
LOOKED_AT_AGAIN = 0.22


@dataclass(frozen=True)
class Setting:
    """One kind of world."""

    name: str
    provinces: int = 24
    cities: int = 11
    distributors: int = 48
    shipments: int = 1200
    scan_rate: float = 0.035
    gps: float = 0.35
    ip: float = 0.8
    phone: float = 0.35
    travel: float = 0.09
    travel_km: float = 110.0
    holidays: bool = False
    diverters: float = 0.15
    rate: tuple[float, float] = (0.35, 0.8)
    modes: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """Shares of diverters that sell in a market, trickle over the border, scatter over the nation."""
    share: tuple[float, float] = (2.0, 1.6)
    """Beta of the share of a diverted shipment's cases."""
    near_destinations: bool = False
    one_off: float = 0.004
    broken_up: float = 0.45
    online: float = 0.02
    border: float = 0.015
    away: float = 0.008
    online_sellers: int = 0
    territory_change: bool = False
    copied: float = 0.0015
    staff: float = 0.03


SETTINGS = (
    Setting("plain"),
    Setting("phones", gps=0.08, ip=0.75, phone=0.7, scan_rate=0.045),
    Setting("near", near_destinations=True, travel=0.13, holidays=True),
    Setting("trickle", modes=(0.4, 0.6, 0.0), scan_rate=0.05),
    Setting("scatter", modes=(0.4, 0.0, 0.6), online=0.035, online_sellers=3),
    Setting("astray", away=0.03, border=0.04, territory_change=True, one_off=0.008),
)
NOBODY_DIVERTS = Setting("nobody", diverters=0.0, one_off=0.0, away=0.03, border=0.04, online_sellers=3, holidays=True)


@dataclass(frozen=True)
class Truth:
    """What the detector must find out. Cases and shipments by number, codes as labels."""

    shipment: Ints
    """(S,): 1 where any case was diverted."""
    destination: Ints
    """(S,): to whose market; `NONE` where goods trickled, scattered, or stayed."""
    case: dict[tuple[int, int], bool]
    copied: Ints
    known: Known
    parameters: diversion.Parameters


@dataclass(frozen=True)
class _Seen:
    """Scans in the making."""

    code: Ints
    at: Floats
    cell: Ints
    device: Ints
    staff: bool = False


def _choose(random: np.random.Generator, weights: Floats) -> Ints:
    """Return one column for each row of ``weights``, by its weights."""
    edges = np.cumsum(weights, axis=1)
    found = (random.random((len(weights), 1)) * edges[:, -1:] > edges).sum(axis=1)
    return np.asarray(found, np.int64)


def _land(random: np.random.Generator, setting: Setting) -> tuple[list[Region], list[Territory]]:
    regions = [Region("C", "", "country", None, None, 0)]
    places: list[tuple[str, float, float]] = []
    middle = random.uniform((22, 78), (46, 122), (setting.provinces, 2))
    for province in range(setting.provinces):
        code = f"C-{province:02d}"
        regions.append(Region(code, "C", "province", None, None, 0))
        for city in range(int(random.integers(setting.cities - 4, setting.cities + 5))):
            lat, lon = middle[province] + random.normal(0, (1.1, 1.4))
            people = float(random.lognormal(14.6, 0.7)) * (2.5 if city == 0 else 1)
            regions.append(Region(f"{code}{city:02d}", code, "city", float(lat), float(lon), people))
            places.append((f"{code}{city:02d}", float(lat), float(lon)))
    # Territories: seeds spread over the cities, each city to the nearest seed of its province, or of the land.
    seeds = random.choice(len(places), setting.distributors, replace=False)
    lat, lon = np.array([place[1] for place in places]), np.array([place[2] for place in places])
    apart = distance_km(lat[:, None], lon[:, None], lat[seeds][None, :], lon[seeds][None, :])
    owner = apart.argmin(axis=1)
    free = random.random(len(places)) < 0.04
    free[seeds] = False
    change = date(2025, 7, 1) if setting.territory_change else None
    territories = []
    for number, (code, _, _) in enumerate(places):
        if free[number]:
            continue
        second = int(apart[number].argsort()[1])
        if change and random.random() < 0.08 and number not in seeds:
            territories += [
                Territory(int(owner[number]), code, None, date(2025, 6, 30)),
                Territory(second, code, change, None),
            ]
        else:
            territories.append(Territory(int(owner[number]), code))
    return regions, territories


@dataclass(frozen=True)
class _Laws:
    """How people move, and how sources err, in this world."""

    trip: Floats
    ip: Floats
    """(J, J + provinces): the answer's cell, or its province alone."""
    phone: Floats
    """(J, provinces)"""
    fix: Floats


def _laws(random: np.random.Generator, setting: Setting, land: Geography) -> _Laws:
    apart, people, province = land.distances, land.population, land.province
    count, provinces = len(people), int(province.max()) + 1
    spread = np.maximum(apart, 15)
    pull = people[None, :] ** 0.9 / spread * np.exp(-(np.log(spread / setting.travel_km) ** 2) / (2 * 1.05**2)) / spread
    np.fill_diagonal(pull, 0)
    capital = np.array([np.flatnonzero(province == one)[people[province == one].argmax()] for one in range(provinces)])
    gateway = np.where(random.random(provinces) < 0.7, capital, random.integers(0, count, provinces))
    hubs = random.choice(capital, 5, replace=False)
    hub = hubs[apart[:, hubs].argmin(axis=1)]
    cells = np.arange(count)
    exact = 0.62 * np.eye(count)
    np.add.at(exact, (cells, gateway[province]), 0.11)
    np.add.at(exact, (cells, hub), 0.05)
    exact += 0.07 * rows_to_one(np.where(province[:, None] == province[None, :], people[None, :], 0))
    exact += 0.04 * rows_to_one(people[None, :] * np.exp(-apart / 260))
    vague = np.zeros((count, provinces))
    vague[cells, province] = 0.11
    centre = np.array(
        [np.average(np.stack([land.lat, land.lon])[:, province == one], axis=1) for one in range(provinces)]
    )
    far = distance_km(land.lat[:, None], land.lon[:, None], centre[None, :, 0], centre[None, :, 1])
    size = np.bincount(province, people, provinces)
    migrated = size[None, :] * np.exp(-far / 900) * random.lognormal(0, 0.6, (count, provinces))
    migrated[cells, province] = 0
    own = np.zeros((count, provinces))
    own[cells, province] = 1
    wide = people[None, :] * np.exp(-((apart / 60) ** 2))
    np.fill_diagonal(wide, 0)
    fix = 0.982 * np.eye(count) + 0.018 * rows_to_one(wide + 1e-9)
    return _Laws(
        rows_to_one(pull), np.concatenate([exact, vague], axis=1), 0.75 * own + 0.25 * rows_to_one(migrated), fix
    )


class _Trade:
    """The year's trade of one world, shipment by shipment."""

    def __init__(self, random: np.random.Generator, setting: Setting, land: Geography, laws: _Laws) -> None:
        self.random, self.setting, self.land, self.laws = random, setting, land, laws
        distributors = setting.distributors
        self.markets = find_markets(land, distributors)
        cells = self.markets.cells
        self.taste = rows_to_one(cells * land.population * random.lognormal(0, 0.5, cells.shape))
        self.sells_online = np.zeros(distributors, bool)
        self.sells_online[random.choice(distributors, setting.online_sellers, replace=False)] = True
        self.online = np.where(self.sells_online, 0.55, setting.online)
        self.travel = np.clip(setting.travel * random.lognormal(0, 0.3, distributors), 0.01, 0.4)
        self.season = np.ones(WEEKS)
        if setting.holidays:
            self.season[[4, 5, 39, 40]] = 3.0
        self.people = self.markets.population[self.markets.of[0, :distributors]]
        self.wish = 0.5 * self.people / self.people.sum() + 0.5 / distributors
        self.devices = 1
        self.parts: list[_Seen] = []
        self.shipments, self.epoch = self._shipments()
        self.diverts = random.random(distributors) < setting.diverters
        self.mode = random.choice(3, distributors, p=setting.modes)
        self.rate = random.uniform(*setting.rate, distributors)
        self.favourite = self._favourites()

    def _shipments(self) -> tuple[Shipments, Ints]:
        random, setting, count = self.random, self.setting, self.setting.shipments
        size = np.sqrt(self.people) * random.lognormal(0, 0.4, setting.distributors)
        seller = np.sort(random.choice(setting.distributors, count, p=size / size.sum()))
        shipped = START_S + DAY_S * random.uniform(0, 330, count)
        per_case = random.choice([12, 24], count)
        length = per_case * np.clip(random.lognormal(3.0, 0.7, count), 4, 120).astype(np.int64)
        first = FIRST_LABEL + np.cumsum(length) - length
        epoch = np.array([files.epoch_at(self.land, at) for at in shipped], np.int64)
        return Shipments(seller, shipped, first, first + length - 1, per_case), epoch

    def _favourites(self) -> Floats:
        """Return (D, D): where each would divert to."""
        distributors = self.setting.distributors
        middle = rows_to_one(self.markets.cells * self.land.population)
        apart = middle @ self.land.distances @ middle.T
        here = self.markets.of[0, :distributors]
        found = np.zeros((distributors, distributors))
        for one in range(distributors):
            weights = self.wish * (np.arange(distributors) != one)
            if self.setting.near_destinations:
                weights = weights * np.exp(-apart[here[one], here] / 150)
            chosen = self.random.choice(distributors, 2, replace=False, p=weights / weights.sum())
            found[one, chosen] = (0.75, 0.25) if self.random.random() < 0.5 else (1.0, 0.0)
        return found

    def new_devices(self, count: int) -> Ints:
        self.devices += count
        return np.arange(self.devices - count, self.devices)

    def plan(self, number: int) -> tuple[int, int]:
        """Return how shipment ``number`` is diverted and to whom; `NONE`: it is not."""
        random, who, market_of = (
            self.random,
            int(self.shipments.distributor[number]),
            self.markets.of[self.epoch[number]],
        )
        if self.diverts[who]:
            goes = (
                int(random.choice(len(self.wish), p=self.favourite[who])) if random.random() < self.rate[who] else NONE
            )
            kind = int(self.mode[who])
        else:
            goes = int(random.choice(len(self.wish), p=self.wish)) if random.random() < self.setting.one_off else NONE
            kind = MARKET
        return kind, NONE if goes in {who, NONE} or market_of[goes] == NONE else goes

    def astray_cases(self, count: int) -> Flags:
        """Return which cases of a diverted shipment go astray: neighbours on the pallet."""
        many = int(np.clip(round(float(self.random.beta(*self.setting.share)) * count), 1, count))
        start = int(self.random.integers(0, count - many + 1))
        return (np.arange(count) >= start) & (np.arange(count) < start + many)

    def _outlet(self, number: int, kind: int, goes: int) -> tuple[Floats, bool]:
        """Return where the units of a case are sold, (J,), and whether all in one place; ``goes`` `NONE`: honestly."""
        random, setting, who = self.random, self.setting, int(self.shipments.distributor[number])
        market_of = self.markets.of[self.epoch[number]]
        own = int(market_of[who]) if market_of[who] != NONE else self.markets.nation
        whole = bool(random.random() >= setting.broken_up)
        if goes != NONE:
            places = (self.taste[market_of[goes]], self.markets.spill[own], self.land.share)
            return places[kind], whole and kind != SCATTER
        fate = random.random()
        for share, places_of_share, together in (
            (self.online[who], self.land.share, False),
            (setting.border, self.markets.spill[own], True),
            (setting.away, self.land.share, True),
        ):
            fate -= share
            if fate < 0:
                return places_of_share, together
        return self.taste[own], whole

    def sell(self, number: int, case: int, units: int, kind: int, goes: int) -> None:
        """Sell a case and let ``units`` of it be scanned."""
        random, goods_sent = self.random, self.shipments
        weights, together = self._outlet(number, kind, goes)
        sold = np.broadcast_to(random.choice(len(weights), 1 if together else units, p=weights), units)
        per_case = int(goods_sent.labels_per_case[number])
        code = goods_sent.first[number] + case * per_case + random.choice(per_case, units, replace=False)
        at = goods_sent.shipped_at[number] + DAY_S * random.lognormal(3.2, 0.6, units)
        season = self.season[np.minimum(((at - START_S) // goods.WEEK_S).astype(int), WEEKS - 1)]
        moved = random.random(units) < np.clip(self.travel[goods_sent.distributor[number]] * season, 0, 0.6)
        cell = sold.copy()
        if moved.any():
            cell[moved] = _choose(random, self.laws.trip[sold[moved]])
        device = self.new_devices(units)
        if random.random() < BULK_BUYERS:
            device, cell = np.full(units, device[0]), np.full(units, cell[0])
        self.parts.append(_Seen(code, at, cell, device))
        again = random.random(units) < LOOKED_AT_AGAIN
        if again.any():
            count = int(again.sum())
            other = np.where(random.random(count) < 0.7, device[again], self.new_devices(count))
            self.parts.append(_Seen(code[again], at[again] + DAY_S * random.exponential(4, count), cell[again], other))

    def copy(self, code: int) -> None:
        """Let a copied code be scanned in a few cities."""
        random, many = self.random, int(self.random.geometric(0.14)) + 1
        base = random.choice(len(self.land.codes), 3, p=self.land.share)
        cell = np.where(random.random(many) < 0.6, base[0], random.choice(base, many))
        at = START_S + DAY_S * (random.uniform(60, 340) + random.exponential(25, many))
        self.parts.append(_Seen(np.full(many, code), at, cell, self.new_devices(many)))

    def inspect(self, count: int, labels: int) -> None:
        """Let the brand's staff scan ``count`` labels all over the land."""
        random = self.random
        cell = random.choice(len(self.land.codes), count, p=self.land.share)
        device = self.devices + random.integers(0, 20, count)
        at = START_S + DAY_S * random.uniform(0, 360, count)
        self.parts.append(_Seen(FIRST_LABEL + random.integers(0, labels, count), at, cell, device, staff=True))


def simulate(setting: Setting, seed: int) -> tuple[files.World, Truth]:
    """Return a world and what is true in it."""
    random = np.random.default_rng([seed, *setting.name.encode()])
    regions, territories = _land(random, setting)
    land = build(regions, territories)
    laws = _laws(random, setting, land)
    trade = _Trade(random, setting, land, laws)
    sent = trade.shipments
    destination = np.full(setting.shipments, NONE)
    diverted = np.zeros(setting.shipments, np.int64)
    case_truth: dict[tuple[int, int], bool] = {}
    for number in range(setting.shipments):
        count = int((sent.last[number] - sent.first[number] + 1) // sent.labels_per_case[number])
        kind, goes = trade.plan(number)
        astray = trade.astray_cases(count) if goes != NONE else np.zeros(count, bool)
        diverted[number] = goes != NONE
        destination[number] = goes if kind == MARKET else NONE
        scanned = random.binomial(sent.labels_per_case[number], setting.scan_rate, count)
        for case in np.flatnonzero(scanned).tolist():
            trade.sell(number, case, int(scanned[case]), kind, goes if astray[case] else NONE)
            case_truth[number, case] = bool(astray[case])

    total = int((sent.last - sent.first + 1).sum())
    copied = FIRST_LABEL + random.choice(total, int(setting.copied * total / 2), replace=False)
    unshipped = FIRST_LABEL + total + np.arange(max(len(copied) // 4, 2))
    copied = np.concatenate([copied, unshipped])
    for code in copied.tolist():
        trade.copy(code)
    trade.inspect(int(setting.staff * sum(len(part.code) for part in trade.parts)), total)

    scans, codes = _observe(random, setting, land, laws, trade.parts)
    world = files.World(
        geography=land,
        region_codes=codes,
        distributor_ids=tuple(f"D{number:03d}" for number in range(setting.distributors)),
        sells_online=trade.sells_online,
        shipment_ids=tuple(f"S{number:05d}" for number in range(setting.shipments)),
        shipments=sent,
        epoch=trade.epoch,
        transfers=Transfers(*(np.zeros(0, np.int64),) * 3, np.zeros(0)),
        scans=scans,
        ignored={},
        regions=tuple(regions),
        territories=tuple(territories),
    )
    known = Known(*_tables(land, laws, codes), laws.trip, setting.broken_up)
    return world, Truth(diverted, destination, case_truth, np.unique(copied), known, _true_parameters(setting, trade))


def _true_parameters(setting: Setting, trade: _Trade) -> diversion.Parameters:
    beta = diversion.GRID ** (setting.share[0] - 1) * (1 - diversion.GRID) ** (setting.share[1] - 1)
    unknown = np.zeros((0, 0))
    return diversion.Parameters(
        tau=trade.travel,
        week=trade.season,
        near=0.5,
        moved=0.25,
        online=trade.online,
        border=setting.border,
        away=setting.away,
        diverters=max(setting.diverters, 0.01),
        rate=sum(setting.rate) / 2,
        cells=trade.taste,
        habit=unknown,
        prior=unknown,
        share=beta / beta.sum(),
    )


def _observe(
    random: np.random.Generator, setting: Setting, land: Geography, laws: _Laws, parts: Sequence[_Seen]
) -> tuple[Scans, tuple[str, ...]]:
    """Return what the three sources say of the scans, and the region codes that they name."""
    cell = np.concatenate([part.cell for part in parts])
    many, count = len(cell), len(land.codes)
    provinces = [f"C-{number:02d}" for number in range(int(land.province.max()) + 1)]
    codes = (*land.codes, *provinces)
    gps = np.where(random.random(many) < setting.gps, _choose(random, laws.fix[cell]), NONE)
    ip = np.where(random.random(many) < setting.ip, _choose(random, laws.ip[cell]), NONE)
    phone = np.where(random.random(many) < setting.phone, count + _choose(random, laws.phone[cell]), NONE)
    order = random.permutation(many)
    scans = Scans(
        code=np.concatenate([part.code for part in parts]),
        at=np.concatenate([part.at for part in parts]),
        gps=gps,
        ip=ip,
        phone=phone,
        home=np.full(many, NONE),
        device=np.concatenate([part.device for part in parts]),
        staff=np.concatenate([np.full(len(part.code), part.staff) for part in parts]),
        gps_accuracy_m=np.full(many, 30.0),
        at_border=np.zeros(many, bool),
    )
    return scans.take(order), codes


def _tables(land: Geography, laws: _Laws, codes: tuple[str, ...]) -> tuple[Floats, Floats, Floats]:
    """Return the true P(answer | k) of the three sources; an answer's row is its code's number + 1."""
    cells = len(land.codes)
    silent = np.ones((1, cells))
    gps = np.concatenate([silent, laws.fix.T, np.zeros((len(codes) - cells, cells))])
    ip = np.concatenate([silent, laws.ip.T])
    phone = np.concatenate([silent, np.zeros((cells, cells)), laws.phone.T])
    return gps, ip, phone


def oracle(world: files.World, truth: Truth) -> tuple[Problem, diversion.Fit]:
    """Return the posterior of one who knows every law and share of the world, but not who diverts."""
    problem, _, _ = files.pose(world)
    rows = np.array([0, *(code + 1 for code, *_ in problem.answers.gps_codes)])
    problem = replace(problem, known=replace(truth.known, gps=truth.known.gps[rows]))
    week = ((problem.scans.at - START_S) // goods.WEEK_S).astype(np.int64)
    problem = replace(problem, week=np.minimum(week, len(truth.parameters.week) - 1))
    guess = diversion.first_guess(problem)
    parameters = replace(truth.parameters, habit=guess.prior, prior=guess.prior)
    cases = diversion.weigh_cases(problem, parameters)
    return problem, diversion.Fit(parameters, cases, diversion.judge(problem, parameters, cases))


def write_world(folder: Path, world: files.World) -> None:
    """Write the world as the files that `files.read_world` reads."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, header: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with (folder / name).open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(header.split())
            writer.writerows(rows)

    def told(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    write("regions.csv", "region_code name parent_code level lat lon population_k",
          ((r.code, r.code, r.parent, r.level, r.lat, r.lon, r.population / 1000 or "") for r in world.regions))  # fmt: skip
    write("distributors.csv", "distributor_id name sells_online",
          ((name, name, int(online)) for name, online in zip(world.distributor_ids, world.sells_online, strict=True)))  # fmt: skip
    write("territories.csv", "distributor_id region_code valid_from valid_to",
          ((world.distributor_ids[t.distributor], t.region, t.valid_from, t.valid_to) for t in world.territories))  # fmt: skip
    goods_sent = world.shipments
    write(
        "labels.csv",
        "label_first label_last printed_at",
        [(FIRST_LABEL, int(goods_sent.last.max()) + 100_000, told(START_S))],
    )
    write("shipments.csv", "shipment_id distributor_id shipped_at label_first label_last labels_per_case",
          ((world.shipment_ids[n], world.distributor_ids[goods_sent.distributor[n]], told(goods_sent.shipped_at[n]),
            goods_sent.first[n], goods_sent.last[n], goods_sent.labels_per_case[n]) for n in range(len(goods_sent))))  # fmt: skip
    names, scans = (*world.region_codes, ""), world.scans
    write("scans.csv", "scan_id code scanned_at channel gps_region ip_region phone_region device_id staff gps_accuracy_m home_region",
          ((f"x{n}", scans.code[n], told(scans.at[n]), "web", names[scans.gps[n]], names[scans.ip[n]],
            names[scans.phone[n]], scans.device[n], int(scans.staff[n]), scans.gps_accuracy_m[n], names[scans.home[n]])
           for n in range(len(scans))))  # fmt: skip
