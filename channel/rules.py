"""What each act asks of the labels that it moves, and what it makes of them. Pure.

A rule is asked for labels with one chain: the last step before the act's moment and the next one after it. It returns a
`Move`, `SAME` where all is as the act would make it, or the reason for which the line is refused.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from channel.chain import Step

SAME: Final = "same"
GONE = {"stolen", "destroyed"}
_SELLABLE = {"in_transit", "held", "released"}
Rule = Callable[[Step | None, str], "Move | str"]


class Move(NamedTuple):
    """From whom to whom the labels go (None: the brand), and the state in which they are then."""

    source: int | None
    holder: int | None
    state: str


def holder_of(step: Step | None) -> int | None:
    """Return who holds labels after a step; before the first one the brand does."""
    return step.holder if step else None


def ship(source: int | None, destination: int) -> Rule:
    """Goods go to a partner. What somebody else holds cannot go; what was returned is inspected first."""

    def rule(before: Step | None, _condition: str) -> Move | str:
        state = before.state if before else "held"
        if before and before.holder == destination and before.source == source and state in _SELLABLE:
            return SAME
        fault = _sellable(before, source)
        return fault or Move(source, destination, "in_transit")

    return rule


def transfer(source: int, destination: int) -> Rule:
    """Goods change hands between partners, and are there at once."""

    def rule(before: Step | None, _condition: str) -> Move | str:
        return _sellable(before, source) or Move(source, destination, "held")

    return rule


def receive(receiver: int, over_from: frozenset[int | None]) -> Rule:
    """Goods arrive: all of it, less, damaged, or more than was sent (from those who may send to the receiver)."""

    def rule(before: Step | None, condition: str) -> Move | str:
        holder, state = holder_of(before), before.state if before else ""
        if condition == "over":
            if holder == receiver:
                return SAME
            if state in GONE or state == "returned":
                return _gone(state)
            return Move(holder, receiver, "held") if holder in over_from else "held_by_other"
        if condition == "short":
            if state == "missing" and before and before.source == receiver:
                return SAME
            if holder == receiver and state == "in_transit" and before:
                return Move(receiver, before.source, "missing")
            return "held_by_other" if holder != receiver else "received_already"
        if holder != receiver:
            return "held_by_other" if holder is not None else "not_shipped"
        wanted = "damaged" if condition == "damaged" else "held"
        if state == wanted or (wanted == "held" and state in {"released", "damaged"}):
            return SAME
        return _gone(state) if state in GONE else Move(receiver, receiver, wanted)

    return rule


def give_back(source: int, destination: int | None) -> Rule:
    """Goods go back, and are not for sale until they are inspected."""

    def rule(before: Step | None, _condition: str) -> Move | str:
        state = before.state if before else ""
        if before and before.holder == destination and before.source == source and state == "returned":
            return SAME
        if holder_of(before) != source:
            return "held_by_other"
        return _gone(state) if state in GONE else Move(source, destination, "returned")

    return rule


def inspect(holder: int | None, *, resale: bool) -> Rule:
    """Goods that came back are released again, or destroyed."""
    wanted = "released" if resale else "destroyed"

    def rule(before: Step | None, _condition: str) -> Move | str:
        state = before.state if before else ""
        if holder_of(before) != holder:
            return "held_by_other"
        if state == wanted:
            return SAME
        return Move(holder, holder, wanted) if state in {"returned", "damaged", "missing"} else "not_returned"

    return rule


def steal() -> Rule:
    """Goods are gone for good, whoever held them."""

    def rule(before: Step | None, _condition: str) -> Move | str:
        if before and before.state == "stolen":
            return SAME
        return Move(holder_of(before), holder_of(before), "stolen")

    return rule


def _sellable(before: Step | None, source: int | None) -> str:
    """Return why ``source`` cannot hand these on, or nothing."""
    state = before.state if before else "held"
    if holder_of(before) != source:
        return "held_by_other"
    if state in GONE:
        return _gone(state)
    if state == "missing" and source is not None:
        return "missing"
    return "" if state in _SELLABLE or state == "missing" else "not_inspected"


def _gone(state: str) -> str:
    return "blocked" if state in GONE else "not_inspected"
