"""The checker proves nothing until it has caught a planted fault: a good history passes, each bad one is named."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.history import ALREADY, REDEEMED, Call, History, Paid, Redemption, Scan, faults


def _call(n: int, code: str, outcome: str | None, receipt: str | None, balance: int = 0, **more: object) -> Call:
    points = 100 if outcome == REDEEMED else 0
    values = {"request_id": f"q{n}", "holder": "ann", "started": float(n), "ended": n + 0.5, **more}
    return Call(code=code, outcome=outcome, receipt=receipt, points=points, balance=balance, **values)


GOOD = History(
    calls=(
        _call(1, "A", None, None),
        _call(2, "A", ALREADY, "r2", 100, started=1.2),
        _call(3, "A", REDEEMED, "r1", 100, request_id="q1"),
        _call(4, "B", REDEEMED, "r3", 200),
        _call(5, "B", ALREADY, "r4", 100, holder="bob"),
        _call(6, "B", REDEEMED, "r3", 200, request_id="q4"),
        _call(7, "C", REDEEMED, "r5", 100, holder="bob"),
        _call(8, "?", "TYPO", "r6", 200),
        _call(9, "C", ALREADY, "r5", 100, holder="bob", mine=True),
    ),
    scans=(
        Scan(number=1, receipt="r1", code="A", outcome=REDEEMED),
        Scan(number=2, receipt="r2", code="A", outcome=ALREADY),
        Scan(number=3, receipt="r3", code="B", outcome=REDEEMED),
        Scan(number=4, receipt="r4", code="B", outcome=ALREADY),
        Scan(number=6, receipt="r5", code="C", outcome=REDEEMED),
        Scan(number=7, receipt="r6", code=None, outcome="TYPO"),
        Scan(number=8, receipt="r7", code="C", outcome=ALREADY),
    ),
    redemptions=(
        Redemption(code="A", receipt="r1"),
        Redemption(code="B", receipt="r3"),
        Redemption(code="C", receipt="r5"),
    ),
    paid=tuple(
        Paid(receipt=receipt, holder=holder, amount=amount)
        for receipt, winner in (("r1", "ann"), ("r3", "ann"), ("r5", "bob"))
        for holder, amount in ((winner, 100), ("shop", 10))
    ),
    balances={"ann": 200, "bob": 100, "shop": 30},
    due={"shop": 10},
)


def _calls(change: Callable[[Call], Call | None], history: History = GOOD) -> History:
    return replace(history, calls=tuple(kept for call in history.calls if (kept := change(call)) is not None))


def _at(n: int, **values: object) -> History:
    """Change the n-th call."""
    return _calls(lambda call: replace(call, **values) if call is GOOD.calls[n - 1] else call)


def _scan(n: int, **values: object) -> History:
    return replace(GOOD, scans=tuple(replace(row, **values) if row.number == n else row for row in GOOD.scans))


def _without(name: str, index: int) -> History:
    rows = list(getattr(GOOD, name))
    del rows[index]
    return replace(GOOD, **{name: tuple(rows)})


def _with(name: str, *rows: object) -> History:
    return replace(GOOD, **{name: (*getattr(GOOD, name), *rows)})


BAD: dict[str, tuple[str, History]] = {
    "a code with two redemptions": ("doubled", _with("redemptions", Redemption(code="A", receipt="r2"))),
    "a second success told": ("doubled", _at(5, outcome=REDEEMED, points=100)),
    "one receipt for two requests": ("doubled", _at(5, receipt="r2")),
    "one receipt on two scans": ("doubled", _with("scans", Scan(number=9, receipt="r6", code=None, outcome="TYPO"))),
    "an acknowledged redemption that is gone": ("lost", _without("redemptions", 2)),
    "an acknowledged redemption of another code": (
        "lost",
        replace(_without("redemptions", 2), redemptions=(*GOOD.redemptions[:2], Redemption(code="D", receipt="r5"))),
    ),
    "an acknowledged scan that is gone": ("lost", _without("scans", 5)),
    "an own redemption shown without a scan": ("lost", _without("scans", 6)),
    "another's redemption shown as one's own": ("altered", _at(9, receipt="r3")),
    "a refusal shown as one's own redemption": ("altered", _at(9, code="B", receipt="r4")),
    "an acknowledged refusal without receipt": ("lost", _at(8, receipt=None)),
    "a redemption nobody was told of": ("phantom", _with("redemptions", Redemption(code="D", receipt="r9"))),
    "a scan nobody asked for": ("phantom", _with("scans", Scan(number=9, receipt="r9", code="A", outcome=ALREADY))),
    "a refusal that wrote a redemption": ("phantom", _at(7, outcome=ALREADY, points=0)),
    "a retry told another outcome": ("altered", _at(6, outcome=ALREADY, points=0)),
    "a retry told another receipt": ("altered", _at(6, receipt="r5")),
    "a retry told another balance": ("altered", _at(6, balance=300)),
    "a scan with another outcome than told": ("altered", _scan(4, outcome="RECALLED")),
    "a scan of another code": ("altered", _scan(4, code="C")),
    "a request left unknown": ("unresolved", _at(8, outcome=None)),
    "a refusal of a code that nobody redeemed": ("refusal", _at(8, code="D", outcome=ALREADY)),
    "a refusal before the winner asked": ("refusal", _at(5, started=0.0, ended=0.5)),
    "a redemption that paid nobody": ("unpaid", replace(GOOD, paid=GOOD.paid[:-2])),
    "a redemption that paid its shop twice": ("unpaid", _with("paid", Paid(receipt="r1", holder="shop", amount=10))),
    "a redemption that paid another consumer": (
        "unpaid",
        replace(GOOD, paid=(*GOOD.paid[:4], Paid(receipt="r5", holder="ann", amount=100), GOOD.paid[5])),
    ),
    "fewer points told than paid": ("unpaid", _at(7, points=50)),
    "points told with a refusal": ("unpaid", _at(5, points=100)),
    "a transfer without a cause": ("ledger", _with("paid", Paid(receipt=None, holder="ann", amount=1))),
    "a balance above its transfers": ("ledger", replace(GOOD, balances={**GOOD.balances, "ann": 300})),
    "a balance that is gone": ("ledger", replace(GOOD, balances={"ann": 200, "shop": 30})),
    "a balance told that was never reached": ("order", _at(7, balance=150 + 100)),
    "two awards told the same first balance": (
        "order",
        _calls(lambda c: replace(c, balance=100) if c.receipt == "r3" else c),
    ),
    "balances told backwards": (
        "order",
        _calls(lambda c: replace(c, balance={"r1": 200, "r3": 100}.get(c.receipt or "", c.balance))),
    ),
    "a scan number that ran backwards": ("order", _scan(7, number=5)),
}


def test_a_good_history_is_explained() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_caught(name: str) -> None:
    kind, history = BAD[name]

    found = faults(history)

    assert any(finding.startswith(f"{kind}:") for finding in found), found
