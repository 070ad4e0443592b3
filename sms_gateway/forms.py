"""Forms of the messages' pages."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

MILLIONTHS = 1_000_000
LANGUAGES = (("zh-hans", _("Chinese")), ("en", _("English")))


class BudgetForm(forms.Form):
    """A limit a day, in the currency."""

    per_day = forms.DecimalField(
        label=_("Limit a day"), min_value=Decimal(0), max_value=Decimal(10_000_000), decimal_places=2, max_digits=10
    )

    @property
    def millionths(self) -> int:
        """The limit as it is kept."""
        return int(self.cleaned_data["per_day"] * MILLIONTHS)


class NumberForm(forms.Form):
    """How a number is used."""

    first = forms.ChoiceField(label=_("First language"), choices=LANGUAGES)
    second = forms.ChoiceField(
        label=_("Second language"),
        choices=(("", _("none")), *LANGUAGES),
        required=False,
        help_text=_("Callers of a line with two languages are asked once which they want."),
    )
    preference = forms.IntegerField(
        label=_("Order"),
        min_value=1,
        max_value=99,
        help_text=_("Messages leave by the number with the lowest order that works."),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse one language twice."""
        cleaned = super().clean() or {}
        if cleaned.get("second") and cleaned.get("second") == cleaned.get("first"):
            self.add_error("second", _("Choose another language, or none."))
        return cleaned

    @property
    def languages(self) -> list[str]:
        """The languages, the first one first."""
        return [one for one in (self.cleaned_data["first"], self.cleaned_data["second"]) if one]
