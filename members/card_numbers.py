"""The number on a member's card: 16 digits that tell neither how many members there are nor who joined when.

``90``, then the member's row encrypted by FF1 (NIST SP 800-38G) as 13 digits under a key of the brand's own (purpose
"member"), then the check digit of ISO/IEC 7812-1. Computed both ways, never stored.
"""

from common.luhn import luhn
from labels import keys
from labels.codes.ff1 import Scalar
from staff.keys import brand_uuid, root_key

HEAD = "90"
DIGITS = 13
LENGTH = 16


def card_numbers(member_ids: list[int]) -> list[str]:
    """Return the numbers of members, by their row ids."""
    permutation = _permutation()
    bodies = [f"{HEAD}{permutation.encrypt(one):0{DIGITS}d}" for one in member_ids]
    return [body + str(luhn(body)) for body in bodies]


def member_id_of(card_no: str) -> int | None:
    """Return the row id that a card's number means; None for what is no such number. There need not be such a member."""
    digits = "".join(card_no.split())
    if len(digits) != LENGTH or not (digits.isascii() and digits.isdecimal()) or not digits.startswith(HEAD):
        return None
    if str(luhn(digits[:-1])) != digits[-1]:
        return None
    return _permutation().decrypt(int(digits[len(HEAD) : -1]))


def _permutation() -> Scalar:
    key = keys.derive(root_key(), brand_uuid(), purpose="member", form="none")
    return Scalar(key, 10, DIGITS, b"member")
