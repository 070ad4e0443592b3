"""Properties of codes: checks, normalising, bulk text, noise, threads."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, strategies as st

from labels.codes import bulk
from labels.codes.checks import check_is_right, damm, gf32
from labels.codes.encode import assemble, cipher, split
from labels.codes.forms import BASE32, DIGITS, FORMS, MAX_LABEL_NO, N16, N20, R12, Form
from labels.codes.normalise import count_symbols, normalise

KEY = bytes(range(32))
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def codes_of(form: Form) -> st.SearchStrategy[str]:
    numbers, cores = st.integers(0, form.slots - 1), st.integers(0, form.space - 1)
    return st.builds(lambda number, core: assemble(form, number, core), numbers, cores)


@forms
@given(data=st.data())
def test_a_code_splits_into_what_it_was_made_of(form: Form, data: st.DataObject) -> None:
    number, core = data.draw(st.integers(0, form.slots - 1)), data.draw(st.integers(0, form.space - 1))

    code = assemble(form, number, core).encode()

    assert check_is_right(form.radix, code)
    assert split(form, code) == (number, core)


@forms
@given(data=st.data())
def test_every_wrong_symbol_is_found(form: Form, data: st.DataObject) -> None:
    code = data.draw(codes_of(form))
    for place, symbol in itertools.product(range(form.length), form.symbols):
        wrong = code[:place] + symbol + code[place + 1 :]
        assert check_is_right(form.radix, wrong.encode()) == (wrong == code)


@forms
@given(data=st.data())
def test_every_swap_of_neighbours_is_found_and_in_base_32_any_swap(form: Form, data: st.DataObject) -> None:
    code = data.draw(codes_of(form))
    for left, right in itertools.combinations(range(form.length), 2):
        if right - left > 1 and form.radix == 10:
            continue
        symbols = list(code)
        symbols[left], symbols[right] = symbols[right], symbols[left]
        assert check_is_right(form.radix, "".join(symbols).encode()) == (symbols[left] == symbols[right])


def test_the_automaton_is_the_table() -> None:
    for values in itertools.product(range(10), repeat=3):
        code = "".join(DIGITS[value] for value in (*values, damm(values)))
        assert check_is_right(10, code.encode())
    for values in itertools.product(range(0, 32, 3), repeat=3):
        code = "".join(BASE32[value] for value in (*values, gf32(values)))
        assert check_is_right(32, code.encode())


@forms
@given(data=st.data())
def test_bulk_text_is_single_text(form: Form, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, form.slots - 1))
    cores = data.draw(st.lists(st.integers(0, form.space - 1), min_size=1, max_size=5))
    rows = np.zeros((len(cores), form.length), np.uint8)

    bulk.write_codes(form, number, np.array(cores, np.uint64), rows)

    assert bulk.texts(rows) == [assemble(form, number, core) for core in cores]


@pytest.mark.parametrize("form", [N16, N20, R12], ids=lambda form: form.name)
def test_bulk_refuses_a_slot_that_does_not_fit(form: Form) -> None:
    with pytest.raises(ValueError, match="no slot"):
        bulk.write_codes(form, form.slots, np.zeros(1, np.uint64), np.zeros((1, form.length), np.uint8))


def test_threads_with_ciphers_of_their_own_agree() -> None:
    plain = np.arange(1, 20_000, dtype=np.uint64)
    expected = bulk.vector(KEY, N16, 1, 0).encrypt(plain).tolist()
    results: list[bool] = []

    def work() -> None:
        scalar, vector = cipher(KEY, N16, 1, 0), bulk.vector(KEY, N16, 1, 0)
        same = all(scalar.encrypt(i + 1) == expected[i] for i in range(0, 19_999, 7))
        results.append(same and vector.encrypt(plain).tolist() == expected)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 8


NOISE = ["", " ", "-", " - ", "\u2013", "\u2212", ".", "_", "/", "·", "\u200b", "\u2060", "\ufeff", "\u3000", "\n"]
DIGIT_FORMS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९"]


@st.composite
def noisy(draw: st.DrawFn, form: Form) -> tuple[str, str]:
    """A code, and a way in which somebody may type it."""
    code = draw(codes_of(form))
    digit_form = draw(st.sampled_from(DIGIT_FORMS))
    typed = ""
    for symbol in code:
        shapes = [symbol, symbol.lower()]
        if symbol.isdecimal():
            shapes += [digit_form[int(symbol)], *{"0": "Oo", "1": "IiLl"}.get(symbol, "")]
        typed += draw(st.sampled_from(shapes)) + draw(st.sampled_from(NOISE))
    return code, typed


@forms
@given(data=st.data())
def test_noise_is_read_through(form: Form, data: st.DataObject) -> None:
    code, typed = data.draw(noisy(form))

    assert normalise(typed) == code
    assert count_symbols(typed) == form.length


@given(st.text(max_size=220))
def test_normalise_is_idempotent_and_never_breaks(text: str) -> None:
    once = normalise(text)

    assert once is None or (set(once) <= set(BASE32) and normalise(once) == once)


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_short_way_for_ascii_is_the_long_way(text: str) -> None:
    assert normalise(text) == normalise(text + "\u200b")


@pytest.mark.parametrize(
    "text",
    ["U" * 12, "u", "12U4", "О1234", "１２三", "a\0", "\ud800", "é", "1" * 201, "𝟏" * 100 + "😀", "(12)", "1,2"],
)
def test_what_is_not_of_the_alphabet_is_refused(text: str) -> None:
    assert normalise(text) is None


def test_the_longest_text_that_is_read() -> None:
    assert normalise("1" * 200) == "1" * 200


def test_the_smallest_space_holds_every_label() -> None:
    assert min(form.space for form in FORMS.values() if form is not R12) == MAX_LABEL_NO + 1
