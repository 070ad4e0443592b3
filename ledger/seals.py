"""Seals: what has been written stays as it was, and anybody can see it who kept one.

A leaf is ``SHA-256(00 ‖ C(row))`` over every column of a transfer or anchor; transfers first, each by id. A seal's hash
is SHA-256 of the canonical JSON of its header, which names the root and the hash of the seal before; the brand signs
it (Ed25519, tag `TAG`). Sealing locks nothing that a redemption needs.
"""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from common import merkle
from common.canonical import canonical
from common.db import inside_transaction
from common.signing import is_signed, public_of, sign
from ledger.models import Account, Anchor, Seal, Transfer
from ledger.proof import Fault

TAG = "ledger-seal/v1"
NONE_BEFORE = bytes(32)
_END = 2**63 - 1  # beyond every transaction of an era that has ended

_TRANSFER = (
    "id", "debit_id", "credit_id", "amount", "cause_id", "posted_at", "xact", "expires_on", "kind", "cause_kind",
    "linked", "recorded_by",
)  # fmt: skip
_ANCHOR = ("id", "kind", "subject", "hash", "at", "xact")
_SLICE = 20_000  # rows read at once
_MARGIN = 10_000  # rows looked at again, for a transaction that drew an id just before its own number


@inside_transaction
def anchor(*, kind: str, subject: str, digest: bytes, at: datetime) -> Anchor:
    """Write a hash (32 bytes) that the next seal covers; the same again changes nothing."""
    # The number of the transaction is taken before the row's id: see the bound in `_unsealed`.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
    Anchor.objects.bulk_create(
        [Anchor(kind=Anchor.Kind(kind), subject=subject, hash=digest, at=at)], ignore_conflicts=True
    )
    return Anchor.objects.get(kind=kind, subject=subject, hash=digest)


# --- leaves ------------------------------------------------------------------------------------------------------------


def transfer_json(row: tuple[Any, ...]) -> bytes:
    """Return the canonical JSON of a transfer, every column of it."""
    return canonical({"table": "ledger_transfer", **_as_json(_TRANSFER, row)})


def anchor_json(row: tuple[Any, ...]) -> bytes:
    """Return the canonical JSON of an anchor, every column of it."""
    return canonical({"table": "ledger_anchor", **_as_json(_ANCHOR, row)})


