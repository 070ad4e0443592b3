"""Symbols by table are those of the reference encoders, bit for bit, and cost as many drawings as the method says."""

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings, strategies as st

from labels.codes.checks import gf32
from labels.codes.forms import BASE32
from printing import data_matrix, qr
from printing.symbols import Bytes, ProofFailed, Symbols, learn

GTIN = "09501101530003"
ODD, EVEN, LONG = (
    qr.prefix(host, GTIN) for host in ("BRAND.EXAMPLE", "BRANDS.EXAMPLE", "A-LONG-NAME.OF-BRAND.EXAMPLE")
)
serials = st.lists(st.integers(0, 31), min_size=11, max_size=11).map(
    lambda values: "".join(BASE32[value] for value in (*values, gf32(values)))
)


@pytest.mark.parametrize(("prefix", "side", "drawn"), [(EVEN, 29, 67), (ODD, 29, 68)])
def test_a_table_is_learned_from_as_many_symbols_as_there_are_data_bits(prefix: str, side: int, drawn: int) -> None:
    symbols = qr.symbols(prefix)

    assert (symbols.side, symbols.drawn) == (side, drawn)


@pytest.mark.parametrize("prefix", [EVEN, ODD, LONG])
@settings(max_examples=30, deadline=None)
@given(serial=serials)
def test_every_qr_code_is_the_reference_encoders(prefix: str, serial: str) -> None:
    image = qr.symbols(prefix).image(serial)

    assert np.array_equal(image, qr.draw(prefix + serial, qr.version(prefix).number))


def test_a_long_host_needs_the_next_version_and_says_so() -> None:
    at_most = "B" * 19

    assert qr.version(qr.prefix(at_most, GTIN)) == qr.Version(3)
    assert not qr.Version(3).long_host
    assert qr.version(qr.prefix(at_most + "B", GTIN)) == qr.Version(4)
    assert qr.Version(4).long_host
    with pytest.raises(ValueError, match="too long"):
        qr.version(qr.prefix("B" * 49, GTIN))
    with pytest.raises(ValueError, match="capitals"):
        qr.version("https://brand.example/")


@pytest.mark.parametrize("count", [1, 2_047, 2_048, 2_049])
def test_many_at_once_are_each_by_itself_and_inverted_is_inverted(count: int) -> None:
    symbols = qr.symbols(ODD)
    rows = np.frombuffer(np.random.default_rng(1).choice(list(BASE32.encode()), count * 12).astype(np.uint8), np.uint8)
    rows = rows.reshape(count, 12)

    images = symbols.images(rows)

    for place in {0, count // 2, count - 1}:
        assert np.array_equal(images[place], symbols.image(rows[place].tobytes().decode()))
    assert np.array_equal(symbols.images(rows, inverted=True), images ^ 0xFF)


def test_serials_may_be_columns_of_longer_rows() -> None:
    symbols = qr.symbols(ODD)
    line = np.frombuffer(b"5JQ2D4Y8562N,3904259030959168\n", np.uint8).reshape(1, -1)

    assert np.array_equal(symbols.images(line)[0], symbols.image("5JQ2D4Y8562N"))


@settings(max_examples=30, deadline=None)
@given(serial=serials)
def test_a_data_matrix_reads_as_gs1_with_its_gtin_and_serial(serial: str) -> None:
    symbols = data_matrix.symbols(GTIN)

    read = zxingcpp.read_barcodes(_picture(symbols, symbols.image(serial)))

    assert symbols.drawn == 177
    assert [(one.symbology_identifier, one.text) for one in read] == [("]d2", f"(01){GTIN}(21){serial}")]


def test_a_data_matrix_wants_a_right_gtin() -> None:
    data_matrix.symbols(GTIN)

    for wrong in ("09501101530004", "9501101530003", "0950110153000A"):
        with pytest.raises(ValueError, match="no GTIN"):
            data_matrix.symbols(wrong)


def test_a_reference_encoder_that_is_not_affine_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = qr.draw

    def odd(text: str, number: int, mask: int = qr.MASK) -> Bytes:
        image = drawn(text, number, mask)
        return image ^ 1 if text.count("7") > 2 else image

    monkeypatch.setattr(qr, "draw", odd)

    with pytest.raises(ProofFailed, match="differs"):
        qr._symbols.__wrapped__(ODD, 3, qr.MASK, "another")


def test_learning_draws_one_symbol_for_each_bit() -> None:
    def draw(entry: int) -> Bytes:
        return np.array([entry ^ 0b1010, 3 * (entry & 1)], np.uint8)

    table, drawn = learn(range(16), draw, draw(0))

    assert drawn == 4
    assert all(np.array_equal(table[entry] ^ draw(0), draw(entry)) for entry in range(16))


def _picture(symbols: Symbols, image: Bytes) -> Bytes:
    return np.kron(1 - np.pad(symbols.modules(image), 4), np.full((4, 4), 255, np.uint8)).astype(np.uint8)
