"""Reading: what a typed code is, what is known about a label, and the codes of labels.

The table of batches and slots is kept in this process, with the version that `LabelCounter` had when it was read.
No answer of failure is given before that version has been compared (one query); a hit needs no query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection
from django.db.models import Count

from common.db import array, ask
from labels import keys
from labels.codes import bulk
from labels.codes.checks import check_is_right
from labels.codes.decode import BatchRow, Keys, Purpose, Resolution, SlotRef, Status, Table, decode, readings
from labels.codes.encode import encode
from labels.codes.ff1 import Scalar
from labels.codes.forms import DECIMAL, FORMS, LABEL_FORMS, R12, Form
from labels.codes.normalise import normalise
from labels.models import Activation, Batch, Block, LabelCounter, Slot
from staff.keys import KeyDestroyed, root_key

__all__ = [
    "LabelState",
    "Purpose",
    "Resolution",
    "Status",
    "Typed",
    "audit_mac",
    "auditor",
    "receipt_no",
    "receipt_nos",
    "resolve",
    "resolve_many",
    "scan_id_of",
    "secrets_have_letters",
    "secrets_of",
    "serials_of",
    "states",
]
audit_mac = keys.audit_mac
auditor = keys.auditor
_tables: dict[str, tuple[UUID | None, Table]] = {}


class Typed(NamedTuple):
    """One input of `resolve_many`."""

    code: str
    purpose: Purpose = "secret"
    serial: str | None = None
    gtin: str | None = None
    test_mode: bool = False


class LabelState(NamedTuple):
    """The first status that applies: recalled, void, blocked, lapsed, not_active, ended, active (or unknown).

    ``spares_redeemed``: a label redeemed before is answered as such instead. ``reason`` is that of the block;
    ``ended_on`` the last day of an offer that is over. ``product_id`` is the batch's until a label is activated.
    """

    status: Status
    spares_redeemed: bool
    reason: str | None
    product_id: int | None
    batch_id: int | None
    lot: str
    market: str
    ended_on: date | None


def resolve(
    typed: str, *, purpose: Purpose, serial: str | None = None, gtin: str | None = None, test_mode: bool = False
) -> Resolution:
    """Decode one typed code (steps 1 to 6): at most one query. ACTIVE means "decoded well, now ask `states`"."""
    return resolve_many([Typed(typed, purpose, serial, gtin, test_mode)])[0]


def resolve_many(typed: Sequence[Typed]) -> list[Resolution]:
    """Decode typed codes, in order; at most one query for all of them. Call it outside transactions."""
    table, is_fresh = _table()
    found = _decode(typed, table)
    if is_fresh or all(_needs_no_second_look(resolution) for resolution in found):
        return found
    fresh = _fresh_table(table)
    return found if fresh is table else _decode(typed, fresh)


def _decode(typed: Sequence[Typed], table: Table) -> list[Resolution]:
    ready: Keys = keys.ThreadKeys if len(typed) < _MANY_CODES else _Ahead(typed, table)
    return [
        decode(
            one.code,
            table,
            ready,
            purpose=one.purpose,
            serial=one.serial,
            gtin=one.gtin,
            test_mode=one.test_mode,
        )
        for one in typed
    ]


_MANY_CODES = 16  # from here on a vector is cheaper than one code after another


class _Known:
    """Codes of one slot, decrypted together; any other is decrypted when it is asked for."""

    def __init__(self, slot: SlotRef, cores: Sequence[int]) -> None:
        labels = keys.batch_vector(slot).decrypt(np.array(cores, np.uint64)).tolist()
        self.found: dict[int, int] = dict(zip(cores, labels, strict=True))
        self.scalar = keys.slot_cipher(slot)

    def decrypt(self, number: int) -> int:
        """Return the decrypted number."""
        label_no = self.found.get(number)
        return self.scalar.decrypt(number) if label_no is None else label_no


class _Ahead(keys.ThreadKeys):
    """The brand's keys, with the well-formed codes of a batch decrypted slot by slot beforehand."""

    def __init__(self, typed: Sequence[Typed], table: Table) -> None:
        cores: dict[SlotRef, list[int]] = {}
        for one in typed:
            found = readings(one.code, table, one.purpose)
            if one.serial is not None:
                found += readings(one.serial, table, "serial")
            for slot, core in found:
                cores.setdefault(slot, []).append(core)
        self.known = {slot: _Known(slot, some) for slot, some in cores.items() if len(some) >= _MANY_CODES}

    def cipher(self, slot: SlotRef) -> Scalar | _Known:  # type: ignore[override]
        """Return the permutation of a slot, or what stands in for it."""
        return self.known.get(slot) or keys.slot_cipher(slot)


