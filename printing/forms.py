"""The forms of presses, of requests to print, and of acknowledgements."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from printing.models import Press, PrintJob


class PressForm(forms.Form):
    """A press and its key."""

    name = forms.CharField(label=_("Name"), max_length=60)
    recipient = forms.CharField(
        label=_("Key (age recipient)"),
        max_length=100,
        help_text=_("Begins with age1. The press makes it with age-keygen and keeps the other half."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )


class PrintForm(forms.Form):
    """Rolls of a batch for a press."""

    first_roll = forms.IntegerField(label=_("From roll"), min_value=1)
    last_roll = forms.IntegerField(label=_("To roll"), min_value=1)
    press = forms.ModelChoiceField(
        label=_("Press"), queryset=Press.objects.none(), empty_label=_("choose a press"),
        help_text=_("Presses whose key has been checked by telephone."),
    )  # fmt: skip
    output = forms.ChoiceField(label=_("File"), choices=PrintJob.Output.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["press"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = Press.objects.filter(is_active=True, checked_at__isnull=False).order_by("name")


class HashForm(forms.Form):
    """What the press computed from the file it decrypted."""

    plain_hash = forms.CharField(
        label=_("SHA-256 of the decrypted file"),
        max_length=100,
        help_text=_("64 hexadecimal digits, as the press reads them out."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )
