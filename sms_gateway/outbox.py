"""The relay: takes messages that are due, one carrier call each, outside any transaction; runs in any number of workers.

A message is claimed by a row lock that nobody waits for, and is its worker's for `LEASE`; whoever dies leaves it to the
next sweep, so a message is sent at least once. Five failures park it with its reason; it never holds up the next.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from brands.phone_numbers import Number, numbers_for
from brands.queries import brand_date, brand_zone
from common.clock import now
from sms_gateway import spending
from sms_gateway.backoff import MOST_TRIES, next_try
from sms_gateway.carriers import carrier_named
from sms_gateway.carriers.aliyun import template_of
from sms_gateway.carriers.base import Accepted, Outbound, Permanent, SendError, Stopped, Temporary
from sms_gateway.models import BODY_FIELD, TO_FIELD, OutboundMessage, SendTry, Suppression
from sms_gateway.reports import reference_of
from sms_gateway.services import PARAMETERS_FIELD, suppress
from staff import vault

LEASE = timedelta(minutes=2)
TOGETHER = 20
FAILING_WINDOW = timedelta(minutes=5)
FAILING_TRIES = 5
Purpose, State = OutboundMessage.Purpose, OutboundMessage.State
UNASKED = {Purpose.NOTICE, Purpose.MARKETING}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send for a while, in clear."""

    row: OutboundMessage
    to: str
    outbound: Outbound


def send_due(*, clock: Callable[[], datetime] = now, most: int = 500) -> int:
    """Send what is due, most urgent first; return how many messages were tried."""
    tried = 0
    while tried < most:
        claimed = claim(at=clock(), most=min(TOGETHER, most - tried))
        if not claimed:
            break
        for one in claimed:
            send_one(one, clock)
        tried += len(claimed)
    return tried


def claim(*, at: datetime, most: int) -> list[Claimed]:
    """Take due messages; refuse those that may not go, put off those that may not go now, pay for the rest."""
    with transaction.atomic(durable=True):
        rows = list(
            OutboundMessage.objects.filter(
                state__in=(State.WAITING, State.SENDING), due_at__lte=at, to_index__isnull=False
            )
            .order_by("priority", "id")
            .select_for_update(skip_locked=True, no_key=True)[:most]
        )
        going = _paid(_allowed(rows, at), at)
        for row in going:
            row.state, row.attempts, row.due_at = State.SENDING, row.attempts + 1, at + LEASE
        OutboundMessage.objects.bulk_update(rows, ["state", "attempts", "due_at", "problem", "cost", "ended_at"])
    return [_in_clear(row) for row in going]


def _allowed(rows: Sequence[OutboundMessage], at: datetime) -> list[OutboundMessage]:
    stopped = {
        bytes(index)
        for index in Suppression.objects.filter(
            to_index__in=[row.to_index for row in rows if row.purpose in UNASKED], lifted_at=None
        ).values_list("to_index", flat=True)
    }
    awake = _awake_at(at)
    allowed = []
    for row in rows:
        if row.attempts >= MOST_TRIES:  # whoever tried last died of it
            row.state, row.problem = State.PARKED, row.problem or "process died"
        elif row.purpose in UNASKED and bytes(row.to_index or b"") in stopped:
            _refuse(row, "stopped", at)
        elif row.purpose == Purpose.MARKETING and awake > at:
            row.state, row.due_at = State.WAITING, awake
        else:
            allowed.append(row)
    return allowed


def _refuse(row: OutboundMessage, problem: str, at: datetime) -> None:
    row.state, row.problem, row.ended_at = State.REFUSED, problem, at


def _awake_at(at: datetime) -> datetime:
    """Return ``at``, or when the brand's quiet hours end if it lies in them."""
    begin, end = (int(hour) for hour in settings.SMS_QUIET_HOURS.split("-"))
    local = timezone.localtime(at, brand_zone())
    quiet = begin <= local.hour or local.hour < end if begin > end else begin <= local.hour < end
    if not quiet:
        return at
    morning = local.replace(hour=end, minute=0, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)


def _paid(rows: Sequence[OutboundMessage], at: datetime) -> list[OutboundMessage]:
    paid, asked, needs = [], [], []
    for row in rows:
        if row.cost:  # an earlier try was paid for
            paid.append(row)
            continue
        need = spending.need_of(_to(row), row.parts)
        if need is None:
            _refuse(row, spending.COUNTRY, at)
        else:
            asked.append(row)
            needs.append(need)
    for row, need, limit in zip(asked, needs, spending.take(needs, day=brand_date(at), at=at), strict=True):
        if limit:
            _refuse(row, f"budget_{limit}", at)
        else:
            row.cost = need.amount
            paid.append(row)
    return sorted(paid, key=lambda row: (row.priority, row.pk))


def _to(row: OutboundMessage) -> str:
    return vault.unseal(bytes(row.to_cipher or b""), field=TO_FIELD, row=row.uuid)


