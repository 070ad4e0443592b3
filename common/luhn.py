"""The check digit of cards (ISO/IEC 7812-1, annex B), which finds each single wrong digit and most swaps."""


def luhn(digits: str) -> int:
    """Return the check digit of digits that have none yet."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -sum(number // 10 + number % 10 for number in doubled) % 10
