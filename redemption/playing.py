"""Playing and entering with what was just redeemed: after the redemptions are written, before accounts are locked.

Who takes part is decided here: a member, a phone, a device and a household are counted against the rules' limits, and
staff, partners and their households win nothing. `lottery.services` does the rest.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypedDict

from brands.queries import brand_date
from common.db import inside_transaction, pipelined
from lottery import keys, queries, services as lottery
from lottery.keys import Live
from lottery.models import Draw, Entry
from lottery.queries import Person
from lottery.told import PlayTold
from members.models import Member
from members.queries import Holder
from redemption.facts import Case
from redemption.paying import Won, last_at, slot_for
from redemption.receipts import Games
from staff.vault import blind_indexes


class _Asked(NamedTuple):
    people: Callable[[], Mapping[int, Person]]
    excluded_devices: Callable[[], Collection[bytes]]
    seats: Callable[[], Mapping[int, lottery.Seat]]
    draws: Callable[[], Mapping[int, int]]


class Playing:
    """The games and draws of one transaction of redemptions."""

    def __init__(self, live: Live) -> None:
        self._live = live
        # Without limits it does not matter who somebody is, unless they are excluded.
        self._counted = keys.may_count((*live.games, *live.draws))
        self._asked: _Asked | None = None

    @inside_transaction
    def ask(self, cases: Sequence[Case]) -> None:
        """Lock games and draws, and ask all that `play` needs for those of these cases that win: within `pipelined`."""
        self._asked = self._ask(cases)

    def _ask(self, cases: Sequence[Case]) -> _Asked:
        accounts = {case.holder.account_id for case in cases if case.holder}
        return _Asked(
            queries.ask_people(accounts) if self._counted else queries.ask_excluded(accounts),
            queries.ask_excluded_devices({case.device for case in cases if case.device}),
            lottery.ask_seats([case.label_no or 0 for case in cases], self._live.games, at=last_at(cases)),
            lottery.ask_draws(self._live.draws, at=min(case.attempt.at for case in cases)),
        )

    @inside_transaction
    def play(self, won: Won) -> Won:
        """Decide what redeemed labels play, which `record.write` writes; enter them into the open draws.

        Raises `lottery.KeysMissing`.
        """
        winners = [(case, case.holder) for case in won.cases if case.holder and case.label_no is not None]
        if not winners:
            return won
        asked = self._asked
        if asked is None:
            with pipelined():
                asked = self._ask([case for case, _holder in winners])
        seats, draws = asked.seats(), asked.draws()
        if not seats and not draws:
            return won
        asks = _asks(winners, asked.people(), asked.excluded_devices(), counted=self._counted)
        plays = lottery.play(asks, seats) if seats else None
        told = plays.told if plays else {}
        entries = lottery.enter(_enters(winners, asks, told), draws) if draws else {}
        games = Games(plays=told, entries={label_no: tuple(found) for label_no, found in entries.items()})
        return replace(won, plays=plays, games=games)


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
    out = queries.ask_excluded_devices([device] if device else [])()
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


def _asks(
    winners: Sequence[tuple[Case, Holder]], people: Mapping[int, Person], out: Collection[bytes], *, counted: bool
) -> list[lottery.Ask]:
    """Return what those who redeemed play with: under what they are counted, if anything is, and who wins nothing."""
    slot = slot_for(winners[0][0])
    asks = []
    for case, holder in winners:
        person, attempt = people.get(holder.account_id), case.attempt
        asks.append(
            lottery.Ask(
                case.label_no or 0,
                case.scan_id,
                holder.account_id,
                holder.member_id,
                attempt.at,
                slot,
                attempt.door,
                _subjects(person, holder.account_id, case.device) if counted else lottery.NOBODY,
                _is_out(case, person, out),
            )
        )
    return asks


def _enters(
    winners: Iterable[tuple[Case, Holder]], asks: Iterable[lottery.Ask], told: Mapping[int, PlayTold]
) -> list[lottery.Enter]:
    return [
        lottery.Enter(
            label_no=one.label_no,
            account_id=one.account_id,
            at=one.at,
            product_id=case.product_id,
            door=one.door,
            lost=(play := told.get(one.label_no)) is not None and play.lost,
            subjects=one.subjects,
            excluded=one.excluded,
        )
        for (case, _holder), one in zip(winners, asks, strict=True)
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


def _is_out(case: Case, person: Person | None, out: Collection[bytes]) -> bool:
    # A label whose points are stopped plays as before, and wins nothing.
    return (
        case.is_stopped or (person is not None and person.excluded) or (case.device is not None and case.device in out)
    )
