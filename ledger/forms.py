"""Forms of the ledger's pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from ledger.models import Account


class MomentForm(forms.Form):
    """The moment as of which the ledger is shown, and of which unit."""

    as_of = forms.DateTimeField(
        label=_("As of"),
        required=False,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "max": "2999-12-31T00:00"}, format="%Y-%m-%dT%H:%M"
        ),
    )
    unit = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)


class FindForm(forms.Form):
    """Which accounts to list."""

    party = forms.ChoiceField(label=_("Whose"), choices=[("", _("All")), *Account.Party.choices], required=False)


class ReverseForm(forms.Form):
    """Why transfers are taken back."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the audit trail."),
    )
