"""GS1 Digital Link: what we build we read, and what is not a link is refused with its reason."""

import pytest
from hypothesis import given, strategies as st

from labels.digital_link import CHARSET_82, BadLink, Link, Reason, build, check_digit_is_right, parse

GTIN = "09501101530003"
BASE = f"/01/{GTIN}"


def test_the_link_of_the_design() -> None:
    assert build("BRAND.EXAMPLE", GTIN, "5JQ2D4Y8562N") == "HTTPS://BRAND.EXAMPLE/01/09501101530003/21/5JQ2D4Y8562N"


@given(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=12, max_size=12))
def test_parse_inverts_build(serial: str) -> None:
    url = build("brand.example", GTIN, serial)

    found = parse(url.removeprefix("HTTPS://BRAND.EXAMPLE"))

    assert isinstance(found, Link)
    assert (found.gtin, found.serial) == (GTIN, serial)


@given(st.text(sorted(CHARSET_82), min_size=1, max_size=20))
def test_any_serial_of_character_set_82_keeps_its_case(serial: str) -> None:
    from urllib.parse import quote

    found = parse(f"{BASE}/21/{quote(serial, safe='')}")

    assert isinstance(found, Link)
    assert found.serial == serial


@given(st.text(max_size=60), st.text(max_size=40))
def test_no_text_breaks_the_reader(path: str, query: str) -> None:
    assert isinstance(parse(path, query), Link | BadLink)
    assert isinstance(parse(BASE + "/" + path, query), Link | BadLink)


@pytest.mark.parametrize(
    ("path", "query", "qualifiers"),
    [
        (BASE, "", {}),
        (BASE + "/", "", {}),
        (BASE + "/22/2A/10/L1/21/S+1", "", {"22": "2A", "10": "L1", "21": "S+1"}),
        (BASE + "/21/a%2Fb", "", {"21": "a/b"}),
        (BASE + "/235/TPX1", "", {"235": "TPX1"}),
    ],
)
def test_good_paths(path: str, query: str, qualifiers: dict[str, str]) -> None:
    found = parse(path, query)

    assert isinstance(found, Link)
    assert found.qualifiers == qualifiers


def test_sscc() -> None:
    found = parse("/00/106141412345678908")

    assert isinstance(found, Link)
    assert (found.key, found.gtin) == ("00", None)


def test_query_gives_attributes_link_type_and_the_rest_in_order() -> None:
    found = parse(BASE, "17=271200&3103=001250&linkType=gs1:pip&a=1&b=x+y&a=%32&414=9506000134352")

    assert isinstance(found, Link)
    assert found.attributes == {"17": "271200", "3103": "001250", "414": "9506000134352"}
    assert found.link_type == "gs1:pip"
    assert found.extra == (("a", "1"), ("b", "x y"), ("a", "2"))


@pytest.mark.parametrize(
    ("path", "query", "reason", "ai"),
    [
        ("/01/09501101530004", "", Reason.BAD_CHECK_DIGIT, "01"),
        ("/01/9501101530003", "", Reason.BAD_LENGTH, "01"),
        ("/01/0950110153000X", "", Reason.BAD_CHARACTER, "01"),
        ("/01/０９５０１１０１５３０００３", "", Reason.BAD_CHARACTER, "01"),
        ("/01/", "", Reason.MISSING_VALUE, "01"),
        ("/00/106141412345678907", "", Reason.BAD_CHECK_DIGIT, "00"),
        ("/00/106141412345678908/21/A", "", Reason.WRONG_ORDER, "21"),
        (BASE + "/21/A/10/B", "", Reason.WRONG_ORDER, "10"),
        (BASE + "/21/A/22/B", "", Reason.WRONG_ORDER, "22"),
        (BASE + "/235/A/21/B", "", Reason.WRONG_ORDER, "21"),
        (BASE + "/10/A/235/B", "", Reason.WRONG_ORDER, "235"),
        (BASE + "/21/A/21/A", "", Reason.REPEATED_AI, "21"),
        (BASE + "/98/A", "", Reason.UNKNOWN_AI, "98"),
        (BASE + "/21", "", Reason.MISSING_VALUE, "21"),
        (BASE + "/21/A//", "", Reason.UNKNOWN_AI, ""),
        (BASE + "/21/" + "A" * 21, "", Reason.BAD_LENGTH, "21"),
        (BASE + "/21/A%20B", "", Reason.BAD_CHARACTER, "21"),
        (BASE + "/21/茶", "", Reason.BAD_CHARACTER, "21"),
        (BASE + "/21/A%2", "", Reason.BAD_ENCODING, ""),
        (BASE + "/21/A%FF", "", Reason.BAD_ENCODING, ""),
        (BASE + "/21/A", "a=%zz", Reason.BAD_ENCODING, ""),
        (BASE, "21=A", Reason.QUALIFIER_IN_QUERY, "21"),
        (BASE, "01=09501101530003", Reason.QUALIFIER_IN_QUERY, "01"),
        (BASE, "9999=1", Reason.UNKNOWN_AI, "9999"),
        (BASE, "17=261300", Reason.BAD_DATE, "17"),
        (BASE, "17=270229", Reason.BAD_DATE, "17"),
        (BASE, "17=2712", Reason.BAD_LENGTH, "17"),
        (BASE, "17=271200&17=271200", Reason.REPEATED_AI, "17"),
        (BASE, "414=9506000134353", Reason.BAD_CHECK_DIGIT, "414"),
        (BASE, "linkType=a&linkType=b", Reason.REPEATED_AI, "linkType"),
        ("/DSGH9pQ", "", Reason.COMPRESSED, ""),
        ("/gtin/" + GTIN, "", Reason.COMPRESSED, ""),
        (BASE + "/21/" + "A" * 2000, "", Reason.TOO_LONG, ""),
    ],
)
def test_a_bad_link_says_why(path: str, query: str, reason: Reason, ai: str) -> None:
    assert parse(path, query) == BadLink(reason, ai)


def test_check_digits() -> None:
    assert check_digit_is_right(GTIN)
    assert not check_digit_is_right("09501101530030")
