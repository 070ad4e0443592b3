"""The desk where request ids are opened, each once; what was asked before gets its first answer."""

from collections.abc import Callable, Mapping, Sequence

from common.db import Rows, ask, bytes_array, column, rows_from, texts
from common.errors import DomainError
from labels.keys import auditor
from redemption.errors import KeyReused
from redemption.facts import Case, client_of
from redemption.models import DOORS, Request, Scan
from redemption.receipts import receipts_of
from redemption.rules import Attempt, Receipt

Key = tuple[int, int, str]
Answer = Receipt | DomainError
_REQUESTS = rows_from({"request_id": "text", "mac": "bytea"}, door="smallint", client_id="int")
_WRITE_REQUESTS = f"""
    WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', %(patience)s, true))
    INSERT INTO redemption_request (scan_id, door, client_id, request_id, content_mac)
    SELECT nextval('redemption_scan_id_seq'), door, client_id, request_id, mac
      FROM patience, {_REQUESTS} AS n
     ORDER BY door, client_id, request_id
        ON CONFLICT (door, client_id, request_id) DO NOTHING
    RETURNING door, client_id, request_id, scan_id
"""  # noqa: S608 - names of our own


class TwinIsRunning(Exception):
    """Another transaction holds this request id and has not ended."""


class Desk:
    """Opens each request id once and remembers whose answer belongs where.

    A request id seen before gets its first answer if the content is the same, else `KeyReused`; a twin in the same
    batch gets its leader's. A case with an error (or a refusal) of its own opens no request, but may still be a repeat.
    """

    def __init__(self, cases: Sequence[Case], errors: Mapping[Case, Answer]) -> None:
        self.cases = cases
        self.errors = errors
        self.done: dict[Case, Answer] = {}
        self.leaders: dict[Key, Case] = {}
        self.followers: dict[Case, Case] = {}
        mac = auditor()
        self._opened: Callable[[], dict[Key, int]] = dict
        self._unnamed: Rows | None = None
        self.keys = {case: _key(case) for case in cases if case.attempt.request_id}
        self.macs = {case: content_mac(case, mac) for case in self.keys}

    def ask(self, *, lock_timeout_ms: int) -> None:
        """Write the request rows: the first statement of the transaction.

        No lock of this transaction is waited for longer than ``lock_timeout_ms`` from here on.
        """
        for case in self.cases:
            if case not in self.errors and case in self.keys:
                leader = self.leaders.setdefault(self.keys[case], case)
                if leader is not case:
                    self._follow(case, leader)
        if self.leaders:
            self._opened = self._insert(lock_timeout_ms)
        unnamed = len(self.cases) - len(self.keys)
        if unnamed:
            self._unnamed = ask("SELECT nextval('redemption_scan_id_seq') FROM generate_series(1, %s::int)", [unnamed])

    def open(self) -> list[Case]:
        """Return the cases that are new, each with the id of its scan."""
        opened = self._opened()
        repeats = [case for key, case in self.leaders.items() if key not in opened]
        repeats += [case for case in self.errors if case in self.keys]
        self._repeat(repeats)
        for case, error in self.errors.items():
            self.done.setdefault(case, error)
        fresh = [case for case in self.cases if case not in self.done and case not in self.followers]
        unnamed = iter(self._unnamed() if self._unnamed else [])
        for case in fresh:
            case.scan_id = opened[self.keys[case]] if case in self.keys else next(unnamed)[0]
        return fresh

    def _follow(self, case: Case, leader: Case) -> None:
        if self.macs[case] == self.macs[leader]:
            self.followers[case] = leader
        else:
            self.done[case] = KeyReused()

    def _insert(self, lock_timeout_ms: int) -> Callable[[], dict[Key, int]]:
        doors, clients, ids = zip(*self.leaders, strict=True)
        rows = ask(
            _WRITE_REQUESTS,
            {
                "patience": str(lock_timeout_ms),
                "door": column(doors),
                "client_id": column(clients),
                "request_id": texts(ids),
                "mac": bytes_array(self.macs[case] for case in self.leaders.values()),
            },
        )
        return lambda: {(door, client, request_id): scan for door, client, request_id, scan in rows()}

    def _repeat(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        keys = self.keys
        rows = {_row_key(row): row for row in Request.objects.filter(pk__in=[keys[case] for case in cases])}
        same = [case for case in cases if (row := rows.get(keys[case])) and bytes(row.content_mac) == self.macs[case]]
        scans = Scan.objects.in_bulk([rows[keys[case]].scan_id for case in same])
        receipts = receipts_of([scans[rows[keys[case]].scan_id] for case in same])
        for case in cases:
            if keys[case] in rows:
                self.done[case] = KeyReused()
        self.done.update(zip(same, receipts, strict=True))

    def answer(self, fresh: Sequence[Case], receipts: Sequence[Receipt]) -> None:
        """Take in the answers of the new cases."""
        self.done.update(zip(fresh, receipts, strict=True))

    def answers(self) -> list[Answer]:
        """Return every case's answer, in order."""
        return [self.done[self.followers.get(case, case)] for case in self.cases]


def content_mac(case: Case, mac: Callable[[bytes], bytes]) -> bytes:
    """Return the keyed MAC of what was asked, all but the clock, the language and where it came from."""
    attempt = case.attempt
    place = attempt.place
    content = (
        case.act.value,
        attempt.code,
        attempt.serial,
        attempt.gtin,
        attempt.phone,
        attempt.member_id,
        attempt.asker,
        attempt.retailer,
        attempt.promoter,
        (place.lat, place.lon, place.accuracy_m) if place else None,
    )
    return mac(b"request\x00" + ascii(content).encode())  # a literal in ASCII: one text for one content


def _key(case: Case) -> Key:
    return DOORS.index(case.attempt.door), client_of(case.attempt), case.attempt.request_id


def _row_key(row: Request) -> Key:
    return DOORS.index(row.door), row.client_id, row.request_id


def answered_before(attempt: Attempt) -> bool:
    """Return whether this attempt's request id has its answer already."""
    if not attempt.request_id:
        return False
    return Request.objects.filter(
        door=attempt.door, client_id=client_of(attempt), request_id=attempt.request_id
    ).exists()
