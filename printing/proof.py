"""Finished files read back: every byte against what was ordered, and a sample by tools that know nothing of ours.

First, all labels: what is printed is taken from the bytes; serials and codes are distinct, their check symbols fit, and
both decrypt to one label number. The file that these codes give is made once more and must be the same to the last
bit: so every bitmap is the table's image of the serial printed beside it. Then a sample is drawn at the device's
resolution and decoded (zxing-cpp), and its text extracted (pdftotext, or PDFium where that is absent).
"""

import hashlib
import json
import re
import shutil
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
import pypdfium2
import zxingcpp
from numpy.typing import NDArray

from labels.codes import bulk
from labels.codes.forms import B12, Form
from printing.labels import Roll
from printing.rows import LINES_AT_A_TIME, Rows
from printing.source import Codes, Source, grouped, ungrouped
from printing.stencil import Bytes, cut_at_powers_of_ten
from printing.symbols import ProofFailed
from printing.template import Code, Code128, DataMatrix, Qr, Serial, Text

LabelNos = Callable[[Codes], tuple[NDArray[np.uint64], NDArray[np.uint64]]]
FIRST_ROLL, OTHER_ROLLS = 1_000, 32


class Reader(Protocol):
    """A file that is read from its start."""

    def read(self, size: int = -1, /) -> bytes:
        """Return bytes."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was proved. ``sha256`` is the whole file's; ``decoded`` and ``texts`` count the sample's labels."""

    labels: int
    size: int
    sha256: str
    decoded: int = 0
    texts: int = 0
    tools: tuple[str, ...] = ()

    def as_json(self) -> dict[str, int | str | list[str]]:
        """Return the report for a manifest."""
        return {
            "labels": self.labels,
            "bytes": self.size,
            "sha256": self.sha256,
            "decoded": self.decoded,
            "texts": self.texts,
            "tools": list(self.tools),
        }


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


def check_pdf(file: Reader, roll: Roll, label_nos_of: LabelNos) -> Report:
    """Prove a PDF of labels. Raises ProofFailed, which says what is wrong where."""
    document, tape, proof = roll.document, _Tape(file), _AllLabels(roll.order.form, label_nos_of)
    tape.expect(document.preamble, "the objects before the pages")
    lengths = np.empty(document.page_count if document.deflate else 0, np.int64)
    for first, end in document.chunks():
        pages = list(_pages(tape, roll, first, end))
        lines = min(end * document.places, document.count) - first * document.places
        codes = _printed(roll, [content for content, _ in pages], lines)
        proof.add(codes)
        made = document.pages(first, roll.columns(codes))
        found = b"".join(raw for _, raw in pages)
        if b"".join(made) != found:
            raise ProofFailed(f"pages {first + 1} to {end} are not what their own codes give")
        if document.deflate:
            lengths[first:end] = [len(packed) for packed in made[1::3]]
    for part in document.ending(lengths):
        tape.expect(part, "the cross-reference table")
    tape.expect_end()
    return proof.report(document.count, tape)


def check_rows(file: Reader, rows: Rows, count: int, label_nos_of: LabelNos) -> Report:
    """Prove a file of rows, CSV, JSON lines or ZPL. Raises ProofFailed."""
    tape, proof = _Tape(file), _AllLabels(rows.order.form, label_nos_of)
    tape.expect(rows.head, "what comes before the rows")
    blank = Codes(np.full((1, 12), 32, np.uint8), np.full((1, rows.order.form.length), 32, np.uint8))
    for start, end in cut_at_powers_of_ten(1, count + 1, LINES_AT_A_TIME):
        width = rows.lines(start, blank).shape[1]
        found = tape.take(width * (end - start))
        codes = _read_rows(rows, found.split(b"\n")[: end - start], start)
        proof.add(codes)
        if rows.lines(start, codes).tobytes() != found:
            raise ProofFailed(f"rows {start} to {end - 1} are not what their own codes give")
    tape.expect_end()
    return proof.report(count, tape)


