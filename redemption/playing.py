"""Playing and entering with what was just redeemed: after the redemptions are written, before accounts are locked.

Who takes part is decided here: a member, a phone, a device and a household are counted against the rules' limits, and
staff, partners and their households win nothing. `lottery.services` does the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from common.db import inside_transaction
from lottery import queries, services as lottery
from lottery.keys import Live
from lottery.models import Play
from lottery.queries import Person
from redemption.facts import Case
from redemption.paying import Won, slot_for
from redemption.receipts import Games


@inside_transaction
def play_games(won: Won, live: Live) -> Won:
    """Play the games of redeemed labels and enter them into the open draws. Raises `lottery.KeysMissing`."""
    winners = [case for case in won.cases if case.holder and case.label_no is not None]
    if not winners:
        return won
    people = queries.ask_people({case.holder.account_id for case in winners if case.holder})()
    devices = {case.device for case in winners if case.device}
    out = queries.excluded(devices=devices) if devices else set()
    played = lottery.play(_asks(winners, people, out)) if live.games else {}
    entries = lottery.enter(_enters(winners, people, out, played)) if live.draws else {}
    games = Games(
        plays={label_no: one.told for label_no, one in played.items()},
        entries={label_no: tuple(found) for label_no, found in entries.items()},
    )
    return replace(won, played=played, games=games)


def _asks(cases: Iterable[Case], people: Mapping[int, Person], out: set[bytes]) -> list[lottery.Ask]:
    cases = list(cases)
    slot = slot_for(cases[0])
    return [
        lottery.Ask(
            label_no=case.label_no or 0,
            scan_id=case.scan_id,
            account_id=case.holder.account_id,
            member_id=case.holder.member_id,
            at=case.attempt.at,
            slot=slot,
            subjects=_subjects(case, people.get(case.holder.account_id)),
            excluded=_is_out(case, people.get(case.holder.account_id), out),
        )
        for case in cases
        if case.holder
    ]


def _enters(
    cases: Iterable[Case], people: Mapping[int, Person], out: set[bytes], played: Mapping[int, lottery.Played]
) -> list[lottery.Enter]:
    return [
        lottery.Enter(
            label_no=case.label_no or 0,
            account_id=case.holder.account_id,
            at=case.attempt.at,
            product_id=case.product_id,
            lost=(one := played.get(case.label_no or 0)) is not None and one.outcome == Play.Outcome.NO_PRIZE,
            subjects=_subjects(case, people.get(case.holder.account_id)),
            excluded=_is_out(case, people.get(case.holder.account_id), out),
        )
        for case in cases
        if case.holder
    ]


def _subjects(case: Case, person: Person | None) -> dict[str, bytes]:
    """Return under what this attempt is counted. Somebody we do not know yet is counted as the holder of an account."""
    account = case.holder.account_id if case.holder else 0
    subjects = {"member": person.uuid.bytes if person else b"pending" + account.to_bytes(8, "big")}
    if person and person.phone_index is not None:
        subjects["phone"] = person.phone_index
    if person and person.household is not None:
        subjects["household"] = person.household.bytes
    if case.device is not None:
        subjects["device"] = case.device
    return {kind: lottery.subject_of(kind, value) for kind, value in subjects.items()}


def _is_out(case: Case, person: Person | None, out: set[bytes]) -> bool:
    return (person is not None and person.excluded) or (case.device is not None and case.device in out)
