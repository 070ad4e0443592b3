"""Identifiers in EPCIS events: EPC URNs and GS1 Digital Links in one form, and the CBV hash of an event. Pure.

CBV 2.0 (GS1, 2022), sections 8.2 to 8.5 (identifiers) and 8.9.2 (the hash as an event's identifier).
"""

import hashlib
import math
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from labels.digital_link import BadLink, Link, parse
from labels.identifiers import check_digit_is_right

CANONICAL = "https://id.gs1.org"
CBV = "https://ref.gs1.org/cbv/"
_URN = re.compile(r"urn:epc:id(?:pat)?:(sgtin|sscc|sgln|gdti|pgln):([0-9]+)\.([0-9]*)(?:\.(.+))?")
_CLASS = re.compile(r"urn:epc:class:lgtin:([0-9]+)\.([0-9]+)\.(.+)")
_WEB = re.compile(r"https?://[^/?#]+(?:/[^?#]*?)??(/(?:01|00|414|417|253)/[^?#]+)", re.IGNORECASE)


def check_digit(body: str) -> str:
    """Return the GS1 check digit of digits without one (weights 3, 1 from the right)."""
    return str(-sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body))) % 10)


def canonical(uri: str) -> str:
    """Return a URI of a GS1 key as a Digital Link at id.gs1.org without attributes; any other as it is."""
    if found := _URN.fullmatch(uri):
        return _of_urn(found[1], found[2], found[3], found[4] or "") or uri
    if found := _CLASS.fullmatch(uri):
        gtin = found[2][:1] + found[1] + found[2][1:]
        return f"{CANONICAL}/01/{gtin}{check_digit(gtin)}/10/{_encoded(found[3])}" if len(gtin) == 13 else uri
    if found := _WEB.fullmatch(uri.partition("?")[0]):
        return CANONICAL + found[1]
    return uri


def _of_urn(scheme: str, company: str, reference: str, rest: str) -> str:
    body = reference[:1] + company + reference[1:] if scheme in {"sgtin", "sscc"} else company + reference
    if scheme == "sgtin" and len(body) == 13 and rest:
        whole = f"/01/{body}{check_digit(body)}"
        return CANONICAL + whole + ("" if rest == "*" else f"/21/{_encoded(rest)}")
    if scheme == "sscc" and len(body) == 17 and not rest:
        return f"{CANONICAL}/00/{body}{check_digit(body)}"
    if scheme == "sgln" and len(body) == 12 and rest:
        place = f"{CANONICAL}/414/{body}{check_digit(body)}"
        return place if rest == "0" else f"{place}/254/{_encoded(rest)}"
    if scheme == "pgln" and len(body) == 12 and not rest:
        return f"{CANONICAL}/417/{body}{check_digit(body)}"
    return ""


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-._~")


def fault_of_uri(uri: str) -> str:
    """Return what is wrong with the URI of a thing: ``not_a_uri``, ``bad_check_digit``, ``bad_identifier``; or nothing."""
    if not isinstance(uri, str) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+$", uri):
        return "not_a_uri"
    one = canonical(uri)
    if uri.startswith("urn:epc:") and one == uri and _URN.match(uri):
        return "bad_identifier"
    if not one.startswith(CANONICAL):
        return ""
    path = one.removeprefix(CANONICAL)
    if path.startswith(("/414/", "/417/", "/253/")):
        digits = path.split("/")[2][:13]
        if len(digits) != 13 or not digits.isdecimal():
            return "bad_identifier"
        return "" if check_digit_is_right(digits) else "bad_check_digit"
    link = parse(path)
    if isinstance(link, BadLink):
        return "bad_check_digit" if link.reason == "bad_check_digit" else "bad_identifier"
    return ""


def link_of(uri: str) -> Link | None:
    """Return the Digital Link that a URI of a GTIN or an SSCC is, if it is one."""
    one = canonical(uri)
    found = parse(one.removeprefix(CANONICAL)) if one.startswith(CANONICAL) else None
    return found if isinstance(found, Link) else None


# --- the hash ---------------------------------------------------------------------------------------------------------------

