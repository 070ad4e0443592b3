"""Finished files read back: every byte against what was ordered, and a sample by tools that know nothing of ours.

A file is proved while it passes, piece by piece, on its way to whoever takes it: what leaves has been proved.

All labels: what is printed is taken from the bytes; check symbols fit; serial and code decrypt to one label number, the
one that was ordered for this line. The file that these codes give is made once more and must be the same to the last
bit: so every bitmap is the table's image of the serial printed beside it. A sample: its pages are drawn at the device's
resolution and decoded (zxing-cpp), and their text is extracted (pdftotext, or PDFium where that is absent).
"""

import csv
import hashlib
import json
import re
import shutil
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import pypdfium2
import zxingcpp
from numpy.typing import NDArray

from labels.codes import bulk
from labels.codes.forms import B12, Form
from printing.labels import Roll
from printing.rows import LINES_AT_A_TIME, Rows
from printing.source import Codes, grouped, ungrouped
from printing.stencil import Bytes, cut_at_powers_of_ten
from printing.streams import Piece, PiecesReader, Reader
from printing.symbols import ProofFailed
from printing.template import Code, Code128, DataMatrix, Qr, Serial, Text

LabelNos = Callable[[Codes], tuple[NDArray[np.uint64], NDArray[np.uint64]]]
Wanted = Callable[[int, int], NDArray[np.uint64]]
Proving = Generator[bytes, None, None]
FIRST_ROLL, OTHER_ROLLS = 1_000, 32  # labels of the sample
DECODED_AT_A_TIME = 256


@dataclass(slots=True)
class Report:
    """What was proved. ``sha256`` is the whole file's; ``decoded`` and ``texts`` count the sample's labels."""

    labels: int = 0
    size: int = 0
    sha256: str = ""
    decoded: int = 0
    texts: int = 0
    tools: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report for a manifest."""
        return {
            "labels": self.labels,
            "bytes": self.size,
            "sha256": self.sha256,
            "decoded": self.decoded,
            "texts": self.texts,
            "tools": self.tools,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a file must hold: ``count`` labels whose codes decrypt to ``wanted(start, end)``, as many decoded as ``sample``.

    ``watch(lines)`` is told how many lines have passed.
    """

    count: int
    label_nos_of: LabelNos
    wanted: Wanted | None = None
    sample: int = 0
    watch: Callable[[int], None] = lambda _lines: None


class Passing:
    """A file on its way: iterate over its pieces. ``report`` is whole at the end, or names the failure."""

    def __init__(self, pieces: Iterable[Piece], made: Roll | Rows, order: Ordered) -> None:
        self.report = Report()
        tape = _Tape(PiecesReader(pieces))
        labels = _AllLabels(made.order.form, order)
        self._proving = (
            _pdf(tape, made, labels, order, self.report)
            if isinstance(made, Roll)
            else _rows(tape, made, labels, order, self.report)
        )

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._proving
        except ProofFailed as fault:
            self.report.failures.append(str(fault))
            raise


def check(file: Reader, made: Roll | Rows, order: Ordered) -> Report:
    """Prove a finished file. Raises ProofFailed, which says what is wrong where."""
    passing = Passing(iter(lambda: file.read(1 << 20), b""), made, order)
    for _piece in passing:
        pass
    return passing.report


def label_nos(serial: bulk.Series, secret: bulk.Series) -> LabelNos:
    """Return what decrypts the codes of one serial and one secret slot, refusing those of other slots."""

    def decrypt(series: bulk.Series, rows: Bytes) -> NDArray[np.uint64]:
        form, number, permutation = series
        cores, _ = bulk.read_codes(form, rows)
        again = np.empty_like(rows)
        bulk.write_codes(form, number, cores, again)
        if not np.array_equal(again, rows):
            raise ProofFailed("a code is not of the slot that was ordered")
        found: NDArray[np.uint64] = permutation.decrypt(cores)
        return found

    return lambda codes: (decrypt(serial, codes.serials), decrypt(secret, codes.codes))


