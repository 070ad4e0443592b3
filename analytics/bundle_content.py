"""What an evidence bundle tells: the tables of one file, read from the brand's rows. Reads only.

What may be told is listed here column by column. Of consumers there is a day, a region and the pack: no number, device,
address, point, or time of day; where somebody wrote a telephone number into a text, its middle is struck out. The tables
of one state of a file are the same each time, whatever else happened since: exports of the file itself are no part of it.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from analytics.case_models import Case, CaseAnswer, CaseEntry, CasePhoto
from analytics.models import Finding, FitRun, RouteFinding
from brands.queries import brand_zone
from channel.chain import merged
from channel.models import Document, Movement, Partner, Region, Unit
from labels.queries import serials_of

MOST_MOVEMENTS = 5_000
_PHONE = re.compile(r"(?<!\d)((?:\+?86[ -]?)?1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)")
Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """One file of figures: names of columns in English, and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def as_csv(self) -> bytes:
        """Return the table as CSV (RFC 4180, UTF-8). What a spreadsheet would run as a formula is led by an apostrophe."""
        target = io.StringIO(newline="")
        writer = csv.writer(target)
        writer.writerow(self.columns)
        writer.writerows([[_harmless(cell) for cell in row] for row in self.rows])
        return target.getvalue().encode()

    def dicts(self) -> list[dict[str, Cell]]:
        """Return the rows by the names of their columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Content:
    """All that a bundle tells. ``as_of``: the moment of the last thing that was done in the file."""

    case: Case
    shipment: Document
    partner: Partner
    finding: Finding | None
    run: FitRun | None
    as_of: datetime
    zone: ZoneInfo
    tables: Mapping[str, Table]
    photos: tuple[CasePhoto, ...]


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def plain(text: str) -> str:
    """Return a text with the middle of Chinese mobile numbers struck out."""
    return _PHONE.sub(r"\1****\2", text)


def content_of(case: Case) -> Content:
    """Return what a bundle of a file tells as it stands. Call it under the file's lock, so that all is of one state."""
    zone = brand_zone()
    entries = case.entries.exclude(kind=CaseEntry.Kind.EXPORTED).order_by("pk")
    shipment = Document.objects.select_related("destination", "market").get(pk=case.shipment_id)
    found = Finding.objects.filter(shipment_id=case.shipment_id).select_related("run").order_by("found_at", "pk")
    finding = case.finding or found.last()
    names = _Names()
    photos = tuple(case.photos.select_related("answer", "check_of").order_by("pk"))
    last = entries.last()
    tables = {
        "finding": _findings(found, names, zone),
        "fit": _fit(finding.run) if finding else Table(("name", "value"), ()),
        "cases": _cases(finding, names),
        "scans": _scans(finding, zone),
        "routes": _routes(finding, names),
        "custody": _custody(case, names),
        "checks": _checks(case),
        "photos": _photos(photos),
        "questions": _questions(case, names),
        "answers": _answers(case),
        "decisions": _decisions(case),
        "log": _log(entries),
    }
    return Content(
        case=case,
        shipment=shipment,
        partner=Partner.objects.get(pk=case.distributor_id),
        finding=finding,
        run=finding.run if finding else None,
        as_of=last.at if last else case.opened_at,
        zone=zone,
        tables=tables,
        photos=photos,
    )


class _Names:
    """Partners by their row number: number, name in English and Chinese."""

    def __init__(self) -> None:
        rows = Partner.objects.values_list("pk", "number", "name", "name_zh")
        self._rows = {pk: (number, name, name_zh) for pk, number, name, name_zh in rows}

    def of(self, pk: int | None) -> tuple[str, str, str]:
        return self._rows.get(pk or 0, ("", "", ""))


def moment(at: datetime | None) -> str:
    """Return when something was done in the file: UTC, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def day(at: datetime | None, zone: ZoneInfo) -> str:
    """Return the day of something that a consumer did, in the brand's zone."""
    return at.astimezone(zone).date().isoformat() if at else ""


def number(value: float | Decimal | None) -> str:
    """Return a figure with six decimals at most."""
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


# --- what was computed -------------------------------------------------------------------------------------------------


def _findings(found: Iterable[Finding], names: _Names, zone: ZoneInfo) -> Table:
    columns = (
        "finding", "run", "found_at", "probability", "probability_of_distributor", "likely_market_number",
        "likely_market", "likely_market_zh", "on_the_list", "level", "expected_cases", "expected_units", "labels_seen",
        "devices", "cases_seen", "scans", "labels_shipped", "first_scan_on", "last_scan_on", "share_travelled",
        "share_online", "share_border", "share_carried_off", "without_gps", "without_ip", "without_phone",
        "without_strongest_device",
    )  # fmt: skip
    rows = [
        (
            one.public_id,
            one.run.public_id,
            moment(one.found_at),
            number(one.probability),
            number(one.distributor_probability),
            *names.of(one.dest_id),
            "yes" if one.alert else "no",
            one.level,
            number(one.expected_cases),
            number(one.expected_units),
            one.labels,
            one.devices,
            one.cases,
            one.scans,
            one.shipped_labels,
            day(one.first_scan_at, zone),
            day(one.last_scan_at, zone),
            number(one.travelled),
            number(one.online),
            number(one.border),
            number(one.away),
            *(number(one.without.get(name)) for name in ("gps", "ip", "phone", "device")),
        )
        for one in found
    ]
    return Table(columns, tuple(rows))


