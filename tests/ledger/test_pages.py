"""The ledger's pages of the console."""

from datetime import date, timedelta

import pytest
from django.db import transaction
from django.test import Client

from common.clock import now
from ledger.models import Account, Kind, Transfer
from ledger.queries import verify
from ledger.services import NewTransfer, hold, post, reverse
from staff import approvals
from staff.models import Approval, Audit, User

LATER = date(2027, 11, 30)


def as_role(role):
    client = Client(headers={"host": "brand.localhost"})
    user = User.objects.create(username=f"{role}-1", role=role, language="en")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def finance(brand):
    return as_role("finance")


@pytest.fixture
def books(world):
    """A redemption for three, a spend, a hold, a grant, and a reversal after spending."""
    parties = ((world.consumer, 1200), (world.retailer, 180), (world.promoter, 50))
    with transaction.atomic():
        group = post(
            [NewTransfer(world.issuance, who, n, "award", "redemption", 7, expires_on=LATER) for who, n in parties],
            at=world.at,
        )
        grant = post([NewTransfer(world.issuance, world.consumer, 40, "grant", "manual", 1)], at=world.at)[0]
    world.spend(world.retailer, 180)
    with transaction.atomic():
        hold(account_id=world.consumer, amount=100, cause_kind="order", cause_id=9, at=world.at)
        reverse(group[1].pk, at=world.at)
    return group, grant


def page(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.content.decode()


def public_id(account):
    return Account.objects.get(pk=account).public_id


def test_the_ledger_proves_zero_and_shows_what_moved(finance, books):
    text = page(finance, "/console/ledger")

    assert "Sum 0" in text
    assert "7 transfers add up" in text
    for figure in ("−1,290", "1,240", "2027-11", "1,250"):
        assert figure in text, figure


def test_it_is_shown_as_of_a_moment(finance, books, world):
    before = (world.at - timedelta(hours=1)).astimezone().strftime("%Y-%m-%dT%H:%M")

    text = page(finance, f"/console/ledger?as_of={before}")

    assert "0 transfers add up" in text
    assert "Nothing has moved yet" in text


def test_a_bad_moment_is_said(finance, books):
    assert "aria-invalid" in page(finance, "/console/ledger?as_of=yesterday", 422)


def test_an_empty_ledger_says_what_will_be_here(finance, world):
    text = page(finance, "/console/ledger")

    assert "Nothing has moved yet" in text
    assert "Nothing is owed to anybody" in text
    assert "Sum 0" in text


def test_transfers_narrow_by_kind_and_leave_as_csv(finance, books):
    reversal = Transfer.objects.get(kind=Kind.REVERSAL)

    assert f"/console/ledger/transfers/{reversal.pk}" in page(finance, "/console/ledger?kind=11")
    assert f"/console/ledger/transfers/{reversal.pk}" not in page(finance, "/console/ledger?kind=1")
    lines = page(finance, "/console/ledger?kind=11&format=csv").strip().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"{reversal.pk},")


def test_accounts_are_listed_by_whose_they_are(finance, books, world):
    assert public_id(world.retailer) in page(finance, "/console/ledger/accounts")
    assert public_id(world.retailer) in page(finance, "/console/ledger/accounts?party=retailer")
    assert public_id(world.retailer) not in page(finance, "/console/ledger/accounts?party=consumer")
    assert "There is no such account yet" in page(finance, "/console/ledger/accounts?party=staff")
    assert public_id(world.promoter) in page(finance, "/console/ledger/accounts?format=csv")


def test_an_account_shows_balance_statement_lots_and_holds(finance, books, world):
    text = page(finance, f"/console/ledger/accounts/{public_id(world.consumer)}")

    for figure in ("1,240", "1,140", "+1,200", "30 Nov 2027", "never expires", "Receipt"):
        assert figure in text, figure


def test_an_account_that_owes_says_so(finance, books, world):
    text = page(finance, f"/console/ledger/accounts/{public_id(world.retailer)}")

    assert "Owed after reversal" in text
    assert "−180" in text
    debt = Account.objects.get(kind="clawback")
    assert public_id(world.retailer) in page(finance, f"/console/ledger/accounts/{debt.public_id}")


