"""The form of the brand's look and names."""

import re
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from brands.logo import BadLogo, check_logo
from brands.models import Brand
from brands.theme import contrast

LEAST_CONTRAST = 4.5
_HEX = RegexValidator(re.compile(r"^#[0-9a-fA-F]{6}\Z"), _("Give the colour as # and six hexadecimal digits."))


def _colour(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label, validators=[_HEX], widget=forms.TextInput(attrs={"type": "color"}), help_text=help_text
    )


class BrandForm(forms.Form):
    """What a brand may change about itself."""

    name = forms.CharField(label=_("Name in English"), max_length=60)
    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=30)
    short_name = forms.CharField(
        label=_("Name in messages, English"), max_length=18, help_text=_("Starts each text message.")
    )
    short_name_zh = forms.CharField(label=_("Name in messages, Chinese"), max_length=8)
    hotline = forms.CharField(label=_("Hotline"), max_length=16, help_text=_("Said wherever something is wrong."))
    filing_no = forms.CharField(label=_("Filing number"), max_length=40, required=False)
    gs1_prefix = forms.RegexField(
        r"^[0-9]{4,10}$",
        label=_("GS1 company prefix"),
        max_length=10,
        required=False,
        strip=True,
        help_text=_("4 to 10 digits, from GS1: cases and pallets are numbered (SSCC) with it."),
        error_messages={"invalid": _("A GS1 company prefix has 4 to 10 digits.")},
    )
    default_language = forms.ChoiceField(label=_("Default language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(
        label=_("Time zone"), choices=[(name, name) for name in sorted(available_timezones()) if "/" in name]
    )
    colour = _colour(_("Brand colour"), _("Logo, actions, links and the points card; never a verdict."))
    on_colour = _colour(_("Text on the brand colour"), _("A contrast of at least 4.5 : 1 is required."))
    activation_requires = forms.ChoiceField(
        label=_("Labels may go on sale"),
        choices=Brand.ActivationRequires.choices,
        help_text=_("What must have happened to labels before they are put on sale. For owners."),
    )
    activation_limit = forms.IntegerField(
        label=_("Labels that one person may put on sale at once"),
        required=False,
        min_value=1,
        help_text=_("Above it another person has to approve. Empty: no limit. For owners."),
    )
    claim_limit = forms.IntegerField(
        label=_("Prize above which two persons approve a claim"),
        min_value=0,
        max_value=10**12,
        help_text=_("Market price in fen, cents or the like. 0: always two persons."),
    )
    logo_svg = forms.CharField(
        label=_("Logo (SVG)"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "id"}),
        help_text=_("Paste the text of an SVG file: shapes only, no scripts, no links. Empty: the first letter."),
    )

    def __init__(self, *args: Any, owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("activation_requires", "activation_limit", "claim_limit"):
            self.fields[name].disabled = not owner

    def clean_logo_svg(self) -> str:
        """Refuse what is more than a picture."""
        text: str = self.cleaned_data["logo_svg"].strip()
        try:
            check_logo(text)
        except BadLogo as error:
            raise forms.ValidationError(error.detail) from None
        return text

    def clean(self) -> dict[str, Any]:
        """Refuse colours on which the words cannot be read."""
        data = super().clean() or {}
        if "colour" in data and "on_colour" in data:
            ratio = contrast(data["colour"], data["on_colour"])
            if ratio < LEAST_CONTRAST:
                text = _("The contrast is %(ratio).1f : 1; people with weak eyes need at least 4.5 : 1.")
                self.add_error("on_colour", forms.ValidationError(text, params={"ratio": ratio}))
        return data
