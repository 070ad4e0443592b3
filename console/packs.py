"""Labels named by the case or pallet that they are in: its SSCC typed, scanned, or as its link."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _, gettext_lazy

from channel import packing as channel
from labels import elements, forms as of_labels
from printing import gs1
from printing.models import Run
from printing.runs import NotToRun, Pack, pack_at, pack_of, packs_of, take_ssccs

MOST_PACKS = 500
_LONGEST = 60 * MOST_PACKS


def asked_pack(request: HttpRequest) -> Pack | None:
    """Return the pack that ``?pack=`` names, if its print is not cancelled."""
    text = request.GET.get("pack", "")
    pack = pack_of(text) if text.isascii() else None
    return None if pack is None or pack.run.cancelled_at else pack


def packs_in(text: str) -> list[Pack]:
    """Return the packs that the lines of a text name, each once. Raises ValidationError, which names every wrong line."""
    lines = [line.strip(" \t") for line in re.split(r"[\r\n]+", text) if line.strip(" \t")]
    if len(lines) > MOST_PACKS:
        raise ValidationError(_("Name at most %(most)s at once."), params={"most": MOST_PACKS})
    named = [sscc_in(line) for line in lines]
    known = packs_of([sscc for sscc in named if sscc])
    faults = []
    for place, sscc in enumerate(named, 1):
        if sscc is None:
            faults.append(_("Line %(place)s is no SSCC: compare its 18 digits with the label.") % {"place": place})
        elif sscc not in known:
            faults.append(_("No case or pallet of this brand has the number %(sscc)s.") % {"sscc": sscc})
        elif known[sscc].run.cancelled_at:
            faults.append(_("The print of %(sscc)s was cancelled: its labels are in no case.") % {"sscc": sscc})
    if faults:
        raise ValidationError(faults[:10])
    return list(known.values())


def sscc_in(line: str) -> str | None:
    found = elements.read(line)
    return found.value("00") or next((one.value for one in found.candidates if one.kind == "sscc"), None)


def printed(ssccs: Sequence[str]) -> list[channel.Pack]:
    """Return the packs of SSCCs that a print knows, with all that they lie in and all that lies in those.

    The hook ``PRINTED_PACKS``: what was printed with its contents need not be packed by hand.
    """
    found: dict[str, channel.Pack] = {}
    for pack in packs_of(ssccs).values():
        if pack.run.cancelled_at is None and pack.sscc not in found:
            found |= {one.sscc: one for one in _family(pack)}
    return list(found.values())


def issue() -> str:
    """Return the next SSCC of the brand, never given out before. Raises `NotToRun`. The hook ``SSCC_ISSUER``."""
    prefix = str(connection.tenant.gs1_prefix)
    if not prefix:
        raise NotToRun(_("The brand has no GS1 company prefix: enter it in the settings first."))
    with transaction.atomic():
        return gs1.sscc(take_ssccs(prefix, 1).lower)


def _family(pack: Pack) -> list[channel.Pack]:
    """Return the outermost pack around a pack, and everything in it; each knows the smallest pack that holds it."""
    runs = Run.objects.filter(kind__in=Run.PACKS, batch=pack.run.batch, cancelled_at=None).select_related("batch")
    levels: list[list[Pack]] = [[] for _ in Run.PACKS]
    outer = pack
    for run in sorted(runs, key=_level):
        if _level(run) > _level(outer.run) and run.label_range.lower <= pack.first < run.label_range.upper:
            held = pack_at(run, (pack.first - run.label_range.lower) // (run.per_pack or 1) + 1)
            outer = held if held.first <= outer.first and outer.end <= held.end else outer
    for run in runs:
        if _level(run) <= _level(outer.run):
            levels[_level(run)] += [one for one in _between(run, outer) if outer.first <= one.first < outer.end]
    return [
        channel.Pack(
            sscc=one.sscc,
            kind=one.run.kind,
            first=one.first,
            end=one.end,
            lot=one.run.lot,
            product_id=one.run.batch.product_id if one.run.batch else None,
            parent=_holder(one, levels[place + 1 :]),
            at=one.run.created_at,
        )
        for place, level in enumerate(levels)
        for one in level
        if one.end <= outer.end
    ]


def _level(run: Run) -> int:
    return Run.PACKS.index(run.kind)


def _between(run: Run, outer: Pack) -> list[Pack]:
    """Return the packs of a run that meet the labels of a pack."""
    start, units = run.label_range.lower, run.per_pack or 1
    first = max(1, (outer.first - start) // units + 1)
    last = min(run.count, (outer.end - 1 - start) // units + 1)
    return [pack_at(run, seq) for seq in range(first, last + 1)]


def _holder(pack: Pack, larger: Sequence[Sequence[Pack]]) -> str:
    for level in larger:
        for one in level:
            if one.first <= pack.first and pack.end <= one.end:
                return one.sscc
    return ""


class PackForm(of_labels.RangeForm):
    """What a form of ranges says more: the packs, in place of a batch and what is in it."""

    other_ways: ClassVar[tuple[str, ...]] = ("first", "last", "rolls")

    packs = forms.CharField(
        label=gettext_lazy("Or cases and pallets"),
        max_length=_LONGEST,
        required=False,
        help_text=gettext_lazy("One SSCC a line: scanned, typed, or its link. No batch is needed."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["batch"].required = False

    def clean_packs(self) -> list[Pack]:
        """Read one SSCC a line."""
        return packs_in(self.cleaned_data["packs"])

    def clean(self) -> dict[str, Any]:
        """Take the batch from the packs; refuse packs of several, and labels named in another way too."""
        data = self.cleaned_data
        packs: list[Pack] = data.get("packs") or []
        if packs:
            batches = {pack.run.batch for pack in packs} | ({data["batch"]} if data.get("batch") else set())
            if any(data.get(name) for name in self.other_ways):
                self.add_error("packs", ValidationError(_("Name the labels in one way only.")))
            elif len(batches) > 1:
                numbers = ", ".join(sorted(batch.number for batch in batches if batch))
                self.add_error(
                    "packs",
                    ValidationError(_("These are of several batches: %(numbers)s."), params={"numbers": numbers}),
                )
            data["batch"] = packs[0].run.batch
        return data if "packs" in self.errors else super().clean()

    def _names_otherwise(self, data: dict[str, Any]) -> bool:
        return bool(data.get("packs")) or super()._names_otherwise(data)

    def label_ranges(self) -> list[tuple[int, int]]:
        """Return the half-open ranges of label numbers; of a case and its pallet, what both hold counts once."""
        packs: list[Pack] = self.cleaned_data.get("packs") or []
        found: list[tuple[int, int]] = []
        for first, end in sorted((pack.first, pack.end) for pack in packs):
            if found and first <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], end))
            else:
                found.append((first, end))
        return found or super().label_ranges()


class ActivateForm(PackForm, of_labels.ActivateForm):
    """Labels that go on sale; the lot is the one that stands on the packs."""

    def clean(self) -> dict[str, Any]:
        """Ask for a batch where no pack names it, and refuse another lot than the packs'."""
        data = super().clean()
        if not self.errors and not data.get("batch"):
            self._need(data, "batch")
        lots = sorted({pack.run.lot for pack in data.get("packs") or [] if pack.run.lot})
        if len(lots) > 1 or (lots and data.get("lot") and data["lot"] != lots[0]):
            self.add_error(
                "lot",
                ValidationError(_("These cases and pallets say: lot %(lots)s."), params={"lots": ", ".join(lots)}),
            )
        elif lots:
            data["lot"] = lots[0]
        return data


class BlockForm(PackForm, of_labels.BlockForm):
    """Labels that must not be honoured any more."""

    other_ways = ("first", "last", "rolls", "lot", "code")
