"""Writing what was answered: the scans, and the failures, inputs and places that stand beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from brands.queries import brand_date
from common.db import Rows, array, ask, ask_commit, bytes_array, column, moments, pipelined, rows_from, texts
from labels.queries import Status
from lottery import services as lottery
from lottery.queries import Ended
from redemption import budgets
from redemption.budgets import Failure
from redemption.cautions import hold_rewards, is_held
from redemption.facts import Case
from redemption.models import ACTS, BYS, DETAILS, DOORS, OUTCOMES
from redemption.paying import Won, pay, points_after
from redemption.places import rows_of, write_places
from redemption.receipts import Told
from redemption.routes import write_routes
from redemption.rules import REDEEMED, By, OfferState, Outcome, Verdict, decide


def write(cases: Sequence[Case], won: Won, *, by_hand: bool) -> tuple[list[Told], list[Failure]]:
    """Pay the winners, write the scans, plays and what stands beside them, and commit, in one round trip.

    Where a caution holds rewards they are held after it, and the caller's transaction commits. Returns the scans and the
    failures to be charged.
    """
    if not cases:
        return [], []
    winners = set(won.cases)
    verdicts = [REDEEMED if case in winners else decide(case.facts()) for case in cases]
    failures, left = _write_failures(cases, verdicts)
    scans = [told(case, verdict, tries_left=left.get(case)) for case, verdict in zip(cases, verdicts, strict=True)]
    holds = is_held(won)
    with pipelined():
        _write_routes(cases)
        write_places(rows_of(cases))
        _write_inputs(cases)
        if won.plays:
            lottery.ask_written(won.plays, by_hand=by_hand)
        pay(won)
        balances = _ask_scans(scans, cases, points_after(won))
        if not holds:
            ask_commit()
    held = dict(balances())
    if holds:
        hold_rewards(won)
    return [scan._replace(balance=held[scan.pk]) for scan in scans], failures


def _write_failures(cases: Sequence[Case], verdicts: Sequence[Verdict]) -> tuple[list[Failure], dict[Case, int]]:
    failed = [case for case, verdict in zip(cases, verdicts, strict=True) if verdict.is_failure]
    if not failed:
        return [], {}
    subjects = {case: budgets.subjects_of(case.attempt) for case in failed}
    kept = budgets.write_failures(
        [
            Failure(
                subject, budgets.target_of(label_no=case.resolution.label_no, mac=case.resolution.mac), case.attempt.at
            )
            for case in failed
            for subject in subjects[case]
        ]
    )
    left = budgets.tries_left([group[0] for group in subjects.values()], at=max(c.attempt.at for c in failed))
    return kept, {case: left[group[0]] for case, group in subjects.items()}


def told(case: Case, verdict: Verdict, *, balance: int = 0, tries_left: int | None = None) -> Told:
    """Return what this attempt is told."""
    past, state = case.past, case.state
    spent = past.spent is not None and verdict.outcome is not Outcome.REDEEMED
    ended_on = None
    if verdict.outcome is Outcome.ENDED:
        ended_on = state.ended_on if state and state.status == Status.ENDED else None
        ended_on = brand_date(case.offer.at) if ended_on is None and isinstance(case.offer, Ended) else ended_on
    known = case.label_no is not None
    count = max(past.visits, 1) if spent else past.visits
    return Told(
        pk=case.scan_id,
        at=case.attempt.at,
        label_no=case.label_no,
        asker=askers[0] if (askers := case.askers) else None,
        points=_points_told(case, verdict),
        balance=balance,
        first_scan_id=past.first_scan_id or (past.spent.scan_id if spent and past.spent else None),
        client_id=case.attempt.client_id,
        product_id=case.product_id,
        earlier_count=count,
        ended_on=ended_on,
        act=case.act,
        door=case.attempt.door,
        outcome=verdict.outcome,
        detail=verdict.detail,
        by=(case.redeemed_by() if spent else case.earlier_by()) if count else None,
        want=case.resolution.want,
        got=case.resolution.got,
        tries_left=tries_left if verdict.outcome is Outcome.UNKNOWN else None,
        opens_visit=known and not past.in_visit,
        by_serial=not case.secret_typed,
        spent=spent,
    )


def _points_told(case: Case, verdict: Verdict) -> int:
    if verdict.outcome is Outcome.ALREADY_REDEEMED and case.past.spent:
        return case.past.spent.points if case.redeemed_by() is By.YOU else 0
    offered = verdict.outcome in {Outcome.GENUINE_FIRST, Outcome.GENUINE_REPEAT} and not case.past.spent
    if verdict.outcome is Outcome.REDEEMED or (offered and case.offer_state() is OfferState.OPEN):
        return case.points["consumer"]
    return 0


_CODES: dict[str, dict[Any, int | None]] = {
    name: {None: None} | {member: code for code, member in enumerate(order)}
    for name, order in (("act", ACTS), ("door", DOORS), ("outcome", OUTCOMES), ("detail", DETAILS), ("by", BYS))
}


_SCANS = rows_from(
    {"id": "bigint"}, at="timestamptz", label_no="bigint", asker="bigint", points="bigint", account="bigint", later="bigint",
    first_scan_id="bigint", client_id="int", product_id="int", earlier_count="int", ended_on="date", act="smallint",
    door="smallint", outcome="smallint", detail="smallint", by="smallint", want="smallint", got="smallint",
    tries_left="smallint", opens_visit="bool", by_serial="bool", spent="bool",
)  # fmt: skip
_WRITE_SCANS = f"""
    INSERT INTO redemption_scan (at, id, label_no, asker, points, balance, first_scan_id, client_id, product_id,
           earlier_count, ended_on, act, door, outcome, detail, "by", want, got, tries_left, opens_visit, by_serial, spent)
    SELECT n.at, n.id, label_no, asker, points, COALESCE(a.posted, 0) - later, first_scan_id, client_id, product_id,
           earlier_count, ended_on, act, door, outcome, detail, "by", want, got, tries_left, opens_visit, by_serial, spent
      FROM {_SCANS} AS n
           LEFT JOIN ledger_account a ON a.id = n.account
    RETURNING id, balance
