"""Where an attempt was made: by the device, the address and the number, as regions of the brand."""

import json
import struct
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brands.models import Brand
from channel.models import Region
from common import geo, ip_places, issued, operator_file
from redemption import api, places
from redemption.models import Scan, ScanPlace
from redemption.rules import Door, Place
from redemption.schemas import PlaceIn
from redemption.services import add_place, forget_old, redeem, verify
from tests.conftest import NOW
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_member,
    secrets_of,
    serial_of,
)
from tests.redemption.goods import make_land

SOUTH = (23.13, 113.32)


def told(scan_id: int) -> dict[str, str]:
    return dict(ScanPlace.objects.filter(scan_id=scan_id).values_list("source", "region"))


def newest() -> int:
    return int(Scan.objects.order_by("-id").values_list("pk", flat=True)[0])


@pytest.fixture
def land(brand: Brand) -> dict[str, Region]:
    made = make_land()
    Region.objects.filter(code="CN-GD-01").update(name_zh="深圳市")
    Region.objects.create(code="CN-BJ", kind="province", parent=made["CN"], name="Beijing", name_zh="北京市")
    places.forget()
    return made


# --- a MaxMind DB of one network, written by hand (MaxMind DB File Format Specification 2.0) ------------------------------


def encode(value: Any) -> bytes:
    if isinstance(value, dict):
        return bytes([0xE0 | len(value)]) + b"".join(encode(str(key)) + encode(one) for key, one in value.items())
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(encode, value))
    if isinstance(value, float):
        return bytes([0x68]) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        return bytes([len(raw), 2]) + raw if len(raw) > 4 else bytes([0xC0 | len(raw)]) + raw
    raw = value.encode()
    return bytes([0x40 | len(raw)]) + raw if len(raw) < 29 else bytes([0x5D, len(raw) - 29]) + raw


def write_mmdb(path: Path, network: str, bits: int, record: dict[str, Any]) -> None:
    """Write a database that knows one IPv4 network: a chain of nodes, everything else unknown."""
    address = int.from_bytes(bytes(map(int, network.split("."))), "big")
    tree = bytearray()
    for place in range(bits):
        inside = bits + 16 if place == bits - 1 else place + 1
        branch = [bits, bits]
        branch[address >> (31 - place) & 1] = inside
        for node in branch:
            tree += node.to_bytes(3, "big")
    metadata = {
        "node_count": bits, "record_size": 24, "ip_version": 4, "database_type": "Tiny-City", "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_790_000_000,
        "description": {"en": "tiny"},
    }  # fmt: skip
    path.write_bytes(bytes(tree) + bytes(16) + encode(record) + b"\xab\xcd\xefMaxMind.com" + encode(metadata))


RECORD = {
    "country": {"iso_code": "CN"},
    "subdivisions": [{"iso_code": "GD"}],
    "city": {"names": {"en": "Shenzhen"}},
    "location": {"latitude": SOUTH[0], "longitude": SOUTH[1], "accuracy_radius": 20},
}


@pytest.fixture
def ip_file(tmp_path: Path, settings: Any) -> Iterator[Path]:
    path = tmp_path / "places.mmdb"
    write_mmdb(path, "203.0.113.0", 24, RECORD)
    settings.IP_PLACES_FILE = str(path)
    ip_places.forget()
    yield path
    ip_places.forget()


def test_each_source_leaves_a_row_at_every_door(land: dict[str, Region], ip_file: Path) -> None:
    make_campaign()
    batch = make_active_batch(2)
    place = Place(*SOUTH, 30.0, consent="v1")

    redeem(make_attempt(secrets_of(batch)[0], phone="+8613923412345", place=place))
    by_api = newest()
    verify(make_check(door=Door.WEB, cookie="c", serial=serial_of(labels_of(batch)[1]), ip_prefix="203.0.113.0/24"))
    by_web = newest()
    redeem(make_attempt(secrets_of(batch)[1], door=Door.SMS, phone="+8613800138000"))
    by_sms = newest()

    assert told(by_api) == {"gps": "CN-GD-01", "phone": "CN-GD-01"}
    assert told(by_web) == {"ip": "CN-GD-01"}
    assert told(by_sms) == {"phone": "CN-BJ"}
    gps = ScanPlace.objects.get(scan_id=by_api, source="gps")
    assert (gps.lat, gps.consent, gps.datum, gps.confidence) == (SOUTH[0], "v1", "wgs84", 0.95)
    other = ScanPlace.objects.get(scan_id=by_web)
    assert (other.lat, other.city, other.city_zh, other.consent) == (None, "", "", "")


def test_a_signed_in_members_number_tells_its_region_and_is_not_kept(
    land: dict[str, Region], caplog: pytest.LogCaptureFixture
) -> None:
    member = make_member("+8613923412345")
    make_campaign()
    batch = make_active_batch(2)

    redeem(make_attempt(secrets_of(batch)[0], member_id=member.pk, door=Door.WEB))
    redeemed = newest()
    verify(make_check(door=Door.WEB, cookie="c", serial=serial_of(labels_of(batch)[1])))

    assert told(redeemed) == {"phone": "CN-GD-01"}
    assert told(newest()) == {}, "a stranger has no number"
    row = ScanPlace.objects.get()
    assert (row.city, row.city_zh, row.lat) == ("", "", None)
    assert "13923412345" not in caplog.text