def secret_lengths() -> frozenset[int]:
    """Return how many digits the hidden codes of this brand have that can be keyed into a telephone."""
    lengths = _fresh_table(_table()[0]).lengths["secret"]
    return frozenset(lengths) & {form.length for form in LABEL_FORMS.values() if form.radix == DECIMAL}


def _needs_no_second_look(resolution: Resolution) -> bool:
    return resolution.known or resolution.status in (Status.MALFORMED, Status.TYPO)


def _table() -> tuple[Table, bool]:
    """Return the table of batches of this brand, and whether it has just been read."""
    kept = _tables.get(connection.schema_name)
    return (kept[1], False) if kept else (_read_table(_version()), True)


def secrets_have_letters() -> bool:
    """Return whether some of this brand's hidden codes are not digits alone: then a keyboard of digits will not do."""
    table, _fresh = _table()
    return any(slot.purpose == "secret" and slot.form.radix != DECIMAL for slot in table.slots.values())


def _fresh_table(table: Table) -> Table:
    """Return ``table`` if it is still what the database holds, else a new one. One query, or four."""
    version = _version()
    kept = _tables.get(connection.schema_name)
    return table if kept and kept == (version, table) else _read_table(version)


def _version() -> UUID | None:
    return LabelCounter.objects.values_list("version", flat=True).first()


def _read_table(version: UUID | None) -> Table:
    """Read the table. The version was read before it: what changes in between is read again next time."""
    slots = [slot_ref(slot) for slot in Slot.objects.all()]
    batches = Batch.objects.values_list(
        "label_range", "id", "product_id", "gtin_printed", "secret_slot_id", "serial_slot_id"
    )
    rows = (BatchRow(row[0].lower, row[0].upper, *row[1:]) for row in batches.iterator())
    table = Table(rows, slots)
    _tables[connection.schema_name] = (version, table)
    return table


def slot_ref(slot: Slot) -> SlotRef:
    """Return a slot as the pure code and `labels.keys` take it."""
    try:
        root_key(slot.root_version)
        retired = False
    except KeyDestroyed:
        retired = True
    ident = keys.slot_ident(slot.purpose, slot.form, slot.number, slot.generation, slot.root_version)
    form = FORMS[slot.form]
    return SlotRef(slot.id, slot.purpose, form, slot.number, slot.generation, slot.root_version, retired, ident)


def forget_tables() -> None:
    """Drop the tables that this process keeps."""
    _tables.clear()


_STATES = """
SELECT n.label_no, batch.id AS batch_id, batch.product_id AS batch_product_id, batch.activate_by,
       batch.state = 'closed' AS is_closed, act.id IS NOT NULL AS is_activated, act.product_id,
       COALESCE(act.lot, '') AS lot, COALESCE(act.market, '') AS market, act.valid_until,
       block.reason, block.spares_redeemed
FROM unnest(%(label_nos)s::bigint[]) AS n (label_no)
LEFT JOIN labels_batch batch ON batch.label_range @> n.label_no
LEFT JOIN labels_activation act ON act.label_range @> n.label_no AND act.cancelled_at IS NULL
LEFT JOIN LATERAL (
    SELECT b.reason, b.spares_redeemed FROM labels_block b
    WHERE b.label_range @> n.label_no AND b.lifted_at IS NULL
    ORDER BY b.reason <> 'recalled', b.spares_redeemed, b.reason <> ALL (%(voiding)s::text[]), b.reason <> 'stolen', b.id
    LIMIT 1
) block ON true
"""


class _StateRow(NamedTuple):
    batch_id: int | None
    batch_product_id: int | None
    activate_by: date | None
    is_closed: bool | None
    is_activated: bool
    product_id: int | None
    lot: str
    market: str
    valid_until: date | None
    reason: str | None
    spares_redeemed: bool | None


def states(label_nos: Sequence[int], at: datetime) -> dict[int, LabelState]:
    """Return each label's state at ``at`` (days are the brand's): one query. Usable inside a transaction."""
    return ask_states(label_nos, at)()


def ask_states(label_nos: Sequence[int], at: datetime) -> Callable[[], dict[int, LabelState]]:
    """Ask for `states`."""
    today = local_date(at)
    rows = ask(_STATES, {"label_nos": array(label_nos), "voiding": array(Block.VOIDING)})
    state = cache(lambda what: _state(_StateRow._make(what), today))  # most labels of a batch stand alike
    return lambda: {row[0]: state(row[1:]) for row in rows()}


def local_date(at: datetime) -> date:
    """Return the day in the brand's time zone."""
    return at.astimezone(ZoneInfo(connection.tenant.time_zone)).date()


