"""Failure budgets: they protect secrets by counting what went wrong, and cost an honest attempt one round trip.

Before an attempt one MGET asks whether any flag is raised at all, and only then a second one reads the flags
``blocked:{subject}``; after the commit each failure alone is counted in moving windows (`limits`), and a window that is
full sets the flag. If the store is gone or slow, this process falls
back to a tenth of each budget in its own memory; if the store comes back empty (no epoch key), it is counted again
from `FailureRow` before the first answer. Numbers: docs/algorithms/redemption.md, "Failure budgets".
"""

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import NamedTuple, cast

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from limits import RateLimitItemPerSecond, WindowStats, storage, strategies
from limits.errors import StorageError

from labels.keys import audit_mac, auditor
from redemption.models import FailureRow, Refused
from redemption.rules import Attempt, Door
from redemption.work import LIVES as PROOF_LIVES, TRIES as TRIES_A_PROOF

HOUR_S, DAY_S = 3600, 86_400
PERSONS = ("asker", "phone", "member")
# Failures per hour and per day (0: no such window) before a subject is refused.
BUDGETS: dict[str, tuple[int, int]] = {
    "asker": (5, 10),
    "phone": (5, 10),
    "member": (10, 0),
    "key": (100, 0),
    "ip": (30, 300),
    "brand": (100, 0),
    "platform": (2000, 0),
}
KEY_SHARE = 20  # a key may fail with one in twenty of its attempts of the last 24 hours
STOP_FACTOR = 4  # a network whose visitors proved their work is stopped after so many times its budget
BRAND_FACTOR = 20  # a brand may see twenty times its usual hour
TELL_EVERY_S = 1.0  # how often a busy process tells the store of the attempts it counted
RETRY_STORE_S = 5.0
MARGIN_S = 10.0  # failures so long before the store was lost are counted again: rather twice than never
MOST_TRIES_SHOWN = 9


class Subject(NamedTuple):
    """Whom a failure is charged to. ``mac`` is keyed, so that neither the store nor the table knows a person."""

    kind: str
    mac: bytes

    @property
    def key(self) -> str:
        """The name of the subject in the store, without the brand."""
        return f"{self.kind}:{self.mac.hex()}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Who may not try, and for how long. ``needs_work``: a proof of work would let the attempt be looked at."""

    subject: Subject
    retry_after_s: int
    needs_work: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure to be charged. ``target``: the label, or minus a MAC of what was typed."""

    subject: Subject
    target: int
    at: datetime


BRAND = Subject("brand", b"")
PLATFORM = Subject("platform", b"")
PLATFORM_FLAG = "budget:blocked:platform"
RAISED = "raised"  # kept as long as any flag of the brand


Mac = Callable[[bytes], bytes]


def subjects_of(attempt: Attempt, mac: Mac = audit_mac) -> list[Subject]:
    """Return who answers for an attempt's failures: the person first, then the key or the network, then the brand."""
    found = []
    if attempt.member_id is not None:
        found.append(_subject("member", str(attempt.member_id), mac))
    elif attempt.phone:
        found.append(_subject("phone", attempt.phone, mac))
    elif attempt.asker:
        found.append(_subject("asker", f"{attempt.client_id}\x00{attempt.asker}", mac))
    elif attempt.cookie:
        found.append(_subject("asker", attempt.cookie, mac))
    if attempt.client_id is not None:
        found.append(_key_subject(attempt.client_id))
    elif attempt.ip_prefix and attempt.door is Door.WEB:
        found.append(_subject("ip", attempt.ip_prefix, mac))
    found.append(BRAND)
    return found


def _key_subject(client_id: int) -> Subject:
    return Subject("key", client_id.to_bytes(8, "big"))


def subject_macs(*, member_id: int, phone: str) -> list[bytes]:
    """Return the MACs under which the failures of one person are counted."""
    return [_subject("member", str(member_id)).mac, _subject("phone", phone).mac]


def _subject(kind: str, name: str, mac: Mac = audit_mac) -> Subject:
    return Subject(kind, mac(f"budget\x00{kind}\x00{name}".encode("utf-8", "surrogatepass"))[:16])


