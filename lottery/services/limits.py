"""Limits of plays, entries and wins: exact, netted per key, one sorted statement locks and counts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from common.db import array, ask, bytes_array, inside_transaction
from lottery.models import LimitUse
from lottery.rules import Limit
from lottery.services import caps

NOBODY: Mapping[str, bytes] = MappingProxyType({})  # who is counted where nothing is
Key = tuple[int, int, bytes, datetime | None]
_ACTS = {"play": LimitUse.Act.PLAY, "entry": LimitUse.Act.ENTRY, "win": LimitUse.Act.WIN}


@dataclass(frozen=True, slots=True)
class Act:
    """One play, entry or win to be counted. ``subjects``: kind of subject → its 16 bytes (`subject_of`)."""

    campaign_id: int
    act: str
    at: datetime
    zone: str
    subjects: Mapping[str, bytes]
    limits: Sequence[Limit]

    def counters(self) -> list[tuple[Key, int]]:
        """Return the counters that it is counted in, each with its limit."""
        found = []
        for limit in self.limits:
            subject = self.subjects.get(limit.subject)
            if limit.act == self.act and subject is not None:
                # One counter for each limit: two limits of one subject and period never share theirs.
                since = _since(limit.period, self.at, self.zone)
                found.append(((self.campaign_id, int(_ACTS[self.act]), subject, since), limit.most))
        return found


def subject_of(kind: str, value: bytes) -> bytes:
    """Return the 16 bytes under which a subject is counted: ``value`` is opaque already (a row id, a blind index)."""
    return hashlib.sha256(kind.encode("ascii") + b"\x00" + value).digest()[:16]


def _since(period: str, at: datetime, zone: str) -> datetime | None:
    if period == "all":
        return None
    if period == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


@inside_transaction
def count(acts: Sequence[Act]) -> list[bool]:
    """Count acts against their limits; return which, in turn, stay within every one. What is refused is given back."""
    return ask_count(acts)()


def ask_count(acts: Sequence[Act]) -> Callable[[], list[bool]]:
    """Send what `count` does. What is returned, read after `pipelined`, gives back what is refused."""
    own = [act.counters() for act in acts]
    amounts = caps.wanted(own)
    if not amounts:
        return lambda: [True] * len(acts)
    added = _ask_added(amounts)

    def counted() -> list[bool]:
        allowed, unused = caps.in_turn(own, added())
        if unused:
            _give_back(unused)
        return allowed

    return counted


def uncount(act: Act) -> None:
    """Take back what `count` counted for one act."""
    own = {key: 1 for key, _most in act.counters()}
    if own:
        _give_back(own)


def _order(key: Key) -> tuple[int, int, bytes, float]:
    return key[0], key[1], key[2], key[3].timestamp() if key[3] else float("inf")


def _columns(amounts: Mapping[Key, int]) -> list[str]:
    keys = sorted(amounts, key=_order)
    since = "{" + ",".join(["NULL" if key[3] is None else f'"{key[3].isoformat()}"' for key in keys]) + "}"
    return [
        array(key[0] for key in keys),
        array(key[1] for key in keys),
        bytes_array(key[2] for key in keys),
        since,
        array(amounts[key] for key in keys),
    ]


_NEW = "unnest(%s::bigint[], %s::smallint[], %s::bytea[], %s::timestamptz[], %s::int[]) AS n (campaign_id, act, subject, since, used)"


def _ask_added(amounts: Mapping[Key, int]) -> Callable[[], dict[Key, int]]:
    utc = {(key[0], key[1], key[2], key[3].timestamp() if key[3] else None): key for key in amounts}
    rows = ask(
        f"""
        INSERT INTO lottery_limituse AS l (campaign_id, act, subject, since, used)
        SELECT * FROM {_NEW} ORDER BY campaign_id, act, subject, since
            ON CONFLICT (campaign_id, act, subject, since) DO UPDATE SET used = l.used + excluded.used
        RETURNING campaign_id, act, subject, since, used
        """,  # noqa: S608 - a constant of our own
        _columns(amounts),
    )
    return lambda: {
        utc[campaign, act, bytes(subject), since.timestamp() if since else None]: used
        for campaign, act, subject, since, used in rows()
    }


def _give_back(amounts: Mapping[Key, int]) -> None:
    ask(
        f"""
        UPDATE lottery_limituse l SET used = l.used - n.used FROM {_NEW}
         WHERE l.campaign_id = n.campaign_id AND l.act = n.act AND l.subject = n.subject
           AND l.since IS NOT DISTINCT FROM n.since
        """,  # noqa: S608 - likewise
        _columns(amounts),
    )
