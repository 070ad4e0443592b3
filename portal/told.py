"""The answer to each line of a document, in words for the partner who sent it: never whose the goods are instead."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.utils.translation import get_language, gettext as _, pgettext

from channel.items import Item, read, units_by_sscc
from channel.models import Line, Unit
from channel.papers import LineAnswer
from common.db import array

_PRODUCTS = """
SELECT n.place, p.name, p.name_zh FROM unnest(%(firsts)s::bigint[]) WITH ORDINALITY AS n (first, place)
JOIN labels_batch b ON b.label_range @> n.first JOIN labels_product p ON p.id = b.product_id
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One line. ``look``: ok, wait (nothing changes by it) or no; ``kind``: case, pallet, inner, label or ""."""

    item: str
    shown: str
    look: str
    outcome: str
    reason: str
    said: str
    kind: str
    labels: int
    product: str
    condition: str


def told(lines: Sequence[LineAnswer], *, act: str) -> list[Told]:
    """Return answers in words, in order. What was refused is named as it was given, and by nothing else."""
    known = read([Item(line.item) for line in lines])
    units = units_by_sscc(one.sscc for one in known if one.sscc)
    firsts = {one.first for one in known if one.first}
    products = _products(sorted(firsts))
    found = []
    for line, one in zip(lines, known, strict=True):
        mine = line.outcome != Line.Outcome.REJECTED
        unit = units.get(one.sscc) if mine else None
        kind = "label" if not one.sscc else (unit.kind if unit else "case") if one.sscc else ""
        product = _name(unit) if unit else products.get(one.first, "") if mine else ""
        found.append(
            Told(
                item=line.item,
                shown=shown(one.sscc) if one.sscc else line.item,
                look={"ACCEPTED": "ok", "DUPLICATE": "wait"}.get(line.outcome, "no"),
                outcome=line.outcome,
                reason=line.reason,
                said=words(line.outcome, line.reason, act=act),
                kind="" if one.fault and not one.sscc else kind,
                labels=line.labels if mine else 0,
                product=product,
                condition=line.condition,
            )
        )
    return found


def as_json(lines: Sequence[Told]) -> list[dict[str, Any]]:
    """Return lines as JSON."""
    return [asdict(line) for line in lines]


def words(outcome: str, reason: str, *, act: str) -> str:
    """Return why a line changes nothing, or is refused; nothing for one that is accepted."""
    if outcome == Line.Outcome.ACCEPTED:
        return ""
    if outcome == Line.Outcome.DUPLICATE:
        return {
            "ship": _("This was shipped to them already."),
            "receive": _("This was received already."),
        }.get(act, _("This was sent already."))
    texts = {
        "held_by_other": _("Not in your stock: a return or a transfer comes first.")
        if act != "receive"
        else _("This was not sent to you. If it is here nevertheless, take it in as extra."),
        "not_shipped": _("This was not sent to you. If it is here nevertheless, take it in as extra."),
        "received_already": _("This was received already."),
        "missing": _("This was reported missing. Receive it first."),
        "not_inspected": _("This was returned, or is damaged, and must be inspected first."),
        "blocked": _("This is blocked. Set it aside, and ask the brand."),
        "moved_later": _("This was moved on since."),
        "unknown": _("We do not know this number. Compare it with the label."),
        "not_a_code": _("This is no number of a case or a label."),
        "empty": _("Nothing is in this case by our records. Ask the brand."),
        "bad_range": _("These labels do not follow each other. Scan them one by one."),
    }
    return texts.get(reason, _("This cannot be done with these goods now. Ask the brand."))


def shown(sscc: str) -> str:
    """Write an SSCC in groups that people can compare."""
    return " ".join((sscc[0], sscc[1:8], sscc[8:13], sscc[13:17], sscc[17:]))


def kind_word(kind: str) -> str:
    """Return what a unit is called."""
    return {
        "case": pgettext("carton", "Case"),
        "pallet": _("Pallet"),
        "inner": _("Inner pack"),
        "label": _("Label"),
    }.get(kind, "")


def _name(unit: Unit) -> str:
    return _named(unit.product.name, unit.product.name_zh) if unit.product else ""


def _named(name: str, name_zh: str) -> str:
    return (name_zh if (get_language() or "").startswith("zh") else name) or name


def _products(firsts: Sequence[int]) -> dict[int, str]:
    if not firsts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS, {"firsts": array(list(firsts))})
        return {firsts[place - 1]: _named(name, name_zh) for place, name, name_zh in cursor.fetchall()}
