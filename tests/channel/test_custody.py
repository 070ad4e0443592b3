"""Custody against the plainest reading of the movements: label by label, in the order of their moments."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import pytest
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from hypothesis import given
from hypothesis.strategies import integers, lists, permutations, tuples

from brands.models import Brand
from channel.chain import Chains, Step, merged, without
from channel.custody import rebuild
from channel.models import Custody, Document, Movement
from tests.channel.goods import ago, make_custody_anew, make_region
from tests.makers import make_partner

LABELS = 12
_moves = lists(tuples(integers(1, LABELS), integers(1, 6), integers(0, 20), integers(0, 3)), min_size=1, max_size=8)


def steps_of(moves: list[tuple[int, int, int, int]]) -> list[Step]:
    return [
        Step(ago(hours=100 - hours), key, first, min(first + size, LABELS + 1), None, holder, "held", key, key, True)
        for key, (first, size, hours, holder) in enumerate(moves)
    ]


def plainly(steps: list[Step]) -> set[tuple[int, datetime, datetime | None, int]]:
    """Return (label, since, until, key of the step) for each time in which a label lay somewhere."""
    found = set()
    for label in range(1, LABELS + 1):
        chain = sorted((one for one in steps if one.first <= label < one.end), key=lambda one: (one.at, one.order))
        for place, step in enumerate(chain):
            until = chain[place + 1].at if place + 1 < len(chain) else None
            if until != step.at:
                found.add((label, step.at, until, step.key))
    return found


def told(steps: list[Step]) -> set[tuple[int, datetime, datetime | None, int]]:
    chains = Chains([(1, LABELS + 1)], {edge for one in steps for edge in (one.first, one.end)})
    for step in steps:
        chains.add(step)
    return {
        (label, span.step.at, span.until, span.step.key)
        for span in chains.spans()
        for label in range(span.first, span.end)
    }


@given(_moves.flatmap(lambda moves: permutations(steps_of(moves))))
def test_the_order_of_arrival_leaves_no_trace(steps: list[Step]) -> None:
    assert told(steps) == plainly(steps)


@given(_moves.map(steps_of), integers(1, LABELS), integers(1, 6))
def test_a_step_taken_back_never_was(steps: list[Step], first: int, size: int) -> None:
    chains = Chains([(1, LABELS + 1)], {first, first + size, *(edge for one in steps for edge in (one.first, one.end))})
    for step in steps:
        chains.add(step)
    chains.remove(first, first + size, document=0)

    left = [
        steps[0]._replace(first=a, end=b) for a, b in without((steps[0].first, steps[0].end), [(first, first + size)])
    ]
    labels = {
        (label, span.step.at, span.until, span.step.key)
        for span in chains.spans()
        for label in range(span.first, span.end)
    }
    assert labels == plainly([*left, *steps[1:]])


@given(lists(tuples(integers(0, 30), integers(1, 8)), max_size=6))
def test_ranges_are_merged_and_cut(found: list[tuple[int, int]]) -> None:
    parts = [(first, first + size) for first, size in found]
    labels = {label for first, end in parts for label in range(first, end)}

    joined = merged(parts)
    rest = list(without((0, 40), joined))

    assert {label for first, end in joined for label in range(first, end)} == labels
    assert {label for first, end in rest for label in range(first, end)} == set(range(40)) - labels


def test_a_missing_part_goes_back_to_what_it_was() -> None:
    moves = [(1, 4, 1, 1), (1, 4, 2, 2)]
    steps = steps_of(moves)
    back = Step(ago(hours=97), 9, 1, 5, 2, 1, "missing", 9, 9, True)
    chains = Chains([(1, 5)])
    for step in [*steps, back]:
        chains.add(step)

    last = list(chains.spans())[-1]

    assert last.step is back
    assert last.bringing == steps[0]


# --- the same in the database ----------------------------------------------------------------------------------------------


def rows(custody: Iterator[Custody]) -> set[tuple[int, datetime, datetime | None, int]]:
    return {
        (label, row.during.lower, row.during.upper, row.movement_id)
        for row in custody
        for label in range(row.label_range.lower, row.label_range.upper)
    }


@pytest.mark.parametrize("seed", range(4))
def test_step_by_step_is_the_same_as_all_at_once(brand: Brand, seed: int) -> None:
    random = Random(seed)
    make_region("CN", kind="country")
    partners = [make_partner("distributor", name=name) for name in "ABC"]
    moves = []
    for number in range(10):
        first = random.randint(1, LABELS - 1)
        at = ago(hours=random.choice([3, 5, 7, 9, 11, 13, 15, 17]))
        document = Document.objects.create(
            kind="shipment", number=str(number), content_hash=b"", status="ACCEPTED", happened_at=at, recorded_at=at
        )
        moves.append(
            Movement.objects.create(
                document=document,
                label_range=NumericRange(first, random.randint(first + 1, LABELS + 1)),
                destination=random.choice(partners),
                state="held",
                happened_at=at,
                recorded_at=at,
            )
        )
        with transaction.atomic():
            rebuild([(moves[-1].label_range.lower, moves[-1].label_range.upper)])
    _take_back(moves[3])
    step_by_step = rows(Custody.objects.iterator())
    steps = [
        Step(
            m.happened_at, m.pk, m.label_range.lower, m.label_range.upper, None, m.destination_id, "", m.pk, m.pk, True
        )
        for m in moves
        if m is not moves[3]
    ]

    assert step_by_step == plainly(steps)
    Custody.objects.all().delete()
    make_custody_anew()
    assert rows(Custody.objects.iterator()) == step_by_step


def _take_back(move: Movement) -> None:
    at = move.recorded_at + timedelta(minutes=1)
    document = Document.objects.create(
        kind="cancel", number="x", content_hash=b"", status="ACCEPTED", happened_at=at, recorded_at=at
    )
    Movement.objects.create(
        document=document,
        label_range=move.label_range,
        state="void",
        voids=move.document,
        happened_at=at,
        recorded_at=at,
    )
    with transaction.atomic():
        rebuild([(move.label_range.lower, move.label_range.upper)])
