"""FF1 against NIST's published samples, and its three paths against each other."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from labels.codes.ff1 import General, Scalar, fold
from labels.codes.ff1_fast import CHUNK, Vector

KEY_128 = "2B7E151628AED2A6ABF7158809CF4F3C"
KEYS = [KEY_128, KEY_128 + "EF4359D8D580AA4F", KEY_128 + "EF4359D8D580AA4F7F036D6F04FC6A94"]
DIGITS_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
# NIST, "FF1 samples" (csrc.nist.gov, Cryptographic Standards and Guidelines, Examples with Intermediate Values)
SAMPLES = [
    (10, "0123456789", "", ["2433477484", "2830668132", "6657667009"]),
    (10, "0123456789", "39383736353433323130", ["6124200773", "2496655549", "1001623463"]),
    (
        36,
        "0123456789abcdefghi",
        "3737373770717273373737",
        ["a9tv40mll9kdu509eum", "xbj3kv35jrawxv32ysr", "xs8a0azh2avyalyzuwd"],
    ),
]
CASES = [
    (key, radix, plain, tweak, ciphers[place])
    for radix, plain, tweak, ciphers in SAMPLES
    for place, key in enumerate(KEYS)
]
DOMAINS = [(10, 14), (10, 16), (10, 11), (32, 10), (32, 12), (10, 6), (2, 33), (36, 7)]
KEY = bytes(range(32))
TWEAK = bytes.fromhex("010100030000")


def numerals(text: str) -> list[int]:
    return [DIGITS_36.index(symbol) for symbol in text]


@pytest.mark.parametrize(("key", "radix", "plain", "tweak", "cipher"), CASES)
def test_nist_samples_both_ways(key: str, radix: int, plain: str, tweak: str, cipher: str) -> None:
    judge = General(bytes.fromhex(key), radix)

    assert judge.encrypt(numerals(plain), bytes.fromhex(tweak)) == numerals(cipher)
    assert judge.decrypt(numerals(cipher), bytes.fromhex(tweak)) == numerals(plain)


@pytest.mark.parametrize(("key", "plain", "tweak", "cipher"), [(k, p, t, c) for k, r, p, t, c in CASES if r == 10])
def test_nist_samples_of_radix_10_by_the_fast_paths(key: str, plain: str, tweak: str, cipher: str) -> None:
    arguments = bytes.fromhex(key), 10, 10, bytes.fromhex(tweak)

    assert Scalar(*arguments).encrypt(int(plain)) == int(cipher)
    assert Vector(*arguments).encrypt(np.array([int(plain)], np.uint64)).tolist() == [int(cipher)]


@given(
    st.integers(2, 1 << 16), st.integers(2, 40), st.binary(max_size=40), st.binary(min_size=16, max_size=16), st.data()
)
def test_the_judge_inverts_itself_for_any_radix_length_and_tweak(
    radix: int, n: int, tweak: bytes, key: bytes, data: st.DataObject
) -> None:
    while radix**n < 10**6:
        n += 1
    plain = data.draw(st.lists(st.integers(0, radix - 1), min_size=n, max_size=n))
    judge = General(key, radix)

    assert judge.decrypt(judge.encrypt(plain, tweak), tweak) == plain


@pytest.mark.parametrize(("radix", "n"), DOMAINS)
@given(data=st.data())
def test_scalar_is_the_judge_both_ways(radix: int, n: int, data: st.DataObject) -> None:
    plain = data.draw(st.lists(st.integers(0, radix - 1), min_size=n, max_size=n))
    tweak = data.draw(st.binary(max_size=11))
    scalar, number = Scalar(KEY, radix, n, tweak), _number(plain, radix)

    cipher = scalar.encrypt(number)

    assert cipher == _number(General(KEY, radix).encrypt(plain, tweak), radix)
    assert scalar.decrypt(cipher) == number


@pytest.mark.parametrize(("radix", "n"), DOMAINS)
@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_vector_is_scalar_at_the_edges_of_chunks(radix: int, n: int, count: int) -> None:
    random = np.random.default_rng(count)
    numbers = random.integers(0, radix**n, count, np.uint64)
    numbers[[0, -1]] = [0, radix**n - 1] if count > 1 else [0, 0]
    vector, scalar = Vector(KEY, radix, n, TWEAK), Scalar(KEY, radix, n, TWEAK)

    ciphers = vector.encrypt(numbers)

    assert vector.decrypt(ciphers).tolist() == numbers.tolist()
    for place in {0, count // 2, count - 1, *random.integers(0, count, 50).tolist()}:
        assert scalar.encrypt(int(numbers[place])) == ciphers[place]


def test_what_does_not_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="fold"):
        fold(KEY, 36, 19, b"")
    with pytest.raises(ValueError, match="fold"):
        fold(KEY, 10, 14, bytes(12))
    fold(KEY, 10, 14, bytes(11))


@pytest.mark.parametrize("path", [Scalar, Vector])
def test_small_domains_are_refused(path: type) -> None:
    path(KEY, 10, 6, b"")

    with pytest.raises(ValueError, match="million"):
        path(KEY, 10, 5, b"")
    with pytest.raises(ValueError, match="million"):
        General(KEY, 10).encrypt([0] * 5)


def test_a_numeral_outside_the_radix_is_refused() -> None:
    with pytest.raises(ValueError, match="radix"):
        General(KEY, 10).encrypt([0] * 9 + [10])


def _number(values: list[int], radix: int) -> int:
    number = 0
    for value in values:
        number = number * radix + value
    return number
