"""The figures of the dashboard: today against the same weekday a week ago, at most half a minute old."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import get_language, gettext as _, ngettext

from common.charts import LineChart, Spark, line_chart, share, spark
from common.models import Job
from common.templatetags.show import day as day_shown, num, percent
from console.events import Alarm
from console.outcomes import DOORS, ORDER, REPEAT_SAME, Look, look_of
from console.print_alarms import print_alarms
from console.prize_alarms import prize_alarms
from labels.models import Activation, Batch
from ledger.queries import liability
from lottery.models import BudgetSlot, Campaign, Filing, Play
from lottery.queries import campaigns
from members.models import Member
from redemption.models import BYS, DOORS as DOOR_CODES, OUTCOMES, ConsumerReport, Redemption, Scan, WasThatYou
from redemption.rules import By, Detail, Door, Outcome

KEEP_S = 30
DAYS = 7
LOW_BUDGET = 10  # percent
FILE_WITHIN_DAYS = 14

_COUNTS = """
SELECT (at AT TIME ZONE %(zone)s)::date - %(today)s::date, extract(hour FROM at AT TIME ZONE %(zone)s)::int,
       outcome, "by", door, at < %(now)s - interval '7 days', count(*),
       coalesce(sum(points) FILTER (WHERE outcome = %(redeemed)s), 0)::bigint
  FROM redemption_scan
 WHERE at >= %(since)s AND at <= %(now)s
 GROUP BY 1, 2, 3, 4, 5, 6
