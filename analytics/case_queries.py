"""Reading files of investigations: whose they are, who may see them, and who was heard."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import F, Q, QuerySet

from analytics.case_models import Case, CaseEntry, CaseQuestion
from brands.queries import brand_date
from channel.models import Territory
from common.db import array
from staff.models import Role, User

WEEKEND = 5
_BELOW = """
WITH RECURSIVE below (id) AS (
    SELECT id FROM channel_region WHERE code = ANY (%s::text[])
    UNION
    SELECT r.id FROM channel_region r JOIN below ON r.parent_id = below.id
)
SELECT id FROM below
"""


def files_for(user: User, *, at: datetime) -> QuerySet[Case]:
    """Return the files that somebody may see: an investigator those in their charge; others all.

    A regional manager sees those whose distributor has a territory in their regions, or to whose market the goods went.
    """
    found = Case.objects.select_related("finding", "assignee")
    if user.role == Role.INVESTIGATOR:
        return found.filter(assignee=user)
    if user.role == Role.REGIONAL:
        partners = partners_in(user.regions.split(), on=brand_date(at))
        return found.filter(Q(distributor_id__in=partners) | Q(finding__dest_id__in=partners))
    return found


def partners_in(codes: Iterable[str], *, on: date) -> set[int]:
    """Return the partners that hold a territory in these regions, or in one below them, on a day."""
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, [array(list(codes))])
        regions = [row[0] for row in cursor.fetchall()]
    held = Territory.objects.filter(region__in=regions, valid_from__lte=on)
    return set(held.filter(Q(valid_to=None) | Q(valid_to__gte=on)).values_list("partner_id", flat=True))


def late(files: QuerySet[Case], *, at: datetime) -> QuerySet[Case]:
    """Return those whose due day is over and that wait for somebody."""
    return files.exclude(state=Case.State.CLOSED).filter(due_on__lt=brand_date(at))


def investigators(case: Case) -> list[str]:
    """Return the user names of all who investigated: were ever in charge, checked in the field, or brought photographs."""
    rows = CaseEntry.objects.filter(case=case)
    acted = rows.filter(kind__in=[CaseEntry.Kind.FIELD_CHECK, CaseEntry.Kind.PHOTO]).values_list("by", flat=True)
    named = rows.filter(kind=CaseEntry.Kind.ASSIGNED).values_list("data__assignee", flat=True)
    return sorted({*acted, *(name for name in named if name)})


def waiting_question(case: Case, *, at: datetime) -> CaseQuestion | None:
    """Return a question to the file's distributor that may still be answered, if there is one."""
    asked = case.questions.filter(partner_id=F("case__distributor_id"), answered_at=None)
    return asked.filter(answer_by__gte=brand_date(at)).order_by("-pk").first()


def heard(case: Case, *, at: datetime) -> CaseQuestion | None:
    """Return the question by which the distributor was heard: answered, or past its day; None while one waits."""
    if waiting_question(case, at=at):
        return None
    return case.questions.filter(partner_id=F("case__distributor_id")).order_by("-pk").first()


def working_day(start: date, days: int) -> date:
    """Return the day that is so many working days (Monday to Friday) after ``start``. Public holidays are not known."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < WEEKEND
    return day
