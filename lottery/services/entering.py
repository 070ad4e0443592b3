"""Entries of draws: by a redemption, a losing play, points, or free; taken back while the draw is open.

Locks, in the one order: the draw's advisory lock (shared), limit counters, then accounts by the ledger. The state of the
draw under the lock decides; ``at`` is only recorded. What is entered one by one locks and looks in one round trip, and
writes in another.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5

from django.db import transaction
from django.utils.translation import gettext as _

from common.db import array, ask, bytes_array, inside_transaction, moments, pipelined
from ledger.services import HoldEnded, ask_hold, void
from lottery import keys
from lottery.draw import Entry as Line, carried_ref, kin_of, ref_of, who_of
from lottery.errors import BadEntry, DrawState, KeysMissing, LimitReached, MayNotTakePart, NoSuchDraw, NoSuchEntry
from lottery.keys import DrawKeys
from lottery.models import Draw, Entry
from lottery.services import limits
from lottery.services.arming import lock_games, lock_open_draws
from lottery.told import EntryTold
from staff.keys import brand_uuid

KEEP_HOLD = timedelta(days=7)  # a hold of points outlives the close by so much
_NEXT = "nextval(pg_get_serial_sequence('lottery_entry', 'id'))"
_PENDING = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122, name space of identifiers


class Enter(NamedTuple):
    """One label just redeemed, that may enter draws. ``lost``: its play won nothing. See `playing.Ask` for the rest."""

    label_no: int
    account_id: int
    at: datetime
    product_id: int | None = None
    door: str = "web"
    lost: bool = False
    subjects: Mapping[str, bytes] = limits.NOBODY
    excluded: bool = False


class _Row(NamedTuple):
    """An entry about to be written."""

    draw_id: int
    account_id: int
    weight: int
    source: str
    source_id: int
    ref: str
    at: datetime
    request_id: str = ""


@inside_transaction
def ask_draws(campaign_ids: Collection[int], *, at: datetime) -> Callable[[], dict[int, int]]:
    """Lock the draws of these campaigns that are open, and ask which one each campaign's entries go to now.

    What is returned, read after `pipelined`, tells the draw by campaign.
    """
    if not campaign_ids:
        return dict
    locked = lock_open_draws(campaign_ids)
    rows = ask(
        "SELECT DISTINCT ON (d.campaign_id) d.campaign_id, d.id"
        " FROM lottery_draw d JOIN lottery_campaign c ON c.id = d.campaign_id AND c.state IN ('open', 'closing')"
        " WHERE d.campaign_id = ANY(%s::bigint[]) AND d.state = 'open' AND d.close_at > %s"
        " ORDER BY d.campaign_id, d.close_at, d.id",
        [array(campaign_ids), at],
    )

    def found() -> dict[int, int]:
        held = {draw for draw, _void in locked()}  # one that opened between the two statements is not among them
        return {campaign: draw for campaign, draw in rows() if draw in held}

    return found


@inside_transaction
def enter(labels: Sequence[Enter], draws: Mapping[int, int]) -> dict[int, list[EntryTold]]:
    """Enter redeemed labels into the draws (by campaign) whose rules take them; return what is told of the entries, by label.

    Excluded people and those over a limit enter nothing. A label enters a draw once, by the draw's own key. Raises
    `KeysMissing` if a draw's keys were not loaded.
    """
    wanted = [one for one in labels if not one.excluded]
    if not wanted or not draws:
        return {}
    tables = _tables(draws)
    rows: list[_Row] = []
    acts: list[limits.Act] = []
    for one in wanted:
        for campaign_id, draw_id in draws.items():
            found = tables[campaign_id]
            weight = found.terms.weights["label"] + (found.terms.weights["losing_play"] if one.lost else 0)
            if not weight or not found.terms.takes(one.product_id) or not found.terms.opens(one.door):
                continue
            ref = ref_of(found.draws[draw_id].key, "label", one.label_no)
            weight = min(weight, found.terms.max_weight)
            rows.append(_Row(draw_id, one.account_id, weight, Entry.Source.LABEL, one.label_no, ref, one.at))
            acts.append(limits.Act(campaign_id, "entry", one.at, found.zone, one.subjects, found.terms.limits))
    allowed = limits.count(acts)
    written = write([row for row, fits in zip(rows, allowed, strict=True) if fits], tables.values())
    by_label: dict[int, list[EntryTold]] = {}
    for entry in written:
        by_label.setdefault(entry.source_id, []).append(_told(entry, tables.values()))
    return by_label


def _told(entry: Entry, tables: Collection[DrawKeys]) -> EntryTold:
    """Return what a participant is told of an entry just written, without reading its draw."""
    [draw] = [found.draws[entry.draw_id] for found in tables if entry.draw_id in found.draws]
    leaf = bytes(entry.leaf)
    return EntryTold(
        entry.pk, draw.public_id, draw.uuid.hex, draw.close_at, entry.weight, leaf, draw.rules_hash, entry.at
    )


def _tables(campaign_ids: Collection[int]) -> dict[int, DrawKeys]:
    tables: dict[int, DrawKeys] = {}
    for campaign_id in campaign_ids:
        found = keys.kept(campaign_id)
        if found is None or found.draws is None:
            raise KeysMissing(set(campaign_ids))
        tables[campaign_id] = found.draws
    return tables


@inside_transaction
def write(rows: Sequence[_Row], tables: Collection[DrawKeys]) -> list[Entry]:
    """Write entries with their leaves; one whose reference is in the draw already is left out."""
    if not rows:
        return []
    with pipelined():
        numbers, names = _ask_numbers(len(rows)), ask_holders([row.account_id for row in rows])
    return _ask_insert(rows, numbers(), names(), tables)()


def _ask_insert(
    rows: Sequence[_Row],
    numbers: Sequence[int],
    names: Mapping[int, tuple[UUID, UUID | None]],
    tables: Collection[DrawKeys],
) -> Callable[[], list[Entry]]:
    table_of = {draw_id: table for found in tables for draw_id, table in found.draws.items()}
    entries = []
    for number, row in zip(numbers, rows, strict=True):
        key = table_of[row.draw_id].key
        person, household = names[row.account_id]
        who, kin = who_of(key, person), kin_of(key, household)
        line = Line(entry=number, who=who, kin=kin, weight=row.weight, src=row.source, ref=row.ref)
        entries.append(
            Entry(
                id=number,
                draw_id=row.draw_id,
                account_id=row.account_id,
                who=who,
                kin=kin,
                weight=row.weight,
                source=row.source,
                source_id=row.source_id,
                ref=row.ref,
                leaf=line.leaf(),
                at=row.at,
                request_id=row.request_id,
            )
        )
    entries.sort(key=lambda entry: (entry.draw_id, entry.ref))
    added = ask(
        """
        INSERT INTO lottery_entry (id, draw_id, account_id, who, kin, weight, source, source_id, request_id, ref, leaf,
               at, state, void_reason)
        SELECT n.*, 'live', ''
          FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::int[], %s::text[],
                      %s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[]) AS n
            ON CONFLICT DO NOTHING RETURNING id
        """,
        [
            array(entry.pk for entry in entries),
            array(entry.draw_id for entry in entries),
            array(entry.account_id for entry in entries),
            [entry.who for entry in entries],
            [entry.kin for entry in entries],
            array(entry.weight for entry in entries),
            [str(entry.source) for entry in entries],
            array(entry.source_id for entry in entries),
            [entry.request_id for entry in entries],
            [entry.ref for entry in entries],
            bytes_array(bytes(entry.leaf) for entry in entries),
            moments(entry.at for entry in entries),
        ],
    )

    def written() -> list[Entry]:
        there = {number for (number,) in added()}
        return [entry for entry in entries if entry.pk in there]

    return written


def _ask_numbers(n: int) -> Callable[[], list[int]]:
    rows = ask(f"SELECT {_NEXT} FROM generate_series(1, %s)", [n])  # noqa: S608 - a constant of our own
    return lambda: [number for (number,) in rows()]


def ask_holders(account_ids: Collection[int]) -> Callable[[], dict[int, tuple[UUID, UUID | None]]]:
    """Ask for each account's holder: a member's uuid and household, or a pending holder's own uuid."""
    rows = ask(
        "SELECT m.account_id, m.uuid, h.household FROM members_member m"
        " LEFT JOIN lottery_household h ON h.index = m.phone_index WHERE m.account_id = ANY(%s::bigint[])",
        [array(set(account_ids))],
    )

    def found() -> dict[int, tuple[UUID, UUID | None]]:
        known = {account: (person, household) for account, person, household in rows()}
        return {account: known.get(account) or (_pending(account), None) for account in account_ids}

    return found


