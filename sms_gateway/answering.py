"""From a message that was kept to what its carrier is told: decide, wait a little, or leave it to the worker.

The handler (`SMS_HANDLER`) runs in a few threads of its own with their own database connections, so that a slow decision
holds no carrier's request for longer than it likes. Without a collector (tests, tasks) it runs where it is called.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError as TooSlow
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import translation
from django.utils.module_loading import import_string

from brands.models import Brand
from brands.phone_numbers import Number, number_called
from common.clock import now
from common.errors import DomainError
from common.gather import Gatherer
from sms_gateway import inbound
from sms_gateway.doors import IncomingText, Line, Reply
from sms_gateway.inbound import Claimed, Decision, Kept, New

TWIN_WAIT_S = 2.0
TWIN_LOOK_S = 0.05
Said = tuple[str, str] | None
log = logging.getLogger(__name__)

keep: Gatherer[New, Kept] = Gatherer(inbound.keep_many)
_conclude: Gatherer[Decision, Said] = Gatherer(inbound.conclude_many)


class TwinInFlight(DomainError):
    """The same message is being answered at this moment. Please send it again."""

    code = "in_progress"


def line_of(number: Number) -> Line:
    """Return a number as the doors see it."""
    return Line(e164=number.e164, languages=number.languages, texts=number.texts)


def answer(new: New, line: Line, *, wait_s: float, clock: Callable[[], datetime] = now) -> Said:
    """Keep a message, decide about it, and return what to say in the answer to the carrier; None: nothing (yet).

    A message that came before gets its first answer. Raises `TwinInFlight` if that is still being found.
    """
    kept = keep(new)
    if kept.fresh:
        return _decided_within(wait_s, Claimed(kept.id, new), line, clock)
    if not kept.is_answered:
        kept = _after_twin(kept, new, line, wait_s, clock) if kept.due_at > new.at else kept
    if not kept.is_answered:
        claimed = inbound.claim_one(kept.id, at=clock())  # whoever kept it is gone
        if claimed is None:
            raise TwinInFlight
        return _decided_within(wait_s, claimed, line, clock)
    return kept.reply


def _after_twin(kept: Kept, new: New, line: Line, wait_s: float, clock: Callable[[], datetime]) -> Kept:
    until = time.monotonic() + TWIN_WAIT_S
    while not kept.is_answered:
        if time.monotonic() > until:
            raise TwinInFlight
        time.sleep(TWIN_LOOK_S)
        kept = inbound.read(kept.id)
    return kept


def _decided_within(wait_s: float, claimed: Claimed, line: Line, clock: Callable[[], datetime]) -> Said:
    if not settings.COLLECTOR_ENABLED or connection.in_atomic_block:
        try:
            return decide(claimed, line, clock)
        except Exception:  # logged and kept by `decide`
            return inbound.leave_to_worker(claimed.id).reply
    try:
        future = _deciders().submit(_decide_for, connection.tenant, claimed, line, clock)
        return future.result(timeout=wait_s)
    except (
        TooSlow,
        Exception,
    ):  # late, failed, or this process is ending: either way the worker speaks, unless the answer came just now
        return inbound.leave_to_worker(claimed.id).reply


def decide(claimed: Claimed, line: Line, clock: Callable[[], datetime] = now) -> Said:
    """Ask the handler and keep what it says; return what to say now. A failure is kept, logged and raised."""
    new = claimed.new
    try:
        reply = _handler()(
            IncomingText(
                request_id=new.request_id,
                sender=new.sender,
                number=line,
                body=new.body,
                received_at=new.received_at,
                opt_out=new.opt_out,
            )
        )
        return _conclude(
            Decision(
                id=claimed.id,
                sender=new.sender,
                number=new.number,
                carrier=new.carrier,
                body=new.body,
                reply=reply,
                at=clock(),
            )
        )
    except Exception as error:
        # Whatever it was, it is tried again later; the text of an error may hold a code, its type does not.
        log.warning("a message could not be answered: %s", type(error).__name__)
        inbound.fail(claimed.id, type(error).__name__, at=clock())
        raise


def decide_due(*, at: datetime, most: int = 100, clock: Callable[[], datetime] = now) -> int:
    """Decide about the messages whose turn it is; return how many there were. None fails its neighbours."""
    claimed = inbound.claim_due(at=at, most=most)
    for one in claimed:
        number = number_called(one.new.carrier, one.new.number)
        line = line_of(number) if number else Line(e164=one.new.number, languages=(connection.tenant.default_language,))
        try:
            decide(one, line, clock)
        except Exception:  # noqa: S112 # nosec B112 - kept and logged by `decide`
            continue
    return len(claimed)


def _handler() -> Callable[[IncomingText], Reply | None]:
    return import_string(settings.SMS_HANDLER)  # type: ignore[no-any-return]


def _decide_for(brand: Brand, claimed: Claimed, line: Line, clock: Callable[[], datetime]) -> Said:
    connection.close_if_unusable_or_obsolete()
    if connection.tenant is not brand:  # each time costs a statement
        connection.set_tenant(brand)
    with translation.override(line.languages[0]):
        return decide(claimed, line, clock)


_running: tuple[int, ThreadPoolExecutor] | None = None
_starting = threading.Lock()


def _deciders() -> ThreadPoolExecutor:
    """Return this process's threads; a forked child starts its own."""
    global _running
    if _running is None or _running[0] != os.getpid():
        with _starting:
            if _running is None or _running[0] != os.getpid():
                _running = (os.getpid(), ThreadPoolExecutor(settings.SMS_DECIDERS, thread_name_prefix="decider"))
    return _running[1]
