"""Forms of the partners' pages and of goods."""

from typing import Any

from django import forms
from django.utils.translation import get_language, gettext_lazy as _, pgettext_lazy

from channel.items import Item, read
from channel.models import Partner, ProductLine, Unit
from common.geo import provinces_of_china
from labels.models import Product


def _regions() -> list[tuple[str, str]]:
    chinese = (get_language() or "").startswith("zh")
    names = [(region.code, region.name_zh if chinese else region.name_en) for region in provinces_of_china()]
    return [("", "–"), *names]


class EditForm(forms.Form):
    """What may change about a partner."""

    name = forms.CharField(label=_("Name in English"), max_length=80)
    name_zh = forms.CharField(
        label=_("Name in Chinese"), max_length=40, required=False, help_text=_("Shown to readers of Chinese.")
    )
    region = forms.ChoiceField(label=_("Region"), choices=_regions, required=False)


class ChangeForm(EditForm):
    """All that may change about a partner who is there already."""

    parent = forms.CharField(
        label=_("Partner above"), max_length=12, required=False, help_text=_("The number of who supplies this partner.")
    )
    gln = forms.CharField(label=_("GLN"), max_length=13, required=False, help_text=_("13 digits, if it has one."))
    sells_online = forms.BooleanField(label=_("May sell online, all over the country"), required=False)


class _DaysForm(forms.Form):
    valid_from = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    valid_to = forms.DateField(
        label=_("Last day"),
        required=False,
        help_text=_("Empty: until it is ended."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class TerritoryDaysForm(_DaysForm):
    """From when to when a territory is a partner's."""

    is_shared = forms.BooleanField(label=_("Shared with others"), required=False)


class LineForm(forms.Form):
    """A product line and what belongs to it."""

    name = forms.CharField(label=_("Name in English"), max_length=80)
    name_zh = forms.CharField(
        label=_("Name in Chinese"), max_length=40, required=False, help_text=_("Shown to readers of Chinese.")
    )
    products = forms.ModelMultipleChoiceField(
        label=_("Products"),
        queryset=Product.objects.order_by("name", "pk"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class _PaperForm(forms.Form):
    """What every document of goods says. The number that is proposed makes sending the form twice harmless."""

    number = forms.CharField(label=_("Number of the document"), max_length=80)
    happened_at = forms.DateTimeField(
        label=_("When"),
        required=False,
        help_text=_("Empty: now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    reason = forms.CharField(label=_("Note"), max_length=300, required=False)


class _Sscc(forms.CharField):
    def __init__(self, **values: Any) -> None:
        super().__init__(
            max_length=300,
            widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
            **values,
        )

    def clean(self, value: Any) -> str:
        """Read 18 digits, a link or what a scanner sends."""
        text = super().clean(value)
        if not text:
            return ""
        [found] = read([Item(text)])
        if not found.sscc:
            raise forms.ValidationError(_("That is no SSCC: 18 digits, of which the last is the check digit."))
        return found.sscc


def _lines(**values: Any) -> forms.CharField:
    return forms.CharField(
        max_length=600_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "id", "autocomplete": "off", "spellcheck": "false"}),
        **values,
    )


class PackForm(_PaperForm):
    """What was put into a case or on a pallet."""

    kind = forms.ChoiceField(label=_("What is filled"), choices=Unit.Kind.choices, initial=Unit.Kind.CASE)
    sscc = _Sscc(
        label="SSCC",
        required=False,
        help_text=_("Of a unit that has one, ours or another company's. Empty: a new number is given out."),
    )
    lot = forms.CharField(label=_("Lot"), max_length=20, required=False)
    items = _lines(
        label=_("What goes in"), help_text=_("One a line: an SSCC, a link, a serial, or two serials with .. between.")
    )

    field_order = ["kind", "sscc", "lot", "items", "number", "happened_at", "reason"]


class PackingListForm(_PaperForm):
    """Many units at once, as a line camera or a packer's own system writes them down."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_(
            "Columns: unit (an SSCC) and item (an SSCC, a link, a serial, or two serials with .. between); kind (inner,"
            " case or pallet; case, if it is left out) and lot, if you like. One line for each thing that went in, 5,000"
            " at most."
        ),
    )

    field_order = ["file", "number", "happened_at", "reason"]


class RecallForm(_PaperForm):
    """Goods that are called back."""

    items = _lines(
        label=_("What is called back"),
        help_text=_(
            "One a line: an SSCC, a link, a serial, or two serials with .. between. A unit takes along every label that"
            " ever was in it."
        ),
    )
    happened_at = None  # type: ignore[assignment]  # a recall counts from now

    field_order = ["items", "number", "reason"]


class OpenForm(_PaperForm):
    """What was taken out of a unit."""

    items = _lines(
        label=_("What is taken out"),
        required=False,
        help_text=_("One a line, as when packing. Empty: the unit is opened, and nothing is in it any more."),
    )

    field_order = ["items", "number", "happened_at", "reason"]


class RelabelForm(_PaperForm):
    """The number of a unit's new label."""

    sscc = _Sscc(
        label=_("New SSCC"), required=False, help_text=_("As on the new label. Empty: a new number is given out.")
    )

    field_order = ["sscc", "number", "happened_at", "reason"]


class TerritoryForm(_DaysForm):
    """A region for a partner."""

    region = forms.CharField(
        label=_("Region"), max_length=20, help_text=_("Its code, as on the page of regions: CN-GD or CN-440100.")
    )
    line = forms.ModelChoiceField(
        label=_("Product line"), queryset=ProductLine.objects.order_by("name"), required=False, empty_label=_("all")
    )
    is_shared = forms.BooleanField(label=_("Shared with others"), required=False)

    field_order = ["region", "line", "valid_from", "valid_to", "is_shared"]


class ContractForm(_DaysForm):
    """A contract with a partner."""

    number = forms.CharField(label=_("Number"), max_length=60)
    note = forms.CharField(label=_("Note"), max_length=300, required=False)

    field_order = ["number", "valid_from", "valid_to", "note"]


class GoodsForm(_PaperForm):
    """A document of goods, typed, pasted, scanned or uploaded."""

    ACTS = (
        ("ship", _("Ship to the partner")),
        ("receive", _("The partner has received")),
        ("return", _("The partner gives back")),
        ("transfer", _("A transfer between two partners: propose it")),
        ("release", _("Returned goods: release again")),
        ("destroy", _("Returned goods: destroy")),
        ("steal", _("Stolen")),
    )
    act = forms.ChoiceField(label=_("What happened"), choices=ACTS)
    partner = forms.CharField(
        label=_("Partner"), max_length=12, required=False, help_text=_("The number; not needed for a theft.")
    )
    giver = forms.CharField(
        label=_("Partner that gives"),
        max_length=12,
        required=False,
        help_text=_("For a transfer alone. The goods change hands once both partners have agreed in the portal."),
    )
    items = forms.CharField(
        label=pgettext_lazy("goods", "Lines"),
        max_length=600_000,
        required=False,
        help_text=_(
            "One a line: an SSCC, a link, a serial, or two serials with .. between. Behind a comma: how it arrived."
        ),
        widget=forms.Textarea(attrs={"rows": 6, "class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )
    file = forms.FileField(label=_("Or a CSV file"), required=False, help_text=_("Columns: item, condition."))

    field_order = ["act", "partner", "giver", "number", "happened_at", "reason", "items", "file"]


class NewForm(EditForm):
    """A new partner."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Partner.Kind.choices, initial=Partner.Kind.RETAILER)

    field_order = ["kind", "name", "name_zh", "region"]
