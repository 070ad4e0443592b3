"""Gathers the attempts that arrive while the last batch commits, and runs them together (`common.collector`)."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from common.collector import Collector
from redemption import services
from redemption.rules import Act, Attempt, Receipt
from redemption.services import Answer, TryLater

ANSWER_WITHIN_S = 30.0
ENOUGH = 24  # a second batch beside the first is worth its statements from here on (docs/benchmarks.md)


def redeem(attempt: Attempt) -> Receipt:
    """Redeem one code, together with whatever else waits. Raises as `services.redeem`."""
    return _together(Act.REDEEM, attempt)


def verify(attempt: Attempt) -> Receipt:
    """Check one label, together with whatever else waits. Raises as `services.verify`."""
    return _together(Act.CHECK, attempt)


async def ask(act: Act, attempt: Attempt, brand: Any) -> Answer:
    """Answer an attempt of a brand on an event loop, together with whatever else waits; an error is returned."""
    return await _collector.ask(attempt, kind=act, tenant=brand, within_s=ANSWER_WITHIN_S)


def _together(act: Act, attempt: Attempt) -> Receipt:
    if not settings.COLLECTOR_ENABLED or connection.in_atomic_block:
        return services.redeem(attempt) if act is Act.REDEEM else services.verify(attempt)
    answer = _collector.submit(attempt, kind=act, within_s=ANSWER_WITHIN_S)
    if isinstance(answer, Receipt):
        return answer
    raise answer


def _each(act: str, attempts: Sequence[Attempt]) -> Sequence[Answer]:
    return services.redeem_each(attempts) if act == Act.REDEEM else services.verify_each(attempts)


_collector: Collector[Attempt, Answer] = Collector(
    _each, name="collector", threads=lambda: settings.COLLECTOR_THREADS, away=TryLater, enough=ENOUGH
)
close = _collector.close
statistics = _collector.statistics