"""
_CITIES = """
SELECT p.city, p.city_zh, count(*) FILTER (WHERE s.at >= %(start)s),
       count(*) FILTER (WHERE s.at < %(start)s)
  FROM redemption_scan s JOIN redemption_scanplace p ON p.scan_id = s.id
 WHERE (s.at >= %(start)s AND s.at <= %(now)s
        OR s.at >= %(start)s - interval '7 days' AND s.at < %(now)s - interval '7 days') AND p.city <> ''
 GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC LIMIT 6
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of today, the same of a week ago at this hour, and the last seven days."""

    now: int
    before: int
    days: list[int]

    @property
    def change(self) -> int | None:
        """The change in tenths of a percent, or None where there was nothing a week ago."""
        return round(1000 * (self.now - self.before) / self.before) if self.before else None

    @property
    def spark(self) -> Spark | None:
        """The last seven days, today's part last."""
        return spark(self.days) if any(self.days) else None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table with a bar."""

    name: Any
    count: int
    before: int = 0
    width: float = 0.0
    fill: str = "f1"
    look: str = ""
    icon: str = ""
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class Today:
    """All figures of one moment."""

    at: datetime
    start: datetime
    checks: Figure
    redeemed: Figure
    first: Figure
    points: Figure
    members: Figure
    hours_now: list[int]
    hours_before: list[int]
    answers: list[tuple[Outcome, bool, int]]
    doors: list[tuple[Door, int]]
    cities: list[tuple[str, str, int, int]]
    funnel: list[int]
    owed: int
    not_released: list[tuple[str, str, int]] = field(default_factory=list)


def today(at: datetime) -> Today:
    """Return the figures, kept for `KEEP_S`."""
    found: Today | None = cache.get("console.today")
    if found is None:
        found = _count(at)
        cache.set("console.today", found, KEEP_S)
    return found


def _count(at: datetime) -> Today:
    local = timezone.localtime(at)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    since = start - timedelta(days=DAYS)
    rows = _rows(
        _COUNTS,
        zone=timezone.get_current_timezone_name(),
        today=local.date(),
        now=at,
        since=since,
        redeemed=OUTCOMES.index(Outcome.REDEEMED),
    )
    sums: dict[str, Counter[int]] = {name: Counter() for name in ("checks", "redeemed", "first", "points")}
    before: Counter[str] = Counter()
    hours: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
    answers: Counter[tuple[Outcome, bool]] = Counter()
    doors: Counter[Door] = Counter()
    for day, hour, outcome_code, by_code, door_code, earlier, count, points in rows:
        outcome = OUTCOMES[outcome_code]
        of = {"checks": count, "points": points}
        of["redeemed"] = count if outcome is Outcome.REDEEMED else 0
        of["first"] = count if outcome is Outcome.GENUINE_FIRST else 0
        for name, value in of.items():
            sums[name][day] += value
            before[name] += value if day == -DAYS and earlier else 0
        if day == 0:
            hours[0][hour] += count
            answers[outcome, by_code is not None and BYS[by_code] is By.YOU] += count
            doors[DOOR_CODES[door_code]] += count
        elif day == -DAYS:
            hours[1][hour] += count
    return Today(
        at=at,
        start=start,
        **{name: Figure(sums[name][0], before[name], [sums[name][day] for day in range(1 - DAYS, 1)]) for name in sums},
        members=_new_members(start, at),
        hours_now=[hours[0][hour] for hour in range(local.hour + 1)],
        hours_before=[hours[1][hour] for hour in range(24)],
        answers=[(*key, count) for key, count in answers.items()],
        doors=[(door, doors[door]) for door in Door if doors[door]],
        cities=_rows(_CITIES, start=start, now=at),
        funnel=_funnel(),
        owed=sum(row.amount for row in liability("points")),
        not_released=_not_released(start, at),
    )


def _rows(statement: str, **values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _new_members(start: datetime, at: datetime) -> Figure:
    days = [
        Member.objects.filter(created_at__gte=start - timedelta(days=n), created_at__lt=start - timedelta(days=n - 1))
        for n in range(DAYS - 1, -1, -1)
    ]
    week = timedelta(days=7)
    before = Member.objects.filter(created_at__gte=start - week, created_at__lt=at - week).count()
    counts = [found.count() for found in days]
    return Figure(counts[-1], before, counts)


def _funnel() -> list[int]:
    """Return labels made, labels on sale, codes redeemed, members."""
    made = Batch.objects.exclude(state=Batch.State.DRAFT).aggregate(n=Sum("count"))["n"] or 0
    ranges = Activation.objects.filter(cancelled_at=None).values_list("label_range", flat=True)
    active = sum(one.upper - one.lower for one in ranges)
    return [made, active, Redemption.objects.count(), Member.objects.exclude(state=Member.State.ERASED).count()]


def _not_released(start: datetime, at: datetime) -> list[tuple[str, str, int]]:
    """Return batches whose labels were asked for today before they were released: public id, number, labels."""
    found = Scan.objects.filter(at__gte=start, at__lte=at, outcome=Outcome.NOT_RELEASED, label_no__isnull=False)
    counts: Counter[tuple[str, str]] = Counter()
    for label_no in found.values_list("label_no", flat=True).distinct()[:1000]:
        batch = Batch.objects.filter(label_range__contains=label_no).values_list("public_id", "number").first()
        if batch:
            counts[batch] += 1
    return [(*batch, count) for batch, count in counts.most_common(5)]


# --- as the page shows them ----------------------------------------------------------------------------------------


def chart(found: Today) -> LineChart:
    """Return the line of today over that of a week ago."""
    return line_chart(found.hours_now, found.hours_before, [f"{hour:02}:00" for hour in range(24)])


def answer_rows(found: Today) -> list[Row]:
    """Return the answers in the order of their gravity, with bars."""
    counts: dict[Look, int] = {}
    for outcome, same, count in sorted(found.answers, key=lambda one: (ORDER.index(one[0]), not one[1])):
        look = look_of(outcome, By.YOU if same else None)
        counts[look] = counts.get(look, 0) + count
    total = sum(counts.values())
    if REPEAT_SAME in counts:  # beside its sibling
        counts = dict(sorted(counts.items(), key=lambda item: _gravity(item[0])))
    return [Row(k.word, n, 0, share(n, total), k.fill, k.look, k.icon) for k, n in counts.items()]


def _gravity(look: Look) -> int:
    return ("ok", "wait", "", "no").index(look.look)


def door_rows(found: Today) -> list[Row]:
    """Return the doors as parts of one bar of 1000 units."""
    total, x, rows = sum(count for _door, count in found.doors), 0.0, []
    for number, (door, count) in enumerate(found.doors, start=1):
        width = round(1000 * count / total, 1)
        rows.append(Row(DOORS[door], count, 0, max(width - 3, 1), f"f{number}", x=x))
        x = round(x + width, 1)
    return rows


def city_rows(found: Today) -> list[Row]:
    """Return the cities in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return [Row((zh if chinese else en) or en, now, before) for en, zh, now, before in found.cities]


def funnel_rows(found: Today) -> list[Row]:
    """Return the way from label to member."""
    names = (_("Labels made"), _("On sale"), _("Redeemed"), _("Members"))
    top = found.funnel[0]
    return [Row(name, count, 0, share(count, top)) for name, count in zip(names, found.funnel, strict=True)]