"""  # noqa: S608 - names of our own


def _ask_scans(scans: Sequence[Told], cases: Sequence[Case], after: Mapping[Case, int]) -> Rows:
    """Write the scans, each with what its asker has now less what came ``after`` it; ask for (id, balance)."""
    columns: dict[str, Sequence[Any]] = dict(zip(Told._fields, zip(*scans, strict=True), strict=True))
    for name, codes in _CODES.items():
        columns[name] = [codes[member] for member in columns[name]]
    ids, at, _unknown = array(columns.pop("pk")), column(columns.pop("at"), moments), columns.pop("balance")
    columns["account"] = [case.holder.account_id if case.holder else None for case in cases]
    columns["later"] = [after.get(case, 0) for case in cases]
    return ask(_WRITE_SCANS, {"id": ids, "at": at} | {name: column(values) for name, values in columns.items()})


def _write_routes(cases: Sequence[Case]) -> None:
    routed = [(case, case.route) for case in cases if case.route is not None]
    if routed:
        write_routes(
            [(case.scan_id, case.label_no or 0, case.attempt.at) for case, _route in routed],
            [route for _case, route in routed],
            as_of=max(case.attempt.at for case, _route in routed),
        )


def _write_inputs(cases: Sequence[Case]) -> None:
    failed = [case for case in cases if case.label_no is None]
    if failed:
        ask(
            "INSERT INTO redemption_failedinput (scan_id, masked, mac)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bytea[])",
            [
                array(case.scan_id for case in failed),
                texts(_as_typed(case) for case in failed),
                bytes_array(case.resolution.mac for case in failed),
            ],
        )


def _as_typed(case: Case) -> str:
    """Return the input, masked; of a serial under another product's GTIN all of it, for it is evidence and no secret."""
    attempt = case.attempt
    if case.resolution.status is Status.WRONG_GTIN:
        return f"{attempt.gtin}/{attempt.serial}"[:40]
    return case.resolution.masked[:40]
