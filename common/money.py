"""Amounts in minor units (fen, cents, whole yen) and how they are written. No conversion between currencies."""

from decimal import Decimal

DECIMALS = {"CNY": 2, "USD": 2, "GBP": 2, "EUR": 2, "JPY": 0, "HKD": 2}
_SIGNS = {"CNY": "¥", "USD": "$", "GBP": "£", "EUR": "€", "JPY": "JP¥", "HKD": "HK$"}


def minor_of(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units; what is finer than those is cut off."""
    return int(amount.scaleb(DECIMALS.get(currency, 2)))


def major_of(minor: int, currency: str) -> Decimal:
    """Return an amount in the currency's own unit."""
    return Decimal(minor).scaleb(-DECIMALS.get(currency, 2))


def shown(minor: int, currency: str) -> str:
    """Return an amount as people read it: "¥ 1,280", "$ 0.30"; minor units only where there are some."""
    amount = major_of(minor, currency)
    text = f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.{DECIMALS.get(currency, 2)}f}"
    return f"{_SIGNS.get(currency, currency)}\u00a0{text}"