def test_a_coarse_fix_tells_the_province_and_a_remote_one_nothing(land: dict[str, Region]) -> None:
    assert places.of_fix(Place(*SOUTH, 19_999.0)).region.code == "CN-GD-01"
    assert places.of_fix(Place(*SOUTH, 20_001.0)).region.code == "CN-GD"
    assert places.of_fix(Place(0.0, -140.0, 5.0)).region.code == ""
    assert places.of_fix(None) is None


def test_without_regions_the_cities_of_the_world_answer(brand: Brand) -> None:
    assert places.of_fix(Place(31.22, 121.54, 5.0)).region.name_zh == "上海"
    assert places.of_fix(Place(30.25, 120.15, 20_001.0)).region.code == "CN-ZJ"
    assert places.of_number("+8613923412345").code == "CN-GD"
    assert places.of_address("203.0.113.0/24") is None


def test_a_gcj02_fix_becomes_wgs84_and_swapped_axes_are_seen() -> None:
    for lat, lon in ((39.90, 116.40), (22.54, 114.06), (45.75, 126.65), (43.82, 87.61)):
        shifted = geo.to_gcj02(lat, lon)
        moved_m = 111_195 * ((shifted[0] - lat) ** 2 + ((shifted[1] - lon) * 0.8) ** 2) ** 0.5
        assert 100 < moved_m < 1000
        assert geo.from_gcj02(*shifted) == pytest.approx((lat, lon), abs=1e-6)
        assert geo.from_gcj02(shifted[1], shifted[0]) != pytest.approx((lon, lat), abs=1e-6) or shifted[1] > 90
    # Tiananmen, as published for both systems.
    assert geo.to_gcj02(39.9075, 116.39723) == pytest.approx((39.90890, 116.40347), abs=2e-4)
    assert geo.from_gcj02(48.85, 2.35) == (48.85, 2.35)
    assert api._place(PlaceIn(lat=39.90890, lon=116.40347, datum="gcj02")).lat == pytest.approx(39.9075, abs=2e-4)


def test_a_position_that_is_not_the_devices_own_is_not_kept() -> None:
    assert api._place(PlaceIn(lat=1.0, lon=2.0, mock=False)) is not None
    assert api._place(PlaceIn(lat=1.0, lon=2.0, mock=True)) is None


def test_the_file_is_read_again_when_it_was_replaced(
    land: dict[str, Region], ip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_file, "LOOK_EVERY_S", 0.0)
    assert places.of_address("203.0.113.0/24").code == "CN-GD-01"
    assert places.of_address("198.51.100.0/24") is None
    assert places.of_address("no address") is None
    told = ip_places.loaded()
    assert (told.content.version, told.content.built_at.year, told.error) == ("Tiny-City", 2026, "")

    write_mmdb(
        ip_file, "198.51.100.0", 24, {**RECORD, "subdivisions": [{"iso_code": "SC"}], "city": {}, "location": {}}
    )
    assert places.of_address("198.51.100.0/24").code == "CN-SC"
    assert places.of_address("203.0.113.0/24") is None

    ip_file.write_bytes(b"damaged")
    assert places.of_address("198.51.100.0/24").code == "CN-SC", "the last good file stays in use"
    assert ip_places.loaded().error
    ip_file.unlink()
    assert ip_places.loaded().error == "FileNotFoundError"


def test_an_xdb_file_tells_provinces_by_their_chinese_names(land: dict[str, Region], tmp_path: Path) -> None:
    path = tmp_path / "places.xdb"
    text = "中国|广东省|深圳市|电信|CN".encode()
    # ip2region 2.0: header, vector index (256 × 256 × 8), one text, one segment 203.0.0.0 – 203.0.255.255
    at_text = 256 + 524_288
    at_segment = at_text + len(text)
    header = struct.pack("<HHIII", 2, 1, 1_790_000_000, at_segment, at_segment).ljust(256, b"\0")
    vector = bytearray(524_288)
    struct.pack_into("<II", vector, (203 * 256 + 0) * 8, at_segment, at_segment)
    segment = bytes([0, 0, 0, 203]) + bytes([255, 255, 0, 203]) + struct.pack("<HI", len(text), at_text)
    path.write_bytes(header + bytes(vector) + text + segment)

    locator = ip_places.XdbLocator(path)

    found = locator.locate("203.0.113.7")
    assert found == ip_places.IpPlace("CN", "广东省", "深圳市", network="电信")
    assert places.index().named(found.country, found.province, found.city, 0.6).code == "CN-GD-01"
    assert locator.locate("no address") is None
    assert locator.built_at.year == 2026


def test_numbers_tell_where_they_were_issued() -> None:
    assert issued.issued_in("+8613923412345") == "广东省深圳市"
    assert issued.issued_in("+8613800138000") == "北京市"
    assert issued.issued_in("+14155550123") == ""
    assert json.dumps(issued.reduced()["names"][:1])


def test_coordinates_go_after_ninety_days_and_regions_stay(land: dict[str, Region]) -> None:
    verify(make_check(serial=serial_of(labels_of(make_active_batch(1))[0])))
    scan_id = newest()
    add_place(scan_id, Place(*SOUTH, 30.0), at=NOW)
    add_place(scan_id, Place(0.0, 0.0, 30.0), at=NOW)
    assert ScanPlace.objects.get(scan_id=scan_id).lat == SOUTH[0]

    forget_old(at=NOW + timedelta(days=90))
    assert ScanPlace.objects.get(scan_id=scan_id).lat is not None
    forget_old(at=NOW + timedelta(days=91))

    row = ScanPlace.objects.get(scan_id=scan_id)
    assert (row.lat, row.lon, row.region) == (None, None, "CN-GD-01")