def alarms(found: Today) -> list[Alarm]:
    """Return what somebody should look at, gravest first."""
    rows = [
        Alarm(
            "no",
            "octagon",
            ngettext("{n} label was asked for that is not released", "{n} labels were asked for that are not released", count).format(n=num(count)),
            _("Batch {number}, today").format(number=number),
            f"/console/batches/{public_id}",
        )
        for public_id, number, count in found.not_released
    ]  # fmt: skip
    mixed = Scan.objects.filter(detail=Detail.WRONG_GTIN, at__gte=found.start).count()
    if mixed:
        title = ngettext(
            "{n} QR code names another product than its label",
            "{n} QR codes name another product than their labels",
            mixed,
        )
        rows.append(
            Alarm("no", "octagon", title.format(n=num(mixed)), _("Our serial under a number that is not its own: a copy, or a misprint."),
                  "/console/receipts?show=wrong_gtin")
        )  # fmt: skip
    rows += print_alarms(start=found.start, at=found.at)
    strangers = WasThatYou.objects.filter(yes=False, at__gte=found.start).count()
    if strangers:
        title = ngettext("{n} asker says: “That was not me.”", "{n} askers say: “That was not me.”", strangers)
        rows.append(
            Alarm("no", "warn", title.format(n=num(strangers)), _("Somebody else asked for their label before."),
                  "/console/receipts?show=strangers")
        )  # fmt: skip
    reports = ConsumerReport.objects.filter(at__gte=found.start).count()
    if reports:
        title = ngettext("{n} report from a consumer today", "{n} reports from consumers today", reports)
        rows.append(
            Alarm("wait", "message", title.format(n=num(reports)), _("Not what they bought, or something else."), "/console/reports")
        )  # fmt: skip
    rows += _low_budgets() + _games(found.at)
    rows += prize_alarms()
    failed = Job.objects.filter(state=Job.State.FAILED, ended_at__gte=found.at - timedelta(days=1))
    rows += [
        Alarm("no", "jobs", _("A job failed: {name}").format(name=job.subject or job.kind), job.error, f"/console/jobs/{job.public_id}")
        for job in failed.order_by("-id")[:3]
    ]  # fmt: skip
    return rows


def _games(at: datetime) -> list[Alarm]:
    """Return games that owe more than they had, and filings that are due within two weeks."""
    found = []
    empty = BudgetSlot.objects.filter(budget__tier__campaign__state__in=Campaign.BEFORE_THE_END).values("budget__tier")
    tiers = (
        empty.annotate(left_in_all=Sum("left")).filter(left_in_all=0).values("budget__tier")
    )  # few, so that few plays are read
    owed = Play.objects.filter(tier__in=tiers, outcome=Play.Outcome.WON, over_budget=True).values("campaign")
    for campaign in Campaign.objects.filter(pk__in=owed).order_by("-pk")[:3]:
        title = _("{name} won prizes beyond its counters").format(name=campaign.display_name)
        detail = _("They are owed. Tell the operator at once.")
        found.append(Alarm("no", "octagon", title, detail, f"/console/games/{campaign.public_id}/live"))
    soon = timezone.localdate(at) + timedelta(days=FILE_WITHIN_DAYS)
    due = Filing.objects.filter(done_at=None, due_on__lte=soon).select_related("campaign").order_by("due_on", "pk")
    for filing in due[:5]:
        title = _("Due with an authority: {item}").format(item=filing.item)
        detail = _("{name}, by {day}").format(name=filing.campaign.display_name, day=day_shown(filing.due_on))
        found.append(Alarm("wait", "calendar", title, detail, f"/console/games/{filing.campaign.public_id}"))
    return found


def _low_budgets() -> list[Alarm]:
    found = []
    for campaign in campaigns().filter(state=Campaign.State.OPEN, budget__total__gt=0):
        left: int = campaign.points_left or 0  # type: ignore[attr-defined]
        total: int = campaign.points_total  # type: ignore[attr-defined]
        if left * 100 < total * LOW_BUDGET:
            detail = _("{left} of {total} points left ({share})").format(
                left=num(left), total=num(total), share=percent(left, total)
            )
            title = _("The budget of {name} runs out").format(name=campaign.display_name)
            found.append(Alarm("wait", "clock", title, detail, f"/console/campaigns/{campaign.public_id}"))
    return found
