"""EPCIS 2.0 in JSON-LD: what an event must be, which act an event is, and which event an act is. Pure.

EPCIS 2.0 (GS1, 2022) sections 7 and 9, CBV 2.0 sections 7.1 (business steps), 7.2 (dispositions), 7.3 (transactions),
7.4 (sources and destinations), 7.5 (error reasons). Beyond the published JSON schema these are checked: the words of the
CBV, a time with its zone, check digits in URIs, and that ilmd holds nothing without a namespace. Each fault names its
place as a JSON pointer (RFC 6901).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from channel.epcis_ids import CBV, event_id, fault_of_uri

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
MOST_EPCS = 10_000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
TYPES = {"ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"}
ACTIONS = {"OBSERVE", "ADD", "DELETE"}
BIZ_STEPS = frozenset(
    "accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting"  # noqa: SIM905
    " decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting"
    " installing killing loading other packing picking receiving removing repackaging repairing replacing reserving"
    " retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting"
    " unloading unpacking void_shipping".split()
)
DISPOSITIONS = frozenset(
    "active available completeness_inferred completeness_verified conformant container_closed container_open damaged"  # noqa: SIM905
    " destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance"
    " mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed"
    " recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable"
    " unknown".split()
)
TRANSACTIONS = frozenset("bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt".split())  # noqa: SIM905
PARTIES = frozenset({"owning_party", "possessing_party", "location"})
ERRORS = frozenset({"did_not_occur", "incorrect_data"})
_OFFSET = re.compile(r"[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_OLD_WORDS = {"BizStep-": "bizstep", "Disp-": "disp", "BTT-": "btt", "SDT-": "sdt", "ER-": "er"}
_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_TEXTS = ("type", "action", "bizStep", "disposition", "eventTime", "eventTimeZoneOffset", "recordTime", "eventID",
          "parentID", "transformationID")  # fmt: skip
_PAIRS = ("bizTransactionList", "sourceList", "destinationList")
_QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: a JSON pointer into the document."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Act:
    """What an event asks for: packing, unpacking, shipping, void_shipping, receiving, inspecting, error; or nothing here."""

    kind: str
    at: datetime
    epcs: tuple[str, ...] = ()
    parent: str = ""
    source: str = ""
    destination: str = ""
    number: str = ""
    disposition: str = ""
    corrects: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What our own act is told as: see `event_of`. ``kind`` is a key of `STEPS`, ``place`` the URI of where it was."""

    kind: str
    at: datetime
    epcs: tuple[str, ...] = ()
    parent: str = ""
    source: str = ""
    destination: str = ""
    number: str = ""
    quantities: tuple[tuple[str, int], ...] = ()
    offset: str = "+00:00"
    place: str = ""


# --- checking --------------------------------------------------------------------------------------------------------------


def events_in(document: Any) -> tuple[list[Any], dict[str, str], list[Fault]]:
    """Return the events of a document, its namespaces by prefix, and what is wrong with the document itself."""
    if not isinstance(document, dict):
        return [], {}, [Fault("", "not_an_object", "An EPCIS document is a JSON object.")]
    faults = []
    namespaces = _namespaces(document.get("@context"))
    if document.get("type") != "EPCISDocument":
        faults.append(Fault("/type", "bad_type", "The type is EPCISDocument."))
    if str(document.get("schemaVersion", "")) not in {"2.0", "2.0.0"}:
        faults.append(Fault("/schemaVersion", "bad_version", "The schemaVersion is 2.0."))
    if not _names_context(document.get("@context")):
        faults.append(Fault("/@context", "no_context", "The @context names the EPCIS 2.0 context of GS1."))
    if "creationDate" not in document or not _is_time(document["creationDate"]):
        faults.append(Fault("/creationDate", "bad_time", "A time is RFC 3339, with its zone."))
    body = document.get("epcisBody")
    events = body.get("eventList") if isinstance(body, dict) else None
    if not isinstance(events, list):
        faults.append(Fault("/epcisBody/eventList", "no_events", "The body has a list of events."))
        return [], namespaces, faults
    return events, namespaces, faults


