"""Taking from budgets and counting against caps, inside a redemption: exact, netted per row, locked in order.

Locks: caps by key, then budget slots by (budget, slot), as in docs/architecture.md, "the one lock order".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db import connection

from common.db import array, ask, inside_transaction
from lottery.models import BudgetSlot
from lottery.rules import SLOTS
from lottery.services import caps


class BudgetShort(Exception):
    """A slot holds less than is needed: roll back to the savepoint and serve in turn with `Hand`. Never leaves here."""


class UnitsShort(Exception):
    """The slots that were to be taken from hold less by now: roll back and take by hand. Never leaves a redemption."""


class Need(NamedTuple):
    """What one redemption takes from a budget, starting at a slot."""

    budget_id: int
    slot: int
    amount: int


@dataclass(frozen=True, slots=True)
class Use:
    """One paid code of one consumer, to be counted against the caps of a campaign."""

    campaign_id: int
    account_id: int
    day: date
    daily_cap: int | None
    total_cap: int | None


def spread(points: int) -> list[int]:
    """Return how an amount is spread evenly over the slots."""
    share, rest = divmod(points, SLOTS)
    return [share + (slot < rest) for slot in range(SLOTS)]


@inside_transaction
def ask_take(needs: Iterable[Need]) -> Callable[[], None]:
    """Take all needs, each from its own slot, netted per slot and locked in order.

    What is returned raises `BudgetShort` if a slot held less than is needed: roll back then.
    """
    netted = _netted(needs)
    if not netted:
        return lambda: None
    taken = ask(
        """
        WITH need AS (SELECT * FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS n (budget_id, slot, amount)),
             held AS (SELECT s.id, need.amount
                        FROM lottery_budgetslot s JOIN need USING (budget_id, slot)
                       ORDER BY budget_id, slot FOR NO KEY UPDATE OF s)
        UPDATE lottery_budgetslot s SET "left" = s."left" - held.amount
          FROM held WHERE s.id = held.id AND s."left" >= held.amount
        """,
        [array(key[0] for key in netted), array(key[1] for key in netted), array(netted.values())],
    )

    def check() -> None:
        if taken.count < len(netted):
            raise BudgetShort

    return check


def ask_units(needs: Iterable[Need]) -> None:
    """Take units of prizes, each budget's from its own slot and those that follow it, locked in order. Nothing is read.

    ``needs`` of one budget begin at one slot. Raises `UnitsShort`, which stops all that is sent behind it, where a slot
    has been emptied between the look and the lock, or the budget is short.
    """
    slots: dict[int, int] = {}
    amounts: dict[int, int] = {}
    for budget_id, slot, amount in needs:
        slots.setdefault(budget_id, slot)
        amounts[budget_id] = amounts.get(budget_id, 0) + amount
    ask(
        """
        WITH share AS (
                SELECT s.id, LEAST(s."left", n.amount - COALESCE(sum(s."left") OVER (
                           PARTITION BY s.budget_id ORDER BY (s.slot - n.slot + %s) %% %s
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS amount
                  FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS n (budget_id, slot, amount)
                  JOIN lottery_budgetslot s ON s.budget_id = n.budget_id),
             held AS (SELECT s.id, share.amount FROM lottery_budgetslot s JOIN share ON share.id = s.id AND share.amount > 0
                       ORDER BY s.budget_id, s.slot FOR NO KEY UPDATE OF s),
             taken AS (UPDATE lottery_budgetslot s SET "left" = s."left" - held.amount
                         FROM held WHERE s.id = held.id AND s."left" >= held.amount RETURNING held.amount)
        SELECT 1 / (COALESCE(sum(amount), 0) = %s)::int FROM taken
        """,
        [SLOTS, SLOTS, array(slots), array(slots.values()), array(amounts.values()), sum(amounts.values())],
        unless=UnitsShort,
    )


def _netted(needs: Iterable[Need]) -> dict[tuple[int, int], int]:
    netted: dict[tuple[int, int], int] = {}
    for budget_id, slot, amount in needs:
        netted[budget_id, slot] = netted.get((budget_id, slot), 0) + amount
    return netted


class Hand:
    """All slots of some budgets, locked in order: needs are served in turn, and refused only where the sum is short."""

    def __init__(self, budget_ids: Iterable[int]) -> None:
        slots = BudgetSlot.objects.filter(budget_id__in=set(budget_ids)).order_by("budget_id", "slot")
        rows = slots.select_for_update(no_key=True).values_list("budget_id", "slot", "left")
        self.left: dict[int, list[int]] = defaultdict(lambda: [0] * SLOTS)
        for budget_id, slot, left in rows:
            self.left[budget_id][slot] = left

    def covers(self, need: Need) -> bool:
        """Return whether the budget still holds the amount."""
        return sum(self.left[need.budget_id]) >= need.amount

    def take(self, need: Need) -> None:
        """Take an amount that is covered, beginning at the need's own slot."""
        rest = need.amount
        left = self.left[need.budget_id]
        for step in range(SLOTS):
            slot = (need.slot + step) % SLOTS
            part = min(rest, left[slot])
            left[slot] -= part
            rest -= part
        if rest:
            raise RuntimeError("taken without asking whether it is covered")

    def save(self) -> None:
        """Write what is left."""
        rows = [(budget, slot, left) for budget, slots in self.left.items() for slot, left in enumerate(slots)]
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE lottery_budgetslot s SET "left" = n."left"
                  FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS n (budget_id, slot, "left")
                 WHERE s.budget_id = n.budget_id AND s.slot = n.slot AND s."left" <> n."left"
                """,
                [list(column) for column in zip(*rows, strict=True)] or [[], [], []],
            )


@inside_transaction
def give_back(needs: Iterable[Need]) -> None:
    """Put amounts back into their slots: the reverse of `ask_take`."""
    for (budget_id, slot), amount in sorted(_netted(needs).items()):
        with connection.cursor() as cursor:
            cursor.execute(
                'UPDATE lottery_budgetslot SET "left" = "left" + %s WHERE budget_id = %s AND slot = %s',
                [amount, budget_id, slot],
            )


@inside_transaction
def count_uses(uses: Sequence[Use]) -> list[bool]:
    """Count paid codes against the caps of their campaigns; return which of them, in turn, stay within every cap.

    Counters are netted per key and locked by one sorted statement; what is refused is given back by a second one.
    """
    own = [_keys(use) for use in uses]
    amounts = caps.wanted(own)
    if not amounts:
        return [True] * len(uses)
    allowed, unused = caps.in_turn(own, _add(amounts))
    if unused:
        _give_back_uses(unused)
    return allowed


@inside_transaction
def uncount_uses(uses: Sequence[Use]) -> None:
    """Take back what `count_uses` allowed and was not used."""
    amounts = caps.wanted([_keys(use) for use in uses])
    if amounts:
        _give_back_uses(amounts)


def _keys(use: Use) -> list[tuple[tuple[int, int, date | None], int]]:
    keys: list[tuple[tuple[int, int, date | None], int]] = []
    if use.daily_cap is not None:
        keys.append(((use.campaign_id, use.account_id, use.day), use.daily_cap))
    if use.total_cap is not None:
        keys.append(((use.campaign_id, use.account_id, None), use.total_cap))
    return keys


def _add(amounts: dict[tuple[int, int, date | None], int]) -> dict[tuple[int, int, date | None], int]:
    keys = list(amounts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO lottery_capuse AS c (campaign_id, account_id, day, used)
            SELECT campaign_id, account_id, day, used
              FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::int[]) AS n (campaign_id, account_id, day, used)
             ORDER BY campaign_id, account_id, day
                ON CONFLICT (campaign_id, account_id, day) DO UPDATE SET used = c.used + excluded.used
            RETURNING campaign_id, account_id, day, used
            """,
            [*([key[part] for key in keys] for part in range(3)), list(amounts.values())],
        )
        return {(campaign, account, day): used for campaign, account, day, used in cursor.fetchall()}


def _give_back_uses(amounts: dict[tuple[int, int, date | None], int]) -> None:
    keys = list(amounts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE lottery_capuse c SET used = c.used - n.used
              FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::int[]) AS n (campaign_id, account_id, day, used)
             WHERE c.campaign_id = n.campaign_id AND c.account_id = n.account_id AND c.day IS NOT DISTINCT FROM n.day
            """,
            [*([key[part] for key in keys] for part in range(3)), list(amounts.values())],
        )
