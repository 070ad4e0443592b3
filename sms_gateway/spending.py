"""What messages cost, and the hard limits on it: by number, block of numbers, country and brand, each day of the brand.

`take` reserves before anything is sent, in the transaction that makes the message; what would pass a limit is refused,
never cut. Limits are multiplied by `FAILURE_BUDGET_SCALE` in the demo and in tests, as other budgets are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import connection, transaction

from common.db import array, ask, inside_transaction, schema_name
from common.errors import Conflict, NotFound
from common.kept import Kept
from common.phone import region_of
from sms_gateway.models import CountryRate, SpendingBudget, Subject
from staff import approvals, vault
from staff.models import User

BLOCK_DIGITS = 4
Key = tuple[str, str]
COUNTRY = "country_closed"
_NUMBER, _PREFIX, _COUNTRY, _BRAND = (
    str(subject) for subject in (Subject.NUMBER, Subject.PREFIX, Subject.COUNTRY, Subject.BRAND)
)


@dataclass(frozen=True, slots=True)
class Need:
    """What one message will take. ``keys`` in the order of `Subject`."""

    amount: int
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    prices: dict[str, int]
    limits: dict[Key, int]

    def limit(self, key: Key) -> int | None:
        subject, which = key
        found = self.limits.get(key) if which and subject != _NUMBER else None
        return self.limits.get((subject, "")) if found is None else found


def _read_rules(_schema: str) -> _Rules:
    scale = settings.FAILURE_BUDGET_SCALE
    return _Rules(
        dict(CountryRate.objects.values_list("region", "part_price")),
        {
            (subject, key): per_day * scale
            for subject, key, per_day in SpendingBudget.objects.values_list("subject", "key", "per_day")
        },
    )


_kept: Kept[_Rules] = Kept(_read_rules)


def _rules() -> _Rules:
    return _kept(schema_name())


def forget_rules() -> None:
    """Drop what is kept, after a change in this process."""
    _kept.forget()


def need_of(e164: str, parts: int) -> Need | None:
    """Return what ``parts`` parts to a number take, or None if its country is not written to."""
    [need] = needs_of([(e164, parts)])
    return need


def needs_of(wanted: Sequence[tuple[str, int]], indexes: Iterable[bytes] = ()) -> list[Need | None]:
    """Return `need_of` for each pair of number and parts. ``indexes``: the numbers' blind indexes, if they are known."""
    prices = _rules().prices
    known = indexes or vault.blind_indexes(e164 for e164, _parts in wanted)
    return [_need(prices, e164, parts, index) for (e164, parts), index in zip(wanted, known, strict=True)]


def _need(prices: dict[str, int], e164: str, parts: int, index: bytes) -> Need | None:
    region = region_of(e164)
    price = prices.get(region)
    if price is None:
        return None
    return Need(
        price * parts, ((_NUMBER, index.hex()), (_PREFIX, e164[:-BLOCK_DIGITS]), (_COUNTRY, region), (_BRAND, ""))
    )


def ask_room(needs: Sequence[Need], *, day: date) -> Callable[[], list[str]]:
    """Ask for each need whose limit it would pass now ("" if none). Takes nothing."""
    if not needs:
        return list
    keys, rules = sorted({key for need in needs for key in need.keys}), _rules()
    rows = ask(
        # One look into the index for each: joined, all that was spent that day is read as long as the table seems small.
        """
        SELECT subject, key_index, coalesce((SELECT spent FROM sms_gateway_spending s WHERE s.day = %s
                                              AND s.subject = k.subject AND s.key_index = k.key_index), 0)
          FROM unnest(%s::text[], %s::text[]) AS k (subject, key_index)
        """,
        [day, array(subject for subject, _ in keys), _texts(which for _, which in keys)],
    )

    def over() -> list[str]:
        spent = defaultdict(int, _by_key(rows()))
        return [_first_over(rules, need, spent) for need in needs]

    return over


def _first_over(rules: _Rules, need: Need, spent: Mapping[Key, int]) -> str:
    for key in need.keys:
        limit = rules.limit(key)
        if limit is not None and spent[key] + need.amount > limit:
            return key[0]
    return ""


@inside_transaction
def take(needs: Sequence[Need], *, day: date, at: datetime) -> list[str]:
    """Take each need from all its budgets, or from none; return for each the limit that refused it ("" if none).

    One statement in the order of the keys locks and adds; a second gives back what would pass a limit, so that nobody
    else ever sees it taken.
    """
    refusals = _taken_each(needs, day)
    refused = [(need, over) for need, over in zip(needs, refusals, strict=True) if over]
    if refused:
        _refuse(refused, day, at)
    return refusals


@inside_transaction
def ask_take(needs: Sequence[Need], *, day: date, unless: type[Exception]) -> None:
    """Take all needs as `take` does where none passes a limit; if one does, ``unless`` is raised once this is sent."""
    if not needs:
        return
    wanted, rules = _wanted(needs), _rules()
    limits = [(key, limit) for key in wanted if (limit := rules.limit(key)) is not None]
    ask(
        f"""
        WITH taken AS ({_ADD})
        SELECT 1 / (count(*) = 0)::int FROM taken JOIN unnest(%s::text[], %s::text[], %s::bigint[])
            AS most (subject, key_index, amount) USING (subject, key_index) WHERE spent > amount
        """,  # noqa: S608 - our own words
        [
            *_added(wanted, day),
            array(subject for (subject, _), _limit in limits),
            _texts(which for (_, which), _limit in limits),
            array(limit for _key, limit in limits),
        ],
        unless=unless,
    )


