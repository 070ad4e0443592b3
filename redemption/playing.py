"""Playing and entering with what was just redeemed: after the redemptions are written, before accounts are locked.

Who takes part is decided here: a member, a phone, a device and a household are counted against the rules' limits, and
staff, partners and their households win nothing. `lottery.services` does the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from brands.queries import brand_date
from common.db import inside_transaction, pipelined
from lottery import queries, services as lottery
from lottery.keys import Live
from lottery.models import Draw, Entry, Play
from lottery.queries import Person
from members.models import Member
from redemption.facts import Case
from redemption.paying import Won, last_at, slot_for
from redemption.receipts import Games
from staff.vault import blind_indexes


@inside_transaction
def play_games(won: Won, live: Live) -> Won:
    """Play the games of redeemed labels and enter them into the open draws. Raises `lottery.KeysMissing`."""
    winners = [case for case in won.cases if case.holder and case.label_no is not None]
    if not winners:
        return won
    with pipelined():
        people_of = queries.ask_people({case.holder.account_id for case in winners if case.holder})
        seats_of = lottery.ask_seats([case.label_no or 0 for case in winners], live.games, at=last_at(winners))
        draws_of = lottery.ask_draws(live.draws, at=min(case.attempt.at for case in winners))
    people, seats, draws = people_of(), seats_of(), draws_of()
    devices = {case.device for case in winners if case.device} if seats or draws else set()
    out = queries.excluded(devices=devices)
    played = lottery.play(_asks(winners, people, out), seats) if seats else {}
    entries = lottery.enter(_enters(winners, people, out, played), draws) if draws else {}
    games = Games(
        plays={label_no: one.told for label_no, one in played.items()},
        entries={label_no: tuple(found) for label_no, found in entries.items()},
    )
    return replace(won, played=played, games=games)


def enter_for_points(
    draw: str, *, member: Member, cookie: str | None, weight: int, request_id: str, at: datetime
) -> Entry:
    """Enter a draw (its public id) for points of a member. Raises as `lottery.services.enter_by_points`."""
    who = _who(member, cookie)
    return lottery.enter_by_points(
        _id_of(draw), account_id=member.account_id, weight=weight, request_id=request_id, at=at, **who
    )


def enter_free(draw: str, *, member: Member, cookie: str | None, at: datetime) -> Entry:
    """Enter a draw without a purchase, once a day; the same day again: the same entry. Raises as `enter_for_points`."""
    who = _who(member, cookie)
    day = brand_date(at).isoformat()
    return lottery.enter_free(_id_of(draw), account_id=member.account_id, request_id=f"free/{day}", at=at, **who)


class _Who(TypedDict):
    subjects: dict[str, bytes]
    excluded: bool


def _who(member: Member, cookie: str | None) -> _Who:
    """Return under what a member is counted, and whether they take part at all."""
    person = queries.ask_people([member.account_id])().get(member.account_id)
    device = blind_indexes([cookie], purpose="cookie")[0] if cookie else None
    out = queries.excluded(devices=[device]) if device else set()
    return {
        "subjects": _subjects(person, member.account_id, device),
        "excluded": bool(out) or (person is not None and person.excluded),
    }


def _id_of(draw: str) -> int:
    """Return the id of a draw. Raises `lottery.NoSuchDraw`."""
    found = Draw.objects.filter(public_id=draw).values_list("pk", flat=True).first()
    if found is None:
        raise lottery.NoSuchDraw
    return found


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
            door=case.attempt.door,
            subjects=_subjects(people.get(case.holder.account_id), case.holder.account_id, case.device),
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
            door=case.attempt.door,
            lost=(one := played.get(case.label_no or 0)) is not None and one.outcome == Play.Outcome.NO_PRIZE,
            subjects=_subjects(people.get(case.holder.account_id), case.holder.account_id, case.device),
            excluded=_is_out(case, people.get(case.holder.account_id), out),
        )
        for case in cases
        if case.holder
    ]


def _subjects(person: Person | None, account_id: int, device: bytes | None) -> dict[str, bytes]:
    """Return under what somebody is counted. Who is not known yet is counted as the holder of an account."""
    subjects = {"member": person.uuid.bytes if person else b"pending" + account_id.to_bytes(8, "big")}
    if person and person.phone_index is not None:
        subjects["phone"] = person.phone_index
    if person and person.household is not None:
        subjects["household"] = person.household.bytes
    if device is not None:
        subjects["device"] = device
    return {kind: lottery.subject_of(kind, value) for kind, value in subjects.items()}


def _is_out(case: Case, person: Person | None, out: set[bytes]) -> bool:
    # A label whose points are stopped plays as before, and wins nothing.
    return (
        case.is_stopped or (person is not None and person.excluded) or (case.device is not None and case.device in out)
    )