def _pending(account_id: int) -> UUID:
    return uuid5(_PENDING, f"{brand_uuid().hex}/pending/{account_id}")


def _draw_keys(draw_id: int) -> DrawKeys:
    """Return the keys of a draw's campaign, loaded if need be. Not inside a transaction. Raises `NoSuchDraw`."""
    found = keys.draws_with(draw_id)
    if found is None:
        keys.load(Draw.objects.filter(pk=draw_id).values_list("campaign_id", flat=True))
        found = keys.draws_with(draw_id)
    if found is None:
        raise NoSuchDraw
    return found


class _Look(NamedTuple):
    """How a draw stands under its lock, an earlier entry of this request, and what a new one needs."""

    state: str
    close_at: datetime
    earlier: int | None
    number: int
    person: UUID | None
    household: UUID | None


@inside_transaction
def _ask_look(draw_id: int, account_id: int, request_id: str) -> Callable[[], _Look]:
    """Ask for what a request needs to know. To be sent last: what it waited for, a twin of it perhaps, is seen then."""
    rows = ask(
        f"""
        SELECT d.state, d.close_at, e.id, {_NEXT}, m.uuid, h.household
          FROM lottery_draw d
          LEFT JOIN lottery_entry e ON e.draw_id = d.id AND e.account_id = %s AND e.request_id = %s
                AND e.request_id <> ''  -- or the index of requests would not do
          LEFT JOIN members_member m ON m.account_id = %s LEFT JOIN lottery_household h ON h.index = m.phone_index
         WHERE d.id = %s
        """,  # noqa: S608 - a constant of our own
        [account_id, request_id, account_id, draw_id],
    )
    return lambda: _Look._make(rows()[0])


