from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from brands.models import Brand
from common.clock import now
from lottery.models import Campaign
from lottery.queries import points_left
from lottery.services import CampaignState, NewAward, edit_campaign
from staff import approvals
from staff.models import User
from tests.conftest import NOW
from tests.makers import make_campaign, make_product


@pytest.fixture
def browse(brand: Brand) -> Callable[..., Client]:
    def with_role(role: str = "marketer") -> Client:
        user, _ = User.objects.get_or_create(username=f"the-{role}", defaults={"role": role})
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(user)
        return client

    return with_role


def typed(**more: str) -> dict[str, str]:
    return {
        "name": "Spring", "name_zh": "春", "opens_at": "2026-12-01T00:00", "closes_at": "2027-02-28T23:59",
        "budget": "1000", "daily_cap": "", "total_cap": "", "awards-TOTAL_FORMS": "1", "awards-INITIAL_FORMS": "0",
        "awards-0-product": "", "awards-0-consumer": "100", "awards-0-retailer": "10", "awards-0-promoter": "",
        "awards-0-months": "24", **more,
    }  # fmt: skip


def test_a_campaign_is_made_changed_opened_raised_and_halted(browse: Callable[..., Client]) -> None:
    client = browse()
    made = client.post("/console/campaigns/new", typed())
    campaign = Campaign.objects.get()
    assert made["Location"] == f"/console/campaigns/{campaign.public_id}"
    assert campaign.opens_at.isoformat() == "2026-11-30T16:00:00+00:00"  # midnight in Shanghai
    page = f"/console/campaigns/{campaign.public_id}"

    client.post(f"{page}/edit", typed(budget="500", **{"awards-0-consumer": "120"}))
    client.post(f"{page}/open")
    asked = client.post(f"{page}/top-up", {"points": "50"})
    assert points_left(campaign.pk) == 500
    number = int(asked["Location"].rsplit("/", 1)[1])
    with transaction.atomic():
        approvals.decide(number, approved=True, by=User.objects.create_user("ola", role="owner"), at=now())
    client.post(f"{page}/top-up", {"points": "50"})
    client.post(f"{page}/top-up", {"points": "50"})  # used up: asks again

    campaign.refresh_from_db()
    assert (campaign.state, campaign.budget.total, points_left(campaign.pk)) == ("open", 550, 550)
    assert sorted(campaign.awards.values_list("party", "points")) == [("consumer", 120), ("retailer", 10)]

    assert client.post(f"{page}/halt", {"reason": "wrong", "typed": "no"}).status_code == 422
    client.post(f"{page}/halt", {"reason": "A mistake in the rules.", "typed": campaign.public_id})

    campaign.refresh_from_db()
    assert (campaign.state, campaign.halt_reason) == ("halted", "A mistake in the rules.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"closes_at": "2026-11-01T00:00"}, {"budget": "-1"}, {"budget": "1.5"}, {"daily_cap": "0"},
        {"awards-0-consumer": "", "awards-0-retailer": ""}, {"awards-0-consumer": str(2**63)}, {"awards-0-months": "121"},
        {"awards-0-product": "999"}, {"opens_at": "yesterday"},
    ],
)  # fmt: skip
def test_wrong_terms_come_back_as_typed(browse: Callable[..., Client], wrong: dict[str, str]) -> None:
    page = browse().post("/console/campaigns/new", typed(**wrong))

    assert page.status_code == 422
    assert Campaign.objects.count() == 0
    assert "awards-0-promoter" in page.content.decode()


def test_one_more_row_keeps_what_was_typed(browse: Callable[..., Client]) -> None:
    page = browse().post("/console/campaigns/new", typed(add="1", name="Kept"))

    assert page.status_code == 200
    assert 'value="Kept"' in page.content.decode()
    assert len(page.context["formset"].forms) == 2
    assert page.context["formset"].forms[0].initial["consumer"] == "100"


def test_the_consequences_stand_beside_the_form(brand: Brand, browse: Callable[..., Client]) -> None:
    product = make_product()
    row = {"awards-TOTAL_FORMS": "2", "awards-1-product": str(product.pk), "awards-1-consumer": "150"}

    box = browse().post("/console/campaigns/preview", typed(**row))

    assert (box.context["per_code"], box.context["codes"]) == (160, 6)


def test_only_drafts_are_rewritten(brand: Brand, browse: Callable[..., Client]) -> None:
    campaign = make_campaign(budget=100)
    assert browse().get(f"/console/campaigns/{campaign.public_id}/edit").status_code == 302

    with pytest.raises(CampaignState):
        edit_campaign(
            campaign.pk, name="x", name_zh="x", opens_at=NOW, awards=[NewAward(party="consumer", points=1)], budget=1
        )

    assert points_left(campaign.pk) == 100


def test_who_may_only_read_changes_nothing(brand: Brand, browse: Callable[..., Client]) -> None:
    campaign = make_campaign(opened=False, at=NOW - timedelta(days=1))
    client = browse("finance")
    page = f"/console/campaigns/{campaign.public_id}"
    assert client.get(page).status_code == 200

    answers = {act: client.post(f"{page}/{act}").status_code for act in ("open", "close", "halt", "top-up", "edit")}

    assert set(answers.values()) == {403}