# --- every byte -----------------------------------------------------------------------------------------------------


def _pdf(tape: "_Tape", roll: Roll, labels: "_AllLabels", order: Ordered, report: Report) -> Proving:
    document, sample = roll.document, _SampleOfPages(roll, order.sample, report)
    yield tape.expect(document.preamble, "the objects before the pages")
    lengths = np.empty(document.page_count if document.deflate else 0, np.int64)
    for first, end in document.chunks():
        pages = [tape.page(roll, page) for page in range(first, end)]
        lines = min(end * document.places, document.count) - first * document.places
        codes = _printed(roll, [content for content, _ in pages], lines)
        labels.add(codes)
        made = document.pages(first, roll.columns(codes))
        found = b"".join(raw for _, raw in pages)
        if b"".join(made) != found:
            raise ProofFailed(f"pages {first + 1} to {end} are not what their own codes give")
        if document.deflate:
            lengths[first:end] = [len(packed) for packed in made[1::3]]
        for done in sample.take(first, [raw for _, raw in pages], codes):
            order.watch(done)
        yield found
        order.watch(first * document.places + lines)
    sample.decode()
    for part in document.ending(lengths):
        yield tape.expect(part, "the cross-reference table")
    tape.expect_end()
    labels.finish(tape, report)


def _rows(tape: "_Tape", rows: Rows, labels: "_AllLabels", order: Ordered, report: Report) -> Proving:
    yield tape.expect(rows.head, "what comes before the rows")
    blank = Codes(np.full((1, 12), 32, np.uint8), np.full((1, rows.order.form.length), 32, np.uint8))
    chosen = iter(_spread(order.count, order.sample))
    next_chosen = next(chosen, None)
    for start, end in cut_at_powers_of_ten(1, order.count + 1, LINES_AT_A_TIME):
        width = rows.lines(start, blank).shape[1]
        found = tape.take(width * (end - start))
        lines = found.split(b"\n")[: end - start]
        codes = _read_rows(rows, lines, start)
        labels.add(codes)
        if rows.lines(start, codes).tobytes() != found:
            raise ProofFailed(f"rows {start} to {end - 1} are not what their own codes give")
        while next_chosen is not None and next_chosen < end - 1:
            line = next_chosen - start + 1
            _decode_row(rows, lines[line].decode(), bulk.texts(codes.serials[line : line + 1])[0], start + line, report)
            next_chosen = next(chosen, None)
        yield found
        order.watch(end - 1)
    tape.expect_end()
    labels.finish(tape, report)


def _printed(roll: Roll, contents: Sequence[bytes], lines: int) -> Codes:
    """Take serials and codes out of pages' contents."""
    document = roll.document
    serial, code = document.places_of("serial"), document.places_of("code")
    if not serial or not code:
        raise ProofFailed("a label without printed serial and code cannot be proved")
    block = document.block_bytes
    if any(len(content) != document.content_bytes for content in contents):
        raise ProofFailed("a page is too long or too short")
    start = document.content_bytes - document.places * block
    matrix = np.frombuffer(b"".join(content[start:] for content in contents), np.uint8).reshape(-1, block)[:lines]
    columns = [matrix[:, offset : offset + width] for (offset, width), *_ in (serial, code)]
    return Codes(np.ascontiguousarray(columns[0]), ungrouped(roll.order.form, columns[1]))


def _read_rows(rows: Rows, lines: Sequence[bytes], start: int) -> Codes:
    """Read each row by itself, as its reader would."""
    serials, codes = [], []
    for place, line in enumerate(lines):
        try:
            serial, code = _READERS[rows.kind](line.decode())
        except (ValueError, KeyError, IndexError, TypeError):
            raise ProofFailed(f"row {start + place} cannot be read") from None
        serials.append(serial)
        codes.append(code)
    form = rows.order.form
    if any(len(serial) != 12 for serial in serials) or any(len(code) != form.length for code in codes):
        raise ProofFailed(f"a code after row {start} is too long or too short")
    return Codes(_matrix(serials, 12), _matrix(codes, form.length))


