"""One consumer, who has signed in, and points to give away."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import count

import pytest
from django.db import transaction

from brands.models import Brand
from ledger.posting import forget_systems
from ledger.services import NewTransfer, post, system_account
from members.models import Member
from members.services import members_for_phones

PHONE = "+8613800138000"
Award = Callable[..., None]


@pytest.fixture(autouse=True)
def _system_accounts_are_looked_up_anew() -> Iterator[None]:
    forget_systems()
    yield
    forget_systems()


@pytest.fixture
def member(brand: Brand, at: datetime) -> Member:
    return Member.objects.get(pk=members_for_phones([PHONE], at=at, language="zh-hans")[PHONE].member_id)


@pytest.fixture
def award(at: datetime) -> Award:
    causes = count(1)

    def give(account_id: int, points: int, expires_on: date | None = None) -> None:
        with transaction.atomic():
            post(
                [
                    NewTransfer(
                        system_account("issuance"),
                        account_id,
                        points,
                        "award",
                        "redemption",
                        next(causes),
                        expires_on=expires_on,
                    )
                ],
                at=at,
            )

    return give
