"""From a label's number to a code, and from a code's text to its core."""

from labels.codes.checks import damm, gf32
from labels.codes.ff1 import Scalar
from labels.codes.forms import DECIMAL, MAX_LABEL_NO, Form

# Python reads base 32 with the letters A to V.
_PYTHON_32 = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_TO_PYTHON = bytes.maketrans(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", _PYTHON_32.encode())


def cipher(key: bytes, form: Form, number: int, generation: int) -> Scalar:
    """Return the permutation of one slot. Not to be shared by threads."""
    return Scalar(key, form.radix, form.core, form.tweak(number, generation))


def encode(form: Form, number: int, permutation: Scalar, label_no: int) -> str:
    """Return the code of ``label_no`` in slot ``number``. Raises ValueError outside 1 … 10^14 − 1 (R12: 10^11 − 1)."""
    if not 1 <= label_no <= min(MAX_LABEL_NO, form.space - 1):
        raise ValueError("a label number has at most 14 digits")
    return assemble(form, number, permutation.encrypt(label_no))


def assemble(form: Form, number: int, core: int) -> str:
    """Return ``S ‖ core ‖ C`` as text."""
    if not 0 <= number < form.slots:
        raise ValueError(f"{form.name} has no slot {number}")
    if form.radix == DECIMAL:  # Python's own digits
        text = f"{number * form.space + core:0{form.length - 1}d}"
        return f"{text}{damm(map(int, text))}"
    body = digits(number, form.radix, form.slot_symbols) + digits(core, form.radix, form.core)
    return "".join(form.symbols[value] for value in (*body, gf32(body)))


def digits(number: int, radix: int, length: int) -> list[int]:
    """Return ``number`` as ``length`` numerals, most significant first."""
    numerals = [0] * length
    for place in reversed(range(length)):
        number, numerals[place] = divmod(number, radix)
    return numerals


def split(form: Form, code: bytes) -> tuple[int, int]:
    """Return slot number and core of a whole code (ASCII, right alphabet and length)."""
    head, core = code[: form.slot_symbols], code[form.slot_symbols : -1]
    if form.radix == DECIMAL:
        return int(head or b"0"), int(core)
    return int(head.translate(_TO_PYTHON), 32), int(core.translate(_TO_PYTHON), 32)