def _holder(look: _Look, account_id: int) -> tuple[UUID, UUID | None]:
    return (look.person, look.household) if look.person else (_pending(account_id), None)


@inside_transaction
def _lock_open(draw: Draw, at: datetime) -> None:
    """Take the draw's lock and look whether it is open. Raises `DrawState`."""
    lock_games([draw.pk])
    _check_open(Draw.objects.values_list("state", flat=True).get(pk=draw.pk), draw.close_at, at)


def _check_open(state: str, close_at: datetime, at: datetime) -> None:
    if state != Draw.State.OPEN or at >= close_at:
        raise DrawState(_("This draw does not take entries now."))


def _act(found: DrawKeys, subjects: Mapping[str, bytes] | None, at: datetime) -> limits.Act:
    return limits.Act(found.campaign_id, "entry", at, found.zone, subjects or limits.NOBODY, found.terms.limits)


@inside_transaction
def _standing(entry_id: int, source: Entry.Source, weight: int) -> Entry:
    """Return the entry of a request that was sent before, and undo what was counted again. Raises `BadEntry`."""
    entry = Entry.objects.get(pk=entry_id)
    if (entry.source, entry.weight) != (source, weight):
        raise BadEntry(_("This request was sent before with other content."))
    transaction.set_rollback(True)
    return entry


def enter_by_points(
    draw_id: int,
    *,
    account_id: int,
    weight: int,
    request_id: str,
    at: datetime,
    subjects: Mapping[str, bytes] | None = None,
    excluded: bool = False,
) -> Entry:
    """Enter a draw for points: they are held until the close, and spent then. The same request again: the same entry.

    Raises `BadEntry`, `DrawState`, `LimitReached`, `MayNotTakePart`, `NoSuchDraw`, and what the ledger's hold raises.
    """
    found = _draw_keys(draw_id)
    draw, terms = found.draws[draw_id], found.terms
    if not terms.points_price or not 1 <= weight <= terms.max_weight or not request_id:
        raise BadEntry(_("This draw takes entries of 1 to %(most)s for points.") % {"most": terms.max_weight})
    if excluded:
        raise MayNotTakePart
    with transaction.atomic(durable=True):
        with pipelined():
            lock_games([draw_id])
            counted = limits.ask_count([_act(found, subjects, at)])
            reserve = ask_hold(account_id, amount=weight * terms.points_price, at=at)
            looked = _ask_look(draw_id, account_id, request_id)
        look = looked()
        _check_open(look.state, look.close_at, at)
        if look.earlier is not None:
            return _standing(look.earlier, Entry.Source.POINTS, weight)
        if not all(counted()):
            raise LimitReached
        with pipelined():
            hold_id = reserve(cause_kind="draw", cause_id=look.number, expires_at=look.close_at + KEEP_HOLD)
            ref = ref_of(draw.key, "points", hold_id)
            row = _Row(draw_id, account_id, weight, Entry.Source.POINTS, hold_id, ref, at, request_id)
            written = _ask_insert([row], [look.number], {account_id: _holder(look, account_id)}, [found])
        [entry] = written()
    return entry


