"""GS1 Digital Link: what we build we read, and what is not a link is refused with its reason."""

import pytest
from hypothesis import given, strategies as st

from labels.digital_link import BadLink, Link, Reason, build, parse
from labels.identifiers import CHARSET_82, check_digit_is_right

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


GOOD = """
11=271200 12=270301 17=280229 20=07 240=A-1 242=000042 250=S2 254=EXT 30=24
3103=001250 3202=000001 3902=1050 3912=9781050 3925=150 3932=978150 3941=0500 3950=000150
400=PO7 403=R1 410=9506000134352 417=9506000134352 420=310000 421=156310000 422=156 423=156392 425=156 427=ZJ
4300=Xilan%2BTea 4302=1%2520Lake 4307=CN 4308=%2B8657100 4309=12026600020280234000 4318=310000 4321=0 4324=2711009999
4325=2711301830 4326=271130 4330=002500- 4331=000200 7001=1234567890123 7002=CUT 7003=2711301830 7004=1234 7005=67.1
7006=271130 7007=271101271130 7007=271101 7008=COD 7009=OTB 7010=2 7011=271130 7011=2711301200 7020=R7 7023=GIAI1
7030=156AB 7039=999C 7040=1ABC 710=PZN 715=NDC 716=AIC 7230=EMX 7240=P1 7241=09 7242=V1
8001=12340123401219 8002=8613800138000 8005=000150 8007=DE89370400440532013000 8008=2711301830 8008=271130183015 8008=27113018
8009=SN 8011=120 8012=V2 8019=4 8020=REF 8026=095011015300030102 8110=C1 8111=0050 8112=C2 8200=HTTPS://X 90=A 99=Z
"""
BAD = """
7005=1234567890123:bad_length 7003=27113018:bad_length 7003=2711302460:bad_date 7003=2711001830:bad_date
7007=271101271:bad_length 7007=271101279999:bad_date 7011=2711301260:bad_date 4326=271100:bad_date 4324=2711002400:bad_date
4307=cn:bad_value 4309=18000000010000000000:bad_value 4321=2:bad_value 4330=002500x:bad_value 4300=A%25G:bad_value
421=15:bad_length 421=A56310:bad_character 423=15639:bad_length 3912=97:bad_length 8001=00000123401219:bad_value
8001=12340123401234:bad_value 8007=DE89370400440532013001:bad_value 8008=2711302460:bad_date 8008=271130186:bad_length
8011=012:bad_value 8026=095011015300040102:bad_check_digit 8026=095011015300030002:bad_value 416=9506000134353:bad_check_digit
3106=000001:unknown_ai 4327=1:unknown_ai 7012=1:unknown_ai 717=A:unknown_ai 8025=1:unknown_ai 9=1:unknown_ai 100=1:unknown_ai
253=9506000134352:qualifier_in_query 8003=1:qualifier_in_query 8017=1:qualifier_in_query 402=1:qualifier_in_query
02=09501101530003:bad_pair 37=24:bad_pair 3103=000001&3102=000001:bad_pair 4330=002500&4331=000200:bad_pair
421=156310000&420=310000:bad_pair 426=156&422=156:bad_pair 3902=1&3911=9781:bad_pair 3922=1&3932=9781:bad_pair 11=:missing_value
"""


@pytest.mark.parametrize("pair", GOOD.split())
def test_an_attribute_of_the_general_specifications_is_read(pair: str) -> None:
    found = parse(BASE if not pair.startswith("8026") else "/00/106141412345678908", pair)

    assert isinstance(found, Link), found
    assert len(found.attributes) == 1


@pytest.mark.parametrize("case", BAD.split())
def test_an_attribute_that_cannot_be_is_refused(case: str) -> None:
    pair, _colon, reason = case.rpartition(":")

    found = parse(BASE, pair)

    assert isinstance(found, BadLink), found
    assert found.reason == reason


def test_what_is_inside_a_pallet_stands_in_its_query() -> None:
    sscc = "/00/106141412345678908"
    found = parse(sscc, "02=09501101530003&37=24&10=L1")

    assert isinstance(found, Link)
    assert found.attributes == {"02": "09501101530003", "37": "24", "10": "L1"}
    assert parse(sscc, "21=A") == BadLink(Reason.QUALIFIER_IN_QUERY, "21")
    assert parse(sscc, "10=L1&10=L1") == BadLink(Reason.REPEATED_AI, "10")


def test_check_digits() -> None:
    assert check_digit_is_right(GTIN)
    assert not check_digit_is_right("09501101530030")
