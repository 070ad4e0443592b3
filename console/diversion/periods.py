"""Which weeks, and whose goods, the pages of diversion show: read from the address, forgiving what is not there."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _, pgettext

from analytics.models import ScanHour
from analytics.travel import WEEK
from analytics.whereabouts import monday_of
from channel.models import Partner

LENGTHS: dict[int, Any] = {4: _("4 weeks"), 13: _("13 weeks"), 26: _("26 weeks"), 52: _("52 weeks")}
USUAL = 13


@dataclass(frozen=True)
class Asked:
    """Whole weeks, the last of them running; ``week`` is one of them, or None for all."""

    weeks: tuple[date, ...]
    week: date | None
    partner: Partner | None

    @property
    def since(self) -> date:
        return self.weeks[0]

    @property
    def until(self) -> date:
        """The day after the last."""
        return self.weeks[-1] + WEEK

    @property
    def partner_id(self) -> int | None:
        return self.partner.pk if self.partner else None

    @property
    def length(self) -> int:
        return len(self.weeks)


def asked_for(query: QueryDict, *, today: date) -> Asked:
    """Return what the address asks for; the usual where it asks for nothing, or for what there is not."""
    length = next((one for one in LENGTHS if str(one) == query.get("weeks")), USUAL)
    last = monday_of(today)
    weeks = tuple(last - WEEK * back for back in range(length - 1, -1, -1))
    week = next((one for one in weeks if one.isoformat() == query.get("week")), None)
    wanted = query.get("distributor")
    return Asked(weeks, week, Partner.objects.filter(public_id=wanted).first() if wanted else None)


def partners() -> list[Partner]:
    """Return those who have a territory, or whose goods were scanned, by name."""
    seen = ScanHour.objects.order_by().values("distributor_id").distinct()
    found = Partner.objects.filter(Q(territories__isnull=False) | Q(pk__in=seen)).distinct()
    return sorted(found, key=lambda one: (one.display_name, one.pk))


def week_name(monday: date) -> str:
    """Return a week by its first and last day: "16 Nov – 22 Nov 2026"."""
    first = date_format(monday, pgettext("date format", "j M"))
    last = date_format(monday + WEEK - timedelta(days=1), pgettext("date format", "j M Y"))
    return f"{first} – {last}"


def utc_day(at: datetime) -> date:
    """Return the day of a moment as roll-ups call it."""
    return at.astimezone(UTC).date()
