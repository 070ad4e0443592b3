"""Numbers and element strings of packs and coupons, by the GS1 General Specifications. Pure.

SSCC (section 3.2): extension digit, company prefix, serial reference, together 17 digits, and a check digit; content of a
logistic unit: 02 GTIN, 37 count, 10 lot (3.3.2, 3.4.1, 3.6.10). A coupon's number is a GCN (3.5.9): company prefix and
reference, 12 digits, a check digit, and up to 12 digits of serial.
"""

import re

from printing.records import Record

BODY = 17
SEPARATOR = "\x1d"
COUPON_REFERENCE = 12


def check_digit(body: str) -> str:
    """Return the GS1 check digit of digits without one (weights 3, 1 from the right)."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def first_number(prefix: str, count: int) -> int:
    """Return the ``count``-th SSCC of a company, without its check digit: the extension is the overflow of the reference.

    Raises ValueError once all ten extensions are used up.
    """
    room = references(prefix)
    extension, reference = divmod(count, room)
    if extension > 9:
        raise ValueError("the company prefix has no SSCC left")
    return int(f"{extension}{prefix}{reference:0{BODY - 1 - len(prefix)}d}")


def references(prefix: str) -> int:
    """Return how many SSCCs a company has with each extension digit."""
    return int(10 ** (BODY - 1 - len(prefix)))


def sscc(number: int) -> str:
    """Return a whole SSCC of 18 digits."""
    body = f"{number:0{BODY}d}"
    return body + check_digit(body)


def pack_record(*, host: str, sscc: str, gtin: str, count: int, lot: str, first: str, last: str, seq: int) -> Record:
    """Return what differs from pack to pack; its content and its own number also as GS1 element strings."""
    content = f"(02){gtin}(37){count}" + (f"(10){lot}" if lot else "")
    return Record(
        {"sscc": _spaced(sscc), "first": first, "last": last, "count": str(count), "seq": str(seq)},
        f"HTTPS://{host}/00/{sscc}".upper(),
        {"sscc": f"(00){sscc}", "content": content, "all": f"(00){sscc}{content}"},
    )


def coupon_record(*, number: str, prefix: str, seq: int) -> Record:
    """Return a coupon: ``number`` has 12 digits, is what the QR code says, and the serial of a GCN of the company."""
    reference = prefix.ljust(COUPON_REFERENCE, "0")
    texts = {"coupon": " ".join(number[at : at + 4] for at in range(0, len(number), 4)), "seq": str(seq)}
    return Record(texts, number, {"coupon": f"(255){reference}{check_digit(reference)}{number}"})


def plain(elements: str, separator: str = SEPARATOR) -> str:
    """Return "(02)…(37)…(10)…" as scanners send it: a separator behind each value of variable length but the last."""
    parts = re.findall(r"\((\d{2,4})\)([^(]*)", elements)
    last = len(parts) - 1
    return "".join(
        ai + value + (separator if ai in _VARIABLE and place < last else "") for place, (ai, value) in enumerate(parts)
    )


_VARIABLE = {"10", "37", "255"}


def _spaced(number: str) -> str:
    """Return an SSCC as people compare it: extension, then groups, then the check digit."""
    return f"{number[0]} {number[1:8]} {number[8:17]} {number[17]}"
