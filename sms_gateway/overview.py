"""What the console shows of messages: numbers masked, codes hidden; numbers and their health; budgets and alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import quantiles
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from brands.phone_numbers import Number, numbers_for
from common.phone import mask_phone
from sms_gateway import spending
from sms_gateway.masking import mask_codes
from sms_gateway.models import (
    BODY_FIELD,
    FROM_FIELD,
    TEXT_FIELD,
    TO_FIELD,
    InboundMessage,
    OutboundMessage,
    SendTry,
    Spending,
    SpendingBudget,
    Subject,
)
from sms_gateway.outbox import failing_numbers
from staff import vault

HEALTH_WINDOW = timedelta(hours=24)
NEARLY = 0.8
MOST_MEASURED = 2000


@dataclass(frozen=True, slots=True)
class In:
    """A message that came in, as staff may see it."""

    row: InboundMessage
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Out:
    """A message that went out, or should have, as staff may see it: the digits of one-time codes are hidden."""

    row: OutboundMessage
    to: str
    text: str


def shown_in(rows: Iterable[InboundMessage]) -> list[In]:
    """Return messages as staff may see them: the number masked, the text as it is kept, with its codes hidden."""
    return [
        In(
            row,
            mask_phone(sender) if (sender := _unseal(row.from_cipher, FROM_FIELD, row)) else "",
            mask_codes(_unseal(row.body_cipher, TEXT_FIELD, row)),
        )
        for row in rows
    ]


def shown_out(rows: Iterable[OutboundMessage]) -> list[Out]:
    """Return messages as staff may see them."""
    found = []
    for row in rows:
        text, to = _unseal(row.body_cipher, BODY_FIELD, row), _unseal(row.to_cipher, TO_FIELD, row)
        hides = row.purpose == OutboundMessage.Purpose.ONE_TIME_CODE
        found.append(Out(row, mask_phone(to) if to else "", mask_codes(text) if hides else text))
    return found


def _unseal(blob: object, field: str, row: InboundMessage | OutboundMessage) -> str:
    return vault.unseal(bytes(blob), field=field, row=row.uuid) if blob is not None else ""  # type: ignore[call-overload]


def with_number(phone: str) -> tuple[QuerySet[InboundMessage], QuerySet[OutboundMessage]]:
    """Return the messages from and to a number (E.164)."""
    index = vault.blind_index(phone)
    return InboundMessage.objects.filter(from_index=index), OutboundMessage.objects.filter(to_index=index)


# --- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Health:
    """How one of our numbers did in the last day. Times in ms, 0 where nothing was measured."""

    number: Number
    came_in: int
    unanswered: int
    answer_ms: int
    tried: int
    failed: int
    send_ms: int
    delivered: int
    undelivered: int
    is_failing: bool

    @property
    def reports(self) -> int:
        """How many messages their carriers told the end of."""
        return self.delivered + self.undelivered


def health(*, at: datetime) -> list[Health]:
    """Return each number by which this brand may be reached or write, with its last day."""
    since = at - HEALTH_WINDOW
    came = InboundMessage.objects.filter(received_at__gt=since)
    counts: dict[str, Mapping[str, Any]] = {
        row["number"]: row
        for row in came.values("number").annotate(
            all=Count("id"), open=Count("id", filter=~Q(state=InboundMessage.State.DECIDED))
        )
    }
    tries: dict[str, Mapping[str, Any]] = {
        row["number"]: row
        for row in SendTry.objects.filter(at__gt=since)
        .values("number")
        .annotate(all=Count("id"), failed=Count("id", filter=Q(ok=False)))
    }
    ends: dict[str, Mapping[str, Any]] = {
        row["number"]: row
        for row in OutboundMessage.objects.filter(created_at__gt=since)
        .values("number")
        .annotate(
            good=Count("id", filter=Q(state=OutboundMessage.State.DELIVERED)),
            bad=Count("id", filter=Q(state__in=(OutboundMessage.State.FAILED, OutboundMessage.State.UNDELIVERED))),
        )
    }
    failing = failing_numbers(at=at)
    return [
        Health(
            number=number,
            came_in=counts.get(number.e164, {}).get("all", 0),
            unanswered=counts.get(number.e164, {}).get("open", 0),
            answer_ms=_p95(
                int((decided - received).total_seconds() * 1000)
                for received, decided in came.filter(number=number.e164, decided_at__isnull=False)
                .order_by("-id")
                .values_list("received_at", "decided_at")[:MOST_MEASURED]
                if decided
            ),
            tried=tries.get(number.e164, {}).get("all", 0),
            failed=tries.get(number.e164, {}).get("failed", 0),
            send_ms=_p95(
                SendTry.objects.filter(number=number.e164, at__gt=since)
                .order_by("-id")
                .values_list("took_ms", flat=True)[:MOST_MEASURED]
            ),
            delivered=ends.get(number.e164, {}).get("good", 0),
            undelivered=ends.get(number.e164, {}).get("bad", 0),
            is_failing=number.e164 in failing,
        )
        for number in numbers_for(connection.tenant)
    ]


def _p95(values: Iterable[int]) -> int:
    known = sorted(values)
    return round(quantiles(known, n=20, method="inclusive")[-1]) if len(known) > 1 else sum(known)


# --- money -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """One subject's day against its limit. ``which`` is empty where a number must not be shown."""

    subject: str
    which: str
    spent: int
    limit: int | None
    refused: int
    refused_at: datetime | None

    @property
    def label(self) -> str:
        """What kind of subject, in the reader's language."""
        return str(Subject(self.subject).label)

    @property
    def share(self) -> float:
        """Spent ÷ limit, 0 to 1."""
        return min(1.0, self.spent / self.limit) if self.limit else float(bool(self.spent))

    @property
    def is_empty(self) -> bool:
        return bool(self.refused)

    @property
    def is_nearly_empty(self) -> bool:
        return not self.refused and self.share >= NEARLY


def uses(*, day: date, most: int = 50) -> list[Use]:
    """Return the subjects of a day that used their budgets most; those with refusals first."""
    rows = list(Spending.objects.filter(day=day, refused__gt=0).order_by("-last_refused_at")[:most])
    rest = Spending.objects.filter(day=day, refused=0).order_by("-spent")
    for subject in Subject.values:
        rows += list(rest.filter(subject=subject)[:5])
    found = []
    for row in rows:
        limit = spending.limit_of(row.subject, row.key_index)
        which = "" if row.subject == Subject.NUMBER else row.key_index
        found.append(Use(row.subject, which, row.spent, limit, row.refused, row.last_refused_at))
    return sorted(found, key=lambda use: (not use.refused, -use.share, Subject.values.index(use.subject)))


def spent_by_day(*, day: date, days: int = 30) -> list[tuple[date, int]]:
    """Return what the brand's messages took on each of the last days, oldest first."""
    found = dict(
        Spending.objects.filter(subject=Subject.BRAND, day__gt=day - timedelta(days=days))
        .values("day")
        .annotate(sum=Sum("spent"))
        .values_list("day", "sum")
    )
    return [(one, found.get(one, 0)) for one in (day - timedelta(days=n) for n in range(days - 1, -1, -1))]


def budgets() -> list[SpendingBudget]:
    """Return the limits: of each kind of subject first, then those of one subject alone."""
    order = {subject: place for place, subject in enumerate(Subject.values)}
    return sorted(SpendingBudget.objects.all(), key=lambda row: (bool(row.key), order[row.subject], row.key))