def _pages(tape: "_Tape", roll: Roll, first: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (content, all bytes) of pages."""
    document = roll.document
    head = document.stride - document.content_bytes - len(_PAGE_END)
    for page in range(first, end):
        if document.deflate:
            start = tape.take(head)
            length = re.search(rb"/Length +(\d+) /Filter", start)
            if not length:
                raise ProofFailed(f"page {page + 1} has no length")
            packed = tape.take(int(length[1]))
            try:
                content = zlib.decompress(packed)
            except zlib.error as error:
                raise ProofFailed(f"page {page + 1} cannot be unpacked: {error}") from None
            yield content, start + packed + tape.take(len(_PAGE_END))
        else:
            raw = tape.take(document.stride)
            yield raw[head : head + document.content_bytes], raw


_PAGE_END = b"\nendstream\nendobj\n"


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

    def expect(self, data: bytes, what: str) -> None:
        """Read as many bytes, which must be these."""
        if self.take(len(data)) != data:
            raise ProofFailed(f"{what}: not what was ordered")

    def expect_end(self) -> None:
        """See that nothing follows."""
        if self._file.read(1):
            raise ProofFailed("something follows the end of the file")

    def sha256(self) -> str:
        """Return the hash of what was read."""
        return self._hash.hexdigest()


class _AllLabels:
    """The checks on printed codes, file-wide."""

    def __init__(self, form: Form, label_nos_of: LabelNos) -> None:
        self._form, self._label_nos_of = form, label_nos_of
        self._seen: list[NDArray[np.uint64]] = []

    def add(self, codes: Codes) -> None:
        """Check some labels."""
        for form, rows, what in ((B12, codes.serials, "serial"), (self._form, codes.codes, "code")):
            if not np.isin(rows, np.frombuffer(form.symbols.encode(), np.uint8)).all():
                raise ProofFailed(f"a {what} holds a strange symbol")
            if bulk.read_codes(form, rows)[1].any():
                raise ProofFailed(f"a {what} has a wrong check symbol")
        by_serial, by_code = self._label_nos_of(codes)
        if not np.array_equal(by_serial, by_code):
            raise ProofFailed("a serial and the code beside it belong to different labels")
        self._seen.append(by_serial)

    def report(self, count: int, tape: _Tape) -> Report:
        """Check what only the whole file shows."""
        numbers = np.concatenate(self._seen)
        numbers.sort()
        if len(numbers) != count or (numbers[1:] == numbers[:-1]).any():
            raise ProofFailed("a label is there twice or missing")
        return Report(count, tape.size, tape.sha256())


# --- a sample, by other tools ---------------------------------------------------------------------------------------


def sample_pages(roll: Roll, labels: int) -> list[int]:
    """Return pages that hold at least so many labels: the first, the last, and evenly between."""
    document = roll.document
    wanted = min(document.page_count, max(2, -(-labels // document.places) + 1))
    return sorted({round(place) for place in np.linspace(0, document.page_count - 1, wanted)})


def decode_pdf(data: bytes, roll: Roll, source: Source, pages: Iterable[int]) -> tuple[int, int, tuple[str, ...]]:
    """Draw pages, decode all symbols, extract all text: all there, none else. Return (decoded, texts, tools).

    Raises ProofFailed. The plain text of a roll never touches a disk: pdftotext reads from a pipe.
    """
    pages = list(pages)
    decoded = texts = 0
    poppler = shutil.which("pdftotext")
    opened = pypdfium2.PdfDocument(data)
    try:
        found = _poppler_texts(poppler, data, pages) if poppler else (_pdfium_text(opened[page]) for page in pages)
        for page, text in zip(pages, found, strict=True):
            first = page * roll.document.places
            codes = source.read(first, min(first + roll.document.places, roll.document.count))
            decoded += _decode_page(opened[page], roll, codes, page)
            texts += _compare_text(text, roll, codes, page)
    finally:
        opened.close()
    return decoded, texts, ("zxing-cpp", "pdftotext" if poppler else "pdfium")


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
    wanted: Counter[str] = Counter()
    elements = roll.document.template.elements
    for element in elements:
        if isinstance(element, Serial):
            wanted.update(bulk.texts(codes.serials))
        elif isinstance(element, Code):
            wanted.update(" ".join(bulk.texts(grouped(roll.order.form, codes.codes))).split())
        elif isinstance(element, Text):
            for word in element.text.split():
                wanted[word] += len(codes.serials)
    if Counter(text.split()) != wanted:
        raise ProofFailed(f"page {number + 1}: the text is not that of its labels")
    return len(codes.serials)


def _poppler_texts(program: str, data: bytes, pages: Sequence[int]) -> Iterator[str]:
    """Yield the text of pages; one start of the program a run of neighbouring pages."""
    for _, run in groupby(enumerate(pages), lambda numbered: numbered[1] - numbered[0]):
        numbers = [page for _, page in run]
        reach = ["-f", str(numbers[0] + 1), "-l", str(numbers[-1] + 1)]
        command = [program, "-raw", "-enc", "UTF-8", *reach, "-", "-"]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        texts = done.stdout.decode().split("\f")[:-1]  # a form feed ends each page
        if done.returncode or len(texts) != len(numbers):
            raise ProofFailed(f"pdftotext cannot read pages {numbers[0] + 1} to {numbers[-1] + 1}")
        yield from texts


def _pdfium_text(page: pypdfium2.PdfPage) -> str:
    text = page.get_textpage()
    try:
        return str(text.get_text_range())
    finally:
        text.close()
