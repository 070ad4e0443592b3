"""Forms of the partners' pages."""

from django import forms
from django.utils.translation import get_language, gettext_lazy as _

from channel.models import Partner
from common.geo import provinces_of_china


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


class NewForm(EditForm):
    """A new partner."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Partner.Kind.choices, initial=Partner.Kind.RETAILER)

    field_order = ["kind", "name", "name_zh", "region"]