def _state(row: _StateRow, today: date) -> LabelState:
    if row.batch_id is None:
        status = Status.UNKNOWN
    elif row.reason is not None:
        status = _status_of_block(row.reason)
    elif not row.is_activated:
        lapsed = row.is_closed or (row.activate_by is not None and row.activate_by < today)
        status = Status.LAPSED if lapsed else Status.NOT_ACTIVE
    else:
        ended = row.is_closed or (row.valid_until is not None and row.valid_until < today)
        status = Status.ENDED if ended else Status.ACTIVE
    return LabelState(
        status=status,
        spares_redeemed=row.reason is None or bool(row.spares_redeemed),
        reason=row.reason,
        product_id=row.product_id if row.is_activated else row.batch_product_id,
        batch_id=row.batch_id,
        lot=row.lot,
        market=row.market,
        ended_on=row.valid_until if status is Status.ENDED else None,
    )


def _status_of_block(reason: str) -> Status:
    if reason == Block.Reason.RECALLED:
        return Status.RECALLED
    return Status.VOID if reason in Block.VOIDING else Status.BLOCKED


_LIVE = """
SELECT slot.id, COALESCE(sum(upper(part) - lower(part)), 0)::bigint
FROM labels_slot slot
LEFT JOIN labels_batch batch ON slot.id IN (batch.secret_slot_id, batch.serial_slot_id)
    AND batch.state NOT IN ('closed', 'void')
LEFT JOIN LATERAL (
    SELECT range_agg(label_range) AS activated, range_agg(label_range) FILTER (WHERE valid_until < %(today)s) AS ended
    FROM labels_activation WHERE batch_id = batch.id AND cancelled_at IS NULL
) act ON true
LEFT JOIN LATERAL (
    SELECT range_agg(label_range) AS void
    FROM labels_block WHERE batch_id = batch.id AND lifted_at IS NULL AND reason = ANY (%(voiding)s)
) block ON true
LEFT JOIN LATERAL unnest(
    int8multirange(batch.label_range)
    - COALESCE(act.ended, '{}') - COALESCE(block.void, '{}')
    - CASE WHEN batch.activate_by < %(today)s
           THEN int8multirange(batch.label_range) - COALESCE(act.activated, '{}') ELSE '{}' END
) part ON true
WHERE slot.purpose = %(purpose)s AND slot.form = %(form)s
GROUP BY slot.id
"""


def live_labels(purpose: str, form: str, at: datetime) -> dict[int, int]:
    """Return, for each slot of a form, the labels that a guess may hit: ordered, not void, lapsed or ended."""
    voiding = list(Block.VOIDING)
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"purpose": purpose, "form": form, "today": local_date(at), "voiding": voiding})
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class RangeFacts:
    """What is known about a range of labels, in labels; one label may count as active and as blocked."""

    labels: int
    issued: int
    active: int
    void: int
    blocked: int
    recalled: int


_FACTS = """
WITH asked AS (SELECT int8range(%(first)s, %(end)s) AS labels),
known (kind, label_range) AS (
    SELECT 'issued', b.label_range FROM labels_batch b, asked WHERE b.label_range && asked.labels
    UNION ALL
    SELECT 'active', a.label_range FROM labels_activation a, asked
    WHERE a.label_range && asked.labels AND a.cancelled_at IS NULL
    UNION ALL
    SELECT CASE WHEN k.reason = 'recalled' THEN 'recalled' WHEN k.reason = ANY (%(voiding)s) THEN 'void'
                ELSE 'blocked' END, k.label_range
    FROM labels_block k, asked WHERE k.label_range && asked.labels AND k.lifted_at IS NULL
)
SELECT found.kind, sum(upper(part) - lower(part))::bigint
FROM (SELECT kind, range_agg(label_range) AS labels FROM known GROUP BY kind) found, asked,
     unnest(found.labels * int8multirange(asked.labels)) part
GROUP BY found.kind
"""


def range_facts(first: int, end: int) -> RangeFacts:
    """Count the labels ``first`` … ``end − 1`` by what is known about them, for a form that shows it before an act."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, {"first": first, "end": end, "voiding": list(Block.VOIDING)})
        counts = dict(cursor.fetchall())
    kinds = ("issued", "active", "void", "blocked", "recalled")
    return RangeFacts(end - first, *(counts.get(kind, 0) for kind in kinds))


def facts_of_ranges(label_ranges: Sequence[tuple[int, int]]) -> RangeFacts:
    """Count the labels of ranges that do not overlap, as `range_facts` does of one."""
    found = [range_facts(*one) for one in label_ranges]
    return RangeFacts(*(sum(getattr(one, name) for one in found) for name in RangeFacts.__slots__))


def is_received(first: int, end: int) -> bool:
    """Return whether the labels ``first`` … ``end − 1`` are all on rolls that have been received."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(range_agg(label_range) @> int8range(%(first)s, %(end)s), false) FROM labels_roll"
            " WHERE state = 'received' AND label_range && int8range(%(first)s, %(end)s)",
            {"first": first, "end": end},
        )
        return bool(cursor.fetchone()[0])


