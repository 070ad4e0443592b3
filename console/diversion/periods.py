"""Which weeks, and whose goods, the pages of diversion show: read from the address, forgiving what is not there."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _, pgettext

from analytics.models import ScanHour
from analytics.travel import WEEK
from analytics.whereabouts import monday_of
from channel.models import Partner
from console.diversion.scope import partners_of
from staff.models import User

LENGTHS: dict[int, Any] = {4: _("4 weeks"), 13: _("13 weeks"), 26: _("26 weeks"), 52: _("52 weeks")}
USUAL = 13


@dataclass(frozen=True)
class Asked:
    """Whole weeks, the last of them running; ``week`` is one of them, or None for all."""

    weeks: tuple[date, ...]
    week: date | None
    partner: Partner | None
    within: frozenset[int] | None = None
    """The partners about whose goods the reader may know; None: all."""

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

    def shows(self, *partner_ids: int | None) -> bool:
        """Return whether any of these partners is asked for, and any may be known of."""
        wanted = self.partner_id is None or self.partner_id in partner_ids
        return wanted and (self.within is None or not self.within.isdisjoint(partner_ids))

    @property
    def length(self) -> int:
        return len(self.weeks)


def asked_for(query: QueryDict, user: User, *, today: date) -> Asked:
    """Return what the address asks for; the usual where it asks for nothing, or for what there is not."""
    length = next((one for one in LENGTHS if str(one) == query.get("weeks")), USUAL)
    last = monday_of(today)
    weeks = tuple(last - WEEK * back for back in range(length - 1, -1, -1))
    week = next((one for one in weeks if one.isoformat() == query.get("week")), None)
    within = partners_of(user)
    wanted = query.get("distributor", "")[:40].replace("\x00", "")
    partner = Partner.objects.filter(public_id=wanted).first() if wanted else None
    if partner is not None and within is not None and partner.pk not in within:
        partner = None
    return Asked(weeks, week, partner, None if within is None else frozenset(within))


def partners(asked: Asked) -> list[Partner]:
    """Return those who have a territory, or whose goods were scanned, and of whom the reader may know, by name."""
    seen = ScanHour.objects.order_by().values("distributor_id").distinct()
    found = Partner.objects.filter(Q(territories__isnull=False) | Q(pk__in=seen)).distinct()
    if asked.within is not None:
        found = found.filter(pk__in=asked.within)
    return sorted(found, key=lambda one: (one.display_name, one.pk))


def week_name(monday: date) -> str:
    """Return a week by its first and last day: "16 Nov – 22 Nov 2026"."""
    first = date_format(monday, pgettext("date format", "j M"))
    last = date_format(monday + WEEK - timedelta(days=1), pgettext("date format", "j M Y"))
    return f"{first} – {last}"


def reader(request: HttpRequest) -> User:
    """Return who looks."""
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user


def utc_day(at: datetime) -> date:
    """Return the day of a moment as roll-ups call it."""
    return at.astimezone(UTC).date()
