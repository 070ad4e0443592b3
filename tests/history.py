"""The history checker: from what clients sent and were told, and what the database holds, find every contradiction.

Pure. A finding is one sentence that begins with its kind. The kinds, with the promise that each one guards:

doubled        a code is redeemed at most once, in the database and in what clients were told
lost           what was acknowledged is in the database
phantom        what is in the database was asked for
altered        the same request id hears the same answer for ever; a scan holds what was told
unresolved     after the retries no request is left without an answer
refusal        "already redeemed" is said only of a code that somebody has redeemed, and not before that began
unpaid         a redemption pays each party exactly what it must, a refusal pays nobody
ledger         a balance is the sum of its transfers, and transfers have redemptions
order          balances and scan numbers told fit some order of events that real time allows
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

REDEEMED, ALREADY = "REDEEMED", "ALREADY_REDEEMED"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as its client saw it. ``outcome`` None: the connection broke or the server failed, nothing is known.

    ``mine``: told that the code was redeemed by this very asker; such an answer shows the redemption's own receipt and
    points, and its scan stays unnamed.
    """

    request_id: str
    code: str
    holder: str
    started: float
    ended: float
    outcome: str | None = None
    receipt: str | None = None
    points: int = 0
    balance: int = 0
    mine: bool = False

    @property
    def told(self) -> tuple[str | None, str | None, int, int]:
        return self.outcome, self.receipt, self.points, self.balance


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One row that says that a code was looked at; ``number`` rises."""

    number: int
    receipt: str
    code: str | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """One row that says that a code was redeemed, with the receipt of its scan."""

    code: str
    receipt: str


@dataclass(frozen=True, kw_only=True)
class Paid:
    """One transfer to a holder; ``receipt`` names the redemption that caused it."""

    receipt: str | None
    holder: str
    amount: int


@dataclass(frozen=True)
class History:
    """All that is known once the dust has settled. ``due``: what one redemption pays to parties besides its holder."""

    calls: tuple[Call, ...]
    scans: tuple[Scan, ...]
    redemptions: tuple[Redemption, ...]
    paid: tuple[Paid, ...]
    balances: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    points: int = 100


def faults(history: History) -> list[str]:
    """Return every contradiction in the history; an empty list means that it can be explained."""
    return [
        finding
        for check in (_answers, _doubled, _lost, _phantom, _refusals, _payments, _ledger, _balances_told, _numbers)
        for finding in check(history)
    ]


def _known(history: History) -> list[Call]:
    """Return one call for each request id: its answer, from when it was first sent to when it was first answered."""
    by_id: dict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        by_id[call.request_id].append(call)
    answers = []
    for calls in by_id.values():
        answered = [call for call in calls if call.outcome is not None]
        if answered:
            first = min(answered, key=lambda call: call.ended)
            answers.append(replace(first, started=min(call.started for call in calls)))
    return answers


def _twice(values: Iterable[str]) -> list[str]:
    return [value for value, times in Counter(values).items() if times > 1]


def _answers(history: History) -> Iterator[str]:
    told: dict[str, set[tuple[str | None, str | None, int, int]]] = defaultdict(set)
    for call in history.calls:
        answers = told[call.request_id]
        if call.outcome is not None:
            answers.add(call.told)
    for request_id, answers in told.items():
        if not answers:
            yield f"unresolved: {request_id} never got an answer"
        if len(answers) > 1:
            yield f"altered: {request_id} was told {sorted(map(str, answers))}"


def _doubled(history: History) -> Iterator[str]:
    for code in _twice(row.code for row in history.redemptions):
        yield f"doubled: {code} is redeemed more than once"
    for code in _twice(call.code for call in _known(history) if call.outcome == REDEEMED):
        yield f"doubled: two requests were told that they redeemed {code}"
    for receipt in _twice(call.receipt for call in _known(history) if call.receipt and not call.mine):
        yield f"doubled: receipt {receipt} was given to two requests"
    for receipt in _twice(row.receipt for row in history.scans):
        yield f"doubled: receipt {receipt} stands for two scans"


def _lost(history: History) -> Iterator[str]:
    scans = {row.receipt: row for row in history.scans}
    redeemed = {row.receipt: row for row in history.redemptions}
    for call in _known(history):
        scan = scans.get(call.receipt or "")
        if scan is None:
            yield f"lost: {call.request_id} was told {call.outcome}, and no scan has its receipt"
            continue
        if call.mine and scan.outcome != REDEEMED:
            yield f"altered: {call.request_id} was shown {scan} as its own redemption of {call.code}"
        if (scan.outcome != call.outcome and not call.mine) or scan.code not in {None, call.code}:
            yield f"altered: {call.request_id} was told {call.outcome} of {call.code}, its scan says {scan}"
        row = redeemed.get(scan.receipt)
        if call.outcome == REDEEMED and (row is None or row.code != call.code):
            yield f"lost: {call.request_id} was told that it redeemed {call.code}; the database has {row}"


def _phantom(history: History) -> Iterator[str]:
    told = {call.receipt: call.outcome for call in _known(history) if not call.mine}
    unnamed = Counter(call.code for call in _known(history) if call.mine)
    for scan in history.scans:
        if scan.receipt in told:
            continue
        if scan.outcome != ALREADY or not unnamed[scan.code or ""]:
            yield f"phantom: nobody was told of {scan}"
        else:
            unnamed[scan.code or ""] -= 1
    for code in unnamed.elements():
        yield f"lost: an answer that showed {code} its own redemption has left no scan"
    for row in history.redemptions:
        if told.get(row.receipt) != REDEEMED:
            yield f"phantom: nobody was told of {row}"


def _refusals(history: History) -> Iterator[str]:
    wins = {call.code: call.started for call in _known(history) if call.outcome == REDEEMED}
    for call in _known(history):
        if call.outcome != ALREADY:
            continue
        if call.code not in wins:
            yield f"refusal: {call.request_id} was told that {call.code} was redeemed, and nobody has redeemed it"
        elif call.ended < wins[call.code]:
            yield f"refusal: {call.request_id} heard that {call.code} was redeemed before its winner had asked"


def _payments(history: History) -> Iterator[str]:
    paid: dict[str, Counter[str]] = defaultdict(Counter)
    for one in history.paid:
        if one.receipt is not None:
            paid[one.receipt][one.holder] += one.amount
    winners = {call.receipt: call for call in _known(history) if call.outcome == REDEEMED}
    for row in history.redemptions:
        winner = winners.get(row.receipt)
        if winner is None:
            continue
        expected = Counter({winner.holder: history.points} | history.due)
        if paid[row.receipt] != expected:
            yield f"unpaid: {row} paid {dict(paid[row.receipt])}, due are {dict(expected)}"
        if winner.points != history.points:
            yield f"unpaid: {winner.request_id} was told of {winner.points} points"
    for call in _known(history):
        if call.outcome != REDEEMED and call.points and not call.mine:
            yield f"unpaid: {call.request_id} was refused and told of {call.points} points"


def _ledger(history: History) -> Iterator[str]:
    receipts = {row.receipt for row in history.redemptions}
    sums: Counter[str] = Counter()
    for one in history.paid:
        sums[one.holder] += one.amount
        if one.receipt not in receipts:
            yield f"ledger: no redemption explains {one}"
    for holder in sums.keys() | history.balances.keys():
        if sums[holder] != history.balances.get(holder, 0):
            yield f"ledger: {holder} has {history.balances.get(holder, 0)}, the transfers make {sums[holder]}"


def _balances_told(history: History) -> Iterator[str]:
    """Each balance told must be reached by some order of the winners in which real time is respected."""
    told: dict[str, list[Call]] = defaultdict(list)
    for call in _known(history):
        if call.outcome == REDEEMED:
            told[call.holder].append(call)
    for holder, calls in told.items():
        calls.sort(key=lambda call: (call.balance, call.ended))
        reached = 0
        for before, call in zip([None, *calls], calls, strict=False):
            reached += call.points
            # A batch may settle several awards to one holder at once and tell each of them the sum.
            if call.balance < reached or call.balance > len(calls) * history.points:
                yield f"order: {call.request_id} told {holder} of a balance of {call.balance}, at least {reached} were earned"
            if before is not None and call.ended < before.started:
                yield f"order: {holder} was told of {call.balance} before {before.balance} could be reached"


def _numbers(history: History) -> Iterator[str]:
    numbers = {row.receipt: row.number for row in history.scans}
    calls = sorted((c for c in _known(history) if c.receipt in numbers and not c.mine), key=lambda call: call.ended)
    starts = sorted(calls, key=lambda call: call.started)
    highest, at = 0, 0
    for call in starts:
        while at < len(calls) and calls[at].ended < call.started:
            highest = max(highest, numbers[calls[at].receipt or ""])
            at += 1
        if numbers[call.receipt or ""] < highest:
            yield f"order: {call.request_id} began after scan {highest} was told, and is scan {numbers[call.receipt or '']}"