def faults_of(event: Any, namespaces: dict[str, str], at: str, *, now: datetime) -> list[Fault]:
    """Return all that is wrong with an event; ``at`` is its own pointer. Nothing: it may be captured."""
    if not isinstance(event, dict):
        return [Fault(at, "not_an_object", "An event is a JSON object.")]
    if misshapen := list(_shapes(event, at)):
        return misshapen
    namespaces = namespaces | _namespaces(event.get("@context"))
    return list(_faults(event, namespaces, at, now))


def _shapes(event: dict[str, Any], at: str) -> Iterator[Fault]:
    """Yield what is not even of the right JSON type: nothing else is asked of such an event."""
    for name in _TEXTS:
        if name in event and not isinstance(event[name], str):
            yield Fault(f"{at}/{name}", "bad_type" if name == "type" else "not_a_text", "This is a text.")
    for name in (*_LISTS, *_QUANTITIES, *_PAIRS, "sensorElementList"):
        found = event.get(name, [])
        if not isinstance(found, list):
            yield Fault(f"{at}/{name}", "not_a_list", "This is a list.")
            continue
        for place, one in enumerate(found):
            if name in _LISTS:
                if not isinstance(one, str):
                    yield _uri_fault(f"{at}/{name}/{place}", "not_a_uri")
            elif not isinstance(one, dict):
                yield Fault(f"{at}/{name}/{place}", "not_an_object", "This is an object.")
            else:
                yield from _measures(one, f"{at}/{name}/{place}")
    for name in ("readPoint", "bizLocation", "ilmd", "errorDeclaration", "persistentDisposition"):
        if name in event and not isinstance(event[name], dict):
            yield Fault(f"{at}/{name}", "not_an_object", "This is an object.")
    if isinstance(kept := event.get("persistentDisposition"), dict):
        for way, words in kept.items():
            if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
                yield Fault(f"{at}/persistentDisposition/{_escaped(str(way))}", "not_a_list", "This is a list.")
    if isinstance(declared := event.get("errorDeclaration"), dict):
        ids = declared.get("correctiveEventIDs", [])
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            yield Fault(f"{at}/errorDeclaration/correctiveEventIDs", "not_a_list", "This is a list.")
    certified = event.get("certificationInfo", "")
    if not isinstance(certified, str) and not (
        isinstance(certified, list) and all(isinstance(one, str) for one in certified)
    ):
        yield Fault(f"{at}/certificationInfo", "not_a_text", "This is a text.")
    if _is_kept_by_no_database(event):
        yield Fault(at, "not_to_keep", "There are characters or numbers in it that nobody can keep.")


def _measures(one: dict[str, Any], at: str) -> Iterator[Fault]:
    if "quantity" in one and (isinstance(one["quantity"], bool) or not isinstance(one["quantity"], int | float)):
        yield Fault(f"{at}/quantity", "not_a_number", "This is a number.")
    for name in ("epcClass", "uom", "type", "bizTransaction", "source", "destination"):
        if name in one and not isinstance(one[name], str):
            yield Fault(f"{at}/{name}", "not_a_text", "This is a text.")


