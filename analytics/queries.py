"""Reading a brand's scans and papers as the arrays that are judged, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection, transaction

from analytics import homes
from analytics.geography import EVERY_LINE, Flags, Geography, Ints, Region, Territory, build
from analytics.goods import NONE, Attribution, Scans
from analytics.judging import Facts
from channel import models as channel
from labels.queries import local_date
from redemption.models import OUTCOMES
from redemption.rules import AskerKind, Outcome, asker_key

READ_AT_ONCE = 20_000
KINDS = asker_key(AskerKind.MEMBER, 1)
"""Askers of one kind are so far apart (`redemption.rules.asker_key`)."""
_NOT_OF_A_LABEL = [OUTCOMES.index(outcome) for outcome in (Outcome.TYPO, Outcome.UNKNOWN, Outcome.TOO_MANY_TRIES)]


@dataclass(frozen=True)
class Land:
    """Regions and territories as they stand, and the partners whose territories they are, by their place in the list."""

    regions: tuple[Region, ...]
    territories: tuple[Territory, ...]
    partners: tuple[int, ...]
    sells_online: tuple[bool, ...]
    assortments: tuple[tuple[int, ...], ...] = ((),)

    def geography(self) -> Geography:
        """Return the cells. Raises ValueError where no region could be one."""
        return build(self.regions, self.territories, self.assortments)


@dataclass(frozen=True)
class Record:
    """Facts as read from the database, and the rows that they stand for."""

    facts: Facts
    land: Land
    shipment_ids: Ints
    shipped_labels: Ints
    scan_ids: Ints
    unit_ids: Ints
    """(N,): the case in which each scanned label had been packed; `NONE` without."""


def read_land(further: Sequence[int] = ()) -> Land:
    """Return the land of the brand: all below the countries in which anybody has a territory.

    ``further``: partners who hold goods; they are distributors too, if without a territory.
    """
    held = list(channel.Territory.objects.order_by("id").select_related("region"))
    ids = sorted({territory.partner_id for territory in held} | set(further))
    number = {partner: place for place, partner in enumerate(ids)}
    online = dict(channel.Partner.objects.filter(pk__in=ids).values_list("pk", "sells_online"))
    rows = {row.pk: row for row in channel.Region.objects.order_by("id")}

    def country(row: channel.Region) -> str:
        while row.parent_id is not None:
            row = rows[row.parent_id]
        return row.code

    wanted = {country(rows[territory.region_id]) for territory in held}
    regions = tuple(
        Region(
            row.code,
            rows[row.parent_id].code if row.parent_id else "",
            row.kind,
            row.lat,
            row.lon,
            float(row.population or 0),
        )
        for row in rows.values()
        if country(row) in wanted
    )
    territories = tuple(
        Territory(
            number[one.partner_id],
            one.region.code,
            one.valid_from,
            one.valid_to,
            EVERY_LINE if one.line_id is None else one.line_id,
        )
        for one in held
    )
    lines = lines_of_products(territories)
    return Land(
        regions=regions,
        territories=territories,
        partners=tuple(ids),
        sells_online=tuple(online.get(partner, False) for partner in ids),
        assortments=((), *sorted(set(lines.values()))),
    )


def lines_of_products(territories: Sequence[Territory]) -> dict[int, tuple[int, ...]]:
    """Return the product lines of each product that is in one for which territories were given, the narrowest first."""
    given = {territory.line for territory in territories} - {EVERY_LINE}
    products: dict[int, list[int]] = {line: [] for line in given}
    through = channel.ProductLine.products.through.objects.filter(productline_id__in=given)
    for line, product in through.order_by("id").values_list("productline_id", "product_id"):
        products[line].append(product)
    found: dict[int, tuple[int, ...]] = {}
    for line in sorted(given, key=lambda one: (len(products[one]), one)):
        for product in products[line]:
            found[product] = (*found.get(product, ()), line)
    return found


_SHIPMENTS = """
SELECT c.shipment_id, min(coalesce(c.distributor_id, c.partner_id)), min(c.shipped_at), max(d.labels)
  FROM channel_custody c JOIN channel_document d ON d.id = c.shipment_id
 WHERE c.partner_id IS NOT NULL
   AND (c.shipped_at >= %(since)s OR EXISTS (
        SELECT FROM redemption_scanroute r WHERE r.shipment_id = c.shipment_id AND r.at >= %(since)s AND r.at < %(until)s))
   AND c.shipped_at < %(until)s AND (%(only)s::bigint IS NULL OR c.shipment_id = %(only)s)
 GROUP BY c.shipment_id ORDER BY c.shipment_id
