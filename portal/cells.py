"""Counts of people's scans that may be shown to somebody outside. Pure.

Primary and complementary suppression (Hundepool et al., *Statistical Disclosure Control*, 2012, chapter 4): a cell with
fewer than five devices is not shown, and neither is so much else that no subtraction gives it away. The groups are
disjoint and the only sums ever published are the groups' own, so one dimension is all there is to protect.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

LEAST = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One count, and the devices (opaque numbers, never shown) that it comes from."""

    group: Hashable
    key: Hashable
    count: int
    devices: frozenset[int]


@dataclass(frozen=True, slots=True)
class Group:
    """What may be shown of one group: cells, and their sum with all that is not shown. None: not even that."""

    group: Hashable
    cells: tuple[Cell, ...]
    total: int | None
    hidden: bool

    @property
    def rest(self) -> int | None:
        """What is counted in the total but in no cell that is shown."""
        return None if self.total is None else self.total - sum(cell.count for cell in self.cells)


def suppress(cells: Iterable[Cell], *, least: int = LEAST) -> list[Group]:
    """Return what may be shown, group by group, in the order in which groups first come.

    A total is shown if what it holds beyond the cells shown is nothing, or comes from two cells or more and ``least``
    devices or more; to reach that, the cell with the fewest devices is hidden too, and so on.
    """
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    return [_suppressed(group, members, least) for group, members in groups.items()]


def _suppressed(group: Hashable, cells: list[Cell], least: int) -> Group:
    shown = [cell for cell in cells if len(cell.devices) >= least]
    hidden = [cell for cell in cells if len(cell.devices) < least]
    while hidden and shown and not _covers(hidden, least):
        weakest = min(shown, key=lambda cell: len(cell.devices))
        shown.remove(weakest)
        hidden.append(weakest)
    total = sum(cell.count for cell in cells) if not hidden or _covers(hidden, least) else None
    return Group(group, tuple(shown), total, bool(hidden))


def _covers(hidden: list[Cell], least: int) -> bool:
    return len(hidden) >= 2 and len(frozenset().union(*(cell.devices for cell in hidden))) >= least