def target_of(*, label_no: int | None, mac: bytes | None) -> int:
    """Return what a failure was about: a label, or (below zero) what was typed."""
    return label_no if label_no is not None else -(struct.unpack(">Q", (mac or bytes(8))[:8])[0] >> 1) - 1


# --- before: may this attempt be looked at? ----------------------------------------------------------------------------


def ask(attempts: Sequence[Attempt]) -> list[Refusal | None]:
    """Return, for each attempt, the budget that refuses it, or None. One round trip to the store."""
    store = _store()
    try:
        if store.usable() and store.is_calm(attempts):
            return [None] * len(attempts)
    except _GONE:
        store.fail()
    mac = auditor()
    subjects = [subjects_of(attempt, mac) for attempt in attempts]
    if store.usable():
        try:
            return store.blocked(subjects, [attempt.proof for attempt in attempts])
        except _GONE:
            store.fail()
    return [_fallback_refusal(group) for group in subjects]


def locked(attempt: Attempt) -> Refusal:
    """Return the refusal of a member whom only a person can unlock: an hour from now it may be asked again."""
    return Refusal(subjects_of(attempt)[0], HOUR_S)


def charge(failures: Iterable[Failure]) -> None:
    """Count failures, after their commit. Never raises: an unreachable store leaves them to the process's own tenth."""
    failures = list(failures)
    if not failures:
        return
    for failure in failures:
        _hit_memory(failure.subject)
    store = _store()
    if not store.usable():
        return
    try:
        store.charge(failures)
    except _GONE:
        store.fail()


def limits_of(kind: str, *, factor: float = 1.0) -> list[RateLimitItemPerSecond]:
    """Return the moving windows of a kind of subject, scaled as the settings say."""
    scale = settings.FAILURE_BUDGET_SCALE * factor
    return [
        RateLimitItemPerSecond(max(1, int(amount * scale)), window)
        for amount, window in zip(BUDGETS[kind], (HOUR_S, DAY_S), strict=True)
        if amount
    ]


