"""The forms of scheme 1: how long a code is, in which alphabet, and how it is printed."""

from dataclasses import dataclass

SCHEME = 1
MAX_LABEL_NO = 10**14 - 1
DIGITS = "0123456789"
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DECIMAL, BINARY = 10, 32


@dataclass(frozen=True, slots=True)
class Form:
    """One form: ``code = S ‖ core ‖ C`` (slot symbols, FF1 output, one check symbol)."""

    name: str
    id: int
    radix: int
    slot_symbols: int
    core: int
    groups: tuple[int, ...]

    @property
    def length(self) -> int:
        """Symbols of a whole code."""
        return self.slot_symbols + self.core + 1

    @property
    def space(self) -> int:
        """Cores there are."""
        return int(self.radix**self.core)

    @property
    def slots(self) -> int:
        """Slot numbers there are, the test series (0) among them."""
        return int(self.radix**self.slot_symbols)

    @property
    def symbols(self) -> str:
        """The alphabet; a symbol's value is its place."""
        return DIGITS if self.radix == DECIMAL else BASE32

    @property
    def platform_wide(self) -> bool:
        """Whether slots are leased by the platform, so that a code alone names the brand."""
        return self.slot_symbols == 3

    def tweak(self, slot: int, generation: int) -> bytes:
        """Return scheme ‖ form id ‖ slot ‖ generation: 6 bytes."""
        return bytes((SCHEME, self.id)) + slot.to_bytes(2, "big") + generation.to_bytes(2, "big")

    def grouped(self, code: str) -> str:
        """Return a code as it is printed: ``3904 2590 3095 9168``."""
        parts, start = [], 0
        for size in self.groups:
            parts.append(code[start : start + size])
            start += size
        return " ".join(parts)


N16 = Form("N16", 1, DECIMAL, 1, 14, (4, 4, 4, 4))
N18 = Form("N18", 2, DECIMAL, 1, 16, (6, 6, 6))
N20 = Form("N20", 3, DECIMAL, 3, 16, (5, 5, 5, 5))
B12 = Form("B12", 4, BINARY, 1, 10, (4, 4, 4))
B14 = Form("B14", 5, BINARY, 1, 12, (4, 5, 5))
B16 = Form("B16", 6, BINARY, 3, 12, (4, 4, 4, 4))
R12 = Form("R12", 7, DECIMAL, 0, 11, (4, 4, 4))

LABEL_FORMS = {form.name: form for form in (N16, N18, N20, B12, B14, B16)}
FORMS = {**LABEL_FORMS, "R12": R12}
