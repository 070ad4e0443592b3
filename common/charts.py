"""Charts as SVG paths, made by the server: pure arithmetic, no colours, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

WIDTH, HEIGHT = 610.0, 206.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 598.0, 14.0, 184.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line of now (solid, with its area) against one of before (dashed), from zero upwards."""

    now: str
    before: str
    area: str
    end_x: float
    end_y: float
    end_value: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def nice_top(value: int, steps: int = 4) -> int:
    """Return the least round number ≥ ``value`` that ``steps`` divide: 3,940 → 4,000."""
    if value <= steps:
        return steps
    raw = value / steps
    power: int = 10 ** floor(log10(raw))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= raw and (n * power) % 1 == 0)
    return ceil(step) * steps


def line_chart(now: Sequence[int], before: Sequence[int], labels: Sequence[str], every: int = 3) -> LineChart:
    """Lay out one value a label; ``now`` may be shorter than ``before``."""
    count = max(len(labels), 2)
    top = nice_top(max([*now, *before, 0]))
    step = (_RIGHT - _LEFT) / (count - 1)

    def point(index: int, value: int) -> tuple[float, float]:
        return (round(_LEFT + index * step, 1), round(_BOTTOM - value / top * (_BOTTOM - _TOP), 1))

    def path(values: Sequence[int]) -> str:
        return "M" + "L".join(f"{x} {y}" for x, y in (point(i, v) for i, v in enumerate(values))) if values else ""

    end = point(len(now) - 1, now[-1]) if now else (_LEFT, _BOTTOM)
    return LineChart(
        now=path(now),
        before=path(before),
        area=f"{path(now)}L{end[0]} {_BOTTOM}L{_LEFT} {_BOTTOM}Z" if now else "",
        end_x=end[0],
        end_y=end[1],
        end_value=now[-1] if now else 0,
        x_ticks=[Tick(point(i, 0)[0], labels[i]) for i in range(0, len(labels), every)],
        y_ticks=[Tick(point(0, top * i // 4)[1], f"{top * i // 4:,}") for i in range(5)],
    )


@dataclass(frozen=True, slots=True)
class Spark:
    """A word-sized line in a box of 96 × 24."""

    path: str
    x: float
    y: float


def spark(values: Sequence[int]) -> Spark | None:
    """Return a sparkline, or None for fewer than two values."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    span = (high - low) or 1
    points = [
        (round(2 + i * 90 / (len(values) - 1), 1), round(21 - (v - low) / span * 18 if high > low else 12, 1))
        for i, v in enumerate(values)
    ]
    return Spark("M" + "L".join(f"{x} {y}" for x, y in points), *points[-1])


def share(part: float, whole: float, width: float = 120.0) -> float:
    """Return the length of a bar, at least one unit for what is not zero."""
    if whole <= 0 or part <= 0:
        return 0.0
    return round(max(min(part / whole, 1.0) * width, 1.0), 1)
