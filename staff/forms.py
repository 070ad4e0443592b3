"""Forms of sign-in, people and keys."""

from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from staff.models import ApiKey, Role
from staff.permissions import OUTSIDE

LANGUAGES = [("", _("as the browser asks")), *settings.LANGUAGES]


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth has no type stubs
    """User name and password; wrong input of any shape is told alike."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["login"].label = _("User name")
        self.fields["login"].widget.attrs["autofocus"] = True
        self.fields["password"].help_text = ""


class StaffForm(forms.Form):
    """What an owner decides about a person."""

    role = forms.ChoiceField(
        label=_("Role"),
        # accounts of people outside are made on the page of their press or partner
        choices=[(value, label) for value, label in Role.choices if value not in OUTSIDE],
        initial=Role.SUPPORT,
    )
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES, required=False)
    regions = forms.CharField(
        label=pgettext_lazy("staff", "Regions"),
        max_length=400,
        required=False,
        help_text=_(
            "Of a regional manager: region codes as under Regions, a space between. They see the files of these."
        ),
        validators=[RegexValidator(r"^[A-Z0-9-]+( +[A-Z0-9-]+)*\Z", _("Write region codes, a space between."))],
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )


class NewStaffForm(StaffForm):
    """A person to invite."""

    username = forms.CharField(
        label=_("User name"),
        max_length=60,
        help_text=_("Letters, digits and . _ - @; it cannot be changed later."),
        validators=[RegexValidator(r"^[\w.@-]+\Z", _("Use letters, digits and . _ - @ only."))],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("username", "role", "language", "regions")


class EditStaffForm(StaffForm):
    """A person who is there already."""

    is_active = forms.BooleanField(
        label=_("May sign in"), required=False, help_text=_("Without it, every session of this person ends at once.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.initial.get("role") in OUTSIDE:
            role = self.fields["role"]
            assert isinstance(role, forms.ChoiceField)  # noqa: S101 - declared above
            own = Role(self.initial["role"])
            role.choices = [(own.value, own.label)]


class KeyForm(forms.Form):
    """An API key to make."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("Who will use it, for example “Till system”."))
    scopes = forms.MultipleChoiceField(
        label=_("May do"),
        choices=[(value, label) for value, label in ApiKey.Scope.choices if value != ApiKey.Scope.PARTNER],
        widget=forms.CheckboxSelectMultiple,
    )
    is_test = forms.BooleanField(label=_("Test mode"), required=False, help_text=_("Never counts in reports."))
    expires_on = forms.DateField(
        label=_("Valid until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The last day on which it works; empty means until it is revoked."),
    )


class AuditFilter(forms.Form):
    """What to look for in the trail."""

    actor = forms.CharField(label=_("By"), required=False, max_length=60)
    table = forms.CharField(label=_("Table"), required=False, max_length=63)
    act = forms.CharField(label=_("Act"), required=False, max_length=40)
    row = forms.CharField(label=_("Row"), required=False, max_length=40)
    day = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))


class DecisionForm(forms.Form):
    """A second person's word."""

    note = forms.CharField(label=_("Note"), required=False, max_length=200)