def _is_kept_by_no_database(value: Any) -> bool:
    """Return whether something holds NUL or half a character, or a number without bound."""
    if isinstance(value, dict):
        return any(_is_kept_by_no_database(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(map(_is_kept_by_no_database, value))
    if isinstance(value, str):
        return "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
    return isinstance(value, int | float) and not -1e300 < value < 1e300


def _faults(event: dict[str, Any], namespaces: dict[str, str], at: str, now: datetime) -> Iterator[Fault]:
    kind = event.get("type")
    if kind not in TYPES:
        yield Fault(f"{at}/type", "bad_type", "There is no such kind of event.")
    yield from _times(event, at, now)
    action = event.get("action")
    if kind != "TransformationEvent" and action not in ACTIONS:
        yield Fault(f"{at}/action", "bad_action", "The action is ADD, OBSERVE or DELETE.")
    yield from _word(event, "bizStep", BIZ_STEPS, at)
    yield from _word(event, "disposition", DISPOSITIONS, at)
    for way, words in event.get("persistentDisposition", {}).items():
        if way not in {"set", "unset"}:
            yield Fault(f"{at}/persistentDisposition/{_escaped(way)}", "no_namespace", "It has set and unset alone.")
        for place, word in enumerate(words):
            if not _is_word(word, DISPOSITIONS):
                here = f"{at}/persistentDisposition/{_escaped(way)}/{place}"
                yield Fault(here, "not_in_cbv", "The core business vocabulary has no such word.")
    yield from _things(event, at)
    for name in ("readPoint", "bizLocation"):
        if name in event:
            place = event[name]
            uri = place.get("id") if isinstance(place, dict) else None
            if fault := fault_of_uri(uri) if isinstance(uri, str) else "not_a_uri":
                yield _uri_fault(f"{at}/{name}/id", fault)
    yield from _pairs(event, at)
    if "ilmd" in event and kind != "TransformationEvent" and action in {"OBSERVE", "DELETE"}:
        yield Fault(f"{at}/ilmd", "misplaced", "Only what comes into being has master data of its own.")
    yield from _ilmd(event.get("ilmd"), namespaces, f"{at}/ilmd")
    yield from _declaration(event.get("errorDeclaration"), f"{at}/errorDeclaration")
    for name in event:
        prefix, colon, _local = name.partition(":")
        if colon and prefix not in namespaces:
            yield Fault(f"{at}/{_escaped(name)}", "unknown_namespace", "The context does not explain this prefix.")
        elif not colon and name not in _KNOWN:
            yield Fault(f"{at}/{_escaped(name)}", "no_namespace", "A field of one's own has a namespace.")


def _times(event: dict[str, Any], at: str, now: datetime) -> Iterator[Fault]:
    if not _is_time(event.get("eventTime")):
        yield Fault(f"{at}/eventTime", "bad_time", "A time is RFC 3339, with its zone.")
    elif datetime.fromisoformat(event["eventTime"]) > now + timedelta(minutes=5):
        yield Fault(f"{at}/eventTime", "in_the_future", "An event tells of what has happened.")
    elif datetime.fromisoformat(event["eventTime"]) < EARLIEST:
        yield Fault(f"{at}/eventTime", "bad_time", "There were no such goods then.")
    offset = event.get("eventTimeZoneOffset")
    if not isinstance(offset, str) or not _OFFSET.fullmatch(offset):
        yield Fault(f"{at}/eventTimeZoneOffset", "bad_offset", "The offset is +08:00, or the like.")
    if "recordTime" in event and not _is_time(event["recordTime"]):
        yield Fault(f"{at}/recordTime", "bad_time", "A time is RFC 3339, with its zone.")
    if "eventID" in event and fault_of_uri(event["eventID"]) == "not_a_uri":
        yield _uri_fault(f"{at}/eventID", "not_a_uri")


def _word(event: dict[str, Any], name: str, words: frozenset[str], at: str) -> Iterator[Fault]:
    if name in event and not _is_word(event[name], words):
        yield Fault(f"{at}/{name}", "not_in_cbv", "The core business vocabulary has no such word.")


def _things(event: dict[str, Any], at: str) -> Iterator[Fault]:
    for name in _LISTS:
        found = event.get(name)
        if found is None:
            continue
        if not isinstance(found, list):
            yield Fault(f"{at}/{name}", "not_a_list", "This is a list.")
            continue
        for place, uri in enumerate(found):
            if fault := fault_of_uri(uri):
                yield _uri_fault(f"{at}/{name}/{place}", fault)
    for name in _QUANTITIES:
        for place, one in enumerate(event.get(name) or []):
            uri = one.get("epcClass") if isinstance(one, dict) else None
            if fault := fault_of_uri(uri) if isinstance(uri, str) else "not_a_uri":
                yield _uri_fault(f"{at}/{name}/{place}/epcClass", fault)
    kind, action = event.get("type"), event.get("action")
    if "parentID" in event and (fault := fault_of_uri(event["parentID"])):
        yield _uri_fault(f"{at}/parentID", fault)
    if kind == "AggregationEvent" and action in {"ADD", "DELETE"} and "parentID" not in event:
        yield Fault(f"{at}/parentID", "missing", "What is packed has a parent.")
    if (
        kind == "AggregationEvent"
        and action == "ADD"
        and not (event.get("childEPCs") or event.get("childQuantityList"))
    ):
        yield Fault(f"{at}/childEPCs", "missing", "Something is packed.")
    if kind == "ObjectEvent" and not (
        event.get("epcList") or event.get("quantityList") or event.get("sensorElementList")
    ):
        yield Fault(f"{at}/epcList", "missing", "An event is about something.")


def _pairs(event: dict[str, Any], at: str) -> Iterator[Fault]:
    for name, key, words in (
        ("bizTransactionList", "bizTransaction", TRANSACTIONS),
        ("sourceList", "source", PARTIES),
        ("destinationList", "destination", PARTIES),
    ):
        found = event.get(name, [])
        if not isinstance(found, list):
            yield Fault(f"{at}/{name}", "not_a_list", "This is a list.")
            continue
        for place, one in enumerate(found):
            here = f"{at}/{name}/{place}"
            if not isinstance(one, dict) or key not in one:
                yield Fault(f"{here}/{key}", "missing", "Something is missing here.")
                continue
            if "type" in one and not _is_word(one["type"], words):
                yield Fault(f"{here}/type", "not_in_cbv", "The core business vocabulary has no such word.")
            if fault := fault_of_uri(one[key]):
                yield _uri_fault(f"{here}/{key}", fault)


def _ilmd(ilmd: Any, namespaces: dict[str, str], at: str) -> Iterator[Fault]:
    if ilmd is None:
        return
    if not isinstance(ilmd, dict):
        yield Fault(at, "not_an_object", "This is an object.")
        return
    for name in ilmd:
        prefix, colon, _local = name.partition(":")
        if not colon or prefix not in namespaces:
            yield Fault(f"{at}/{_escaped(name)}", "no_namespace", "Each field of ilmd has a namespace.")


def _declaration(declared: Any, at: str) -> Iterator[Fault]:
    if declared is None:
        return
    if not isinstance(declared, dict):
        yield Fault(at, "not_an_object", "This is an object.")
        return
    if not _is_time(declared.get("declarationTime")):
        yield Fault(f"{at}/declarationTime", "bad_time", "A time is RFC 3339, with its zone.")
    if "reason" in declared and not _is_word(declared["reason"], ERRORS):
        yield Fault(f"{at}/reason", "not_in_cbv", "The core business vocabulary has no such word.")


_KNOWN = {
    "@context", "type", "eventID", "eventTime", "recordTime", "eventTimeZoneOffset", "certificationInfo",
    "errorDeclaration", "epcList", "quantityList", "action", "bizStep", "disposition", "persistentDisposition",
    "readPoint", "bizLocation", "bizTransactionList", "sourceList", "destinationList", "sensorElementList", "ilmd",
    "parentID", "childEPCs", "childQuantityList", "inputEPCList", "inputQuantityList", "outputEPCList",
    "outputQuantityList", "transformationID", "isA", "comment",
}  # fmt: skip


def _is_word(value: Any, words: frozenset[str]) -> bool:
    """Return whether it is a word of the CBV, bare or as a URI, or a URI of somebody's own."""
    if not isinstance(value, str):
        return False
    if ":" not in value:
        return value in words
    if value.startswith((CBV, "urn:epcglobal:cbv:")):
        return bare(value) in words
    return not fault_of_uri(value)


def bare(value: str) -> str:
    """Return a word of the CBV without its URI."""
    for prefix, old in _OLD_WORDS.items():
        for start in (f"{CBV}{prefix}", f"urn:epcglobal:cbv:{old}:"):
            if value.startswith(start):
                return value.removeprefix(start)
    return value


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        return 1900 < datetime.fromisoformat(value).year < 9999
    except ValueError:
        return False


def _uri_fault(pointer: str, code: str) -> Fault:
    texts = {
        "not_a_uri": "This is a URI.",
        "bad_check_digit": "The check digit is wrong.",
        "bad_identifier": "This is no identifier of GS1.",
    }
    return Fault(pointer, code, texts[code])


def _names_context(context: Any) -> bool:
    found = context if isinstance(context, list) else [context]
    return any(isinstance(one, str) and "epcis-context" in one for one in found)


def _namespaces(context: Any) -> dict[str, str]:
    found = {
        "gs1": "https://gs1.org/voc/",
        "cbv": CBV,
        "cbvmda": "urn:epcglobal:cbv:mda:",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    }
    for one in context if isinstance(context, list) else [context]:
        if isinstance(one, dict):
            found |= {str(name): uri for name, uri in one.items() if isinstance(uri, str) and ":" in uri}
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


# --- events that come in ---------------------------------------------------------------------------------------------------


def act_of(event: dict[str, Any]) -> Act | None:
    """Return what an event that is in order asks to be done; None: it is kept, and nothing follows from it here."""
    at = datetime.fromisoformat(event["eventTime"])
    step, action = bare(event.get("bizStep", "")), event.get("action")
    kind = event["type"]
    if declared := event.get("errorDeclaration"):
        return Act("error", at, corrects=event.get("eventID", ""), reason=bare(declared.get("reason", "")))
    epcs = tuple(event.get("epcList") or event.get("childEPCs") or ())
    parent = event.get("parentID", "")
    if kind == "AggregationEvent" and action == "ADD" and step in {"packing", "repackaging", "loading"}:
        return Act("packing", at, epcs, parent)
    if kind == "AggregationEvent" and action == "DELETE" and step in {"unpacking", "repackaging", "unloading"}:
        return Act("unpacking", at, epcs, parent)
    if (
        kind == "ObjectEvent"
        and action == "OBSERVE"
        and step in {"shipping", "void_shipping", "receiving", "inspecting"}
    ):
        number = next((one["bizTransaction"] for one in event.get("bizTransactionList", [])), "")
        source, destination = (_party(event.get(f"{end}List", []), end) for end in ("source", "destination"))
        disposition = bare(event.get("disposition", ""))
        return Act(step, at, epcs, "", source, destination, number, disposition)
    return None


def _party(pairs: Iterable[dict[str, Any]], key: str) -> str:
    found = {bare(str(one.get("type", ""))): str(one[key]) for one in pairs}
    return next((found[kind] for kind in ("possessing_party", "owning_party", "location") if kind in found), "")


# --- events that go out ----------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What an act is told as: kind of event, action, business step, disposition, and what its document is."""

    event: str
    action: str
    biz_step: str
    disposition: str = ""
    transaction: str = ""


_OBJECT, _AGGREGATION = "ObjectEvent", "AggregationEvent"
STEPS = {
    "printed": Step(_OBJECT, "OBSERVE", "encoding", "encoded"),
    "activated": Step(_OBJECT, "ADD", "commissioning", "active"),
    "packing": Step(_AGGREGATION, "ADD", "packing", "in_progress"),
    "unpacking": Step(_AGGREGATION, "DELETE", "unpacking", "container_open"),
    "taking_out": Step(_AGGREGATION, "DELETE", "repackaging", "in_progress"),
    "putting_in": Step(_AGGREGATION, "ADD", "repackaging", "in_progress"),
    "old_label": Step(_AGGREGATION, "DELETE", "replacing"),
    "new_label": Step(_AGGREGATION, "ADD", "replacing"),
    "relabelled": Step(_OBJECT, "DELETE", "decommissioning", "inactive"),
    "shipment": Step(_OBJECT, "OBSERVE", "shipping", "in_transit", "desadv"),
    "transfer": Step(_OBJECT, "OBSERVE", "shipping", "in_transit", "desadv"),
    "void_shipping": Step(_OBJECT, "OBSERVE", "void_shipping", "", "desadv"),
    "receipt": Step(_OBJECT, "OBSERVE", "receiving", "sellable_not_accessible", "recadv"),
    "missing": Step(_OBJECT, "OBSERVE", "receiving", "mismatch_instance", "recadv"),
    "missing_count": Step(_OBJECT, "OBSERVE", "receiving", "mismatch_quantity", "recadv"),
    "damaged": Step(_OBJECT, "OBSERVE", "receiving", "damaged", "recadv"),
    "return": Step(_OBJECT, "OBSERVE", "receiving", "returned", "rma"),
    "inspection": Step(_OBJECT, "OBSERVE", "inspecting"),
    "field_inspection": Step(_OBJECT, "OBSERVE", "inspecting"),
    "destroyed": Step(_OBJECT, "DELETE", "destroying", "destroyed"),
    "stolen": Step(_OBJECT, "OBSERVE", "decommissioning", "stolen"),
    "recall": Step(_OBJECT, "OBSERVE", "decommissioning", "recalled"),
    "spoiled": Step(_OBJECT, "DELETE", "decommissioning", "damaged"),
    "void": Step(_OBJECT, "DELETE", "decommissioning", "non_sellable_other"),
    "withheld": Step(_OBJECT, "OBSERVE", "decommissioning", "non_sellable_other"),
    "sold": Step(_OBJECT, "OBSERVE", "retail_selling", "retail_sold"),
}  # fmt: skip


def event_of(made: Made) -> dict[str, Any]:
    """Return one act of ours as an event, with its hash as its id."""
    step = STEPS[made.kind]
    aggregates = step.event == _AGGREGATION
    event: dict[str, Any] = {
        "type": step.event,
        "eventTime": text_of_time(made.at),
        "eventTimeZoneOffset": made.offset,
        "action": step.action,
        "bizStep": step.biz_step,
    }
    if step.disposition:
        event["disposition"] = step.disposition
    if aggregates:
        event |= {"parentID": made.parent} | ({"childEPCs": list(made.epcs)} if made.epcs else {})
    elif made.epcs:
        event["epcList"] = list(made.epcs)
    if made.quantities:
        name = "childQuantityList" if aggregates else "quantityList"
        event[name] = [{"epcClass": epc_class, "quantity": count} for epc_class, count in made.quantities]
    if made.place:
        event["readPoint"] = {"id": made.place}
    if made.number and step.transaction:
        event["bizTransactionList"] = [{"type": step.transaction, "bizTransaction": made.number}]
    for name, key, party in (
        ("sourceList", "source", made.source),
        ("destinationList", "destination", made.destination),
    ):
        if party and not aggregates:
            event[name] = [{"type": kind, key: party} for kind in ("owning_party", "possessing_party")]
    return {"eventID": event_id(event), **event}


def declared_wrong(event: dict[str, Any], at: datetime, corrective: Iterable[str] = ()) -> dict[str, Any]:
    """Return an event of ours once more, declared wrong: it did not occur, or the ``corrective`` ones tell it right."""
    instead = list(corrective)
    declared = {
        "declarationTime": text_of_time(at),
        "reason": "incorrect_data" if instead else "did_not_occur",
        **({"correctiveEventIDs": instead} if instead else {}),
    }
    return event | {"errorDeclaration": declared}


def in_instances(event: dict[str, Any], epcs: Sequence[str]) -> dict[str, Any]:
    """Return a part of an event that told classes and quantities, by instances: an event with an id of its own."""
    lists = dict(zip(("quantityList", "childQuantityList"), ("epcList", "childEPCs"), strict=True))
    whole = {name: value for name, value in event.items() if name not in {"eventID", "recordTime"}}
    told = {lists.get(name, name): list(epcs) if name in lists else value for name, value in whole.items()}
    return {"eventID": event_id(told), **told} | ({"recordTime": event["recordTime"]} if "recordTime" in event else {})


def text_of_time(at: datetime) -> str:
    """Return a moment as events tell it: in UTC, to the millisecond."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
