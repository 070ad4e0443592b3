import json
from datetime import date, datetime

from members.models import Member
from members.personal import export_member
from members.services import claim_pending, grant_consent, pending_for, set_name, withdraw_consent
from members.sign_in import confirm_code, request_code
from sms_gateway.queries import messages_to
from tests.members.conftest import PHONE, Award


def test_a_member_gets_all_that_is_kept(member: Member, award: Award, at: datetime) -> None:
    award(member.account_id, 120, date(2027, 12, 31))
    request_code(PHONE, at=at, language="en")
    code = messages_to(PHONE)[0].body.split("code is ")[1][:6]
    confirm_code(PHONE, code, at=at)
    grant_consent(member.pk, "terms", wording_version="2026-1", at=at)
    withdraw_consent(member.pk, "terms", at=at)
    claim_pending(int(pending_for([(7, "x")], at=at)[7, "x"].pending_id or 0), member_id=member.pk, at=at)

    data = json.loads(json.dumps(export_member(set_name(member.pk, " 王小明 "))))

    assert (data["phone"], data["name"], data["state"], data["language"]) == (PHONE, "王小明", "active", "zh-hans")
    assert [consent["granted"] for consent in data["consents"]] == [True, False]
    assert data["points"]["balance"] == 120
    assert data["points"]["lots"] == [{"expires_on": "2027-12-31", "points": 120}]
    assert [line["points"] for line in data["points"]["statement"]] == [120]
    assert code in data["messages"][0]["text"]
    assert data["claims"] == [{"client": 7, "at": at.isoformat()}]


def test_higher_floors_add_what_they_keep(member: Member, monkeypatch, settings) -> None:
    class Holder:
        def export(self, member_id: int) -> dict[str, object]:
            return {"scans": [member_id]}

    monkeypatch.setattr("members.personal.holders", lambda: iter([Holder()]))

    assert export_member(member)["scans"] == [member.pk]