def test_a_long_statement_is_paged(finance, world):
    for cause in range(1, 56):
        world.award(world.consumer, 1, cause)
    path = f"/console/ledger/accounts/{public_id(world.consumer)}"

    first = page(finance, path)
    oldest = Transfer.objects.order_by("id").first().pk
    cursor = Transfer.objects.order_by("id")[5].pk

    assert f"after={cursor}" in first
    assert f'transfers/{oldest}"' not in first
    assert f'transfers/{oldest}"' in page(finance, f"{path}?after={cursor}")
    assert f'transfers/{oldest}"' not in page(finance, f"{path}?after=nonsense")
    assert len(page(finance, f"{path}?format=csv").strip().splitlines()) == 56


def test_a_system_account_has_a_page(finance, books, world):
    assert "−1,290" in page(finance, f"/console/ledger/accounts/{public_id(world.issuance)}")


def test_a_transfer_is_shown_with_its_group(finance, books):
    group, _grant = books

    text = page(finance, f"/console/ledger/transfers/{group[0].pk}")

    assert text.count("/console/ledger/transfers/") >= 3
    assert "1,430" in text
    assert "Reverse the whole group" not in text  # a redemption is reversed on its receipt's page


@pytest.mark.parametrize(
    "path",
    ["ledger/transfers/999999", f"ledger/transfers/{2**70}", "ledger/accounts/acc_nobody", "ledger/accounts/%00"],
)
def test_what_is_not_there_is_not_found(finance, books, path):
    page(finance, f"/console/{path}", 404)


def test_a_group_is_reversed_with_a_reason(finance, books, world, balances):
    _group, grant = books
    path = f"/console/ledger/transfers/{grant.pk}"
    assert f"{path}/reverse" in page(finance, path)
    assert "Take it back" in page(finance, f"{path}/reverse")

    refusal = finance.post(f"{path}/reverse", {"reason": ""})
    answer = finance.post(f"{path}/reverse", {"reason": "granted twice"}, follow=True)

    assert refusal.status_code == 422
    assert "The group is reversed." in answer.content.decode()
    assert balances(world.consumer) == [1200]
    entry = Audit.objects.get(act="reverse")
    assert (entry.actor, entry.after["reason"]) == ("finance-1", "granted twice")
    assert Transfer.objects.get(kind=Kind.REVERSAL, cause_id=grant.pk).recorded_by == "finance-1"
    assert finance.post(f"{path}/reverse", {"reason": "again"}).status_code == 422
    assert not list(verify())


def test_more_than_a_thousand_points_are_reversed_by_two_persons(finance, world, balances):
    with transaction.atomic():
        [grant] = post([NewTransfer(world.issuance, world.consumer, 1001, "award", "manual", 77)], at=world.at)
    path = f"/console/ledger/transfers/{grant.pk}/reverse"

    asked = finance.post(path, {"reason": "granted twice"})
    approval = Approval.objects.get(kind="ledger.reverse")
    before = balances(world.consumer)
    again = finance.post(path, {"reason": "granted twice"})
    with transaction.atomic():
        approvals.decide(approval.pk, approved=True, by=User.objects.create_user("ola", role="owner"), at=now())
    finance.post(path, {"reason": "granted twice"})

    assert asked["Location"] == again["Location"] == f"/console/approvals/{approval.pk}"
    assert approval.payload == {"transfer": grant.pk, "points": 1001, "reason": "granted twice"}
    assert (before, balances(world.consumer)) == ([1001], [0])
    assert not list(verify())


def test_a_redemption_is_not_reversed_here(finance, books):
    group, _grant = books

    answer = finance.post(f"/console/ledger/transfers/{group[0].pk}/reverse", {"reason": "no"})

    assert answer.status_code == 422
    assert "receipt" in answer.content.decode()


def test_who_may_read_may_not_reverse(brand, books):
    _group, grant = books
    auditor = as_role("auditor")

    assert "/reverse" not in page(auditor, f"/console/ledger/transfers/{grant.pk}")
    assert auditor.post(f"/console/ledger/transfers/{grant.pk}/reverse", {"reason": "no"}).status_code == 403
    page(as_role("warehouse"), "/console/ledger", 403)
