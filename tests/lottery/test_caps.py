"""Acts counted together against caps: whoever comes first is served, and what is refused is given back."""

import pytest

from lottery.services import caps

Act = list[tuple[str, int]]


@pytest.mark.parametrize(
    ("acts", "used_before", "allowed", "unused"),
    [
        ([[("a", 2)], [("a", 2)], [("a", 2)]], {"a": 0}, [True, True, False], {"a": 1}),
        ([[("a", 2)], [("a", 2)]], {"a": 1}, [True, False], {"a": 1}),
        ([[("a", 1), ("b", 9)], [("b", 1)]], {"a": 1, "b": 0}, [False, True], {"a": 1, "b": 1}),
        ([[], [("a", 1)]], {"a": 0}, [True, True], {}),
        ([[("a", 3), ("a", 1)], [("a", 3)]], {"a": 0}, [True, True], {}),  # one counter under two caps is counted once
        ([[("a", 3), ("a", 1)]], {"a": 1}, [False], {"a": 1}),
    ],
)
def test_acts_are_served_in_turn(
    acts: list[Act], used_before: dict[str, int], allowed: list[bool], unused: dict[str, int]
) -> None:
    added = caps.wanted(acts)

    served = caps.in_turn(acts, {key: count + added[key] for key, count in used_before.items()})

    assert served == (allowed, unused)
