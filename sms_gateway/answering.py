"""From a message that was kept to what its carrier is told: decide, wait a little, or leave it to the worker.

Messages that arrive together are kept together, decided together (`SMS_HANDLER`) and their answers kept together, in a
few threads with database connections of their own: a slow decision holds no carrier's request for longer than it likes,
and a waiting request holds no connection, and on an event loop no thread. Without a collector (tests, tasks) it runs
where it is called.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from brands.models import Brand
from brands.phone_numbers import Number, number_called
from common.clock import now
from common.collector import Collector
from common.db import commit_unhurried
from common.errors import DomainError
from sms_gateway import inbound
from sms_gateway.doors import IncomingText, Line, Reply
from sms_gateway.inbound import Claimed, Decision, Kept, New

TWIN_WAIT_S = 2.0
TWIN_LOOK_S = 0.05
Said = tuple[str, str] | None
I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome
log = logging.getLogger(__name__)


class TwinInFlight(DomainError):
    """The same message is being answered at this moment. Please send it again."""

    code = "in_progress"


def line_of(number: Number) -> Line:
    """Return a number as the doors see it."""
    return Line(e164=number.e164, languages=number.languages, texts=number.texts)


@dataclass(slots=True)
class Coming:
    """A message on its way through: ``kept`` once it is stored, or why it could not be; ``said`` once it is decided."""

    new: New
    line: Line
    kept: Kept | Exception | None = None
    said: Said = None
    is_decided: bool = False


def answer(new: New, line: Line, *, wait_s: float, clock: Callable[[], datetime] = now) -> Said:
    """Keep a message, decide about it, and return what to say in the answer to the carrier; None: nothing (yet).

    A message that came before gets its first answer. Raises `TwinInFlight` if that is still being found, or if the
    message could not be kept in time: then the carrier shall bring it again. ``clock`` is asked where this runs alone.
    """
    coming = Coming(new, line)
    if not settings.COLLECTOR_ENABLED or connection.in_atomic_block:
        _take_in([coming], clock)
    else:
        _together.submit(coming, within_s=wait_s)
    return said_of(coming, clock)


async def take_in(new: New, line: Line, brand: Brand, *, wait_s: float) -> Coming:
    """Keep a message of a brand and decide about it as `answer` does, on an event loop; then ask `said_of`."""
    coming = Coming(new, line)
    await _together.ask(coming, tenant=brand, within_s=wait_s)
    return coming


def said_of(coming: Coming, clock: Callable[[], datetime] = now) -> Said:
    """Return what `answer` returns, or raise it. Asks the database, and may wait, unless the message ``is_decided``."""
    kept = coming.kept
    if coming.is_decided:
        return coming.said
    if kept is None:
        raise TwinInFlight
    if isinstance(kept, Exception):
        raise kept
    if kept.fresh:  # late, failed, or this process is ending: the worker speaks, unless the answer came just now
        return inbound.leave_to_worker(kept.id).reply
    return _first_answer(kept, coming.new, coming.line, clock)


def _take_in(coming: Sequence[Coming], clock: Callable[[], datetime] = now) -> None:
    """Keep messages in one transaction, decide about those that are new, keep the answers in another."""
    for one, kept in zip(coming, _together_or_alone(inbound.keep_many, [one.new for one in coming]), strict=True):
        one.kept = kept
    fresh = [(one, one.kept) for one in coming if isinstance(one.kept, Kept) and one.kept.fresh]
    claimed = [Claimed(kept.id, one.new, kept.row) for one, kept in fresh]
    decided = decide_many(claimed, [one.line for one, _kept in fresh], clock)
    for (one, _kept), said in zip(fresh, decided, strict=True):
        if not isinstance(said, Exception):
            one.said, one.is_decided = said, True


def _first_answer(kept: Kept, new: New, line: Line, clock: Callable[[], datetime]) -> Said:
    if not kept.is_answered and kept.due_at > new.at:
        kept = _after_twin(kept)
    if kept.is_answered:
        return kept.reply
    claimed = inbound.claim_one(kept.id, at=clock())  # whoever kept it is gone
    if claimed is None:
        raise TwinInFlight
    [said] = decide_many([claimed], [line], clock)
    return inbound.leave_to_worker(kept.id).reply if isinstance(said, Exception) else said


def _after_twin(kept: Kept) -> Kept:
    until = time.monotonic() + TWIN_WAIT_S
    while not kept.is_answered:
        if time.monotonic() > until:
            raise TwinInFlight
        time.sleep(TWIN_LOOK_S)
        kept = inbound.read(kept.id)
    return kept


def decide_many(
    claimed: Sequence[Claimed], lines: Sequence[Line], clock: Callable[[], datetime] = now
) -> list[Said | Exception]:
    """Ask the handler about messages and keep what it says; return for each what to say now, or why that failed.

    A failure is kept and logged, and fails no neighbour.
    """
    heard = [_heard(one.new, line) for one, line in zip(claimed, lines, strict=True)]
    replies = _together_or_alone(_handler(), heard) if heard else []
    outcomes: list[Said | Exception] = [reply if isinstance(reply, Exception) else None for reply in replies]
    at = clock()
    decisions = {
        place: Decision(
            id=claimed[place].id,
            sender=claimed[place].new.sender,
            number=claimed[place].new.number,
            carrier=claimed[place].new.carrier,
            body=claimed[place].new.body,
            reply=reply,
            at=at,
            row=claimed[place].row,
        )
        for place, reply in enumerate(replies)
        if not isinstance(reply, Exception)
    }
    if decisions:
        told = _together_or_alone(inbound.conclude_many, list(decisions.values()))
        for place, said in zip(decisions, told, strict=True):
            outcomes[place] = said
    for one, outcome in zip(claimed, outcomes, strict=True):
        if isinstance(outcome, Exception):
            # Whatever it was, it is tried again later; the text of an error may hold a code, its type does not.
            log.warning("a message could not be answered: %s", type(outcome).__name__)
            inbound.fail(one.id, type(outcome).__name__, at=clock())
    return outcomes


def _heard(new: New, line: Line) -> IncomingText:
    return IncomingText(
        request_id=new.request_id,
        sender=new.sender,
        number=line,
        body=new.body,
        received_at=new.received_at,
        opt_out=new.opt_out,
    )


def _together_or_alone(
    run: Callable[[Sequence[I]], Sequence[O | Exception]], items: Sequence[I]
) -> list[O | Exception]:
    """Do all together; if that fails, each alone, with its error in its place."""
    try:
        return list(run(items))
    except Exception as error:
        return [error] if len(items) == 1 else [_together_or_alone(run, [item])[0] for item in items]


def decide_due(*, at: datetime, most: int = 100, clock: Callable[[], datetime] = now) -> int:
    """Decide about the messages whose turn it is; return how many there were. None fails its neighbours."""
    claimed = inbound.claim_due(at=at, most=most)
    decide_many(claimed, [_line_called(one.new) for one in claimed], clock)
    return len(claimed)


def _line_called(new: New) -> Line:
    number = number_called(new.carrier, new.number)
    return line_of(number) if number else Line(e164=new.number, languages=(connection.tenant.default_language,))


def _handler() -> Callable[[Sequence[IncomingText]], Sequence[Reply | Exception | None]]:
    return import_string(settings.SMS_HANDLER)  # type: ignore[no-any-return]


def _run(_kind: str, coming: Sequence[Coming]) -> Sequence[bool]:
    commit_unhurried()
    _take_in(coming)
    return [True] * len(coming)


_together: Collector[Coming, bool] = Collector(
    _run,
    name="decider",
    threads=lambda: settings.SMS_DECIDERS,
    away=lambda: False,
    # A batch has three transactions, where one of redemptions over HTTP has one: few large ones cost much less.
    enough=32,
)
close = _together.close
