"""Forms of the portal, and of the console's page that lets people into it."""

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from staff.forms import LANGUAGES


class InviteForm(forms.Form):
    """Somebody of a partner to invite."""

    username = forms.CharField(
        label=_("User name"),
        max_length=60,
        help_text=_("Letters, digits and . _ - @; it cannot be changed later."),
        validators=[RegexValidator(r"^[\w.@-]+\Z", _("Use letters, digits and . _ - @ only."))],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES, required=False)


class KeyForm(forms.Form):
    """An API key that acts for a partner."""

    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("Which system of the partner will use it."))


class TokenForm(forms.Form):
    """An invitation, as it stands behind the # of its link; the whole link is as good."""

    token = forms.CharField(
        label=_("Invitation"),
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_token(self) -> str:
        """Return what stands behind the last #."""
        return str(self.cleaned_data["token"]).rpartition("#")[2].strip()


class JoinForm(TokenForm):
    """The password that somebody invited chooses, typed twice."""

    token = forms.CharField(max_length=300, widget=forms.HiddenInput)
    password = forms.CharField(
        label=_("Password"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    again = forms.CharField(
        label=_("The same again"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        """Compare both."""
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise forms.ValidationError(_("The two are not the same."))
        return again