def _csv(line: str) -> tuple[str, str]:
    fields = line.rstrip("\r").split(",")
    return fields[2], fields[4]


def _json(line: str) -> tuple[str, str]:
    row = json.loads(line)
    return str(row["serial"]), str(row["code"])


def _zpl(line: str) -> tuple[str, str]:
    """The symbol's text ends with the serial; the code is what has blanks between digits or letters."""
    data = re.findall(r"\^FN\d+\^FD(.*?)\^FS", line)
    serials = {text[-12:] for text in data if text.startswith(("MA,", "_1"))} or {
        text for text in data if len(text) == 12
    }
    codes = {text.replace(" ", "") for text in data if re.fullmatch(r"[0-9A-Z]{4,6}( [0-9A-Z]{4,6})+", text)}
    (serial,), (code,) = serials, codes
    return serial, code


_READERS: dict[str, Callable[[str], tuple[str, str]]] = {"csv": _csv, "jsonl": _json, "zpl": _zpl}


def _matrix(texts: Sequence[str], width: int) -> Bytes:
    try:
        return np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(-1, width)
    except (UnicodeEncodeError, ValueError):
        raise ProofFailed("a code holds a strange symbol") from None


class _Tape:
    """A file read once from its start, with its hash."""

    def __init__(self, file: Reader) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def take(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        data = self._file.read(size)
        if len(data) != size:
            raise ProofFailed("the file ends too soon")
        self._hash.update(data)
        self.size += size
        return data

    def page(self, roll: Roll, page: int) -> tuple[bytes, bytes]:
        """Return (content, all bytes) of a page."""
        document = roll.document
        head = document.stride - document.content_bytes - len(_PAGE_END)
        if not document.deflate:
            raw = self.take(document.stride)
            return raw[head : head + document.content_bytes], raw
        start = self.take(head)
        length = re.search(rb"/Length +(\d+) /Filter", start)
        if not length:
            raise ProofFailed(f"page {page + 1} has no length")
        packed = self.take(int(length[1]))
        try:
            content = zlib.decompress(packed)
        except zlib.error as error:
            raise ProofFailed(f"page {page + 1} cannot be unpacked: {error}") from None
        return content, start + packed + self.take(len(_PAGE_END))

    def expect(self, data: bytes, what: str) -> bytes:
        """Read as many bytes, which must be these."""
        if self.take(len(data)) != data:
            raise ProofFailed(f"{what}: not what was ordered")
        return data

    def expect_end(self) -> None:
        """See that nothing follows."""
        if self._file.read(1):
            raise ProofFailed("something follows the end of the file")

    def sha256(self) -> str:
        """Return the hash of what was read."""
        return self._hash.hexdigest()


_PAGE_END = b"\nendstream\nendobj\n"


class _AllLabels:
    """The checks on printed codes, file-wide."""

    def __init__(self, form: Form, order: Ordered) -> None:
        self._form, self._order, self._count = form, order, 0
        self._seen: list[NDArray[np.uint64]] = []

    def add(self, codes: Codes) -> None:
        """Check some labels."""
        for form, rows, what in ((B12, codes.serials, "serial"), (self._form, codes.codes, "code")):
            if not np.isin(rows, np.frombuffer(form.symbols.encode(), np.uint8)).all():
                raise ProofFailed(f"a {what} holds a strange symbol")
            if bulk.read_codes(form, rows)[1].any():
                raise ProofFailed(f"a {what} has a wrong check symbol")
        by_serial, by_code = self._order.label_nos_of(codes)
        if not np.array_equal(by_serial, by_code):
            raise ProofFailed("a serial and the code beside it belong to different labels")
        start, self._count = self._count, self._count + len(by_serial)
        if self._order.wanted and not np.array_equal(by_serial, self._order.wanted(start, self._count)):
            raise ProofFailed(f"lines {start + 1} to {self._count} are not of the labels that were ordered")
        self._seen.append(by_serial)

    def finish(self, tape: _Tape, report: Report) -> None:
        """Check what only the whole file shows."""
        numbers = np.concatenate(self._seen)
        numbers.sort()
        if len(numbers) != self._order.count or (numbers[1:] == numbers[:-1]).any():
            raise ProofFailed("a label is there twice or missing")
        report.labels, report.size, report.sha256 = len(numbers), tape.size, tape.sha256()


# --- a sample, by other tools ---------------------------------------------------------------------------------------


def _spread(count: int, wanted: int) -> list[int]:
    """Return places below ``count``: at most ``wanted``, the first, the last, and evenly between."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, wanted))})


class _SampleOfPages:
    """Pages that hold at least so many labels, kept as they pass, decoded some hundred labels at a time."""

    def __init__(self, roll: Roll, labels: int, report: Report) -> None:
        self._roll, self._report = roll, report
        document = roll.document
        pages = max(2, -(-labels // document.places) + 1) if labels else 0
        self._wanted = set(_spread(document.page_count, pages))
        self._kept: list[tuple[int, bytes, Codes]] = []

    def take(self, first: int, pages: Sequence[bytes], codes: Codes) -> Iterator[int]:
        """Keep what is wanted of the pages from ``first`` on; yield how many labels have passed, at each decoding."""
        places = self._roll.document.places
        for place, raw in enumerate(pages):
            if first + place in self._wanted:
                lines = slice(place * places, (place + 1) * places)
                self._kept.append((first + place, raw, Codes(codes.serials[lines], codes.codes[lines])))
                if len(self._kept) * places >= DECODED_AT_A_TIME:
                    self.decode()
                    yield (first + place + 1) * places

    def decode(self) -> None:
        """Draw the pages kept, decode all symbols, extract all text: all there, none else. Raises ProofFailed.

        The plain text of a roll never touches a disk: pdftotext reads from a pipe.
        """
        if not self._kept:
            return
        data = self._roll.document.excerpt([raw for _, raw, _ in self._kept])
        poppler = shutil.which("pdftotext")
        opened = pypdfium2.PdfDocument(data)
        try:
            found = _poppler_texts(poppler, data) if poppler else map(_pdfium_text, opened)
            for page, text, (number, _, codes) in zip(opened, found, self._kept, strict=True):
                self._report.decoded += _decode_page(page, self._roll, codes, number)
                self._report.texts += _compare_text(text, self._roll, codes, number)
        finally:
            opened.close()
        self._report.tools |= _decoders() | (_poppler_version(poppler) if poppler else {})
        self._kept = []


def _decode_page(page: pypdfium2.PdfPage, roll: Roll, codes: Codes, number: int) -> int:
    layout, template = roll.document.layout, roll.document.template
    picture = page.render(scale=template.dpi / 72 * (1 - 1e-6), grayscale=True).to_numpy()
    picture = picture.reshape(picture.shape[:2])
    if picture.shape != (layout.height, layout.width):
        raise ProofFailed(f"page {number + 1} has another size than its template")
    serials, secrets = bulk.texts(codes.serials), bulk.texts(codes.codes)
    wide, high = template.dots(template.width), template.dots(template.height)
    for place, (serial, secret) in enumerate(zip(serials, secrets, strict=True)):
        x, y = layout.corners[place]
        label = np.pad(picture[y : y + high, x : x + wide], _MARGIN, constant_values=255)
        wanted = _wanted(roll, serial, secret)
        read = zxingcpp.read_barcodes(label, formats=_FORMATS, try_rotate=False, try_invert=False, try_downscale=False)
        if sorted(one.text for one in read) != wanted:
            raise ProofFailed(f"page {number + 1}, label {place + 1} does not read as it should")
    return len(serials)


_MARGIN = 16
_FORMATS = zxingcpp.BarcodeFormats(
    [zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.Code128]
)


def _wanted(roll: Roll, serial: str, secret: str) -> list[str]:
    """Return what the symbols of a label say, sorted."""
    said = []
    for element in roll.document.template.elements:
        match element:
            case Qr():
                said.append(roll.order.prefix + serial)
            case DataMatrix():
                said.append(f"(01){roll.order.gtin}(21){serial}")
            case Code128():
                said.append(secret if element.of == "code" else element.of)
    return sorted(said)


def _compare_text(text: str, roll: Roll, codes: Codes, number: int) -> int:
    """Compare all words of a page. Readers join words that stand close: then all letters, and each serial and code."""
    serials, secrets = bulk.texts(codes.serials), bulk.texts(grouped(roll.order.form, codes.codes))
    still = [roll.document.mark]
    said: list[str] = []
    for element in roll.document.template.elements:
        match element:
            case Serial():
                said += serials
            case Code():
                said += secrets
            case Text():
                still.append(element.text)
    words = " ".join(said + still * len(serials)).split()
    if Counter(text.split()) != Counter(words):
        joined = "".join(text.split())
        letters_agree = Counter(joined) == Counter("".join(words))
        if not letters_agree or any("".join(one.split()) not in joined for one in said):
            raise ProofFailed(f"page {number + 1}: the text is not that of its labels")
    return len(serials)


def _decode_row(rows: Rows, line: str, serial: str, number: int, report: Report) -> None:
    """Draw the symbol that a printer would make of a row, and decode it."""
    wanted = [rows.order.prefix + serial, f"(01){rows.order.gtin}(21){serial}"]
    for kind, text in _SYMBOLS[rows.kind](line):
        drawn = zxingcpp.create_barcode(text, kind, gs1=text.startswith("(01)")).to_image(scale=3)
        read = [one.text for one in zxingcpp.read_barcodes(np.array(drawn), formats=_FORMATS)]
        if read != [text] or text not in wanted:
            raise ProofFailed(f"row {number}: its symbol does not read as it should")
        report.decoded += 1
    report.texts += 1
    report.tools |= {"zxing-cpp": metadata.version("zxing-cpp")}


def _symbol_of_zpl(line: str) -> Iterator[tuple[zxingcpp.BarcodeFormat, str]]:
    """Yield what the printer is told to encode: ``^BQ`` takes level and mode in front, ``^BX`` FNC1 as "_1"."""
    for data in re.findall(r"\^FD(MA,.*?|_101.*?)\^FS", line):
        if data.startswith("MA,"):
            yield zxingcpp.BarcodeFormat.QRCode, data[3:]
        else:
            yield zxingcpp.BarcodeFormat.DataMatrix, f"(01){data[4:18]}(21){data[20:]}"


_SYMBOLS: dict[str, Callable[[str], Iterable[tuple[zxingcpp.BarcodeFormat, str]]]] = {
    "csv": lambda line: [(zxingcpp.BarcodeFormat.QRCode, next(csv.reader([line]))[3])],
    "jsonl": lambda line: [(zxingcpp.BarcodeFormat.QRCode, json.loads(line)["url"])],
    "zpl": _symbol_of_zpl,
}


@cache
def _decoders() -> dict[str, str]:
    return {
        "zxing-cpp": metadata.version("zxing-cpp"),
        "pypdfium2": metadata.version("pypdfium2"),
        "pdfium": str(pypdfium2.PDFIUM_INFO),
    }


@cache
def _poppler_version(program: str) -> dict[str, str]:
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", said.stderr + said.stdout)
    return {"pdftotext": found[1] if found else "unknown"}


def _poppler_texts(program: str, data: bytes) -> list[str]:
    """Return the text of each page."""
    command = [program, "-raw", "-enc", "UTF-8", "-", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        raise ProofFailed("pdftotext cannot read the pages of the sample")
    return done.stdout.decode().split("\f")[:-1]  # a form feed ends each page


def _pdfium_text(page: pypdfium2.PdfPage) -> str:
    text = page.get_textpage()
    try:
        return str(text.get_text_range())
    finally:
        text.close()