def enter_free(
    draw_id: int,
    *,
    account_id: int,
    request_id: str,
    at: datetime,
    subjects: Mapping[str, bytes] | None = None,
    excluded: bool = False,
) -> Entry:
    """Enter a draw without a purchase. The same request again: the same entry. Raises as `enter_by_points`."""
    found = _draw_keys(draw_id)
    draw = found.draws[draw_id]
    weight = min(found.terms.weights["free"], found.terms.max_weight)
    if not weight or not request_id:
        raise BadEntry(_("This draw takes no free entries."))
    if excluded:
        raise MayNotTakePart
    with transaction.atomic(durable=True):
        with pipelined():
            lock_games([draw_id])
            counted = limits.ask_count([_act(found, subjects, at)])
            free = ask(
                "INSERT INTO lottery_freeentry (draw_id, account_id, request_id, at) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING RETURNING id",
                [draw_id, account_id, f"{account_id}/{request_id}"[:100], at],
            )
            looked = _ask_look(draw_id, account_id, request_id)
        look = looked()
        _check_open(look.state, look.close_at, at)
        if look.earlier is not None:
            return _standing(look.earlier, Entry.Source.FREE, weight)
        if not all(counted()):
            raise LimitReached
        [(free_id,)] = free()
        ref = ref_of(draw.key, "free", free_id)
        row = _Row(draw_id, account_id, weight, Entry.Source.FREE, free_id, ref, at, request_id)
        [entry] = _ask_insert([row], [look.number], {account_id: _holder(look, account_id)}, [found])()
    return entry


def cancel(entry_id: int, *, account_id: int, at: datetime) -> Entry:
    """Take back an entry for points while its draw is open: the entry is void, the points are free again.

    Repeated, it changes nothing. Raises `NoSuchEntry`, `DrawState`.
    """
    entry = Entry.objects.select_related("draw").filter(pk=entry_id, account_id=account_id).first()
    if entry is None or entry.source != Entry.Source.POINTS:
        raise NoSuchEntry
    with transaction.atomic(durable=True):
        _lock_open(entry.draw, at)
        entry = Entry.objects.select_for_update().get(pk=entry.pk)
        if entry.state == Entry.State.LIVE:
            void(hold_id=entry.source_id, at=at)
            entry.state, entry.void_reason, entry.voided_at = Entry.State.VOIDED, "cancelled", at
            entry.save(update_fields=["state", "void_reason", "voided_at"])
    return entry


@inside_transaction
def void_of_reversed(label_no: int, *, account_id: int, at: datetime) -> int:
    """Void the entries of a label whose redemption was taken back, in draws that are still open; return how many."""
    live = Entry.objects.filter(
        account_id=account_id, source=Entry.Source.LABEL, source_id=label_no, state=Entry.State.LIVE
    )
    draws = sorted(set(live.filter(draw__root=None).values_list("draw_id", flat=True)))
    lock_games(draws)
    return live.filter(draw__in=draws, draw__state=Draw.State.OPEN).update(
        state=Entry.State.VOIDED, void_reason="reversed", voided_at=at
    )


@inside_transaction
def carry_over(draw: Draw, following: Draw, found: DrawKeys, *, won: Collection[int], at: datetime) -> int:
    """Carry the live entries of a draw that did not win over to the next of its series; return how many.

    Both draws' locks are held by the caller. Each carried entry names its earlier reference; done again, nothing is added.
    """
    key = found.draws[following.pk].key
    rows = [
        _Row(
            following.pk,
            entry.account_id,
            entry.weight,
            Entry.Source.CARRY,
            entry.pk,
            carried_ref(key, entry.ref),
            at,
        )
        for entry in draw.entries.filter(state=Entry.State.LIVE).exclude(pk__in=won).order_by("id")
    ]
    return len(write(rows, [found]))


def give_holds_back(draw: Draw, *, at: datetime) -> int:
    """Void the holds of a halted draw's entries; return how many were open."""
    count = 0
    for entry in draw.entries.filter(source=Entry.Source.POINTS, state=Entry.State.LIVE).order_by("id"):
        with transaction.atomic():
            with suppress(HoldEnded):  # it has expired by itself
                void(hold_id=entry.source_id, at=at)
            count += Entry.objects.filter(pk=entry.pk, state=Entry.State.LIVE).update(
                state=Entry.State.VOIDED, void_reason="halted", voided_at=at
            )
    return count