def _fit(run: FitRun) -> Table:
    facts: list[tuple[str, Cell]] = [
        ("run", run.public_id),
        ("began_at", moment(run.began_at)),
        ("scans_from", moment(run.scans_from)),
        ("scans_until", moment(run.scans_until)),
        ("code_version", run.code_version),
        ("data_sha256", bytes(run.data_hash).hex()),
        ("eta", number(run.eta)),
        ("lowest_probability_on_the_list", number(run.alert_from)),
    ]
    for group, values in (("count", run.counts), ("parameter", run.parameters)):
        for name in sorted(values):
            value = values[name]
            text = json.dumps(value) if isinstance(value, list) else number(value)
            facts.append((f"{group}: {name}", text))
    return Table(("name", "value"), tuple(facts))


def _cases(finding: Finding | None, names: _Names) -> Table:
    columns = ("sscc", "label", "holder_number", "holder", "holder_zh", "probability", "scans")
    found = list(finding.case_findings.order_by("-probability", "unit_id", "label_no", "pk")) if finding else []
    sscc = dict(Unit.objects.filter(pk__in=[one.unit_id for one in found if one.unit_id]).values_list("pk", "sscc"))
    serial = _serials(one.label_no for one in found)
    rows = [
        (
            sscc.get(one.unit_id or 0, ""),
            serial.get(one.label_no or 0, ""),
            *names.of(one.holder_id),
            number(one.probability),
            one.scans,
        )
        for one in found
    ]
    return Table(columns, tuple(rows))


_SCANS = """
SELECT s.at, s.label_no, u.sscc, p.source, p.region, f.score
  FROM analytics_scanfinding f
  JOIN redemption_scan s ON s.id = f.scan_id
  LEFT JOIN redemption_scanroute r ON r.scan_id = s.id
  LEFT JOIN channel_unit u ON u.id = r.unit_id
  LEFT JOIN LATERAL (
       SELECT source, region FROM redemption_scanplace WHERE scan_id = s.id AND region <> ''
        ORDER BY array_position(ARRAY['gps', 'ip', 'phone'], source::text) LIMIT 1) p ON true
 WHERE f.finding_id = %s
"""


def _scans(finding: Finding | None, zone: ZoneInfo) -> Table:
    """Return the scans that counted: day, pack, and the region that the best source tells. In no order of time in a day."""
    columns = ("on", "label", "case", "source", "region", "place", "place_zh", "log10_elsewhere_to_own_market")
    if finding is None:
        return Table(columns, ())
    with connection.cursor() as cursor:
        cursor.execute(_SCANS, [finding.pk])
        found = cursor.fetchall()
    serial = _serials(row[1] for row in found)
    places = _places(row[4] for row in found)
    rows = [
        (day(at, zone), serial.get(label_no, ""), case or "", source or "", code or "", *places.get(code, ("", "")), number(score))
        for at, label_no, case, source, code, score in found
    ]  # fmt: skip
    return Table(columns, tuple(sorted(rows)))


def _routes(finding: Finding | None, names: _Names) -> Table:
    columns = ("to_number", "to", "to_zh", "expected_shipments", "expected_cases")
    if finding is None:
        return Table(columns, ())
    found = RouteFinding.objects.filter(run=finding.run, distributor_id=finding.distributor_id)
    return Table(
        columns,
        tuple(
            (*names.of(one.dest_id), number(one.expected_shipments), number(one.expected_cases))
            for one in found.order_by("-expected_shipments", "pk")
        ),
    )


def _serials(label_nos: Iterable[int | None]) -> dict[int, str]:
    wanted = sorted({label_no for label_no in label_nos if label_no is not None})
    return dict(zip(wanted, serials_of(wanted), strict=True)) if wanted else {}


def _places(codes: Iterable[str | None]) -> dict[str | None, tuple[str, str]]:
    rows = Region.objects.filter(code__in={code for code in codes if code}).order_by("valid_to", "pk")
    return {code: (name, name_zh) for code, name, name_zh in rows.values_list("code", "name", "name_zh")}


# --- who held the goods ------------------------------------------------------------------------------------------------


_STEPS = """
SELECT DISTINCT m.id, m.happened_at FROM unnest(%s::bigint[], %s::bigint[]) AS p (first, "end")
  JOIN channel_movement m ON m.label_range && int8range(p.first, p."end")
 ORDER BY m.happened_at, m.id LIMIT %s
"""