"""

_SCANS = """
SELECT s.id, s.label_no, extract(epoch FROM s.at)::float8, s.asker, r.shipment_id, r.unit_id, r.distributor_id,
       g.region, coalesce(g.accuracy_m, 0), i.region, f.region, shipped.at > s.at, s.product_id = ANY (%(tracked)s),
       v.asker IS NOT NULL, k.id IS NOT NULL, s.product_id, g.beside
  FROM redemption_scan s
  LEFT JOIN redemption_scanroute r ON r.scan_id = s.id
  LEFT JOIN redemption_scanplace g ON g.scan_id = s.id AND g.source = 'gps'
  LEFT JOIN redemption_scanplace i ON i.scan_id = s.id AND i.source = 'ip'
  LEFT JOIN redemption_scanplace f ON f.scan_id = s.id AND f.source = 'phone'
  LEFT JOIN analytics_inspector v ON v.asker = s.asker
  LEFT JOIN LATERAL (
       SELECT min(c.shipped_at) AS at FROM channel_custody c
        WHERE r.scan_id IS NULL AND c.label_range @> s.label_no AND c.shipment_id IS NOT NULL) shipped ON true
  LEFT JOIN LATERAL (
       SELECT k.id FROM redemption_caution k
        WHERE k.label_range @> s.label_no AND k.lifted_at IS NULL AND k.effect = 'stop_points' AND k.reason = 'clone'
        LIMIT 1) k ON true
 WHERE s.label_no IS NOT NULL AND s.outcome <> ALL (%(refused)s) AND s.at >= %(since)s AND s.at < %(until)s
   AND (%(only)s::bigint IS NULL OR r.shipment_id = %(only)s)
 ORDER BY s.id
"""
_OF_ONE = _SCANS.replace("LEFT JOIN redemption_scanroute r", "JOIN redemption_scanroute r").replace(
    "(%(only)s::bigint IS NULL OR r.shipment_id = %(only)s)", "r.shipment_id = %(only)s AND r.at >= %(since)s"
)


def tracked_products() -> list[int]:
    """Return the products of which goods are on paper: a label of another one is not missed when it was never shipped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id FROM labels_product p WHERE EXISTS (SELECT FROM labels_batch b JOIN channel_custody c"
            " ON c.label_range && b.label_range WHERE b.product_id = p.id) ORDER BY p.id"
        )
        return [row[0] for row in cursor.fetchall()]


def read_record(
    *, since: datetime, until: datetime, shipment_id: int | None = None, land: Land | None = None,
    geography: Geography | None = None,
) -> Record:  # fmt: skip
    """Return the scans from ``since`` until ``until``, with all shipments that they may be of; or those of one shipment.

    Raises ValueError where the brand has no land on which anything could be judged.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            window = {"since": since, "until": until, "only": shipment_id}
            cursor.execute(_SHIPMENTS, window)
            shipments = cursor.fetchall()
        land = land or read_land([row[1] for row in shipments])
        rows = _scan_rows(window)
    geography = geography or land.geography()
    number = {partner: place for place, partner in enumerate(land.partners)}
    known = [row for row in shipments if row[1] in number]
    shipment_ids = np.array([row[0] for row in known], np.int64)
    distributor = np.array([number[row[1]] for row in known], np.int64)
    epoch = np.array([geography.epoch_of(local_date(row[2])) for row in known], np.int64)
    usual = _usual_regions(rows, since=since, until=until)
    scans, codes, routed = _scans_of(rows, geography, usual)
    attribution = _attribution(rows, routed, shipment_ids, distributor, number)
    scan_epoch = _scan_epochs(rows, land, geography, np.append(epoch, 0)[attribution.shipment])
    facts = Facts(
        geography=geography,
        codes=codes,
        distributor=distributor,
        epoch=epoch,
        sells_online=np.array(land.sells_online, bool),
        scans=replace(scans, at_border=_at_border(rows, geography, attribution, scan_epoch)),
        attribution=attribution,
        copied=np.array([row[14] for row in rows], bool),
        scan_epoch=scan_epoch if len(land.assortments) > 1 else None,
    )
    return Record(
        facts=facts,
        land=land,
        shipment_ids=shipment_ids,
        shipped_labels=np.array([row[3] for row in known], np.int64),
        scan_ids=np.array([row[0] for row in rows], np.int64),
        unit_ids=np.array([NONE if row[5] is None else row[5] for row in rows], np.int64),
    )


def _scan_rows(window: dict[str, Any]) -> list[tuple[Any, ...]]:
    values = {**window, "tracked": tracked_products(), "refused": _NOT_OF_A_LABEL}
    rows: list[tuple[Any, ...]] = []
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SCANS if window["only"] is None else _OF_ONE, values)
        while part := cursor.fetchmany(READ_AT_ONCE):
            rows += part
    return rows


_DAYS = """
SELECT m.id, extract(epoch FROM r.at)::float8, coalesce(nullif(g.region, ''), i.region)
  FROM members_member m
  JOIN redemption_redemption r ON r.account_id = m.account_id AND r.at >= %(since)s AND r.at < %(until)s
  LEFT JOIN redemption_scanplace g ON g.scan_id = r.scan_id AND g.source = 'gps'
  LEFT JOIN redemption_scanplace i ON i.scan_id = r.scan_id AND i.source = 'ip'
 WHERE m.id = ANY (%(members)s) AND coalesce(nullif(g.region, ''), i.region, '') <> ''
 ORDER BY m.id, r.at, r.label_no
