"""What we did, told as events of EPCIS: our documents, and what other parts of the system know of labels.

Documents and facts are told once and kept as `Event` rows, so that all kinds are found, paged and corrected alike. Facts
come from the sources that `settings.EVENT_SOURCES` names; a fact's ``origin`` is told once by the database's own key.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q
from django.utils.module_loading import import_string

from channel.capturing import row_of
from channel.chain import merged, without
from channel.epcis import MOST_EPCS, STEPS, Made, declared_wrong, event_of, in_instances
from channel.epcis_ids import CANONICAL
from channel.items import Item, read
from channel.models import Document, Event, Line, Movement, Partner, Told, Unit, UnitParent, UnitRange
from common.db import array
from labels.models import Activation
from labels.queries import serials_of

PAGE, MOST_PAGES = 1_000, 50
MOST_AT_ONCE = 20_000
"""Labels whose events are written together."""
_Kind, _State = Document.Kind, Movement.State
Range = tuple[int, int]  # labels first … end - 1


class Fact(NamedTuple):
    """Something that happened to labels: ``kind`` as in `channel.epcis.STEPS`, ``parts`` half-open ranges.

    ``key`` rises from fact to fact of a source; ``origin`` names the fact for ever. ``place``: a region's code.
    ``wrong_at``: since when it counts as never having happened; then ``origin`` names that.
    """

    key: int
    origin: str
    kind: str
    at: datetime
    parts: tuple[Range, ...]
    place: str = ""
    wrong_at: datetime | None = None


class Source(NamedTuple):
    """Where facts come from. ``facts(after, limit)``: those with a key above ``after``, the lowest keys first.

    A row may be committed after one with a higher key: the last ``overlap`` keys are asked for again each time.
    """

    name: str
    overlap: int
    facts: Callable[[int, int], list[Fact]]


Thing = tuple[str, int, int]  # an SSCC, or labels first … end - 1


class Telling(NamedTuple):
    """One event to be told: its kind, what it is about, and the unit that was filled or opened."""

    kind: str
    things: tuple[Thing, ...]
    parent: str = ""


class Named(NamedTuple):
    """Things as events name them: instances, or classes and quantities of the ranges ``spans``."""

    epcs: tuple[str, ...]
    quantities: tuple[tuple[str, int], ...]
    spans: tuple[Range, ...]


# --- documents -------------------------------------------------------------------------------------------------------------


def tell_waiting(*, at: datetime, limit: int = 200) -> int:
    """Tell the documents that are not told yet, oldest first; return how many there were."""
    waiting = Document.objects.filter(told_at=None).exclude(state__in=["proposed", "refused"])
    documents = list(waiting.select_related("source", "destination", "refers").order_by("id")[:limit])
    for document in documents:
        # What came as an event is told by that event.
        rows = [] if document.recorded_by == "epcis" or document.events.exists() else rows_of(document)
        with transaction.atomic(durable=True):
            Event.objects.bulk_create(rows, ignore_conflicts=True)
            Document.objects.filter(pk=document.pk).update(told_at=at)
    return len(documents)


def rows_of(document: Document) -> list[Event]:
    """Return the events of a document as they will be kept."""
    rows = []
    for event, spans in _told(document):
        row = row_of(event, {}, document.recorded_at)
        row.document, row.applied, row.spans = document, "told", list(spans) or None
        rows.append(row)
    return rows


def events_of(document: Document) -> list[dict[str, Any]]:
    """Return a document as events: instances by their links, or, of more than 10,000 labels, class and quantity."""
    return [event for event, _spans in _told(document)]


_Event = tuple[dict[str, Any], tuple[Range, ...]]


def _told(document: Document) -> list[_Event]:
    if document.kind != _Kind.CANCEL:
        return _made(document, document, _tellings(document, ()))
    row = document.refers
    if row is None:
        return []
    if row.kind in {_Kind.SHIPMENT, _Kind.TRANSFER}:
        voided = _voided([document])

        def of_those(part: Range) -> list[Range]:
            return list(without(part, list(without(part, voided))))

        return _made(document, row, _moved(row, of_those, kind=lambda _state: "void_shipping"))
    cancels = Document.objects.filter(kind=_Kind.CANCEL, refers=row)
    before = _told_of(row, cancels.filter(pk__lt=document.pk))
    after = [] if row.kind == _Kind.RECALL else _told_of(row, cancels.filter(pk__lte=document.pk))
    kept = {event["eventID"] for event, _spans in after}
    known = {event["eventID"] for event, _spans in before}
    fresh = [one for one in after if one[0]["eventID"] not in known]
    corrective = [event["eventID"] for event, _spans in fresh]
    wrong = [one for one in before if one[0]["eventID"] not in kept]
    return [*fresh, *((declared_wrong(event, document.recorded_at, corrective), spans) for event, spans in wrong)]


def _told_of(row: Document, cancels: Iterable[Document]) -> list[_Event]:
    """Return a document as events after some of it was taken back."""
    return _made(row, row, _tellings(row, _voided(cancels)))


def _voided(cancels: Iterable[Document]) -> list[Range]:
    voids = Movement.objects.filter(document__in=list(cancels), state=_State.VOID)
    return merged((int(part.lower), int(part.upper)) for part in voids.values_list("label_range", flat=True))


def _made(document: Document, of: Document, tellings: Sequence[Telling]) -> list[_Event]:
    """Return events of ``document``; parties and number are those ``of`` the document that it is about."""
    host = host_of_brand()
    source, destination = of.source, of.destination
    is_from = of.kind in {_Kind.SHIPMENT, _Kind.TRANSFER, _Kind.RETURN}
    if of.kind == _Kind.RECEIPT and of.refers is not None:
        source, is_from = of.refers.source, True
    found = []
    for telling, named in zip(tellings, names_of([one.things for one in tellings]), strict=True):
        has_parties = bool(STEPS[telling.kind].transaction)
        kind = "missing_count" if telling.kind == "missing" and named.quantities else telling.kind
        made = Made(
            kind,
            document.happened_at,
            named.epcs,
            telling.parent and f"{CANONICAL}/00/{telling.parent}",
            source=party_uri(source, host) if has_parties and is_from else "",
            destination=party_uri(destination, host) if has_parties else "",
            number=f"https://{host}/documents/{of.public_id}",
            quantities=named.quantities,
            offset=offset_at(document.happened_at),
        )
        found.append((event_of(made), named.spans))
    return found


def _tellings(document: Document, gone: Sequence[Range]) -> list[Telling]:
    """Return what a document tells, but for labels that were taken back."""
    if document.kind == _Kind.PACKING:
        return _packed(document)
    if document.kind == _Kind.UNPACKING:
        return _unpacked(document)
    if document.kind == _Kind.RELABEL:
        return [one for line in _accepted(document) for one in _relabelled(line, document.happened_at)]
    if document.kind == _Kind.RECALL:
        parts = document.blocks.order_by("label_range").values_list("label_range", flat=True)
        things = tuple(("", *part) for part in merged((int(one.lower), int(one.upper)) for one in parts))
        return [Telling("recall", things)] if things else []
    own = str(document.kind)

    def kind(state: str) -> str:
        return state if state in {_State.MISSING, _State.DAMAGED, _State.DESTROYED} and own != _Kind.RETURN else own

    return [*_moved(document, lambda part: list(without(part, gone)), kind=kind), *_left(document)]


def _accepted(document: Document) -> list[Line]:
    lines = document.lines.filter(outcome=Line.Outcome.ACCEPTED)
    return list(lines.select_related("unit").order_by("place"))


def _pairs(document: Document) -> dict[str, list[Thing]]:
    """Return what went into a unit or out of it, by its SSCC; nothing: all that was in it."""
    pairs = [line.item.partition(" ") for line in _accepted(document)]
    found: dict[str, list[Thing]] = {}
    for (sscc, _blank, text), one in zip(pairs, read([Item(text or sscc) for sscc, _b, text in pairs]), strict=True):
        things = found.setdefault(sscc, [])
        if text and not one.fault:
            things.append((one.sscc, one.first, one.end))
    return found


def _packed(document: Document) -> list[Telling]:
    found = []
    for sscc, things in _pairs(document).items():
        emptied = Q(closed_at__lte=document.happened_at)
        was_full = any(
            links.filter(emptied).exists()
            for links in (UnitRange.objects.filter(unit__sscc=sscc), UnitParent.objects.filter(parent__sscc=sscc))
        )
        found.append(Telling("putting_in" if was_full else "packing", tuple(things), sscc))
    return found


def _unpacked(document: Document) -> list[Telling]:
    return [
        Telling("taking_out" if things else "unpacking", tuple(things), sscc)
        for sscc, things in _pairs(document).items()
    ]


def _relabelled(line: Line, at: datetime) -> list[Telling]:
    """Return a new label as what it changes: contents and place go from the old number to the new, the old one ends."""
    old, _blank, new = line.item.partition(" ")
    open_then = Q(opened_at__lte=at) & (Q(closed_at=None) | Q(closed_at__gt=at))
    inside: list[Thing] = [
        (sscc_at(link.child, at), 0, 0)
        for link in UnitParent.objects.filter(open_then, parent=line.unit).select_related("child").order_by("id")
    ]
    inside += [
        ("", int(one.label_range.lower), int(one.label_range.upper))
        for one in UnitRange.objects.filter(open_then, unit=line.unit).order_by("label_range")
    ]
    around = UnitParent.objects.filter(open_then, child=line.unit).select_related("parent").first()
    found = []
    if around is not None:
        outer = sscc_at(around.parent, at)
        found += [Telling("old_label", ((old, 0, 0),), outer), Telling("new_label", ((new, 0, 0),), outer)]
    if inside:
        found += [Telling("old_label", tuple(inside), old), Telling("new_label", tuple(inside), new)]
    return [*found, Telling("relabelled", ((old, 0, 0),))]


def _moved(document: Document, part_of: Callable[[Range], list[Range]], *, kind: Callable[[str], str]) -> list[Telling]:
    """Return what a document moved, by what it led to: what ``part_of`` says of it, a unit by its SSCC where that is all."""
    units = {
        line.unit_id: sscc_at(line.unit, document.happened_at)
        for line in document.lines.filter(unit__isnull=False).select_related("unit")
        if line.unit
    }
    parts: dict[tuple[str, int], list[Range]] = defaultdict(list)
    for move in document.movements.order_by("id"):
        unit = move.unit_id if move.unit_id in units else 0
        parts[kind(move.state), unit or 0].append((int(move.label_range.lower), int(move.label_range.upper)))
    found: dict[str, list[Thing]] = defaultdict(list)
    for (told, unit), ranges in parts.items():
        left = [rest for one in ranges for rest in part_of(one)]
        if unit and left == ranges:
            found[told].append((units[unit], 0, 0))
        else:
            found[told] += [("", *one) for one in (left if unit else merged(left))]
    return [Telling(told, tuple(things)) for told, things in found.items() if things]


def _left(document: Document) -> list[Telling]:
    """Return what left the unit that it was in by what a document did: a case its pallet, a pack its case."""
    at = document.happened_at
    if document.source_id == document.destination_id and document.kind != _Kind.RECEIPT:
        return []
    out: dict[str, list[Thing]] = defaultdict(list)
    units = [line.unit_id for line in document.lines.all() if line.unit_id]
    for link in UnitParent.objects.filter(child_id__in=units, closed_at=at).select_related("child", "parent"):
        out[sscc_at(link.parent, at)].append((sscc_at(link.child, at), 0, 0))
    for move in document.movements.filter(unit=None).order_by("id"):
        met = UnitRange.objects.filter(closed_at=at, label_range__overlap=move.label_range).select_related("unit")
        for one in met.order_by("label_range"):
            first = max(int(one.label_range.lower), int(move.label_range.lower))
            end = min(int(one.label_range.upper), int(move.label_range.upper))
            out[sscc_at(one.unit, at)].append(("", first, end))
    return [Telling("taking_out", tuple(things), sscc) for sscc, things in sorted(out.items())]


def sscc_at(unit: Unit, at: datetime) -> str:
    """Return the SSCC that a unit had at a moment."""
    later = unit.aliases.filter(replaced_at__gt=at).order_by("replaced_at").first()
    return later.sscc if later else unit.sscc


# --- facts -----------------------------------------------------------------------------------------------------------------


def tell_facts(*, at: datetime) -> int:
    """Tell what the sources know and was not told yet; return how many events were written."""
    return sum(_tell_source(import_string(path), at) for path in settings.EVENT_SOURCES)


def _tell_source(source: Source, at: datetime) -> int:
    Told.objects.bulk_create([Told(source=source.name)], ignore_conflicts=True)
    count = 0
    for _page in range(MOST_PAGES):
        with transaction.atomic(durable=True):
            row = Told.objects.select_for_update(skip_locked=True).filter(pk=source.name).first()
            if row is None:  # somebody else is at it
                return count
            facts = source.facts(row.key, PAGE)
            count += _write(facts, at)
            is_last = len(facts) < PAGE
            if facts:
                Told.objects.filter(pk=row.pk).update(key=max(0, facts[-1].key - source.overlap * is_last))
        if is_last:
            break
    return count


def _write(facts: Sequence[Fact], at: datetime) -> int:
    known = set(Event.objects.filter(origin__in=[one.origin for one in facts]).values_list("origin", flat=True))
    waiting: list[Fact] = []
    count = labels = 0
    for fact in [one for one in facts if one.origin not in known]:
        waiting.append(fact)
        labels += min(MOST_EPCS, sum(end - first for first, end in fact.parts))
        if labels >= MOST_AT_ONCE:
            count += _write_some(waiting, at)
            waiting, labels = [], 0
    return count + _write_some(waiting, at)


def _write_some(facts: Sequence[Fact], at: datetime) -> int:
    host = host_of_brand()
    rows = []
    for fact, named in zip(facts, names_of([[("", *part) for part in one.parts] for one in facts]), strict=True):
        place = f"https://{host}/regions/{fact.place}" if fact.place else ""
        made = Made(fact.kind, fact.at, named.epcs, quantities=named.quantities, offset=offset_at(fact.at), place=place)
        event = event_of(made)
        row = row_of(declared_wrong(event, fact.wrong_at) if fact.wrong_at else event, {}, at)
        row.origin, row.applied, row.spans = fact.origin, "told", list(named.spans) or None
        rows.append(row)
    Event.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


# --- what things are called ------------------------------------------------------------------------------------------------

_PIECES = """
SELECT n.place, lower(b.label_range * n.part), upper(b.label_range * n.part), b.gtin_printed
FROM (SELECT place, int8range(first, "end") AS part
      FROM unnest(%(firsts)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS p (first, "end", place)) n
JOIN labels_batch b ON b.label_range && n.part
ORDER BY 1, 2
"""


def names_of(about: Sequence[Sequence[Thing]]) -> list[Named]:
    """Return what each event is about in the words of events; all serials are computed together."""
    ranges = [(place, first, end) for place, things in enumerate(about) for sscc, first, end in things if not sscc]
    pieces: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_PIECES, {"firsts": array(one[1] for one in ranges), "ends": array(one[2] for one in ranges)})
        for number, first, end, gtin in cursor.fetchall():
            pieces[ranges[number - 1][0]].append((first, end, gtin))
    counted = {place for place, some in pieces.items() if sum(end - first for first, end, _ in some) > MOST_EPCS}
    single = [
        label for place, some in pieces.items() if place not in counted for part in some for label in range(*part[:2])
    ]
    serials = dict(zip(single, serials_of(single), strict=True)) if single else {}
    found = []
    for place, things in enumerate(about):
        epcs = [f"{CANONICAL}/00/{sscc}" for sscc, _first, _end in things if sscc]
        if place in counted:
            found.append(Named(tuple(epcs), _classes(pieces[place]), tuple((one[0], one[1]) for one in pieces[place])))
            continue
        for first, end, gtin in pieces[place]:
            epcs += [f"{CANONICAL}/01/{gtin}/21/{serials[label]}" for label in range(first, end)]
        found.append(Named(tuple(epcs), (), ()))
    return found


def _classes(pieces: Iterable[tuple[int, int, str]]) -> tuple[tuple[str, int], ...]:
    """Return how many labels there are of each GTIN and lot, by the class's URI."""
    counts: dict[str, int] = defaultdict(int)
    for first, end, gtin in pieces:
        whole = f"{CANONICAL}/01/{gtin}"
        counts[whole] += end - first
        on_sale = Activation.objects.filter(cancelled_at=None, label_range__overlap=NumericRange(first, end))
        for part, lot in on_sale.exclude(lot="").values_list("label_range", "lot"):
            met = min(end, int(part.upper)) - max(first, int(part.lower))
            counts[f"{whole}/10/{quote(lot, safe='-._~')}"] += met
            counts[whole] -= met
    return tuple(sorted((name, count) for name, count in counts.items() if count))


def parts_of(row: Event) -> int:
    """Return how many events of instances an event is."""
    return -(-sum(end - first for first, end in row.spans) // MOST_EPCS) if row.spans else 1


def part_of(row: Event, place: int) -> dict[str, Any]:
    """Return the ``place``-th of these, from 0. Units that it names by SSCC stay with the first."""
    body: dict[str, Any] = row.body
    if not row.spans:
        return body
    skip, want, things = place * MOST_EPCS, MOST_EPCS, []
    for first, end in row.spans:
        begin = first + min(skip, end - first)
        skip -= begin - first
        until = min(end, begin + want)
        if begin < until:
            things.append(("", begin, until))
            want -= until - begin
    units = [one for name in ("epcList", "childEPCs") for one in body.get(name, [])] if place == 0 else []
    return in_instances(body, [*units, *names_of([things])[0].epcs])


def party_uri(partner: Partner | None, host: str) -> str:
    """Return the URI of a partner, by its GLN where it has one; the brand's is its host."""
    if partner is None:
        return f"https://{host}/"
    return f"{CANONICAL}/417/{partner.gln}" if partner.gln else f"https://{host}/partners/{partner.number}"


def host_of_brand() -> str:
    """Return the brand's own host."""
    return str(connection.tenant.get_primary_domain().domain)


def offset_at(at: datetime) -> str:
    """Return the offset of the brand's zone at a moment: +08:00."""
    text = at.astimezone(ZoneInfo(connection.tenant.time_zone)).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
