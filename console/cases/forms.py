"""The forms of a file."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from analytics.case_evidence import MOST_OF_ONE_CHECK
from analytics.models import Case
from analytics.photos import BadPhoto, Photo, Spot, read_photo
from channel.models import Document
from redemption.models import Caution
from staff.models import User
from staff.permissions import TABLE

DECISIONS = [(value, label) for value, label in Case.State.choices if value in Case.DECIDED]


class OpenForm(forms.Form):
    """A shipment of which somebody gave a hint; what the detector found is opened from its own page."""

    shipment = forms.CharField(
        label=_("Number of the shipment"),
        max_length=80,
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )
    text = forms.CharField(
        label=_("Why it is looked into"), max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean_shipment(self) -> Document:
        """Find the shipment by its number or id; of several of one number the brand's own."""
        text = self.cleaned_data["shipment"]
        named = Document.objects.filter(Q(number=text) | Q(public_id=text), kind=Document.Kind.SHIPMENT)
        found = named.order_by(F("issuer").asc(nulls_first=True), "-pk").first()
        if found is None:
            raise forms.ValidationError(_("There is no shipment of that number."))
        return found


class ChargeForm(forms.Form):
    """Who is in charge, and by when the next step is due."""

    to = forms.ModelChoiceField(
        label=_("In charge"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("nobody yet"),
        to_field_name="username",
        help_text=_("Whoever is ever in charge does not decide about the file."),
    )
    due_on = forms.DateField(
        label=_("Due on"), required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = User.objects.filter(is_active=True, role__in=TABLE["cases.work"]).order_by("username")


class NoteForm(forms.Form):
    """A line of the log."""

    text = forms.CharField(label=_("Note"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))


class DecideForm(forms.Form):
    """What somebody who did not investigate comes to."""

    decision = forms.ChoiceField(label=_("Decision"), choices=DECISIONS, widget=forms.RadioSelect)
    reason = forms.CharField(label=_("Reasons"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 4}))
    penalty = forms.CharField(
        label=_("Note on a penalty"),
        max_length=1_000,
        required=False,
        help_text=_("In words, by the contract; the system computes none. Only where diversion is confirmed."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    told = forms.CharField(
        label=_("Words for the partner"),
        max_length=2_000,
        required=False,
        help_text=_("What the partner reads beside the decision; the reasons above are shown to staff alone."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class AppealForm(forms.Form):
    """An objection as the brand received it."""

    text = forms.CharField(
        label=_("What the partner objects"), max_length=4_000, widget=forms.Textarea(attrs={"rows": 3})
    )


class CautionForm(forms.Form):
    """Rewards to slow."""

    effect = forms.ChoiceField(label=_("What it does"), choices=Caution.Effect.choices)
    reason = forms.ChoiceField(label=_("Because"), choices=Caution.Reason.choices, initial=Caution.Reason.DIVERSION)
    unit = forms.CharField(
        label=_("Only the labels of this case"),
        required=False,
        max_length=60,
        help_text=_("Its SSCC, scanned or typed; empty: the whole shipment."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off"}),
    )
    text = forms.CharField(label=_("Note"), max_length=200, required=False)


class LiftForm(forms.Form):
    """What becomes of held rewards."""

    outcome = forms.ChoiceField(
        label=_("What is held is"),
        choices=[
            ("", _("Choose")),
            ("released", pgettext_lazy("held rewards", "paid out")),
            ("refused", pgettext_lazy("held rewards", "taken back")),
        ],
    )


class Pictures(forms.FileInput):
    """Several photographs from the camera or the album."""

    allow_multiple_selected = True


class PicturesField(forms.FileField):
    """Photographs, each looked through; the value is a list of `Photo`."""

    widget = Pictures

    def __init__(self, *args: Any, most: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.most = most
        self.widget.attrs |= {"accept": "image/jpeg,image/png,image/webp,image/heic", "capture": "environment"}
        if most > 1:
            self.widget.attrs["multiple"] = True

    def clean(self, data: Any, initial: Any = None) -> list[Photo]:
        """Read what was sent."""
        sent = data if isinstance(data, list | tuple) else [data] if data else []
        if len(sent) > self.most:
            raise forms.ValidationError(_("Send at most %(most)s photographs.") % {"most": self.most})
        found = []
        for one in sent:
            super().clean(one, initial)
            try:
                found.append(read_photo(one.read(), name=one.name))
            except BadPhoto as error:
                raise forms.ValidationError(error.detail) from error
        if self.required and not found:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return found


class SpotForm(forms.Form):
    """Where the telephone says that it is; the three together, or nothing."""

    lat = forms.FloatField(required=False, min_value=-90, max_value=90, widget=forms.HiddenInput)
    lon = forms.FloatField(required=False, min_value=-180, max_value=180, widget=forms.HiddenInput)
    accuracy_m = forms.FloatField(required=False, min_value=0, max_value=1e6, widget=forms.HiddenInput)

    def spot(self) -> Spot | None:
        """Return the place, if it was given."""
        lat, lon = self.cleaned_data.get("lat"), self.cleaned_data.get("lon")
        return None if lat is None or lon is None else Spot(lat, lon, self.cleaned_data.get("accuracy_m"))


class PhotoForm(SpotForm):
    """A photograph by itself."""

    picture = PicturesField(
        label=_("Photograph"), help_text=_("JPEG, PNG, WebP or HEIC, at most 12 MB. It is kept as it is.")
    )


class CheckForm(SpotForm):
    """What was found in a shop."""

    uuid = forms.UUIDField(widget=forms.HiddenInput)
    label = forms.CharField(
        label=_("Label"),
        max_length=300,
        help_text=_("Scan the QR code in the shop, or type the serial beside it."),
        widget=forms.TextInput(
            attrs={"class": "id", "autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    shop = forms.CharField(label=_("Shop"), max_length=120, help_text=_("Name and street, as on its sign."))
    invoice = forms.CharField(label=_("Invoice number"), max_length=60, required=False)
    price = forms.DecimalField(
        label=_("Price of one unit"), max_digits=12, decimal_places=2, min_value=Decimal(0), required=False
    )
    note = forms.CharField(label=_("Note"), max_length=1_000, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    pictures = PicturesField(
        label=_("Photographs"),
        required=False,
        most=MOST_OF_ONE_CHECK,
        help_text=_("Shelf, label, invoice. They are kept as they are."),
    )
