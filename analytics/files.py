"""Diversion on files: read a folder of CSV, score it, write a folder of CSV. Needs no database.

Columns go by name, unknown ones are passed over; a byte order mark and either line end are fine.
"""

import csv
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics import clones, diversion, goods, judging
from analytics.geography import LEVELS, Flags, Geography, Ints, Region, Territory, build
from analytics.goods import NONE, Scans, Shipments, Transfers
from analytics.judging import Facts, Scored
from analytics.problem import Problem

MAX_LABEL = 2**62


class BadFile(Exception):
    """A file cannot be read; the text says which, and the line and column."""

    def __init__(self, file: str, line: int, column: str, message: str) -> None:
        super().__init__(f"{file}, line {line}, column {column}: {message}")
        self.file, self.line, self.column = file, line, column


@dataclass(frozen=True)
class Sheet:
    """The rows of one file, with what reads a cell or says where it is wrong."""

    name: str
    rows: list[dict[str, str]]
    numbers: list[int]  # of the rows, in the file

    def read(self, line: int, row: dict[str, str], column: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse(row.get(column, "").strip())
        except (ValueError, OverflowError) as error:
            raise BadFile(self.name, line, column, str(error)) from None

    def lines(self) -> Iterator[tuple[int, dict[str, str]]]:
        return zip(self.numbers, self.rows, strict=True)

    def column(self, name: str, parse: Callable[[str], Any]) -> list[Any]:
        return [self.read(line, row, name, parse) for line, row in self.lines()]


def open_sheet(folder: Path, name: str, required: tuple[str, ...], *, optional: bool = False) -> Sheet:
    """Return the rows of ``folder/name``. Raises `BadFile` if it or one of its columns is missing."""
    path = folder / name
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "there is no such folder", str(folder))
    if not path.is_file():
        if optional:
            return Sheet(name, [], [])
        raise BadFile(name, 0, "–", "there is no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source, restval="", strict=True)
            header = list(reader.fieldnames or ())
            for column in required:
                if header.count(column) != 1:
                    raise BadFile(
                        name, 1, column, "the column is there twice" if column in header else "the column is missing"
                    )
            rows, numbers = [], []
            for row in reader:
                rows.append(row)
                numbers.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise BadFile(name, 0, "–", f"not UTF-8 at byte {error.start}") from None
    except csv.Error as error:
        raise BadFile(name, 0, "–", str(error)) from None
    for line, row in zip(numbers, rows, strict=True):
        if None in row:
            raise BadFile(name, line, "–", "the line has more cells than the header")
    return Sheet(name, rows, numbers)


def text(value: str) -> str:
    if not value:
        raise ValueError("a value is missing")
    return value


def whole(value: str) -> int:
    if not (text(value).isascii() and value.isdecimal()):
        raise ValueError(f"{value} is no whole number")
    number = int(value)
    if not 0 <= number <= MAX_LABEL:
        raise ValueError(f"{value} is not between 0 and {MAX_LABEL}")
    return number


def counted(value: str) -> int:
    if (number := whole(value)) < 1:
        raise ValueError("must be at least 1")
    return number


def decimal(low: float, high: float) -> Callable[[str], float | None]:
    def parse(value: str) -> float | None:
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"{value} is no number") from None
        if not low <= number <= high:
            raise ValueError(f"{value} is not between {low:g} and {high:g}")
        return number

    return parse


def day(value: str) -> date | None:
    return date.fromisoformat(value) if value else None


def moment(value: str) -> float:
    """Return seconds since 1970 of an ISO 8601 time with its zone."""
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError(f"{value} has no zone; write it in UTC with Z")
    return found.timestamp()


def flag(value: str) -> bool:
    if value not in {"", "0", "1"}:
        raise ValueError(f"{value} is neither 0 nor 1")
    return value == "1"


def level(value: str) -> str:
    if value not in LEVELS:
        raise ValueError(f"{value} is none of {', '.join(LEVELS)}")
    return value


@dataclass(frozen=True)
class World:
    """The files, read."""

    geography: Geography
    region_codes: tuple[str, ...]
    distributor_ids: tuple[str, ...]
    sells_online: Flags
    shipment_ids: tuple[str, ...]
    shipments: Shipments
    epoch: Ints
    transfers: Transfers
    scans: Scans
    ignored: dict[str, int]
    regions: tuple[Region, ...]
    territories: tuple[Territory, ...]