def _in_clear(row: OutboundMessage) -> Claimed:
    to = _to(row)
    parameters = row.parameters_cipher
    return Claimed(
        row,
        to,
        Outbound(
            reference=reference_of(row.uuid),
            to=to,
            body=vault.unseal(bytes(row.body_cipher or b""), field=BODY_FIELD, row=row.uuid),
            language=row.language,
            template=row.template or (row.purpose if row.purpose == Purpose.ONE_TIME_CODE else ""),
            parameters=json.loads(vault.unseal(bytes(parameters), field=PARAMETERS_FIELD, row=row.uuid))
            if parameters
            else {},
        ),
    )


# --- one carrier call --------------------------------------------------------------------------------------------------


def send_one(claimed: Claimed, clock: Callable[[], datetime] = now) -> None:
    """Send one claimed message by the carrier whose turn it is, and keep what came of it."""
    row = claimed.row
    numbers = candidates(claimed, at=clock())
    if not numbers:
        _failed(row, Temporary("no number"), elsewhere=False, at=clock())
        return
    tried = Counter(row.tries.values_list("number", flat=True)) if row.attempts > 1 else Counter[str]()
    number = min(numbers, key=lambda one: tried[one.e164])  # the first of those tried least
    elsewhere = any(tried[one.e164] <= tried[number.e164] for one in numbers if one is not number)
    kind = carrier_named(number.account.carrier)
    began = time.monotonic()
    result: Accepted | SendError
    try:
        result = kind(number.account).send(claimed.outbound, number) if kind else Temporary("not admitted")
    except SendError as error:
        result = error
    except Exception as error:  # an adapter's own fault must not stop the others' messages
        result = Temporary(type(error).__name__)
    at = clock()
    took_ms = int((time.monotonic() - began) * 1000)
    with transaction.atomic(durable=True):
        SendTry.objects.create(
            message=row, number=number.e164, carrier=number.account.carrier, at=at, took_ms=took_ms,
            ok=isinstance(result, Accepted), code=result.code if isinstance(result, SendError) else "",
        )  # fmt: skip
        if isinstance(result, Accepted):
            _accepted(row, result, number, at)
    if isinstance(result, SendError):
        if isinstance(result, Stopped):
            with transaction.atomic(durable=True):
                suppress(claimed.to, source=Suppression.Source.CARRIER, at=at)
        _failed(row, result, elsewhere=elsewhere, at=at)


def candidates(claimed: Claimed, *, at: datetime) -> list[Number]:
    """Return the numbers by which a message may leave, best first: the one it names, then the brand's order.

    A number that failed in most of its last tries stands behind the others. Marketing leaves by the brand's own numbers.
    """
    row = claimed.row
    numbers = [
        number
        for number in numbers_for(connection.tenant)
        if (kind := carrier_named(number.account.carrier)) is not None
        and (not kind.templates_only or template_of(number.account, claimed.outbound.template, row.language))
        and (row.purpose != Purpose.MARKETING or number.brand is not None)
    ]
    failing = failing_numbers(at=at) if len(numbers) > 1 else set()
    return sorted(numbers, key=lambda number: (number.e164 in failing, number.e164 != row.number))


def failing_numbers(*, at: datetime) -> set[str]:
    """Return the numbers that failed in more than half of at least five tries within five minutes."""
    counts: dict[str, list[bool]] = {}
    for e164, ok in (
        SendTry.objects.filter(at__gt=at - FAILING_WINDOW).order_by("-at").values_list("number", "ok")[:500]
    ):
        counts.setdefault(e164, []).append(ok)
    return {
        e164 for e164, results in counts.items() if len(results) >= FAILING_TRIES and sum(results) * 2 < len(results)
    }


def _accepted(row: OutboundMessage, result: Accepted, number: Number, at: datetime) -> None:
    """Keep that the carrier has it. A report may have come first: then the state stands higher already."""
    here = OutboundMessage.objects.filter(pk=row.pk)
    here.update(number=number.e164, carrier=number.account.carrier, sent_at=at)
    if result.ref:
        here.update(carrier_ref=result.ref)
    here.filter(state=State.SENDING).update(state=State.SENT, problem="")


def _failed(row: OutboundMessage, error: SendError, *, elsewhere: bool, at: datetime) -> None:
    """Keep a failure: for good, to be tried by the next carrier at once, later, or never again without a person."""
    here = OutboundMessage.objects.filter(pk=row.pk, state=State.SENDING)
    if isinstance(error, Permanent):
        with transaction.atomic(durable=True):
            if here.update(state=State.FAILED, problem=error.code, ended_at=at, cost=0):
                need = spending.need_of(_to(row), row.parts)
                if need:
                    spending.correct(need, -row.cost, day=brand_date(at))
    elif row.attempts >= MOST_TRIES:
        here.update(state=State.PARKED, problem=error.code)
    else:
        due_at = at if elsewhere else next_try(row.attempts, at)
        here.update(state=State.WAITING, problem=error.code, due_at=due_at)


def replay(message_id: int, *, at: datetime) -> bool:
    """Send a parked or refused message after all, from the first try; say whether there was one."""
    return bool(
        OutboundMessage.objects.filter(
            pk=message_id, state__in=(State.PARKED, State.REFUSED), to_index__isnull=False
        ).update(state=State.WAITING, attempts=0, due_at=at, problem="", ended_at=None)
    )