def _taken_each(needs: Sequence[Need], day: date) -> list[str]:
    if not needs:
        return []
    wanted, rules = _wanted(needs), _rules()
    spent = _by_key(ask(_ADD, _added(wanted, day))())
    if not any((limit := rules.limit(key)) is not None and spent[key] > limit for key in wanted):
        return [""] * len(needs)
    for key, amount in wanted.items():
        spent[key] -= amount
    return [_taken(rules, need, spent) for need in needs]


def _wanted(needs: Sequence[Need]) -> dict[Key, int]:
    """Return what is taken from each budget, in the order in which they are locked."""
    wanted: dict[Key, int] = defaultdict(int)
    for need in needs:
        for key in need.keys:
            wanted[key] += need.amount
    return dict(sorted(wanted.items()))


def _taken(rules: _Rules, need: Need, spent: dict[Key, int]) -> str:
    over = _first_over(rules, need, spent)
    if not over:
        for key in need.keys:
            spent[key] += need.amount
    return over


def _by_key(rows: Iterable[tuple[str, str, int]]) -> dict[Key, int]:
    return {(subject, which): spent for subject, which, spent in rows}


_ADD = """
        INSERT INTO sms_gateway_spending (day, subject, key_index, spent, refused)
        SELECT %s, subject, key_index, amount, 0
          FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS new (subject, key_index, amount)
         ORDER BY subject, key_index
            ON CONFLICT (day, subject, key_index)
            DO UPDATE SET spent = sms_gateway_spending.spent + excluded.spent
        RETURNING subject, key_index, spent
        """


def _added(wanted: Mapping[Key, int], day: date) -> list[object]:
    """Return the values of `_ADD`."""
    return [
        day, array(subject for subject, _ in wanted), _texts(which for _, which in wanted), array(wanted.values()),
    ]  # fmt: skip


def _refuse(refused: Sequence[tuple[Need, str]], day: date, at: datetime) -> None:
    back: dict[Key, int] = defaultdict(int)
    times: dict[Key, int] = defaultdict(int)
    for need, over in refused:
        for key in need.keys:
            back[key] += need.amount
            times[key] += key[0] == over
    keys = sorted(back)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sms_gateway_spending AS s
               SET spent = s.spent - b.amount, refused = s.refused + b.times,
                   last_refused_at = CASE WHEN b.times > 0 THEN %s ELSE s.last_refused_at END
              FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::int[]) AS b (subject, key_index, amount, times)
             WHERE s.day = %s AND s.subject = b.subject AND s.key_index = b.key_index
            """,
            [
                at,
                array(subject for subject, _ in keys),
                _texts(which for _, which in keys),
                array(back[key] for key in keys),
                array(times[key] for key in keys),
                day,
            ],
        )


@inside_transaction
def correct(need: Need, difference: int, *, day: date) -> None:
    """Add what a message has cost more than was taken (less: below zero), as its carrier has told; never refused."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sms_gateway_spending (day, subject, key_index, spent, refused)
            SELECT %s, subject, key_index, greatest(0, %s), 0
              FROM unnest(%s::text[], %s::text[]) AS new (subject, key_index)
             ORDER BY subject, key_index
                ON CONFLICT (day, subject, key_index)
                DO UPDATE SET spent = greatest(0, sms_gateway_spending.spent + %s)
            """,
            [day, difference, array(key[0] for key in need.keys), _texts(key[1] for key in need.keys), difference],
        )


def _texts(values: Iterable[str]) -> str:
    """Return texts without commas and quotes as an array; an empty one has to be written as such."""
    return "{" + ",".join([value or '""' for value in values]) + "}"


def limit_of(subject: str, key: str) -> int | None:
    """Return a subject's limit a day as it is applied (scaled), or None if there is none."""
    return _rules().limit((subject, key))


# --- changing the limits -----------------------------------------------------------------------------------------------

BUDGET_ACT = "messages.budget"


class RaiseNeedsApproval(Conflict):
    """A higher limit needs a second person: it was asked for. Once it is approved, make the same change again."""

    code = "raise_needs_approval"


def change_budget(budget_id: int, *, per_day: int, by: User, at: datetime) -> SpendingBudget:
    """Set a limit: a lower one at once, a higher one once a second person has approved exactly that.

    Raises `NotFound`, `RaiseNeedsApproval` (the request for the approval is then written).
    """
    asked = False
    with transaction.atomic(durable=True):
        row = SpendingBudget.objects.select_for_update().filter(pk=budget_id).first()
        if row is None:
            raise NotFound
        if per_day > row.per_day:
            payload = {"subject": row.subject, "key": row.key, "from": row.per_day, "to": per_day}
            found = approvals.approved_for(BUDGET_ACT, payload, at=at)
            if found is None:
                approvals.request(BUDGET_ACT, payload, by=by, at=at)
                asked = True
            else:
                approvals.consume(found.pk, BUDGET_ACT, payload, at=at)
        if not asked:
            row.per_day = per_day
            row.save(update_fields=["per_day"])
    forget_rules()
    if asked:
        raise RaiseNeedsApproval
    return row
