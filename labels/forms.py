"""The forms of products, orders, activations and blocks. Places in a batch count from 1; label numbers stay inside."""

import re
import uuid
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.money import DECIMALS, major_of, minor_of
from labels.codes.forms import B12, N16, N20
from labels.models import Batch, Block, Product
from labels.queries import Typed, resolve_many
from labels.services import LEAST_ROLL, MAX_ORDER, MAX_ROLL, merged

# What the wizard offers, and a published example of each (docs/algorithms/codes.md).
OFFERED = {
    N16.name: (_("16 digits"), _("web, SMS and telephone"), "3904 2590 3095 9168"),
    N20.name: (_("20 digits"), _("shared numbers, valuable prizes"), "04298 50379 41771 90737"),
    B12.name: (_("12 letters and digits"), _("web only, small print"), "319K DNYH 6XYZ"),
}


class _Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class _BatchField(forms.ModelChoiceField):
    """A batch by its public id, named with what people know it by."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\x00", "") if isinstance(value, str) else value)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.number} · {obj.product.display_name} · {obj.count:,}"


class ProductForm(forms.Form):
    """A product and its names. The GTIN is asked once."""

    gtin = forms.CharField(label=_("GTIN"), max_length=20, help_text=_("8, 12, 13 or 14 digits, as on the pack."))
    sku = forms.CharField(label=_("Article number"), max_length=40, required=False)
    name = forms.CharField(label=_("Name in English"), max_length=80)
    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=40)
    description = forms.CharField(
        label=_("Description in English"), max_length=600, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    description_zh = forms.CharField(
        label=_("Description in Chinese"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    margin = forms.DecimalField(
        label=_("Margin a unit"),
        min_value=0,
        max_digits=12,
        decimal_places=2,
        required=False,
        help_text=_("What is lost with each unit that is sold in the wrong place. It orders the list of findings."),
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=[(one, one) for one in DECIMALS], required=False)
    is_active = forms.BooleanField(
        label=_("In use"), required=False, initial=True, help_text=_("A product not in use is not offered in forms.")
    )

    def __init__(self, *args: Any, product: Product | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["gtin" if product else "is_active"]
        if product and product.margin is not None:
            self.initial["margin"] = major_of(product.margin, product.currency)
            self.initial["currency"] = product.currency

    def clean(self) -> dict[str, Any]:
        """Take the margin in minor units; without one there is no currency."""
        data = self.cleaned_data
        margin, currency = data.get("margin"), data.get("currency")
        if margin is None:
            data["currency"] = ""
        elif currency:
            data["margin"] = minor_of(margin, currency)
        elif "currency" not in self.errors:
            self.add_error("currency", _("Say in which currency."))
        return data


class OrderForm(forms.Form):
    """An order of labels."""

    order_key = forms.CharField(widget=forms.HiddenInput, max_length=100)
    product = forms.ModelChoiceField(
        label=_("Product"), queryset=Product.objects.none(), empty_label=_("choose a product")
    )
    count = forms.IntegerField(
        label=_("Labels"), min_value=1, max_value=MAX_ORDER, help_text=_("From 1 to 200,000,000.")
    )
    secret_form = forms.ChoiceField(
        label=_("Hidden code"), choices=[(name, offer[0]) for name, offer in OFFERED.items()], initial=N16.name
    )
    roll_labels = forms.IntegerField(
        label=_("Labels of a roll"),
        min_value=LEAST_ROLL,
        max_value=MAX_ROLL,
        required=False,
        help_text=_("For a press: one file a roll, usually 10,000. Empty: no press prints this batch."),
    )
    test_series = forms.BooleanField(
        label=_("Test series"),
        required=False,
        help_text=_("For proofs and trials: the codes work in test mode only."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, "product", Product.objects.filter(is_active=True).order_by("name"))
        self.initial.setdefault("order_key", uuid.uuid4().hex)


class RangeForm(forms.Form):
    """Some labels of one batch: by their places, or by whole rolls."""

    batch = _BatchField(
        label=_("Batch"), queryset=Batch.objects.none(), to_field_name="public_id", empty_label=_("choose a batch")
    )
    first = forms.IntegerField(label=_("From label"), min_value=1, max_value=MAX_ORDER, required=False)
    last = forms.IntegerField(
        label=_("To label"),
        min_value=1,
        max_value=MAX_ORDER,
        required=False,
        help_text=_("Labels are counted from 1 in each batch."),
    )
    rolls = forms.CharField(
        label=_("Or whole rolls"), max_length=2_000, required=False, help_text=_("For example 1–5, 8.")
    )

    def clean_rolls(self) -> list[tuple[int, int]]:
        """Read rolls and ranges of rolls."""
        return _lines(self.cleaned_data["rolls"])

    def clean(self) -> dict[str, Any]:
        """Refuse labels and rolls that the batch does not have, and both or neither."""
        data = super().clean() or {}
        batch, first, last, rolls = (data.get(name) for name in ("batch", "first", "last", "rolls"))
        if rolls:
            if first or last:
                self.add_error("rolls", ValidationError(_("Name labels or rolls, not both.")))
            elif batch and self._of_rolls(batch, rolls) is None:
                self.add_error("rolls", ValidationError(_("This batch does not have all of these rolls.")))
        elif not self.errors and not self._names_otherwise(data):
            self._need(data, "first", "last")
        if first and last and last < first:
            self.add_error("last", ValidationError(_("The last label comes before the first.")))
        elif batch and last and last > batch.count:
            self.add_error(
                "last", ValidationError(_("This batch has %(count)s labels.") % {"count": f"{batch.count:,}"})
            )
        return data

    def _need(self, data: dict[str, Any], *names: str) -> None:
        for name in names:
            if not data.get(name):
                self.add_error(name, ValidationError(self.fields[name].error_messages["required"], code="required"))

    def _names_otherwise(self, data: dict[str, Any]) -> bool:
        """Return whether the labels are named by something else that a form of this kind knows."""
        return False

    @staticmethod
    def _of_rolls(batch: Batch, numbers: list[tuple[int, int]]) -> list[tuple[int, int]] | None:
        """Return the labels of rolls, None if the batch does not have them all."""
        found: list[tuple[int, int]] = []
        for first, last in numbers:
            some = list(batch.rolls.filter(number__gte=first, number__lte=last).values_list("label_range", flat=True))
            if first > last or len(some) != last - first + 1:
                return None
            found += [(int(part.lower), int(part.upper)) for part in some]
        return merged(sorted(set(found)))

    def label_range(self) -> tuple[int, int] | None:
        """Return the half-open range of label numbers, or None where the places are not right."""
        data = self.cleaned_data
        batch, first, last = data.get("batch"), data.get("first"), data.get("last")
        if not (batch and first and last and first <= last <= batch.count):
            return None
        start = batch.label_range.lower
        return start + first - 1, start + last

    def label_ranges(self) -> list[tuple[int, int]]:
        """Return the half-open ranges of label numbers, none where that is not said rightly."""
        batch, rolls = self.cleaned_data.get("batch"), self.cleaned_data.get("rolls")
        if batch and rolls:
            return self._of_rolls(batch, rolls) or []
        found = self.label_range()
        return [found] if found else []


class ReceiveForm(forms.Form):
    """What came back from the press on one roll."""

    good = forms.IntegerField(label=_("Good labels"), min_value=0, max_value=MAX_ROLL)
    spoiled = forms.CharField(
        label=_("Spoiled lines"),
        max_length=5_000,
        required=False,
        help_text=_("Lines of the file, for example 17, 120–160."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    missing = forms.CharField(
        label=_("Missing lines"),
        max_length=5_000,
        required=False,
        help_text=_("What did not come: void for ever from now on."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    samples = forms.CharField(
        label=_("Serials read as a sample"),
        max_length=2_000,
        required=False,
        help_text=_("One a line: each must be a good label of this roll."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    document = forms.CharField(label=_("Delivery note"), max_length=60, required=False)

    def clean_spoiled(self) -> list[tuple[int, int]]:
        """Read lines and ranges of lines."""
        return _lines(self.cleaned_data["spoiled"])

    def clean_missing(self) -> list[tuple[int, int]]:
        """Read lines and ranges of lines."""
        return _lines(self.cleaned_data["missing"])

    def clean_samples(self) -> list[str]:
        """Read one serial a line."""
        return [line.strip() for line in self.cleaned_data["samples"].splitlines() if line.strip()]


_PART = re.compile(r"([0-9]{1,6})(?:[-–—]([0-9]{1,6}))?")  # people type any dash


def _lines(text: str) -> list[tuple[int, int]]:
    """Return "17, 120–160" as first and last lines. Raises ValidationError."""
    found = []
    for word in re.sub(r"\s*([-–—])\s*", r"\1", text).replace(",", " ").replace("，", " ").split():
        part = _PART.fullmatch(word)
        if part is None:
            raise ValidationError(_("“%(word)s” is neither a line nor a range of lines."), params={"word": word[:30]})
        found.append((int(part[1]), int(part[2] or part[1])))
    return found


class ActivateForm(RangeForm):
    """Labels that go on sale."""

    lot = forms.CharField(label=_("Lot"), max_length=20, required=False)
    expires_on = forms.DateField(label=_("Best before"), widget=_Day(), required=False)
    market = forms.CharField(label=_("Market"), max_length=20, required=False, help_text=_("For example CN-53."))
    valid_until = forms.DateField(
        label=_("Codes earn until"), widget=_Day(), required=False, help_text=_("Empty: without end.")
    )
    document = forms.CharField(
        label=_("Document"), max_length=60, required=False, help_text=_("Delivery note or order.")
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today
        states = (Batch.State.GENERATED, Batch.State.HANDED_OVER, Batch.State.RECEIVED, Batch.State.ACTIVE)
        _offer(
            self,
            "batch",
            Batch.objects.filter(state__in=states).select_related("product").order_by("-created_at", "-id"),
        )

    def clean_valid_until(self) -> date | None:
        """Refuse a day that is over."""
        day: date | None = self.cleaned_data["valid_until"]
        if day is not None and day < self._today:
            raise ValidationError(_("This day is over."))
        return day


class BlockForm(RangeForm):
    """Labels that must not be honoured any more: of a range, of rolls, of a lot in a batch, or the one of a code."""

    lot = forms.CharField(
        label=_("Or a lot"), max_length=20, required=False, help_text=_("What is on sale of it in this batch.")
    )
    code = forms.CharField(
        label=_("Or one label"),
        max_length=60,
        required=False,
        help_text=_("Its serial or hidden code; no batch is needed."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Block.Reason.choices)
    spares_redeemed = forms.TypedChoiceField(
        label=_("Labels already redeemed"),
        choices=[("", _("as usual for the reason")), ("yes", _("are spared")), ("no", _("are blocked as well"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        required=False,
    )
    note = forms.CharField(
        label=_("Note for colleagues"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, "batch", Batch.objects.select_related("product").order_by("-created_at", "-id"))
        self.fields["batch"].required = False

    def _names_otherwise(self, data: dict[str, Any]) -> bool:
        return bool(data.get("code") or data.get("lot"))

    def clean(self) -> dict[str, Any]:
        """Ask for a batch unless a code says which, and for one way of naming labels alone."""
        data = super().clean()
        ways = [name for name in ("code", "lot", "rolls") if data.get(name)] + (["first"] if data.get("first") else [])
        if len(ways) > 1:
            self.add_error(ways[0], ValidationError(_("Name the labels in one way only.")))
        if not data.get("code") and not data.get("batch") and "batch" not in self.errors:
            self._need(data, "batch")
        if ways and not self.errors and not self.label_ranges():
            text = _("No label of this brand has that number.") if ways[0] == "code" else _("Nothing is there.")
            self.add_error(ways[0], ValidationError(text))
        return data

    def label_ranges(self) -> list[tuple[int, int]]:
        """Return the half-open ranges of label numbers that the code, the lot, the rolls or the places name."""
        data = self.cleaned_data
        if data.get("code"):
            found = resolve_many([Typed(data["code"], "serial"), Typed(data["code"], "secret")])
            known = {one.label_no for one in found if one.label_no is not None}
            return [(label_no, label_no + 1) for label_no in sorted(known)[:1]]
        if data.get("lot") and data.get("batch"):
            of_lot = data["batch"].activations.filter(cancelled_at=None, lot=data["lot"])
            parts = of_lot.values_list("label_range", flat=True)
            return merged([(int(part.lower), int(part.upper)) for part in parts])
        return super().label_ranges()

    def batch_of(self) -> Batch | None:
        """Return the batch that is meant."""
        batch: Batch | None = self.cleaned_data.get("batch")
        ranges = self.label_ranges()
        return batch or (Batch.objects.filter(label_range__contains=ranges[0][0]).first() if ranges else None)


def _offer(form: forms.Form, name: str, queryset: Any) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
    field.queryset = queryset
