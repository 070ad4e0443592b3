"""The answer rendered from its scan: the first time, again for a repeated request id, and for a receipt number."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from labels.models import Product
from labels.queries import receipt_nos, serials_of
from lottery import keys as lottery_keys
from lottery.queries import entries_of_labels, plays_of
from lottery.told import EntryTold, PlayTold
from redemption.budgets import Refusal
from redemption.models import Redemption, Scan, ScanPlace
from redemption.rules import (
    Act,
    By,
    Detail,
    Door,
    Earlier,
    Outcome,
    Paid,
    ProductRef,
    Receipt,
    Redeemed,
)

KEEP_S = 10.0
PRODUCTS_KEPT = 10_000


def too_many_tries(act: Act, at: datetime, refusal: Refusal) -> Receipt:
    """Return the answer to an attempt that was not looked at."""
    return Receipt(
        outcome=Outcome.TOO_MANY_TRIES,
        act=act,
        at=at,
        retry_after_s=refusal.retry_after_s,
        needs_work=refusal.needs_work,
    )


class Told(NamedTuple):
    """What one attempt is told: the columns of `Scan`, before they are a row. ``pk`` 0: it will not be one (a look)."""

    pk: int
    at: datetime
    label_no: int | None
    asker: int | None
    points: int
    balance: int
    first_scan_id: int | None
    client_id: int | None
    product_id: int | None
    earlier_count: int
    ended_on: date | None
    act: Act
    door: Door
    outcome: Outcome
    detail: Detail | None
    by: By | None
    want: int | None
    got: int | None
    tries_left: int | None
    opens_visit: bool
    by_serial: bool
    spent: bool


class Seen(NamedTuple):
    """When, at which door and in which city (English, Chinese) an attempt was made."""

    at: datetime
    door: Door
    city: tuple[str, str] | None


class Made(NamedTuple):
    """What a redemption paid."""

    label_no: int
    scan_id: int
    points: int
    retailer_id: int | None
    retailer_points: int
    promoter_id: int | None
    promoter_points: int
    account_id: int


@dataclass(frozen=True, slots=True)
class Games:
    """What labels played and which draws they entered, by label. ``labels``: all that are known, also to have done neither."""

    labels: Collection[int] = ()
    plays: Mapping[int, PlayTold] = field(default_factory=dict)
    entries: Mapping[int, tuple[EntryTold, ...]] = field(default_factory=dict)


NO_GAMES = Games()


def receipts_of(
    scans: Sequence[Scan | Told],
    *,
    made: Iterable[Made] = (),
    seen: Mapping[int, Seen] | None = None,
    games: Games = NO_GAMES,
    with_serials: bool = False,
) -> list[Receipt]:
    """Return what each scan was told, from rows that never change; at most six statements for any number of scans.

    ``made``, ``seen`` and ``games``: the redemptions, scans and plays at hand, which need not be read. Serials are computed for the page's
    scans, or for all.
    """
    redemptions = _redemptions(scans, made)
    spoken = {scan.first_scan_id for scan in scans if scan.earlier_count}
    spoken |= {redemptions[scan.label_no].scan_id for scan in scans if scan.spent and scan.label_no in redemptions}
    firsts = _seen({scan_id for scan_id in spoken if scan_id is not None}, seen or {})
    products = _products({scan.product_id for scan in scans})
    numbers = _numbers(scans, redemptions)
    games = _games(scans, redemptions, games)
    serials = _serials([scan for scan in scans if with_serials or scan.door is Door.WEB])
    return [
        Receipt(
            outcome=scan.outcome,
            detail=scan.detail,
            act=scan.act,
            at=scan.at,
            receipt_no=numbers.get(scan.pk),
            product=products.get(scan.product_id or 0),
            serial=serials.get(scan.label_no),
            points=0 if scan.act is Act.CHECK and scan.outcome is not Outcome.ALREADY_REDEEMED else scan.points,
            points_offered=scan.points if scan.act is Act.CHECK and scan.outcome is not Outcome.ALREADY_REDEEMED else 0,
            balance=scan.balance,
            earlier=_earlier(scan, firsts),
            redeemed=_redeemed(scan, redemptions, firsts),
            paid=_paid(scan, redemptions),
            secret_unused=scan.outcome in {Outcome.GENUINE_FIRST, Outcome.GENUINE_REPEAT} and not scan.spent,
            by_serial=scan.by_serial,
            want=scan.want,
            got=scan.got,
            tries_left=scan.tries_left,
            ended_on=scan.ended_on,
            play=games.plays.get(scan.label_no or 0) if games.plays and _is_redeemers(scan) else None,
            entries=games.entries.get(scan.label_no or 0, ()) if games.entries and _is_redeemers(scan) else (),
        )
        for scan in scans
    ]


def _redemptions(scans: Iterable[Scan | Told], made: Iterable[Made]) -> dict[int, Made]:
    """Return the redemptions that the answers speak of, by label."""
    found = {redemption.label_no: redemption for redemption in made}
    spoken = [scan for scan in scans if scan.spent or scan.outcome is Outcome.REDEEMED]
    missing = {scan.label_no for scan in spoken if scan.label_no is not None} - found.keys()
    if missing:
        rows = Redemption.objects.filter(pk__in=missing).values_list(*Made._fields)
        found.update({row[0]: Made(*row) for row in rows})
    return found


def _seen(wanted: set[int], known: Mapping[int, Seen]) -> dict[int, Seen]:
    """Return when and where each wanted scan was made; those known are not read again."""
    found = {scan_id: known[scan_id] for scan_id in wanted if scan_id in known}
    missing = wanted - found.keys()
    if missing:
        cities = ScanPlace.objects.filter(scan_id__in=missing).exclude(city="").order_by("-source")
        city_of = {scan_id: names for scan_id, *names in cities.values_list("scan_id", "city", "city_zh")}
        for scan_id, at, door in Scan.objects.filter(pk__in=missing).values_list("pk", "at", "door"):
            names = city_of.get(scan_id)
            found[scan_id] = Seen(at, door, (names[0], names[1]) if names else None)
    return found


def _is_redeemers(scan: Scan | Told) -> bool:
    """Return whether the redeemer is spoken to, who alone hears what the label won."""
    if scan.outcome is Outcome.ALREADY_REDEEMED:
        return scan.by is By.YOU
    return scan.outcome is Outcome.REDEEMED


def _games(scans: Sequence[Scan | Told], redemptions: Mapping[int, Made], known: Games) -> Games:
    """Return what the redeemers among the askers are told of games; labels at hand are not read."""
    wanted = {
        made.label_no: made.account_id
        for scan in scans
        if _is_redeemers(scan) and (made := redemptions.get(scan.label_no or 0)) is not None
        if made.label_no not in known.labels
    }
    if not wanted or not lottery_keys.live(max(scan.at for scan in scans)).ever:
        return known
    return Games(
        {*wanted, *known.labels},
        {**plays_of(wanted), **known.plays},
        {**entries_of_labels(wanted), **known.entries},
    )


_kept: dict[tuple[Any, ...], tuple[float, ProductRef]] = {}


def _products(ids: Iterable[int | None]) -> dict[int, ProductRef]:
    """Return products by id; this process keeps what it has read for ten seconds."""
    now, scope = time.monotonic(), (connection.settings_dict["NAME"], connection.schema_name)
    wanted = {pk for pk in ids if pk is not None}
    found = {pk: kept[1] for pk in wanted if (kept := _kept.get((*scope, pk))) and kept[0] > now}
    missing = wanted - found.keys()
    if missing:
        rows = Product.objects.filter(pk__in=missing).values_list("pk", "public_id", "gtin", "name", "name_zh")
        found.update({row[0]: ProductRef(*row) for row in rows})
        if len(_kept) > PRODUCTS_KEPT:
            _kept.clear()
        _kept.update({(*scope, pk): (now + KEEP_S, found[pk]) for pk in missing & found.keys()})
    return found


def _numbers(scans: Sequence[Scan | Told], redemptions: dict[int, Made]) -> dict[int, str]:
    """Return each scan's receipt number; a redeemer who asks again gets that of the redemption."""
    ids = {}
    for scan in scans:
        if scan.pk:
            yours = scan.outcome is Outcome.ALREADY_REDEEMED and scan.by is By.YOU
            ids[scan.pk] = redemptions[scan.label_no].scan_id if yours and scan.label_no in redemptions else scan.pk
    return dict(zip(ids, receipt_nos(list(ids.values())), strict=True))


def _serials(scans: Sequence[Scan | Told]) -> dict[int | None, str]:
    label_nos = [label_no for label_no in {scan.label_no for scan in scans} if label_no is not None]
    return dict(zip(label_nos, serials_of(label_nos), strict=True)) if label_nos else {}


def _earlier(scan: Scan | Told, firsts: Mapping[int, Seen]) -> Earlier | None:
    first = firsts.get(scan.first_scan_id or 0)
    if not scan.earlier_count or first is None:
        return None
    return Earlier(scan.earlier_count, first.at, first.city, first.door, scan.by or By.UNKNOWN)


def _redeemed(scan: Scan | Told, redemptions: dict[int, Made], firsts: Mapping[int, Seen]) -> Redeemed | None:
    made = redemptions.get(scan.label_no or 0) if scan.spent else None
    if made is None:
        return None
    seen = firsts[made.scan_id]
    return Redeemed(seen.at, seen.city, seen.door, scan.by or By.UNKNOWN)


def _paid(scan: Scan | Told, redemptions: dict[int, Made]) -> tuple[Paid, ...]:
    made = redemptions.get(scan.label_no or 0)
    if made is None or scan.pk != made.scan_id:
        return ()
    paid = [Paid("consumer", made.points)] if made.points else []
    if made.retailer_points:
        paid.append(Paid("retailer", made.retailer_points, made.retailer_id))
    if made.promoter_points:
        paid.append(Paid("promoter", made.promoter_points, made.promoter_id))
    return tuple(paid)