def _as_json(columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(columns, map(_plain, row), strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def moment(at: datetime) -> str:
    """Return a moment as seals write it: UTC, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Covered:
    """The rows of one seal: ids and hashed leaves, in order."""

    transfers: list[int]
    anchors: list[int]
    leaves: list[bytes]

    @property
    def root(self) -> bytes:
        """The Merkle root over them."""
        return merkle.root(self.leaves)


def _read(transfers: tuple[int, int], anchors: tuple[int, int], xact_from: int, xact_to: int) -> Covered:
    covered = Covered([], [], [])
    for ids, (first, last), kind in ((covered.transfers, transfers, "transfer"), (covered.anchors, anchors, "anchor")):
        for row, text in _rows(kind, first, last, xact_from, xact_to):
            ids.append(row)
            covered.leaves.append(merkle.leaf(text))
    return covered


def _rows(kind: str, first: int, last: int, xact_from: int, xact_to: int) -> Iterator[tuple[int, bytes]]:
    """Yield id and canonical JSON of the rows from id ``first`` to ``last`` that transactions of a range wrote."""
    sql = (
        f"{_select(kind)} WHERE id BETWEEN %s AND %s AND xact >= %s::text::xid8 AND xact < %s::text::xid8"
        " ORDER BY id LIMIT %s"
    )
    as_json = transfer_json if kind == "transfer" else anchor_json
    while first <= last:
        with connection.cursor() as cursor:
            cursor.execute(sql, [first, last, str(xact_from), str(xact_to), _SLICE])
            rows = cursor.fetchall()
        for row in rows:
            yield row[0], as_json(row)
        if len(rows) < _SLICE:
            return
        first = rows[-1][0] + 1


def _select(kind: str) -> str:
    columns = ", ".join(_TRANSFER if kind == "transfer" else _ANCHOR).replace("xact", "xact::text::bigint")
    return f"SELECT {columns} FROM ledger_{kind}"  # noqa: S608 - names of our own


def covered_by(seal: Seal) -> Covered:
    """Return the rows that a seal covers, as they are now."""
    transfers = (seal.first_transfer or 1, seal.last_transfer or 0)
    anchors = (seal.first_anchor or 1, seal.last_anchor or 0)
    return _read(transfers, anchors, seal.xact_from, seal.xact_to)


# --- sealing -----------------------------------------------------------------------------------------------------------


def header(seal: Seal) -> dict[str, Any]:
    """Return what is hashed and signed of a seal."""
    return {
        "v": 1,
        "n": seal.n,
        "era": seal.era,
        "xact_from": str(seal.xact_from),
        "xact_to": str(seal.xact_to),
        "upcoming": str(seal.upcoming),
        "seen_transfer": seal.seen_transfer,
        "seen_anchor": seal.seen_anchor,
        "transfers": seal.transfers,
        "first_transfer": seal.first_transfer,
        "last_transfer": seal.last_transfer,
        "anchors": seal.anchors,
        "first_anchor": seal.first_anchor,
        "last_anchor": seal.last_anchor,
        "root": bytes(seal.root).hex(),
        "previous": bytes(seal.previous).hex(),
        "key": bytes(seal.key).hex(),
        "sealed_at": moment(seal.sealed_at),
    }


def seal_json(seal: Seal) -> dict[str, Any]:
    """Return a seal as it is published: its header, hash and signature."""
    return {"header": header(seal), "hash": bytes(seal.hash).hex(), "signature": bytes(seal.signature).hex()}


def seal(*, key: bytes, at: datetime) -> Seal | None:
    """Seal what all ended transactions have written since the last seal; None if that is nothing.

    ``key``: the brand's private signing key. The caller keeps other sealers away; should two run, the number decides.
    After a restore into a new cluster, call it before anybody writes: all that was restored is then sealed at once.
    """
    with transaction.atomic(durable=True):
        last = Seal.objects.order_by("-n").first()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
                " pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
                " coalesce((SELECT max(id) FROM ledger_transfer), 0), coalesce((SELECT max(id) FROM ledger_anchor), 0)"
            )
            ended, upcoming, seen_transfer, seen_anchor = cursor.fetchone() or (0, 0, 0, 0)
        new = Seal(n=1, era=1, xact_from=0, previous=NONE_BEFORE, key=public_of(key), sealed_at=at)
        if last is not None:
            new.n, new.era, new.previous = last.n + 1, last.era, bytes(last.hash)
            new.xact_from = last.xact_to
        new.xact_to, new.upcoming = ended, upcoming
        if last is not None and last.xact_to == _END:
            new.era, new.xact_from = last.era + 1, 0
        elif last is not None and upcoming < last.upcoming:  # the transactions are counted anew
            new.xact_to = new.upcoming = _END
        new.seen_transfer, new.seen_anchor = seen_transfer, seen_anchor
        after_transfer, after_anchor = _unsealed(new)
        covered = _read(
            (after_transfer + 1, seen_transfer), (after_anchor + 1, seen_anchor), new.xact_from, new.xact_to
        )
        if not covered.leaves and new.xact_to != _END:
            return None
        new.transfers, new.anchors = len(covered.transfers), len(covered.anchors)
        new.first_transfer, new.last_transfer = _ends(covered.transfers)
        new.first_anchor, new.last_anchor = _ends(covered.anchors)
        new.root = covered.root
        content = canonical(header(new))
        new.hash, new.signature = sha256(content).digest(), sign(key, TAG, content)
        new.save(force_insert=True)
    return new


def _unsealed(new: Seal) -> tuple[int, int]:
    """Return ids of transfers and anchors below which nothing can be new.

    A transaction takes its number before the ids of its rows (posting locks accounts first, an anchor asks for the
    number). So what is numbered ``xact_from`` or later has higher ids than any seal saw before that number was given.
    """
    before = Seal.objects.filter(era=new.era, upcoming__lte=new.xact_from).order_by("-n").first()
    era_before = Seal.objects.filter(era=new.era - 1).order_by("-n").first()
    transfer, anchored = (era_before.seen_transfer, era_before.seen_anchor) if era_before else (0, 0)
    if before is not None:
        transfer, anchored = max(transfer, before.seen_transfer - _MARGIN), max(anchored, before.seen_anchor - _MARGIN)
    return transfer, anchored


def _ends(ids: list[int]) -> tuple[int | None, int | None]:
    return (ids[0], ids[-1]) if ids else (None, None)


# --- proofs ------------------------------------------------------------------------------------------------------------


def inclusion(*, transfers: list[int] | None = None, anchors: list[int] | None = None) -> list[dict[str, Any]]:
    """Return for each row its canonical JSON, its place under a seal, and the audit path; rows not yet sealed are left out.

    ``{"row", "seal" (number), "index", "size", "path": [hex]}``: with the seal itself this proves the row to anybody.
    """
    proofs = []
    for kind, ids in (("transfer", transfers or []), ("anchor", anchors or [])):
        for number, wanted in _by_seal(kind, ids).items():
            found = Seal.objects.get(n=number)
            covered = covered_by(found)
            place = {pk: i for i, pk in enumerate(covered.transfers)}
            if kind == "anchor":
                place = {pk: i + len(covered.transfers) for i, pk in enumerate(covered.anchors)}
            indexes = [place[pk] for pk in wanted]
            texts = _texts(kind, wanted)
            for pk, index, steps in zip(wanted, indexes, merkle.paths(covered.leaves, indexes), strict=True):
                proofs.append(
                    {
                        "row": texts[pk].decode(),
                        "seal": number,
                        "index": index,
                        "size": len(covered.leaves),
                        "path": [step.hex() for step in steps],
                    }
                )
    return proofs


def sealed_by(anchors: list[int]) -> dict[int, int]:
    """Return the number of the seal that covers each anchor, by id; those not yet sealed are left out."""
    return {pk: number for number, ids in _by_seal("anchor", anchors).items() for pk in ids}


def _by_seal(kind: str, ids: list[int]) -> dict[int, list[int]]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.n, r.id FROM ledger_{kind} r
              JOIN ledger_seal s ON r.id BETWEEN s.first_{kind} AND s.last_{kind}
               AND r.xact >= s.xact_from::text::xid8 AND r.xact < s.xact_to::text::xid8
             WHERE r.id = ANY(%s) ORDER BY s.n, r.id
            """,  # noqa: S608 - one of two words of our own
            [ids],
        )
        found: dict[int, list[int]] = {}
        for number, pk in cursor.fetchall():
            found.setdefault(number, []).append(pk)
    return found


def _texts(kind: str, ids: list[int]) -> dict[int, bytes]:
    as_json = transfer_json if kind == "transfer" else anchor_json
    with connection.cursor() as cursor:
        cursor.execute(f"{_select(kind)} WHERE id = ANY(%s)", [ids])
        return {row[0]: as_json(row) for row in cursor.fetchall()}


def proven(proof: dict[str, Any], seal_as_json: dict[str, Any]) -> bool:
    """Return whether a row's proof leads to the root of a seal (whose signature `common.signing` checks)."""
    steps = [bytes.fromhex(step) for step in proof["path"]]
    found = merkle.root_from(merkle.leaf(proof["row"].encode()), proof["index"], proof["size"], steps)
    return found is not None and found.hex() == seal_as_json["header"]["root"]


def statement(account: Account) -> dict[str, Any]:
    """Return all sealed transfers of an account with their proofs, and the seals that they need.

    ``{"v", "account", "proofs": [see `inclusion`], "seals": [see `seal_json`]}``.
    """
    sides = Q(debit=account) | Q(credit=account)
    ids = list(Transfer.objects.filter(sides).order_by("id").values_list("id", flat=True))
    proofs = inclusion(transfers=ids)
    numbers = {proof["seal"] for proof in proofs}
    seals = [seal_json(found) for found in Seal.objects.filter(n__in=numbers).order_by("n")]
    return {"v": 1, "account": account.public_id, "proofs": proofs, "seals": seals}


# --- checking ----------------------------------------------------------------------------------------------------------


def verify(keys: Collection[bytes]) -> Iterator[Fault]:
    """Check every seal against its rows; yield the first break of each promise. ``keys``: the brand's public keys."""
    seals = list(Seal.objects.order_by("n"))
    yield from itertools.islice(_broken_chain(seals, keys), 1)
    yield from itertools.islice(_broken_roots(seals), 1)
    for kind in ("transfer", "anchor"):
        yield from _left_out(kind, seals)


def _broken_chain(seals: list[Seal], keys: Collection[bytes]) -> Iterator[Fault]:
    previous = NONE_BEFORE
    for number, found in enumerate(seals, 1):
        content = canonical(header(found))
        wrong = None
        if found.n != number:
            wrong = f"stands where seal {number} should"
        elif bytes(found.previous) != previous:
            wrong = "does not continue the seal before it"
        elif sha256(content).digest() != bytes(found.hash):
            wrong = "has another hash than its header"
        elif bytes(found.key) not in keys or not is_signed(bytes(found.key), TAG, content, bytes(found.signature)):
            wrong = "is not signed by the brand"
        if wrong:
            yield Fault("seal_chain", "ledger_seal", str(found.n), wrong)
        previous = bytes(found.hash)


def _broken_roots(seals: list[Seal]) -> Iterator[Fault]:
    for found in seals:
        covered = covered_by(found)
        counts = (len(covered.transfers), len(covered.anchors))
        if counts != (found.transfers, found.anchors):
            detail = f"covers {found.transfers} transfers and {found.anchors} anchors, of which {counts[0]} and {counts[1]} are there"
            yield Fault("seal_covers", "ledger_seal", str(found.n), detail)
        elif covered.root != bytes(found.root):
            detail = f"has another root than its rows (transfers {found.first_transfer} to {found.last_transfer})"
            yield Fault("seal_root", "ledger_seal", str(found.n), detail)


def _left_out(kind: str, seals: list[Seal]) -> Iterator[Fault]:
    """Find a row that was slipped in behind a seal: as old as what is sealed, but in no seal."""
    if not seals:
        return
    # The last seal of each era answers for the rows up to it; an older era has ended, whatever its numbers were.
    last_of_era = {found.era: found for found in seals}
    where = " OR ".join(["r.id <= %s AND r.xact < %s::text::xid8"] * len(last_of_era))
    values = [part for s in last_of_era.values() for part in (getattr(s, f"seen_{kind}"), str(s.xact_to))]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ledger_{kind} r WHERE {where}", values)  # noqa: S608 - a word of our own
        [there] = cursor.fetchone() or (0,)
        if there <= sum(getattr(found, f"{kind}s") for found in seals):
            return
        cursor.execute(
            f"""
            SELECT r.id FROM ledger_{kind} r WHERE ({where}) AND NOT EXISTS (
                SELECT FROM ledger_seal s WHERE r.id BETWEEN s.first_{kind} AND s.last_{kind}
                   AND r.xact >= s.xact_from::text::xid8 AND r.xact < s.xact_to::text::xid8)
             ORDER BY r.id LIMIT 1
            """,  # noqa: S608 - likewise
            values,
        )
        for [row] in cursor.fetchall():
            yield Fault("seal_leaves_out", f"ledger_{kind}", str(row), "is in no seal, though later rows are")
