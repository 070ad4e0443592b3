"""The ledger's inhabitants: a consumer, a retailer, a promoter, and the brand's own accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import pytest
from django.db import transaction

from brands.models import Brand
from ledger.models import Transfer
from ledger.posting import forget_systems
from ledger.queries import balance
from ledger.services import NewTransfer, open_accounts, post, system_account


@dataclass(frozen=True)
class World:
    consumer: int
    retailer: int
    promoter: int
    issuance: int
    redeemed: int
    expired: int
    at: datetime

    def award(self, account: int, amount: int, cause_id: int = 1, expires_on: date | None = None) -> Transfer:
        with transaction.atomic():
            return post(
                [NewTransfer(self.issuance, account, amount, "award", "redemption", cause_id, expires_on=expires_on)],
                at=self.at,
            )[0]

    def spend(self, account: int, amount: int, cause_id: int = 1, at: datetime | None = None) -> Transfer:
        with transaction.atomic():
            return post([NewTransfer(account, self.redeemed, amount, "spend", "order", cause_id)], at=at or self.at)[0]

    def move(self, debit: int, credit: int, amount: int, cause_id: int = 1) -> Transfer:
        with transaction.atomic():
            return post([NewTransfer(debit, credit, amount, "move", "claim", cause_id)], at=self.at)[0]


def open_world(at: datetime) -> World:
    """Open the accounts of the tests; call it inside a brand."""
    forget_systems()
    with transaction.atomic():
        [consumer] = open_accounts(1, party="consumer")
        [retailer] = open_accounts(1, party="retailer")
        [promoter] = open_accounts(1, party="promoter")
        systems = [system_account(role) for role in ("issuance", "redeemed", "expired")]
    return World(consumer, retailer, promoter, *systems, at)


@pytest.fixture
def world(brand: Brand, at: datetime) -> Iterator[World]:
    yield open_world(at)
    forget_systems()


@pytest.fixture
def balances() -> Callable[..., list[int]]:
    return lambda *accounts: [balance(account) for account in accounts]
