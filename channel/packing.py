"""Packs, cases and pallets: filled, opened, relabelled, and known from a print before anybody touched them.

Documents and answers as in `channel.acts`; so are locks.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q
from django.utils.module_loading import import_string

from channel.chain import merged, without
from channel.items import Item, Target, find, read, units_by_sscc
from channel.leaving import take_out
from channel.models import Document, Line, Unit, UnitAlias, UnitParent, UnitRange
from channel.papers import Answer, Paper, answered_before, check, hash_of, keep, one_at_a_time
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound
from labels.identifiers import check_digit_is_right

_Outcome = Line.Outcome


class BadSscc(Invalid):
    """An SSCC has 18 digits, of which the last is the check digit."""

    code = "bad_sscc"


class SsccUsed(Conflict):
    """Another unit has, or had, that SSCC."""

    code = "sscc_used"


class UnknownUnit(NotFound):
    """There is no such case or pallet."""

    code = "unknown_unit"


class Pack(NamedTuple):
    """A pack with a half-open range of labels in it, or inside another pack; as a print or a line camera knows it."""

    sscc: str
    kind: str
    first: int
    end: int
    at: datetime
    lot: str = ""
    product_id: int | None = None
    parent: str = ""


class Filling(NamedTuple):
    """What goes into a unit: ``text`` as in any line; the unit is made if there is none of that SSCC."""

    sscc: str
    kind: str
    text: str
    lot: str = ""


# --- known from a print ---------------------------------------------------------------------------------------------------


def know(ssccs: Iterable[str]) -> None:
    """Make units of packs that a print knows, for those of the SSCCs that are no units yet. Call it outside transactions."""
    wanted = {sscc for sscc in ssccs if sscc}
    missing = sorted(wanted - units_by_sscc(wanted).keys())
    if not missing or not settings.PRINTED_PACKS:
        return
    printed: Callable[[list[str]], list[Pack]] = import_string(settings.PRINTED_PACKS)
    packs = printed(missing)
    if packs:
        with one_at_a_time():
            take_in(packs)


@inside_transaction
def take_in(packs: Sequence[Pack]) -> list[Unit]:
    """Make units of packs and put them into each other; those that are units already stay as they are.

    A pack whose labels lie in another unit already was packed otherwise than it was printed: it is left out.
    """
    before = units_by_sscc(one.sscc for one in packs)
    inner: dict[str, list[tuple[int, int]]] = {}
    for one in packs:
        if one.parent:
            inner.setdefault(one.parent, []).append((one.first, one.end))
    own = {one.sscc: list(without((one.first, one.end), merged(inner.get(one.sscc, [])))) for one in packs}
    fresh = [one for one in packs if one.sscc not in before and not _lie_elsewhere(own[one.sscc])]
    prefix = _prefix()
    made = [
        Unit(
            sscc=one.sscc,
            kind=one.kind,
            lot=one.lot,
            product_id=one.product_id,
            is_foreign=not one.sscc.startswith(prefix, 1),
            created_at=one.at,
        )
        for one in fresh
    ]
    known = before | {unit.sscc: unit for unit in Unit.objects.bulk_create(made, batch_size=1_000)}
    ranges = [
        UnitRange(unit=known[one.sscc], label_range=NumericRange(*part), opened_at=one.at)
        for one in fresh
        for part in own[one.sscc]
    ]
    UnitRange.objects.bulk_create(ranges, batch_size=1_000)
    links = [
        UnitParent(child=known[one.sscc], parent=known[one.parent], opened_at=one.at)
        for one in fresh
        if one.parent in known
    ]
    UnitParent.objects.bulk_create(links, batch_size=1_000)
    return made


def _lie_elsewhere(parts: Sequence[tuple[int, int]]) -> bool:
    return any(UnitRange.objects.filter(label_range__overlap=NumericRange(*part)).exists() for part in parts)


def number_for(kind: str, number: str) -> str:
    """Return a new SSCC for a document of the brand; for one that was recorded before, the one that it got then.

    Call it outside transactions. Raises what `settings.SSCC_ISSUER` raises.
    """
    before = Line.objects.filter(document__kind=kind, document__issuer=None, document__number=number, place=1).first()
    if before is not None:
        first, _blank, second = before.item.partition(" ")
        return second if kind == Document.Kind.RELABEL else first
    issue: Callable[[], str] = import_string(settings.SSCC_ISSUER)
    return issue()


# --- by hand, or by a camera on the line ----------------------------------------------------------------------------------


def pack(paper: Paper, fillings: Sequence[Filling]) -> Answer:
    """Put labels and units into units, from the paper's moment on.

    A line is refused if it lies in another unit then or later (``in_other_unit``), or would put a unit into one that is
    not larger (``wrong_level``). Raises `BadSscc`, and as `channel.papers`.
    """
    items = [Item(f"{one.sscc} {one.text}"[:300]) for one in fillings]
    check(paper, items)
    if not all(_is_sscc(one.sscc) for one in fillings):
        raise BadSscc
    content_hash = hash_of(paper, items, {"kinds": [[one.kind, one.lot] for one in fillings]})
    lines = read([Item(one.text) for one in fillings])
    know({one.sscc for one in fillings} | {line.sscc for line in lines})
    with one_at_a_time():
        before = answered_before(Document.Kind.PACKING, paper, content_hash)
        if before is not None:
            return before
        units = _units_for(fillings, at=paper.moment)
        targets = find(lines, at=paper.moment)
        rows: list[Line] = []
        filled: set[int] = set()  # by lines above: such a unit goes on a pallet in the same document
        for place, (target, one, item) in enumerate(zip(targets, fillings, items, strict=True), 1):
            unit, child, fault = units[one.sscc], target.unit, target.fault
            if child is not None and fault == "empty" and (not child.is_foreign or child.pk in filled):
                fault = ""  # a unit of ours may be put away before it is filled
            rows.append(_put(_line(place, item.text, child, target.labels, fault), target, unit, paper.moment))
            if rows[-1].outcome != _Outcome.REJECTED:
                filled.add(unit.pk)
        return keep(Document.Kind.PACKING, paper, rows, content_hash=content_hash)


def unpack(paper: Paper, sscc: str, items: Sequence[Item] = ()) -> Answer:
    """Open a unit: everything directly in it, or what the lines name, is no longer in it. Raises `UnknownUnit`."""
    check(paper, items)
    content_hash = hash_of(paper, items, {"sscc": sscc})
    lines = read(items)
    know([sscc])
    with one_at_a_time():
        before = answered_before(Document.Kind.UNPACKING, paper, content_hash)
        if before is not None:
            return before
        unit = units_by_sscc([sscc]).get(sscc)
        if unit is None:
            raise UnknownUnit
        at = paper.moment
        links, ranges = (
            UnitParent.objects.filter(_open_at(at), parent=unit),
            UnitRange.objects.filter(_open_at(at), unit=unit),
        )
        if not items:
            row = _line(1, sscc, unit, sum(one.count for one in ranges), "" if links or ranges else "empty")
            links.update(closed_at=at)
            ranges.update(closed_at=at)
            return keep(Document.Kind.UNPACKING, paper, [row], content_hash=content_hash)
        rows = [_take(place, target, unit, sscc, at) for place, target in enumerate(find(lines, at=at), 1)]
        return keep(Document.Kind.UNPACKING, paper, rows, content_hash=content_hash)


def relabel(paper: Paper, old: str, new: str) -> Answer:
    """Give a unit another SSCC; the old one still finds it. Raises `UnknownUnit`, `BadSscc`, `SsccUsed`."""
    items = [Item(f"{old} {new}"[:300])]
    check(paper, items)
    if not _is_sscc(new):
        raise BadSscc
    content_hash = hash_of(paper, items, {})
    know([old, new])
    with one_at_a_time():
        before = answered_before(Document.Kind.RELABEL, paper, content_hash)
        if before is not None:
            return before
        unit = units_by_sscc([old]).get(old)
        if unit is None:
            raise UnknownUnit
        if units_by_sscc([new]):
            raise SsccUsed
        line = _line(1, f"{unit.sscc} {new}", unit, 0, "")
        answer = keep(Document.Kind.RELABEL, paper, [line], content_hash=content_hash)
        UnitAlias.objects.create(sscc=unit.sscc, unit=unit, replaced_at=paper.moment)
        unit.sscc = new
        unit.save(update_fields=["sscc"])
    return answer


def _put(line: Line, target: Target, unit: Unit, at: datetime) -> Line:
    if line.reason:
        return line
    if target.unit is not None:
        return _put_unit(line, target.unit, unit, at)
    [(first, end)] = target.parts
    labels = NumericRange(first, end)
    met = list(UnitRange.objects.filter(_after(at), label_range__overlap=labels).order_by("label_range"))
    if any(row.unit_id != unit.pk for row in met):
        return _refused(line, "in_other_unit")
    if met and merged((row.label_range.lower, row.label_range.upper) for row in met)[0][:2] == (first, end):
        line.outcome, line.labels = _Outcome.DUPLICATE, 0
        return line
    if met:
        return _refused(line, "in_other_unit")
    UnitRange.objects.create(unit=unit, label_range=labels, opened_at=at)
    return line


def _put_unit(line: Line, child: Unit, parent: Unit, at: datetime) -> Line:
    if Unit.RANK[Unit.Kind(child.kind)] >= Unit.RANK[Unit.Kind(parent.kind)]:
        return _refused(line, "wrong_level")
    met = UnitParent.objects.filter(_after(at), child=child).first()
    if met is not None and met.parent_id == parent.pk and met.opened_at <= at:
        line.outcome, line.labels = _Outcome.DUPLICATE, 0
        return line
    if met is not None:
        return _refused(line, "in_other_unit")
    UnitParent.objects.create(child=child, parent=parent, opened_at=at)
    return line


def _take(place: int, target: Target, unit: Unit, sscc: str, at: datetime) -> Line:
    line = _line(place, f"{sscc} {target.read.item.text}"[:300], target.unit, target.labels, target.fault)
    if target.fault and target.fault != "empty":
        return line
    if target.unit is not None:
        done = UnitParent.objects.filter(_open_at(at), child=target.unit, parent=unit).update(closed_at=at)
        return line if done else _refused(line, "not_inside")
    [(first, end)] = target.parts
    inside = UnitRange.objects.filter(_open_at(at), unit=unit, label_range__overlap=NumericRange(first, end))
    found = merged((row.label_range.lower, row.label_range.upper) for row in inside)
    if not any(low <= first and end <= high for low, high in found):
        return _refused(line, "not_inside")
    take_out([(first, end)], at=at)
    return line


def _units_for(fillings: Sequence[Filling], *, at: datetime) -> dict[str, Unit]:
    found = units_by_sscc(one.sscc for one in fillings)
    prefix = _prefix()
    for one in fillings:
        if one.sscc not in found:
            kind = one.kind if one.kind in Unit.Kind.values else Unit.Kind.CASE
            foreign = not one.sscc.startswith(prefix, 1)
            found[one.sscc] = Unit.objects.create(
                sscc=one.sscc, kind=kind, lot=one.lot[:20], is_foreign=foreign, created_at=at
            )
    return found


def _line(place: int, text: str, unit: Unit | None, labels: int, fault: str) -> Line:
    outcome = _Outcome.REJECTED if fault else _Outcome.ACCEPTED
    return Line(place=place, item=text, unit=unit, labels=0 if fault else labels, outcome=outcome, reason=fault)


def _refused(line: Line, reason: str) -> Line:
    line.outcome, line.reason, line.labels = _Outcome.REJECTED, reason, 0
    return line


def _is_sscc(text: str) -> bool:
    return len(text) == 18 and text.isascii() and text.isdecimal() and check_digit_is_right(text)


def _prefix() -> str:
    return str(connection.tenant.gs1_prefix) or "-"


def _open_at(at: datetime) -> Q:
    return Q(opened_at__lte=at) & (Q(closed_at=None) | Q(closed_at__gt=at))


def _after(at: datetime) -> Q:
    return Q(closed_at=None) | Q(closed_at__gt=at)
