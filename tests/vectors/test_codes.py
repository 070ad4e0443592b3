"""The frozen vectors of scheme 1: a code printed once must be read for ever."""

import numpy as np
import pytest

from labels.codes import bulk
from labels.codes.encode import cipher, encode
from labels.codes.forms import FORMS, MAX_LABEL_NO, N16, R12
from labels.keys import derive

ROOT = bytes(range(32))
BRAND = bytes.fromhex("00112233445566778899aabbccddeeff")
LABELS = [1, 123456789, MAX_LABEL_NO]
VECTORS = [
    ("secret", "N16", 3, ["3462522024235174", "3904259030959168", "3293977549905152"]),
    ("secret", "N18", 3, ["353418376025172862", "314265273334263392", "320131985859666303"]),
    ("secret", "N20", 42, ["04219538462783873963", "04298503794177190737", "04291596345057303438"]),
    ("secret", "B12", 3, ["3PKYHFGEQXJ0", "319KDNYH6XYZ", "371NA877G7HM"]),
    ("secret", "B14", 3, ["36658AKJGF9NWN", "3NRSZCXRA5DTKY", "3G52SW27C4AVYV"]),
    ("secret", "B16", 42, ["01ABK76BBDM6G7VH", "01A307DY2QN0K3J5", "01A21TNQVNB28F8J"]),
    ("serial", "B12", 5, ["55WMRRS3FCCE", "5JQ2D4Y8562N", "5PMFBTXACKVF"]),
]


def key(purpose: str, form: str, number: int, generation: int = 0) -> bytes:
    return derive(ROOT, BRAND, purpose=purpose, form=form, number=number, generation=generation)


def test_slot_key() -> None:
    assert key("secret", "N16", 3).hex() == "bcee4f46c62d58a785c957f00cc99990110ec49ceb8e8afbcda893aab7e8f7c0"


@pytest.mark.parametrize(("purpose", "name", "number", "codes"), VECTORS)
def test_codes_one_by_one(purpose: str, name: str, number: int, codes: list[str]) -> None:
    form = FORMS[name]
    permutation = cipher(key(purpose, name, number), form, number, 0)

    assert [encode(form, number, permutation, label_no) for label_no in LABELS] == codes


@pytest.mark.parametrize(("purpose", "name", "number", "codes"), VECTORS)
def test_codes_in_bulk_and_back(purpose: str, name: str, number: int, codes: list[str]) -> None:
    form = FORMS[name]
    vector = bulk.vector(key(purpose, name, number), form, number, 0)
    rows = np.zeros((len(LABELS), form.length + 3), np.uint8)

    bulk.write_codes(form, number, vector.encrypt(np.array(LABELS, np.uint64)), rows, column=2)
    cores, checks = bulk.read_codes(form, rows, column=2)

    assert bulk.texts(np.ascontiguousarray(rows[:, 2:-1])) == codes
    assert not checks.any()
    assert vector.decrypt(cores).tolist() == LABELS
    assert not rows[:, [0, 1, -1]].any()


def test_another_generation_is_another_permutation() -> None:
    permutation = cipher(key("secret", "N16", 3, 1), N16, 3, 1)

    assert encode(N16, 3, permutation, 123456789) == "3841523844054076"


def test_receipt_numbers() -> None:
    permutation = cipher(key("receipt", "R12", 0), R12, 0, 0)

    assert [encode(R12, 0, permutation, scan) for scan in (1, 123456789)] == ["065471275507", "775742335973"]


def test_print_groups() -> None:
    assert N16.grouped("3904259030959168") == "3904 2590 3095 9168"
    assert FORMS["B14"].grouped("36658AKJGF9NWN") == "3665 8AKJG F9NWN"


@pytest.mark.parametrize("label_no", [0, -1, MAX_LABEL_NO + 1])
def test_a_label_outside_14_digits_is_refused(label_no: int) -> None:
    permutation = cipher(key("secret", "N16", 3), N16, 3, 0)

    with pytest.raises(ValueError, match="14 digits"):
        encode(N16, 3, permutation, label_no)


def test_a_slot_number_that_does_not_fit_is_refused() -> None:
    permutation = cipher(key("secret", "N16", 10), N16, 10, 0)

    with pytest.raises(ValueError, match="no slot"):
        encode(N16, 10, permutation, 1)