_IGNORED = {"recordTime", "eventID", "type", "errorDeclaration", "@context", "rdfs:comment", "comment", "isA"}
_ORDER: tuple[tuple[str, Any], ...] = (
    ("eventTime", None),
    ("eventTimeZoneOffset", None),
    ("certificationInfo", None),
    ("parentID", None),
    ("epcList", "epc"),
    ("inputEPCList", "epc"),
    ("childEPCs", "epc"),
    ("quantityList", ("quantityElement", ("epcClass", "quantity", "uom"))),
    ("childQuantityList", ("quantityElement", ("epcClass", "quantity", "uom"))),
    ("inputQuantityList", ("quantityElement", ("epcClass", "quantity", "uom"))),
    ("outputEPCList", "epc"),
    ("outputQuantityList", ("quantityElement", ("epcClass", "quantity", "uom"))),
    ("action", None),
    ("transformationID", None),
    ("bizStep", None),
    ("disposition", None),
    ("persistentDisposition", ("", ("set", "unset"))),
    ("readPoint", ("", ("id",))),
    ("bizLocation", ("", ("id",))),
    ("bizTransactionList", ("", ("type", "bizTransaction"))),
    ("sourceList", ("", ("type", "source"))),
    ("destinationList", ("", ("type", "destination"))),
)
_WORDS = {"bizStep": "BizStep-", "disposition": "Disp-", "set": "Disp-", "unset": "Disp-"}
_TYPES = {"bizTransactionList": "BTT-", "sourceList": "SDT-", "destinationList": "SDT-"}
_OLD = {
    "urn:epcglobal:cbv:bizstep:": "BizStep-",
    "urn:epcglobal:cbv:disp:": "Disp-",
    "urn:epcglobal:cbv:btt:": "BTT-",
    "urn:epcglobal:cbv:sdt:": "SDT-",
    "urn:epcglobal:cbv:er:": "ER-",
}


def event_id(event: dict[str, Any], namespaces: dict[str, str] | None = None) -> str:
    """Return the CBV hash of an event as a URI: the same event in other words has the same.

    ``namespaces`` maps prefixes of the document's context to their URIs.
    """
    digest = hashlib.sha256(pre_hash(event, namespaces or {}).encode("utf-8", "surrogatepass")).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def pre_hash(event: dict[str, Any], namespaces: dict[str, str]) -> str:
    """Return the text of which the hash is made: names and values in the order of the standard, extensions behind."""
    parts = [f"eventType={event.get('type', '')}"]
    for name, inner in _ORDER:
        if name not in event:
            continue
        value = event[name]
        if inner is None:
            parts.append(f"{name}={_value(name, value)}")
        elif isinstance(inner, str):
            parts.append(name + "".join(sorted(f"{inner}={_value(inner, one)}" for one in value)))
        else:
            parts.append(name + _elements(name, inner, value))
    known = {name for name, _inner in _ORDER} | _IGNORED
    rest = [_extension(name, value, namespaces) for name, value in event.items() if name not in known]
    return "".join([*parts, *sorted(rest)])


def _elements(name: str, inner: tuple[str, tuple[str, ...]], value: Any) -> str:
    label, fields = inner
    found = []
    for one in value if isinstance(value, list) else [value]:
        told = ""
        for field in fields:
            values = one.get(field)
            for each in sorted(values) if isinstance(values, list) else [values] if values is not None else []:
                told += f"{field}={_value(name if field == 'type' else field, each)}"
        found.append(label + told)
    return "".join(sorted(found))


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if int(value) == value else str(value)
    text = str(value).strip()
    if "time" in name.lower() and "offset" not in name.lower():
        return _time(text)
    prefix = _WORDS.get(name) or _TYPES.get(name)
    if prefix and re.fullmatch("[a-z_]+", text):
        return CBV + prefix + text
    for old, new in _OLD.items():
        if text.startswith(old):
            return CBV + new + text.removeprefix(old)
    return canonical(text)


def _time(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    moment = moment.replace(microsecond=min(round(moment.microsecond, -3), 999_000))
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def _extension(name: str, value: Any, namespaces: dict[str, str]) -> str:
    prefix, colon, local = name.partition(":")
    label = f"{{{namespaces[prefix]}}}{local}" if colon and prefix in namespaces else name
    if isinstance(value, dict):
        inner = [_extension(key, one, namespaces) for key, one in value.items() if key not in _IGNORED]
        return label + "".join(sorted(inner))
    if isinstance(value, list):
        return "".join(sorted(_extension(name, one, namespaces) for one in value))
    return f"{label}={_number(_value(local or name, value))}"


def _number(text: str) -> str:
    """Return a number without what does not change it (rule 6 of the algorithm); any other text as it is."""
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return text
    value = float(text)
    if not math.isfinite(value):
        return text
    return str(int(value)) if int(value) == value else str(value)
