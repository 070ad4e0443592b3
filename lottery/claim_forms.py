"""The forms of claims: at a desk, documents, parcels, payments, losses, files of codes."""

from typing import Any

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from lottery.claims import LONGEST, REASONS, Asked
from lottery.models import Claim, ClaimDocument, PrizeTier

FIELD_LABELS = {
    "name": pgettext_lazy("winner", "Name"),
    "phone": _("Phone for the courier"),
    "region": _("Province, city, district"),
    "address": pgettext_lazy("winner", "Address"),
    "postcode": _("Postcode"),
    "payee": _("Account to pay to"),
    "tax_no": _("Tax number"),
}
_COMPLETE = {
    "name": "name", "phone": "tel", "region": "address-level1", "address": "street-address", "postcode": "postal-code",
}  # fmt: skip
REASON_LABELS = {
    "declined": pgettext_lazy("claim", "the winner does not want it"),
    "not_identified": pgettext_lazy("claim", "not identified"),
    "false_details": pgettext_lazy("claim", "false details"),
    "payee_refused": pgettext_lazy("claim", "cannot be paid"),
    "erased": pgettext_lazy("claim", "the winner asked to be forgotten"),
    "excluded": pgettext_lazy("claim", "may not take part"),
    "fraud": pgettext_lazy("claim", "fraud"),
    "against_rules": pgettext_lazy("claim", "against the rules"),
    "reversed": pgettext_lazy("claim", "the redemption was taken back"),
    "under_age": pgettext_lazy("claim", "under age"),
    "late": pgettext_lazy("claim", "not claimed in time"),
    "phone": pgettext_lazy("claim", "proved by the telephone"),
    "below_limit": pgettext_lazy("claim", "small prize"),
    "in_person": pgettext_lazy("claim", "in person"),
    "notary": pgettext_lazy("claim", "by a notary"),
    "shown": pgettext_lazy("claim", "shown on the page"),
    "sms": pgettext_lazy("claim", "by message"),
    "no_word": pgettext_lazy("claim", "no complaint in 30 days"),
}
_BY_HAND = {"refused": REASONS["refused"][:-1], "disqualified": REASONS["disqualified"]}


def _losses() -> list[tuple[str, list[tuple[str, str]]]]:
    states = dict(Claim.State.choices)
    return [
        (str(states[after]), [(f"{after}/{reason}", str(REASON_LABELS[reason])) for reason in reasons])
        for after, reasons in _BY_HAND.items()
    ]


class DeskForm(forms.Form):
    """What a prize asks of its winner."""

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in asked.fields:
            widget = forms.TextInput(attrs={"autocomplete": _COMPLETE.get(name, "off")})
            self.fields[name] = forms.CharField(
                label=FIELD_LABELS[name], max_length=LONGEST[name], required=name != "postcode", widget=widget
            )


class DocumentForm(forms.Form):
    """A photograph of a document."""

    kind = forms.ChoiceField(label=_("What it shows"), choices=ClaimDocument.Kind.choices)
    picture = forms.FileField(
        label=_("Photograph"),
        max_length=200,
        help_text=_("JPEG or PNG, up to 8 MB. It is encrypted, and deleted 90 days after the end."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"}),
    )


class ParcelForm(forms.Form):
    """Who carries a parcel, under which number."""

    courier = forms.CharField(label=_("Courier"), max_length=40)
    tracking_no = forms.CharField(label=_("Tracking number"), max_length=60)


class ParcelsForm(forms.Form):
    """Many parcels: a line each."""

    lines = forms.CharField(
        label=_("Claim, courier, tracking number"),
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
        help_text=_("One prize a line, parted by commas or tabs, as a spreadsheet pastes them."),
    )


class PaidForm(forms.Form):
    """The number of a payment that was made by hand."""

    reference = forms.CharField(label=_("Number of the payment"), max_length=80)


class LossForm(forms.Form):
    """Why a prize is not given."""

    why = forms.ChoiceField(label=_("Reason"), choices=lazy(_losses, list))


class StockForm(forms.Form):
    """A file of codes for one prize."""

    tier = forms.ModelChoiceField(label=_("Prize"), queryset=PrizeTier.objects.none())
    file = forms.FileField(
        label=_("File of codes"),
        max_length=200,
        help_text=_("CSV or text, the code first in each line. All lines are taken, or none."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vouchers = PrizeTier.objects.filter(kind=PrizeTier.Kind.VOUCHER, campaign__published_at__isnull=False)
        field: Any = self.fields["tier"]
        field.queryset = vouchers.select_related("campaign").order_by("-campaign__created_at", "tier")
        field.label_from_instance = lambda tier: f"{tier.campaign.display_name} · {tier.display_name}"

    def clean_file(self) -> Any:
        """Refuse a file that is no text."""
        sent = self.cleaned_data["file"]
        if sent.size > 4_000_000:
            raise forms.ValidationError(_("The file is larger than 4 MB."))
        try:
            self._text = sent.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not in UTF-8. Save it as CSV UTF-8.")) from None
        return sent

    def text(self) -> str:
        """Return what the file holds, once it is valid."""
        return str(self._text)
