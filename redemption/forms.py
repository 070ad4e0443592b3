"""What people type at the web door. Fields keep what was typed; errors stand at the field that is wrong."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channel.queries import partners_by_number
from common.phone import BadPhone, parse_phone
from labels.queries import secrets_have_letters
from redemption.models import ConsumerReport
from redemption.visitor import role_of

_CODE = {"inputmode": "numeric", "autocomplete": "off", "class": "big-in fours", "spellcheck": "false"}
_ONE_TIME = {"inputmode": "numeric", "autocomplete": "one-time-code", "class": "big-in"}
_PARTNER = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}


class PhoneField(forms.CharField):
    """A telephone number, kept as typed and cleaned to E.164."""

    widget = forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "tel"})

    def __init__(self, **kwargs: Any) -> None:
        errors = {"required": _("Enter your phone number.")}
        super().__init__(max_length=40, label=_("Phone number"), error_messages=errors, **kwargs)
        self.widget.input_type = "tel"

    def clean(self, value: Any) -> str:
        """Return E.164, or the empty string if it may be empty."""
        text = super().clean(value)
        if not text:
            return ""
        try:
            return parse_phone(text)
        except BadPhone:
            raise forms.ValidationError(_("That is not a telephone number. Check each digit.")) from None


class OneTimeCodeField(forms.CharField):
    """Six digits from a message."""

    widget = forms.TextInput(attrs=_ONE_TIME)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=16, label=_("One-time code"), **kwargs)


class SignInForm(forms.Form):
    """A phone number and the one-time code that was sent to it; no code yet while it is asked for."""

    phone = PhoneField()
    one_time_code = OneTimeCodeField(required=False)

    def __init__(self, *args: Any, code_needed: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.code_needed = code_needed

    def clean_one_time_code(self) -> str:
        """Ask for the code where it is needed."""
        code: str = self.cleaned_data["one_time_code"]
        if self.code_needed and not code:
            raise forms.ValidationError(_("Enter the one-time code that we sent to this number."))
        return code


class ClaimForm(SignInForm):
    """The code under the scratch layer, who redeems it, and who else earns. Members need no phone and no code."""

    code = forms.CharField(
        max_length=64,
        widget=forms.TextInput(attrs=_CODE),
        error_messages={"required": _("Enter the code that is under the silver panel.")},
    )
    retailer = forms.CharField(
        max_length=20, required=False, label=_("Shop number"), widget=forms.TextInput(attrs=_PARTNER)
    )
    promoter = forms.CharField(
        max_length=20, required=False, label=_("Promoter number"), widget=forms.TextInput(attrs=_PARTNER)
    )
    field_order = ["code", "phone", "one_time_code", "retailer", "promoter"]

    def __init__(self, *args: Any, signed_in: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if secrets_have_letters():
            self.fields["code"].widget.attrs |= {"inputmode": "text", "autocapitalize": "characters"}
        if signed_in:
            self.fields["phone"].required = False
            self.code_needed = False

    def clean(self) -> dict[str, Any]:
        """Say at once which partner number is wrong; redeeming checks them again."""
        values = super().clean() or {}
        named = {
            role: values[role].strip().upper() for role in ("retailer", "promoter") if values.get(role, "").strip()
        }
        found = partners_by_number(list(named.values())) if named else {}
        for role, number in named.items():
            partner = found.get(number)
            if partner is None or role_of(partner) != role:
                self.add_error(role, _("There is no such number. Leave it empty if you are not sure."))
            values[role] = number
        return values


class PointsEntryForm(forms.Form):
    """How many units of weight to enter a draw with."""

    draw = forms.CharField(max_length=26, widget=forms.HiddenInput)
    weight = forms.IntegerField(
        min_value=1,
        max_value=10**6,
        label=_("How many entries"),
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages={"required": _("Say how many."), "invalid": _("Write a whole number.")},
    )


class FreeEntryForm(SignInForm):
    """Who enters a draw without a purchase: a member who is signed in, or a phone with its one-time code."""

    def __init__(self, *args: Any, signed_in: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if signed_in:
            self.fields["phone"].required = False
            self.code_needed = False


class EntryForm(forms.Form):
    """Any number on a label."""

    typed = forms.CharField(
        max_length=300,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "class": "big-in", "spellcheck": "false", "autocapitalize": "characters"}
        ),
        error_messages={"required": _("Type the number that is on the label.")},
    )


class ReportForm(forms.Form):
    """What is wrong with a thing bought."""

    kind = forms.ChoiceField(
        choices=ConsumerReport.Kind.choices, error_messages={"required": _("Choose what is wrong.")}
    )
    label = forms.CharField(
        max_length=40,
        required=False,
        label=_("Number beside the QR code (optional)"),
        widget=forms.TextInput(attrs=_PARTNER),
    )
    bought_at = forms.CharField(max_length=200, required=False, label=_("Where did you buy it? (optional)"))
    note = forms.CharField(max_length=1000, required=False, label=_("What did you see? (optional)"))
    phone = PhoneField(required=False)
