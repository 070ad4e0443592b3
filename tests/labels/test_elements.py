"""What a scan box makes of scanners' and people's input."""

import pytest

from labels.elements import Candidate, Fault, read

GTIN, SERIAL, SECRET = "09501101530003", "5JQ2D4Y8562N", "3904259030959168"
ELEMENTS = f"01{GTIN}21{SERIAL}"
FNC1 = "\x1d"


@pytest.mark.parametrize(
    ("text", "symbology"),
    [
        (f"]d2{ELEMENTS}", "GS1 DataMatrix"),
        (f"]Q3{ELEMENTS}", "GS1 QR"),
        (f"]C1{FNC1}{ELEMENTS}", "GS1-128"),
        (f"]e0{ELEMENTS}", "GS1 DataBar"),
        (ELEMENTS, ""),
        (FNC1 + ELEMENTS, ""),
        (f"<GS>{ELEMENTS}", ""),
        (f"(01){GTIN}(21){SERIAL}", ""),
        (f"(01) {GTIN} (21) {SERIAL}", ""),
        (f"]Q1HTTPS://BRAND.EXAMPLE/01/{GTIN}/21/{SERIAL}", "QR"),
        (f"https://brand.example/01/{GTIN}/21/{SERIAL}?17=271231", ""),
        (f"/01/{GTIN}/21/{SERIAL}", ""),
    ],
)
def test_every_way_of_writing_it_is_the_same_label(text: str, symbology: str) -> None:
    found = read(text)

    assert (found.gtin, found.serial, found.symbology) == (GTIN, SERIAL, symbology)
    assert not found.mended
    assert not found.folded


def test_a_lost_separator_behind_our_serial_is_mended() -> None:
    found = read(f"]d2{ELEMENTS}10LOT7{FNC1}17271231")

    assert found.mended
    assert (found.serial, found.value("10"), found.value("17")) == (SERIAL, "LOT7", "271231")


@pytest.mark.parametrize("value", ["5JQ2D4Y8562M10LOT7", f"{SERIAL}zz"])
def test_what_is_no_serial_of_ours_is_not_cut(value: str) -> None:
    found = read(f"]d201{GTIN}21{value}")

    assert not found.mended
    assert found.serial == value


def test_inverted_case_is_folded() -> None:
    found = read(f"]D2{ELEMENTS.swapcase()}")

    assert found.folded
    assert found.serial == SERIAL


@pytest.mark.parametrize(
    ("text", "ai", "fault"),
    [
        (f"]d2{ELEMENTS}{FNC1}17270231", "17", Fault.BAD_DATE),
        (f"]d2{ELEMENTS}{FNC1}17271331", "17", Fault.BAD_DATE),
        (f"]d2019501101530004921{SERIAL}", "01", Fault.BAD_CHECK_DIGIT),
        (f"]d221{SERIAL}", "21", Fault.NEEDS_GTIN),
        (f"]d2{ELEMENTS}{FNC1}235ABC", "235", Fault.EXCLUDES_SERIAL),
        (f"]d2{ELEMENTS}{FNC1}10A{FNC1}10B", "10", Fault.REPEATED),
        (f"]d2{ELEMENTS}{FNC1}6666", "6666", Fault.UNKNOWN_AI),
        (f"]d201{GTIN}21{'A' * 21}", "21", Fault.BAD_VALUE),
        (f"]d201{GTIN}21AÄ", "21", Fault.BAD_CHARACTER),
        (f"]Q1HTTPS://B.EXAMPLE/01/{GTIN[:-1]}4/21/{SERIAL}", "01", Fault.BAD_LINK),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_is_read(text: str, ai: str, fault: Fault) -> None:
    found = read(text)

    assert [(element.ai, element.fault) for element in found.elements if element.fault] == [(ai, fault)]


def test_day_00_is_the_months_end_and_the_same_value_twice_is_no_fault() -> None:
    found = read(f"]d2{ELEMENTS}{FNC1}17270200{FNC1}17270200")

    assert not any(element.fault for element in found.elements)


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        (GTIN, [Candidate("gtin", GTIN)]),
        ("9501101530003", [Candidate("gtin", GTIN)]),
        ("106141411234567897", [Candidate("sscc", "106141411234567897")]),
        (SERIAL.lower(), [Candidate("serial", SERIAL), Candidate("secret", SERIAL)]),
        ("3904 2590 3095 9168", [Candidate("secret", SECRET)]),
        ("0654-7127-5507", [Candidate("receipt", "065471275507")]),
        ("3904 2590 3095 9169", []),
        ("nothing", []),
        ("", []),
    ],
)
def test_a_bare_number_is_all_that_its_check_symbols_allow(text: str, candidates: list[Candidate]) -> None:
    assert list(read(text).candidates) == candidates


def test_twelve_digits_can_be_several_things() -> None:
    texts = (f"{number:012}" for number in range(1, 2_000))

    kinds = [{found.kind for found in read(text).candidates} for text in texts]

    assert {"gtin"} in kinds
    assert {"receipt"} in kinds
    assert {"gtin", "receipt"} in kinds