def active_labels(batch_ids: Sequence[int]) -> dict[int, int]:
    """Return, for each batch that has any, how many of its labels are activated."""
    sizes = Activation.objects.filter(batch_id__in=batch_ids, cancelled_at=None).values_list("batch_id", "label_range")
    found: dict[int, int] = {}
    for batch_id, part in sizes:
        found[batch_id] = found.get(batch_id, 0) + part.upper - part.lower
    return found


def batches_by_state() -> dict[str, int]:
    """Return how many batches are in each state."""
    return dict(Batch.objects.values_list("state").annotate(Count("pk")))


def serials_of(label_nos: Sequence[int]) -> list[str]:
    """Return the serials of labels, in order. Raises ValueError for a label never issued."""
    return _codes_of(label_nos, "serial")


def secrets_of(label_nos: Sequence[int]) -> list[str]:
    """Return the hidden codes of labels, in order: for printing, proofs and the demo only. Never log the answer."""
    return _codes_of(label_nos, "secret")


def _codes_of(label_nos: Sequence[int], purpose: Purpose) -> list[str]:
    table = _table()[0]
    batches = [table.batch_of(label_no) for label_no in label_nos]
    if None in batches:
        table = _fresh_table(table)
        batches = [table.batch_of(label_no) for label_no in label_nos]
    by_slot: dict[int, list[int]] = {}
    for place, batch in enumerate(batches):
        if batch is None:
            raise ValueError(f"label {label_nos[place]} was never issued")
        by_slot.setdefault(batch.serial_slot if purpose == "serial" else batch.secret_slot, []).append(place)
    codes = [""] * len(label_nos)
    for slot_id, places in by_slot.items():
        for place, code in zip(
            places, codes_in_slot(table.slots[slot_id], [label_nos[i] for i in places]), strict=True
        ):
            codes[place] = code
    return codes


_FEW = 64
_BLOCK = 512  # receipt numbers that are made together: scan ids are drawn one after the other
_MANY_OF_BLOCK = 8


def codes_in_slot(slot: SlotRef, label_nos: Sequence[int]) -> list[str]:
    """Return the codes of labels in one slot."""
    if len(label_nos) <= _FEW:
        cipher = keys.slot_cipher(slot)
        return [encode(slot.form, slot.number, cipher, label_no) for label_no in label_nos]
    return _texts(slot.form, slot.number, keys.slot_vector(slot), label_nos)


def _texts(form: Form, number: int, vector: Any, numbers: Sequence[int]) -> list[str]:
    rows = np.empty((len(numbers), form.length), np.uint8)
    bulk.write_codes(form, number, vector.encrypt(np.array(numbers, np.uint64)), rows)
    return bulk.texts(rows)


def receipt_no(scan_id: int) -> str:
    """Return the 12 digits that name a scan."""
    return encode(R12, 0, keys.receipt_cipher(), scan_id)


def receipt_nos(scan_ids: Sequence[int]) -> list[str]:
    """Return the 12 digits that name each scan, in order."""
    numbers = {scan_id // _BLOCK for scan_id in scan_ids}
    if len(scan_ids) < _MANY_OF_BLOCK * len(numbers):
        cipher = keys.receipt_cipher()
        return [encode(R12, 0, cipher, scan_id) for scan_id in scan_ids]
    ident = keys.receipts_ident()
    blocks = {number: _receipts(ident, number) for number in numbers}
    return [blocks[scan_id // _BLOCK][scan_id % _BLOCK] for scan_id in scan_ids]


@lru_cache(maxsize=512)
def _receipts(ident: str, number: int) -> list[str]:
    """Return the receipt numbers of a block of scan ids. The latest blocks are kept: batches at work draw from them."""
    return _texts(R12, 0, keys.receipt_vector(), range(number * _BLOCK, (number + 1) * _BLOCK))


def scan_id_of(receipt: str) -> int | None:
    """Return the scan that a receipt number names, or None where its check digit or its form is wrong."""
    text = normalise(receipt)
    if text is None or len(text) != R12.length or not text.isdecimal() or not check_is_right(R12.radix, text.encode()):
        return None
    return keys.receipt_cipher().decrypt(int(text[:-1])) or None