"""


def _usual_regions(rows: Sequence[tuple[Any, ...]], *, since: datetime, until: datetime) -> list[str]:
    """Return for each scan by a member the region in which that one usually redeemed before, or ""."""
    askers = {row[3] for row in rows if row[3] is not None}
    members = sorted(asker // KINDS for asker in askers if asker % KINDS == asker_key(AskerKind.MEMBER, 0))
    if not members:
        return [""] * len(rows)
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, {"members": members, "since": since, "until": until})
        seen = [(asker_key(AskerKind.MEMBER, member), at, region) for member, at, region in cursor.fetchall()]
    return homes.usual_regions([(row[3], row[2]) for row in rows], seen)


def _scan_epochs(rows: Sequence[tuple[Any, ...]], land: Land, geography: Geography, epoch: Ints) -> Ints:
    """Return the epoch of each scan's shipment (``epoch``) for the assortment of its label's product."""
    if len(land.assortments) == 1:
        return epoch
    place = {lines: number for number, lines in enumerate(land.assortments)}
    lines = lines_of_products(land.territories)
    return epoch + len(geography.epochs) * np.array([place.get(lines.get(row[15], ()), 0) for row in rows], np.int64)


def _at_border(
    rows: Sequence[tuple[Any, ...]], geography: Geography, attribution: Attribution, scan_epoch: Ints
) -> Flags:
    """Return which fixes may be of another distributor's cell as well: of one that lies beside theirs."""
    found = np.zeros(len(rows), bool)
    for number, row in enumerate(rows):
        if row[16] and row[7] in geography.members and attribution.shipment[number] != NONE:
            cells = [geography.members[code] for code in (row[7], *row[16]) if code in geography.members]
            owners = geography.owners[scan_epoch[number], np.concatenate(cells)]
            found[number] = bool((owners != owners[0]).any())
    return found


def _scans_of(
    rows: Sequence[tuple[Any, ...]], geography: Geography, usual: Sequence[str]
) -> tuple[Scans, tuple[str, ...], Ints]:
    """Return the scans, the region codes that they name, and the shipment of each (`NONE` without)."""
    numbers: dict[str, int] = {}

    def place(code: str | None) -> int:
        if not code or code not in geography.members:
            return NONE
        return numbers.setdefault(code, len(numbers))

    def column(name: int, kind: type = np.int64) -> Any:
        return np.array([NONE if row[name] is None else row[name] for row in rows], kind)

    scans = Scans(
        code=column(1),
        at=column(2, np.float64),
        gps=np.array([place(row[7]) for row in rows], np.int64),
        ip=np.array([place(row[9]) for row in rows], np.int64),
        phone=np.array([place(row[10]) for row in rows], np.int64),
        home=np.array([place(region) for region in usual], np.int64),
        device=column(3),
        staff=column(13, np.bool_),
        gps_accuracy_m=column(8, np.float64),
        at_border=np.zeros(len(rows), bool),
    )
    return scans, tuple(numbers), column(4)


def _attribution(
    rows: Sequence[tuple[Any, ...]], routed: Ints, shipment_ids: Ints, distributor: Ints, number: dict[int, int]
) -> Attribution:
    place = np.searchsorted(shipment_ids, routed)
    found = (routed != NONE) & (place < len(shipment_ids))
    found[found] = shipment_ids[place[found]] == routed[found]
    shipment = np.where(found, place, NONE)
    without = np.array([row[4] is None for row in rows], bool)
    shipped_later = np.array([bool(row[11]) for row in rows], bool)
    never = np.array([row[11] is None and bool(row[12]) for row in rows], bool)
    # A label that lay in no case is a case of its own.
    case_no = np.array([-2 - row[1] if row[5] is None else row[5] for row in rows], np.int64)
    held = np.array([number.get(row[6], NONE) for row in rows], np.int64)
    own = np.append(distributor, NONE)[shipment]
    return Attribution(
        shipment=shipment,
        before_shipping=without & shipped_later,
        never_shipped=without & never,
        case_no=case_no,
        holder=np.where(held == NONE, own, held),
        hand=np.zeros(len(rows), np.int64),
    )


def moment_of(seconds: float) -> datetime:
    """Return the moment of seconds since 1970."""
    return datetime.fromtimestamp(float(seconds), UTC)
