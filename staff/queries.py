"""Reading: the audit trail as pages show it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from staff.models import Audit


@dataclass(frozen=True, slots=True)
class Change:
    """One column of a changed row."""

    name: str
    before: Any
    after: Any


def audit_rows(
    *, table: str = "", actor: str = "", act: str = "", row_id: str = "", day: date | None = None
) -> QuerySet[Audit, Audit]:
    """Return the trail, filtered; a day is the brand's."""
    found = Audit.objects.all()
    for name, value in (("table_name", table), ("actor", actor), ("act", act), ("row_id", row_id)):
        if value:
            found = found.filter(**{name: value})
    if day is not None:
        start = timezone.make_aware(datetime.combine(day, time.min))
        found = found.filter(at__gte=start, at__lt=start + timedelta(days=1))
    return found


def changes(row: Audit) -> list[Change]:
    """Return the columns that differ, empty and none being alike; of a new or deleted row, all that are filled."""
    before, after = row.before or {}, row.after or {}
    names = [name for name in {**before, **after} if name != "id"]
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if (before.get(name) or None) != (after.get(name) or None)
    ]
