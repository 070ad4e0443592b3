"""What stands beside every step of the wizard: cost and odds, the way of the cost as a chart, the checklist, the dry run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext

from common.charts import Tick, nice_top
from common.models import Job
from common.money import major_of
from console.games.forms import place_name
from console.games.plan import STEPS, TYPED, Draft
from lottery import law, services
from lottery.costs import Figures, Spent, spending
from lottery.models import Campaign, PrizeTier

_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 520.0, 14.0, 180.0
_APART = 16.0  # between two lines of text


@dataclass(frozen=True, slots=True)
class Band:
    """The expected cost as a line, with the area between a low and a high share, and the budget as a level."""

    line: str
    area: str
    budget_y: float | None
    end_x: float | None
    end_y: float | None
    ends: list[Tick]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def band(way: Sequence[Spent], *, budget: int | None, found: Figures, currency: str) -> Band | None:
    """Lay the chart out, or None while there is nothing to draw."""
    if not way or not way[-1].high:
        return None
    top = nice_top(int(major_of(max(way[-1].high, budget or 0), currency)) or 1)
    days = (way[-1].on - way[0].on).days

    def x_of(on: Any) -> float:
        return float(round(_LEFT + (on - way[0].on).days / days * (_RIGHT - _LEFT), 1))

    def y_of(minor: int) -> float:
        return round(_BOTTOM - float(major_of(minor, currency)) / top * (_BOTTOM - _TOP), 1)

    def path(values: Sequence[tuple[Any, int]]) -> str:
        return "L".join(f"{x_of(on)} {y_of(value)}" for on, value in values)

    high, low = [(one.on, one.high) for one in way], [(one.on, one.low) for one in reversed(way)]
    end = found.ends_early_on if budget is not None else None
    marks = sorted({0, (len(way) - 1) // 2, len(way) - 1})
    return Band(
        line="M" + path([(one.on, one.middle) for one in way]),
        area=f"M{path(high)}L{path(low)}Z",
        budget_y=y_of(budget) if budget is not None else None,
        end_x=x_of(end) if end else None,
        end_y=y_of(budget) if end and budget is not None else None,
        ends=[Tick(y_of(value), f"{major_of(value, currency):,.0f}") for value in _apart(way[-1], y_of)],
        x_ticks=[Tick(x_of(way[at].on), date_format(way[at].on, pgettext("date format", "j M"))) for at in marks],
        y_ticks=[Tick(y_of(0) - (_BOTTOM - _TOP) * n / 4, f"{top * n // 4:,}") for n in range(5)],
    )  # fmt: skip


def _apart(last: Spent, y_of: Callable[[int], float]) -> list[int]:
    """Return what is written at the end of the line: low, middle and high, or the middle where they would overlap."""
    ends = [last.low, last.middle, last.high]
    heights = [y_of(value) for value in ends]
    return ends if min(heights[0] - heights[1], heights[1] - heights[2]) >= _APART else [last.middle]


@dataclass(frozen=True, slots=True)
class Odds:
    """A prize as the table of odds shows it. ``one_in``: labels for each unit; None for a draw."""

    name: str
    use: str
    quantity: int
    one_in: float | None
    worst: int


def odds(draft: Draft) -> list[Odds]:
    """Return the prizes typed so far, each with its odds and its cost at most."""
    chinese = (get_language() or "").startswith("zh")
    labels, draws = draft.basis.labels, draft.step("dates").said.get("times") or 1
    found = []
    for row in draft.step("prizes").said_rows:
        quantity, use = row.get("quantity"), row.get("use")
        if not quantity or not use:
            continue
        quantity *= draws if use == "draw" else 1
        each = sum(draft.minor(row.get(name)) for name in ("unit_cost", "delivery_cost", "withheld_tax"))
        name = (row.get("name_zh") if chinese else row.get("name")) or row.get("name") or row.get("name_zh") or ""
        one_in = labels / quantity if use == PrizeTier.Use.INSTANT and labels else None
        found.append(Odds(str(name), str(use), quantity, one_in, quantity * each))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """The checklist of one country."""

    code: str
    name: str
    as_of: str
    items: list[law.Item]

    @property
    def done(self) -> int:
        """Items that apply and are fulfilled."""
        return sum(item.applies and item.fulfilled for item in self.items)

    @property
    def open(self) -> int:
        """Items that keep the campaign from being published."""
        return sum(item.is_open for item in self.items)


def places(campaign: Campaign | None, *, at: datetime) -> list[Place]:
    """Return the checklist of a campaign's rows, country by country."""
    if campaign is None:
        return []
    items = services.checklist(campaign, at=at)
    return [
        Place(code, place_name(code), next((item.as_of for item in items if item.place == code), ""), found)
        for code in campaign.places
        if (found := [item for item in items if item.place == code and item.applies])
    ]


def text_of(item: law.Item) -> str:
    """Return an item's text in the reader's language."""
    return item.text["zh" if (get_language() or "").startswith("zh") else "en"]


def steps_of(draft: Draft, current: str, *, job: Job | None, laws: Sequence[Place]) -> list[dict[str, Any]]:
    """Return the steps, each with its state and address."""
    base = f"/console/games/{draft.campaign.public_id}/plan/" if draft.campaign else ""
    done = set(draft.sound)
    if "law" in done and (not laws or any(place.open for place in laws)):
        done.discard("law")
    if job is not None and job.state == Job.State.DONE:
        done.add("rehearsal")
    return [
        {
            "name": name,
            "label": label,
            "href": f"{base}{name}" if base else "",
            "done": name in done,
            "current": name == current,
            "wrong": name in TYPED and draft.data(name) is not None and name not in draft.sound,
        }
        for name, label in STEPS.items()
    ]


def outlook(draft: Draft, current: str, *, at: datetime) -> dict[str, Any]:
    """Return all that the boxes beside a step show."""
    found, basis = draft.figures, draft.basis
    job = services.newest_rehearsal(draft.campaign) if draft.campaign else None
    laws = places(draft.campaign, at=at)
    return {
        "figures": found,
        "basis": basis,
        "currency": draft.currency,
        "odds": odds(draft),
        "one_in": f"{found.labels / found.units:,.1f}".removesuffix(".0") if found.units and found.labels else "",
        "redeemed_percent": f"{float(basis.redeemed) * 100:g}",
        "claimed_percent": f"{float(basis.claimed) * 100:g}",
        "chart": band(spending(basis), budget=basis.budget, found=found, currency=draft.currency),
        "way": spending(basis)[:: max(1, len(spending(basis)) // 12)],
        "laws": laws,
        "open_items": sum(place.open for place in laws),
        "rehearsal": job,
        "steps": steps_of(draft, current, job=job, laws=laws),
        "left": [STEPS[name] for name in draft.missing],
        "saved_at": draft.plan.saved_at if draft.plan else None,
        "short": found.short,
        "bars": _bars(job.detail.get("bars", [])) if job is not None else [],
    }


def _bars(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lay out a dry run's bars in a box of 610 × 170."""
    return [
        {
            **bar,
            "x": 20 + 27 * place,
            "middle": 32 + 27 * place,
            "height": round(max(120 * bar["height"], 1.0), 1),
            "y": round(140 - max(120 * bar["height"], 1.0), 1),
        }
        for place, bar in enumerate(found)
    ]
