"""The forms of recalls, and of binding labels anew."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labels.forms import ActivateForm, RangeForm
from labels.models import Batch, Product
from labels.recalls import Scope


class RecallForm(RangeForm):
    """A product, a product's lot, or a range of a batch."""

    OF_LOT, OF_PRODUCT, OF_RANGE = "lot", "product", "range"
    field_order = ("of", "product", "lot", "batch", "first", "last", "note")

    of = forms.ChoiceField(
        label=_("Recall"),
        choices=[
            (OF_LOT, _("a lot of a product")),
            (OF_PRODUCT, _("a product with all its lots")),
            (OF_RANGE, _("a range of labels")),
        ],
        initial=OF_LOT,
    )
    product = forms.ModelChoiceField(
        label=_("Product"), queryset=Product.objects.none(), empty_label=_("choose a product"), required=False
    )
    lot = forms.CharField(label=_("Lot"), max_length=20, required=False)
    note = forms.CharField(
        label=_("Note for colleagues"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["rolls"]
        self.fields["batch"].required = False
        self._offer("product", Product.objects.order_by("name"))
        self._offer("batch", Batch.objects.select_related("product").order_by("-created_at", "-id"))

    def _offer(self, name: str, queryset: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = queryset

    def _names_otherwise(self, data: dict[str, Any]) -> bool:
        return data.get("of") != self.OF_RANGE

    def clean(self) -> dict[str, Any]:
        """Ask for what the kind of recall needs."""
        data = super().clean()
        needed = {
            self.OF_LOT: ("product", "lot"),
            self.OF_PRODUCT: ("product",),
            self.OF_RANGE: ("batch", "first", "last"),
        }
        for name in needed.get(data.get("of", ""), ()):
            if not data.get(name) and name not in self.errors:
                self.add_error(name, forms.ValidationError(_("This is needed for such a recall."), code="required"))
        return data

    def scope(self) -> Scope | None:
        """Return what is to be recalled, or None where that is not said completely."""
        data = self.cleaned_data
        of, product, lot = data.get("of"), data.get("product"), data.get("lot", "")
        if of == self.OF_RANGE:
            found = self.label_range()
            return Scope(label_range=found) if found else None
        if product is None or (of == self.OF_LOT and not lot):
            return None
        return Scope(product=product, lot=lot if of == self.OF_LOT else "")


class RebindForm(ActivateForm):
    """Labels on sale that are bound to another lot, date or market."""

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, today=today, **kwargs)
        del self.fields["rolls"]
        field = self.fields["batch"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = (
            Batch.objects.filter(state=Batch.State.ACTIVE).select_related("product").order_by("-created_at", "-id")
        )
