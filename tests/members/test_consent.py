from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from common.errors import NotFound
from members.models import Consent, Member
from members.queries import allows, consents_now
from members.services import grant_consent, withdraw_consent


def test_the_newest_answer_counts_and_all_stay(member: Member, at: datetime) -> None:
    grant_consent(member.pk, "precise_place", wording_version="2026-1", at=at)
    assert allows(member.pk, "precise_place")

    withdraw_consent(member.pk, "precise_place", at=at + timedelta(days=1))

    assert not allows(member.pk, "precise_place")
    rows = Consent.objects.order_by("id").values_list("granted", "wording_version", "at")
    assert list(rows) == [(True, "2026-1", at), (False, "2026-1", at + timedelta(days=1))]


def test_purposes_are_apart(member: Member, at: datetime) -> None:
    grant_consent(member.pk, "terms", wording_version="2026-1", at=at)
    grant_consent(member.pk, "marketing", wording_version="2026-2", at=at)
    withdraw_consent(member.pk, "marketing", at=at)

    now = consents_now(member.pk)

    assert {purpose: row.granted for purpose, row in now.items()} == {"terms": True, "marketing": False}
    assert not allows(member.pk, "precise_place")


def test_an_unknown_purpose_is_refused(member: Member, at: datetime) -> None:
    with pytest.raises(ValueError, match="everything"):
        grant_consent(member.pk, "everything", wording_version="1", at=at)


def test_nobody_consents_for_who_is_not_there(member: Member, at: datetime) -> None:
    with pytest.raises(NotFound):
        grant_consent(999_999, "terms", wording_version="1", at=at)


@pytest.mark.parametrize("statement", ["UPDATE members_consent SET granted = false", "DELETE FROM members_consent"])
def test_an_answer_cannot_be_changed(member: Member, at: datetime, statement: str) -> None:
    grant_consent(member.pk, "terms", wording_version="1", at=at)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