def _custody(case: Case, names: _Names) -> Table:
    """Return every movement of the shipment's labels, from the first to the last, one row a document and step."""
    columns = (
        "happened_at", "recorded_at", "document", "kind", "number", "issuer", "from_number", "from", "from_zh",
        "to_number", "to", "to_zh", "labels", "state", "recorded_by",
    )  # fmt: skip
    moved = Movement.objects.filter(document=case.shipment_id).values_list("label_range", flat=True)
    parts = merged([(part.lower, part.upper) for part in moved])
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [[first for first, _end in parts], [end for _first, end in parts], MOST_MOVEMENTS])
        ids = [row[0] for row in cursor.fetchall()]
    steps = Movement.objects.filter(pk__in=ids).select_related("document__issuer").order_by("happened_at", "pk")
    rows: dict[tuple[Cell, ...], int] = {}
    for step in steps:
        inside = sum(
            min(end, step.label_range.upper) - max(first, step.label_range.lower)
            for first, end in parts
            if first < step.label_range.upper and step.label_range.lower < end
        )
        document = step.document
        issuer = document.issuer.number if document.issuer else ""
        key = (
            moment(step.happened_at), moment(step.recorded_at), document.public_id, document.kind, document.number,
            issuer, *names.of(step.source_id), *names.of(step.destination_id), step.state, document.recorded_by,
        )  # fmt: skip
        rows[key] = rows.get(key, 0) + inside
    return Table(columns, tuple((*key[:-2], count, *key[-2:]) for key, count in rows.items()))


# --- what people did ---------------------------------------------------------------------------------------------------


def _checks(case: Case) -> Table:
    columns = ("done_at", "by", "label", "shop", "invoice", "price", "note", "latitude", "longitude", "accuracy_m")
    rows = tuple(
        (
            moment(one.done_at),
            one.by,
            one.label,
            plain(one.shop),
            plain(one.invoice),
            number(one.price),
            plain(one.note),
            number(one.lat),
            number(one.lon),
            number(one.accuracy_m),
        )
        for one in case.checks.order_by("pk")
    )
    return Table(columns, rows)


def file_of(photo: CasePhoto) -> str:
    """Return the name under which a photograph or paper lies in the bundle."""
    return f"photos/{photo.public_id}.{photo.media_type.rpartition('/')[2]}"


def _photos(photos: Sequence[CasePhoto]) -> Table:
    columns = ("photo", "file", "sha256", "bytes", "media_type", "received_at", "by", "of")
    rows = tuple(
        (
            one.public_id,
            file_of(one),
            bytes(one.sha256).hex(),
            one.size,
            one.media_type,
            moment(one.at),
            one.by,
            "check" if one.check_of_id else "answer" if one.answer_id else "file",
        )
        for one in photos
    )
    return Table(columns, rows)


def _questions(case: Case, names: _Names) -> Table:
    columns = (
        "question", "to_number", "to", "to_zh", "asked_at", "asked_by", "answer_by", "answered_at", "text", "released",
    )  # fmt: skip
    rows = tuple(
        (
            one.public_id,
            *names.of(one.partner_id),
            moment(one.asked_at),
            one.asked_by,
            _iso(one.answer_by),
            moment(one.answered_at),
            plain(one.text),
            json.dumps(one.released, ensure_ascii=False, sort_keys=True),
        )
        for one in case.questions.order_by("pk")
    )
    return Table(columns, rows)


def _answers(case: Case) -> Table:
    found = CaseAnswer.objects.filter(question__case=case).select_related("question").order_by("pk")
    rows = tuple((one.question.public_id, moment(one.at), one.by, plain(one.text)) for one in found)
    return Table(("question", "at", "by", "text"), rows)


def _decisions(case: Case) -> Table:
    columns = ("at", "by", "decision", "reason", "penalty_note", "heard_by_question", "investigators",
               "appealed_at", "appeal_by", "appeal")  # fmt: skip
    rows = []
    for one in case.decisions.select_related("heard").order_by("pk"):
        appeal = getattr(one, "appeal", None)
        told = (moment(appeal.at), appeal.by, plain(appeal.text)) if appeal else ("", "", "")
        rows.append(
            (
                moment(one.at),
                one.decided_by,
                one.decision,
                plain(one.reason),
                plain(one.penalty),
                one.heard.public_id if one.heard else "",
                " ".join(one.investigators),
                *told,
            )
        )
    return Table(columns, tuple(rows))


def _log(entries: Iterable[CaseEntry]) -> Table:
    rows = tuple((moment(one.at), one.by, one.kind, _said(one)) for one in entries)
    return Table(("at", "by", "what", "text"), rows)


def _said(entry: CaseEntry) -> str:
    if entry.kind == CaseEntry.Kind.MOVED:
        step = f"{entry.data.get('before', '')} → {entry.data.get('after', '')}"
        return plain(f"{step} {entry.text}".strip())
    facts: dict[str, Any] = entry.data
    named = facts.get("assignee") or facts.get("due_on") or facts.get("photo") or ""
    return plain(entry.text or str(named))


def _iso(on: date | None) -> str:
    return on.isoformat() if on else ""