def _numbers(sheet: Sheet, column: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line, row in sheet.lines():
        value = sheet.read(line, row, column, text)
        if value in found:
            raise BadFile(sheet.name, line, column, f"{value} stands there twice")
        found[value] = len(found)
    return found


def _known(numbers: dict[str, int], what: str) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if text(value) not in numbers:
            raise ValueError(f"there is no {what} {value}")
        return numbers[value]

    return parse


def _regions(folder: Path) -> list[Region]:
    sheet = open_sheet(folder, "regions.csv", ("region_code", "parent_code", "level", "lat", "lon", "population_k"))
    _numbers(sheet, "region_code")
    return [
        Region(
            code=sheet.read(line, row, "region_code", text),
            parent=row["parent_code"].strip(),
            level=sheet.read(line, row, "level", level),
            lat=sheet.read(line, row, "lat", decimal(-90, 90)),
            lon=sheet.read(line, row, "lon", decimal(-180, 180)),
            population=1000 * (sheet.read(line, row, "population_k", decimal(0, 1e7)) or 0),
        )
        for line, row in sheet.lines()
    ]


def _ranges(sheet: Sheet) -> tuple[Ints, Ints]:
    """Return the first and the last label of each row."""
    first, last = (np.array(sheet.column(name, whole), np.int64) for name in ("label_first", "label_last"))
    backward = np.flatnonzero(last < first)
    if len(backward):
        raise BadFile(sheet.name, sheet.numbers[backward[0]], "label_last", "the range ends before it begins")
    return first, last


def _shipments(sheet: Sheet, distributors: dict[str, int]) -> Shipments:
    first, last = _ranges(sheet)
    return Shipments(
        distributor=np.array(sheet.column("distributor_id", _known(distributors, "distributor")), np.int64),
        shipped_at=np.array(sheet.column("shipped_at", moment), np.float64),
        first=first,
        last=last,
        labels_per_case=np.array(sheet.column("labels_per_case", counted), np.int64),
    )


def read_world(folder: Path) -> World:
    """Read the folder. Raises `BadFile`."""
    regions = _regions(folder)
    codes = {region.code for region in regions}
    distributor_sheet = open_sheet(folder, "distributors.csv", ("distributor_id",))
    distributors = _numbers(distributor_sheet, "distributor_id")
    sheet = open_sheet(folder, "territories.csv", ("distributor_id", "region_code", "valid_from", "valid_to"))
    territories = [
        Territory(
            sheet.read(line, row, "distributor_id", _known(distributors, "distributor")),
            sheet.read(line, row, "region_code", text),
            sheet.read(line, row, "valid_from", day),
            sheet.read(line, row, "valid_to", day),
        )
        for line, row in sheet.lines()
    ]
    for line, territory in zip(sheet.numbers, territories, strict=True):
        if territory.region not in codes:
            raise BadFile(sheet.name, line, "region_code", f"there is no region {territory.region}")
        if territory.valid_from and territory.valid_to and territory.valid_to < territory.valid_from:
            raise BadFile(sheet.name, line, "valid_to", "the territory ends before it begins")
    try:
        geography = build(regions, territories)
    except ValueError as error:
        raise BadFile("regions.csv", 0, "lat", str(error)) from None
    sheet = open_sheet(folder, "labels.csv", ("label_first", "label_last"))
    _ranges(sheet)  # of what was printed: read for its faults, judged by nobody

    sheet = open_sheet(
        folder, "shipments.csv", ("shipment_id", "distributor_id", "shipped_at", "label_first", "label_last", "labels_per_case")
    )  # fmt: skip
    shipment_ids = _numbers(sheet, "shipment_id")
    shipments = _shipments(sheet, distributors)
    sheet = open_sheet(folder, "transfers.csv", ("shipment_id", "case_no", "distributor_id", "at"), optional=True)
    transfers = Transfers(
        np.array(sheet.column("shipment_id", _known(shipment_ids, "shipment")), np.int64),
        np.array(sheet.column("case_no", whole), np.int64),
        np.array(sheet.column("distributor_id", _known(distributors, "distributor")), np.int64),
        np.array(sheet.column("at", moment), np.float64),
    )
    scans, region_codes, ignored = _scans(folder, geography)
    return World(
        geography=geography,
        region_codes=region_codes,
        distributor_ids=tuple(distributors),
        sells_online=np.array(distributor_sheet.column("sells_online", flag), bool),
        shipment_ids=tuple(shipment_ids),
        shipments=shipments,
        epoch=np.array([epoch_at(geography, at) for at in shipments.shipped_at], np.int64),
        transfers=transfers,
        scans=scans,
        ignored=ignored,
        regions=tuple(regions),
        territories=tuple(territories),
    )


def epoch_at(geography: Geography, at: float) -> int:
    """Return the epoch of a time in seconds since 1970, UTC."""
    return geography.epoch_of(date.fromordinal(date(1970, 1, 1).toordinal() + int(at // goods.DAY_S)))


def _scans(folder: Path, geography: Geography) -> tuple[Scans, tuple[str, ...], dict[str, int]]:
    """Return the scans, the region codes they name, and how many rows or values were passed over, by reason."""
    places = ("gps_region", "ip_region", "phone_region")
    sheet = open_sheet(folder, "scans.csv", ("scan_id", "code", "scanned_at", *places, "device_id", "staff"))
    seen: set[str] = set()
    kept = []
    for line, row in sheet.lines():
        scan_id = sheet.read(line, row, "scan_id", text)
        if scan_id not in seen:
            seen.add(scan_id)
            kept.append((line, row))
    ignored = {"scan_id seen before": len(sheet.rows) - len(kept), "unknown region": 0}
    sheet = Sheet(sheet.name, [row for _line, row in kept], [line for line, _row in kept])
    numbers: dict[str, int] = {}

    def region(value: str) -> int:
        if not value:
            return NONE
        if value not in geography.members:
            ignored["unknown region"] += 1
            return NONE
        return numbers.setdefault(value, len(numbers))

    devices: dict[str, int] = {}
    columns = {
        name: np.array(sheet.column(f"{name}_region", region), np.int64) for name in ("gps", "ip", "phone", "home")
    }
    scans = Scans(
        code=np.array(sheet.column("code", whole), np.int64),
        at=np.array(sheet.column("scanned_at", moment), np.float64),
        device=np.array(
            sheet.column("device_id", lambda value: devices.setdefault(value, len(devices)) if value else NONE),
            np.int64,
        ),
        staff=np.array(sheet.column("staff", flag), bool),
        gps_accuracy_m=np.array([value or 0 for value in sheet.column("gps_accuracy_m", decimal(0, 1e8))], np.float64),
        at_border=np.array(sheet.column("near_border", flag), bool),
        **columns,
    )
    return scans, tuple(numbers), ignored


def facts_of(world: World) -> Facts:
    """Return the world as it is judged."""
    scans = world.scans
    return Facts(
        geography=world.geography,
        codes=world.region_codes,
        distributor=world.shipments.distributor,
        epoch=world.epoch,
        sells_online=world.sells_online,
        scans=scans,
        attribution=goods.attribute(scans.code, scans.at, world.shipments, world.transfers),
    )


def pose(world: World) -> tuple[Problem, clones.Suspicion, dict[str, int]]:
    """Return the diversion problem of a world, its suspected copies, and what was left out of it, by reason."""
    return judging.pose(facts_of(world))


def score(world: World) -> Scored:
    """Judge a world."""
    return judging.score(facts_of(world))


def write_scores(folder: Path, world: World, scored: Scored) -> int:
    """Write shipments.csv, cases.csv and codes.csv; return how many shipments stand on the list."""
    folder.mkdir(parents=True, exist_ok=True)
    verdict, witnesses = scored.fit.verdict, scored.problem.witnesses
    alerted = diversion.alert_list(verdict.shipment)
    names = (*world.distributor_ids, "")  # NONE is −1: the empty name

    def write(name: str, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
        with (folder / name).open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    write(
        "shipments.csv",
        ("shipment_id", "score", "dest", "alert"),
        (
            (world.shipment_ids[number], f"{verdict.shipment[number]:.6g}", names[verdict.destination[number]],
             int(alerted[number]))
            for number in range(len(world.shipment_ids))
        ),
    )  # fmt: skip
    best: dict[tuple[int, int], float] = {}
    for number, probability in enumerate(verdict.case.tolist()):
        key = int(witnesses.case_shipment[number]), int(witnesses.case_no[number])
        best[key] = max(best.get(key, 0.0), probability)
    write(
        "cases.csv",
        ("shipment_id", "case_no", "score"),
        ((world.shipment_ids[shipment], case_no, f"{found:.6g}") for (shipment, case_no), found in best.items()),
    )
    suspicion = scored.suspicion
    write(
        "codes.csv",
        ("code", "score"),
        ((code, f"{found:.6g}") for code, found in zip(suspicion.code.tolist(), suspicion.score.tolist(), strict=True)),
    )
    return int(alerted.sum())