class _Store:
    """The shared store (Valkey): flags, windows and the epoch of one brand."""

    def __init__(self, url: str) -> None:
        timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), settings.STORE_TIMEOUT_S)
        self.client = redis.Redis.from_url(url, **timeouts, decode_responses=True)
        self.windows = strategies.MovingWindowRateLimiter(
            storage.storage_from_string(url, **timeouts, wrap_exceptions=True)
        )
        self.down_since: float | None = None
        self.retry_at = 0.0
        self.attempts: dict[str, int] = {}
        self.tell_at = 0.0
        self.lock = Lock()

    @staticmethod
    def name(text: str) -> str:
        return f"budget:{connection.schema_name}:{text}"

    def usable(self) -> bool:
        return time.monotonic() >= self.retry_at

    def fail(self) -> None:
        with self.lock:
            self.down_since = self.down_since or time.time()
            self.retry_at = time.monotonic() + RETRY_STORE_S

    def is_calm(self, attempts: Sequence[Attempt]) -> bool:
        """Return whether no flag at all is raised, so that nobody need be asked for by name; if so, count the attempts."""
        scope = self.name("")
        epoch, *raised = self._read(f"{scope}epoch", f"{scope}blocked:{BRAND.key}", f"{scope}{RAISED}", PLATFORM_FLAG)
        if epoch is None or self.down_since is not None or any(raised):
            return False
        clients = Counter(attempt.client_id for attempt in attempts if attempt.client_id is not None)
        self._count_attempts(Counter({_key_subject(client): count for client, count in clients.items()}))
        return True

    def _read(self, *names: str) -> list[str | None]:
        """MGET over a connection of the client's pool: the client's own road there costs three times as much."""
        pool = self.client.connection_pool
        line = pool.get_connection()
        try:
            line.send_command("MGET", *names)  # type: ignore[no-untyped-call]
            return cast("list[str | None]", line.read_response())
        finally:
            pool.release(line)

    def blocked(self, groups: Sequence[list[Subject]], proofs: Sequence[str]) -> list[Refusal | None]:
        """Return each attempt's refusal. ``proofs``: the puzzle solved for each, or "". Also counts the attempts of API keys, whose budget is a share of them."""
        subjects = list(dict.fromkeys(subject for group in groups for subject in group if subject is not BRAND))
        scope = self.name("")
        names = [f"{scope}epoch", PLATFORM_FLAG, f"{scope}blocked:{BRAND.key}"]
        names += [f"{scope}blocked:{subject.key}" for subject in subjects]
        networks = [subject for subject in subjects if subject.kind == "ip"]
        names += [f"{scope}stopped:{subject.key}" for subject in networks]
        values = cast("list[str | None]", self.client.mget(names))
        if values[0] is None or self.down_since is not None:
            self._count_again()
            return self.blocked(groups, proofs)
        self._count_attempts(Counter(subject for group in groups for subject in group if subject.kind == "key"))
        breaker = _later(values[1], values[2])
        flags = dict(zip(subjects, values[3 : 3 + len(subjects)], strict=True))
        if breaker is None and not any(flags.values()):
            return [None] * len(groups)
        state = _State(
            breaker,
            flags,
            self._failed(subjects) if breaker else {},
            dict(zip(networks, values[3 + len(subjects) :], strict=True)),
        )
        return [
            _refusal(group, state, proven=bool(proof) and self._counts_for(proof))
            for group, proof in zip(groups, proofs, strict=True)
        ]

    def _counts_for(self, proof: str) -> bool:
        """Use up one of the tries that a proof of work is worth; return whether there was one left."""
        name = self.name(f"proof:{proof}")
        used: int = self.client.incr(name)
        self.client.expire(name, 2 * PROOF_LIVES)
        return used <= TRIES_A_PROOF

    def _failed(self, subjects: Iterable[Subject]) -> dict[Subject, str | None]:
        """Return, for each person, until when a failure of theirs of the last hour counts against them."""
        persons = [subject for subject in subjects if subject.kind in PERSONS]
        if not persons:
            return {}
        names = [self.name(f"failed:{subject.key}") for subject in persons]
        return dict(zip(persons, cast("list[str | None]", self.client.mget(names)), strict=True))

    def _count_attempts(self, counted: "Counter[Subject]") -> None:
        """Count the attempts of API keys, whose budget is a share of them; told to the store a hundred or more at a time."""
        hour = int(time.time() // HOUR_S)
        with self.lock:
            for subject, count in counted.items():
                name = self.name(f"attempts:{subject.key}:{hour}")
                self.attempts[name] = self.attempts.get(name, 0) + count
            if time.monotonic() < self.tell_at:
                return
            full = [name for name, count in self.attempts.items() if count >= KEY_SHARE * 5]
            counts = {name: self.attempts.pop(name) for name in full}
            self.tell_at = time.monotonic() + TELL_EVERY_S if counts else 0.0
        for name, count in counts.items():
            self.client.incrby(name, count)
            self.client.expire(name, DAY_S + HOUR_S)

    def charge(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            subject = failure.subject
            if subject.kind in PERSONS:
                self.client.set(self.name(f"failed:{subject.key}"), str(time.time() + HOUR_S), ex=HOUR_S)
            self._hit(subject)
            if subject.kind == "brand":
                self._hit(PLATFORM)

    def _hit(self, subject: Subject) -> None:
        for item in self._windows_of(subject):
            name = f"platform:{subject.key}" if subject.kind == "platform" else self.name(subject.key)
            self.windows.hit(item, name)
            stats = self.windows.get_window_stats(item, name)
            if stats.remaining <= 0:
                self._raise_flag(
                    PLATFORM_FLAG if subject.kind == "platform" else self.name(f"blocked:{subject.key}"), stats
                )
            if subject.kind == "ip":
                beyond = RateLimitItemPerSecond(item.amount * STOP_FACTOR, item.multiples)
                self.windows.hit(beyond, name)
                stats = self.windows.get_window_stats(beyond, name)
                if stats.remaining <= 0:
                    self._raise_flag(self.name(f"stopped:{subject.key}"), stats)

    def _raise_flag(self, name: str, stats: WindowStats) -> None:
        seconds = max(1, int(stats.reset_time - time.time()))
        self.client.set(self.name(RAISED), "1", ex=seconds, nx=True)
        self.client.expire(self.name(RAISED), seconds, gt=True)
        self.client.set(name, str(stats.reset_time), ex=seconds)

    def _windows_of(self, subject: Subject) -> list[RateLimitItemPerSecond]:
        items = limits_of(subject.kind)
        if subject.kind == "key":
            hour = int(time.time() // HOUR_S)
            counts = self.client.mget([self.name(f"attempts:{subject.key}:{hour - back}") for back in range(24)])
            attempts = sum(int(count or 0) for count in counts)
            return [RateLimitItemPerSecond(max(items[0].amount, attempts // KEY_SHARE), HOUR_S)]
        if subject.kind == "brand":
            usual = self.client.get(self.name("usual-hour"))
            return [RateLimitItemPerSecond(max(items[0].amount, BRAND_FACTOR * int(usual or 0)), HOUR_S)]
        return items

    def _count_again(self) -> None:
        """Put the failures of the last day back into an empty store, or those of an outage into one that came back."""
        if not self.client.set(self.name("counting"), "1", nx=True, ex=10):
            raise redis.ConnectionError("another process is counting the failures again")
        present = self.client.get(self.name("epoch"))
        since = datetime.fromtimestamp((self.down_since or 0) - MARGIN_S, tz=UTC) if present else None
        rows = _rows_since(since)
        counted: dict[tuple[str, bytes], int] = {}
        for kind, mac in rows:
            most = max(item.amount for item in limits_of(kind)) * (STOP_FACTOR if kind == "ip" else 1)
            counted[kind, mac] = counted.get((kind, mac), 0) + 1
            if counted[kind, mac] <= most:
                self._hit(Subject(kind, mac))
        self.client.set(self.name("usual-hour"), len([kind for kind, _mac in rows if kind == "brand"]) // 24)
        self.client.set(self.name("epoch"), str(time.time()))
        self.client.delete(self.name("counting"))
        with self.lock:
            self.down_since = None


class _State(NamedTuple):
    """What the store says about the subjects of a call: until when each may not try."""

    breaker: str | None
    flags: dict[Subject, str | None]
    failed: dict[Subject, str | None]
    stopped: dict[Subject, str | None]


def _refusal(group: list[Subject], state: _State, *, proven: bool) -> Refusal | None:
    """Return who refuses an attempt. Person and key come first, since work buys no more guesses of theirs."""
    for subject in group:
        until = state.flags.get(subject)
        if until and subject.kind != "ip":
            return Refusal(subject, _wait_s(until))
    for subject in group:
        if subject.kind != "ip":
            continue
        stopped = state.stopped.get(subject)
        if stopped:
            return Refusal(subject, _wait_s(stopped))
        until = state.flags.get(subject) or state.breaker
        if until and not proven:
            return Refusal(subject if state.flags.get(subject) else BRAND, _wait_s(until), needs_work=True)
        return None
    if not state.breaker:
        return None
    # With the breaker open and no page to ask for work, a person has one try, and a stranger none after it.
    persons = [subject for subject in group if subject.kind in PERSONS]
    for subject in persons:
        until = state.failed.get(subject)
        if until:
            return Refusal(subject, _wait_s(until))
    return None if persons else Refusal(BRAND, _wait_s(state.breaker))


def _wait_s(until: str) -> int:
    return max(1, int(float(until) - time.time()))


def _later(*values: str | None) -> str | None:
    return max((value for value in values if value), key=float, default=None)


_GONE = (redis.RedisError, StorageError, OSError)


@cache
def _store_at(url: str) -> _Store:
    return _Store(url)


def _store() -> "_Store | _NoStore":
    return _store_at(settings.CACHE_URL) if settings.CACHE_URL else _NoStore()


class _NoStore:
    """No store is configured: the process's own memory decides."""

    def usable(self) -> bool:
        return False

    def fail(self) -> None:
        """Stay as it is."""

    def is_calm(self, attempts: Sequence[Attempt]) -> bool:
        raise NotImplementedError

    def blocked(self, groups: Sequence[list[Subject]], proofs: Sequence[str]) -> list[Refusal | None]:
        raise NotImplementedError

    def charge(self, failures: Sequence[Failure]) -> None:
        raise NotImplementedError


def _rows_since(since: datetime | None) -> list[tuple[str, bytes]]:
    from common.clock import now

    start = since or now() - timedelta(seconds=DAY_S)
    rows = FailureRow.objects.filter(at__gte=start).order_by("at").values_list("kind", "subject_mac")
    return [(kind, bytes(mac)) for kind, mac in rows]


# --- this process's own tenth ---------------------------------------------------------------------------------------------

_memory = strategies.MovingWindowRateLimiter(storage.MemoryStorage())


def _hit_memory(subject: Subject) -> None:
    for item in limits_of(subject.kind, factor=0.1):
        _memory.hit(item, str(connection.schema_name), subject.key)


def _fallback_refusal(group: list[Subject]) -> Refusal | None:
    for subject in group:
        for item in limits_of(subject.kind, factor=0.1):
            stats = _memory.get_window_stats(item, str(connection.schema_name), subject.key)
            if stats.remaining <= 0:
                return Refusal(subject, max(1, int(stats.reset_time - time.time())))
    return None


# --- rows ---------------------------------------------------------------------------------------------------------------


def count_refusal(refusal: Refusal, *, at: datetime) -> None:
    """Add one to the subject's refusals of this minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO redemption_refused AS r (subject_mac, minute, kind, count) VALUES (%s, %s, %s, 1)
                ON CONFLICT (subject_mac, minute) DO UPDATE SET count = r.count + 1
            """,
            [refusal.subject.mac, at.replace(second=0, microsecond=0), refusal.subject.kind],
        )


def was_refused(phone: str, *, at: datetime) -> bool:
    """Return whether a number was told TOO_MANY_TRIES before within the hour, this time not counted."""
    refused = Refused.objects.filter(
        subject_mac=_subject("phone", phone).mac, minute__gt=at - timedelta(seconds=HOUR_S), minute__lte=at
    )
    return (refused.aggregate(times=Sum("count"))["times"] or 0) > 1


def write_failures(failures: Sequence[Failure]) -> list[Failure]:
    """Keep the failures that are new (one subject failing on one target twice within an hour counts once); return them."""
    if not failures:
        return []
    unique = {(failure.subject, failure.target): failure for failure in failures}
    rows = list(unique.values())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO redemption_failurerow (subject_mac, kind, target, at)
            SELECT n.subject_mac, n.kind, n.target, n.at
              FROM unnest(%s::bytea[], %s::text[], %s::bigint[], %s::timestamptz[]) AS n (subject_mac, kind, target, at)
             WHERE NOT EXISTS (SELECT 1 FROM redemption_failurerow f
                                WHERE f.subject_mac = n.subject_mac AND f.at > n.at - interval '1 hour'
                                  AND f.target = n.target AND f.kind = n.kind)
            RETURNING subject_mac, target
            """,
            [
                [row.subject.mac for row in rows],
                [row.subject.kind for row in rows],
                [row.target for row in rows],
                [row.at for row in rows],
            ],
        )
        kept = {(bytes(mac), target) for mac, target in cursor.fetchall()}
    return [row for row in rows if (row.subject.mac, row.target) in kept]


def tries_left(subjects: Sequence[Subject], *, at: datetime) -> dict[Subject, int]:
    """Return how many more failures each subject's hour allows, counted in the rows of this transaction."""
    macs = [subject.mac for subject in subjects]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT subject_mac, count(*) FROM redemption_failurerow
             WHERE subject_mac = ANY(%s) AND at > %s GROUP BY subject_mac
            """,
            [macs, at - timedelta(seconds=HOUR_S)],
        )
        used = {bytes(mac): count for mac, count in cursor.fetchall()}
    return {
        subject: max(0, min(MOST_TRIES_SHOWN, limits_of(subject.kind)[0].amount - used.get(subject.mac, 0)))
        for subject in subjects
    }


def forget_old(*, at: datetime) -> None:
    """Drop failures after 48 hours and counted refusals after 30 days."""
    FailureRow.objects.filter(at__lt=at - timedelta(hours=48)).delete()
    Refused.objects.filter(minute__lt=at - timedelta(days=30)).delete()
