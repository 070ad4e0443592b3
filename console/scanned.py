"""What was typed or scanned into the search box, read as everything that its form and its check symbols allow."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _, pgettext

from common.templatetags.show import groups
from labels import digital_link, elements, queries as labels
from labels.codes.decode import mask
from labels.digital_link import BadLink
from labels.elements import Candidate
from labels.queries import Status
from printing.runs import pack_of
from redemption.resolver import why

# A link of any host, in any case, perhaps behind the identifier of a scanner.
_LINK = re.compile(r"(?i)(?:\][a-z][0-9])?(?:https?://[^/\s?#]+)?(?:/[^\s?#]*?)?(/0[01]/[^\s#]+)(?:#\S*)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the text: what it would be, its parts by name, and what people should see about it.

    ``gtin``, ``serial`` and ``secret`` are what to look for; a hidden code is shown masked. ``bare``: a number by itself, which
    may well be something else: that it is not this says nothing.
    """

    kind: str
    parts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    gtin: str | None = None
    serial: str | None = None
    secret: str | None = None
    bare: bool = False

    def line(self) -> str:
        """Return it in one line."""
        parts = " · ".join(f"{name} {value}" for name, value in self.parts)
        return " ".join([_("Read as {kind}: {parts}.").format(kind=self.kind, parts=parts), *self.notes])


def readings(text: str) -> list[Reading]:
    """Return every way to read the text. A link and an element string are nothing else."""
    link = _read_link(text)
    if link is not None:
        return [link]
    found = elements.read(text)
    if found.elements:
        return [_of_elements(found)]
    return [replace(reading, bare=True) for reading in _of_candidates(found.candidates)]


def hides(text: str, read: Sequence[Reading]) -> bool:
    """Return whether the text must not be shown again: it is a hidden code, or may be one with a slip in it."""
    if read:
        return any(reading.secret for reading in read)
    return labels.resolve(text, purpose="secret").status not in (Status.MALFORMED, Status.SERIAL_TYPED)


# --- links and element strings -------------------------------------------------------------------------------------


def _read_link(text: str) -> Reading | None:
    match = _LINK.fullmatch(text)
    if match is None:
        return None
    path, _mark, query = match[1].partition("?")
    link = digital_link.parse(path, query)
    if isinstance(link, BadLink):
        return Reading(_("GS1 Digital Link"), notes=(why(link),))
    values = {link.key: link.value} | link.qualifiers | link.attributes
    parts = tuple((_name_of(ai), value) for ai, value in values.items())
    return Reading(_("GS1 Digital Link"), parts, _notes_on(link.gtin, link.serial), link.gtin, link.serial)


def _of_elements(found: elements.Reading) -> Reading:
    good = [element for element in found.elements if not element.fault]
    notes = [f"({element.ai}) {element.fault_text}" for element in found.elements if element.fault]
    if found.mended:
        notes.append(_("A separator was lost behind the serial and has been put back."))
    if found.folded:
        notes.append(_("Capitals and small letters had been swapped: is Caps Lock on?"))
    kind = found.symbology or _("GS1 element string")
    parts = tuple((_name_of(element.ai, element.title), element.value) for element in good)
    notes += _notes_on(found.gtin, found.serial)
    return Reading(kind, parts, tuple(notes), found.gtin, found.serial)


def _name_of(ai: str, title: str = "") -> str:
    names = {
        "00": "SSCC",
        "01": "GTIN",
        "10": _("Lot"),
        "11": _("Made on"),
        "15": _("Best before"),
        "17": _("Expires on"),
        "21": _("Serial"),
        "22": _("Variant"),
    }
    return names.get(ai) or (f"({ai}) {title}" if title else f"({ai})")


def _notes_on(gtin: str | None, serial: str | None) -> tuple[str, ...]:
    """Say what speaks against a serial under a GTIN."""
    if serial is None:
        return ()
    match labels.resolve(serial, purpose="serial", gtin=gtin).status:
        case Status.WRONG_GTIN:
            return (_("The serial is ours, but of another product than this GTIN."),)
        case Status.MALFORMED | Status.TYPO:
            return (_("The serial has a slip: compare each character with the label."),)
        case Status.UNKNOWN:
            return (_("No label of this brand has this serial."),)
    return ()


# --- bare numbers --------------------------------------------------------------------------------------------------


def _of_candidates(candidates: Sequence[Candidate]) -> Iterator[Reading]:
    """Yield what a bare number is; a hidden code that nobody has is named only if it can be nothing else."""
    secrets = [candidate.value for candidate in candidates if candidate.kind == "secret"]
    others = [candidate for candidate in candidates if candidate.kind != "secret"]
    for secret in secrets:
        if labels.resolve(secret, purpose="secret").label_no is not None:
            yield Reading(_("Hidden code"), ((_("Code"), mask(secret)),), secret=secret)
        elif not others:
            note = _("No label of this brand has this code.")
            yield Reading(_("Hidden code"), ((_("Code"), mask(secret)),), (note,), secret=secret)
    for candidate in others:
        yield _of_candidate(candidate)


def _of_candidate(candidate: Candidate) -> Reading:
    value = candidate.value
    match candidate.kind:
        case "gtin":
            return Reading("GTIN", (("GTIN", value),), gtin=value)
        case "sscc":
            notes = () if pack_of(value) else (_("No case or pallet of this number is known."),)
            return Reading("SSCC", (("SSCC", value),), notes)
        case "serial":
            return Reading(_("Serial"), ((_("Serial"), groups(value)),), _notes_on(None, value), serial=value)
    return Reading(_("Receipt number"), ((pgettext("document", "Receipt"), groups(value)),))
