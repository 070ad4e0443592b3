"""The forms of presses, of requests to print, of acknowledgements, of packs and coupons."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from labels.identifiers import CHARSET_82
from labels.models import Batch
from printing import designs
from printing.models import Press, PrintJob, Template
from printing.runs import MOST_PIECES


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
    template = forms.ModelChoiceField(
        label=_("Template"), queryset=Template.objects.none(), required=False, empty_label=_("none: rows of data"),
        help_text=_("PDF and ZPL are drawn by a template; its sample sheet is signed off before the files are built."),
    )  # fmt: skip
    full_proof = forms.BooleanField(
        label=_("Decode every label"),
        required=False,
        help_text=_("Else 1,000 labels of the first roll and 32 of each other. Every byte is checked in any case."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: dict[str, QuerySet[Any]] = {
            "press": Press.objects.filter(is_active=True, checked_at__isnull=False).order_by("name"),
            "template": Template.objects.filter(is_active=True, kind=Template.Kind.UNIT).order_by("name"),
        }
        for name, found in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
            field.queryset = found

    def clean(self) -> dict[str, Any]:
        """See that what is drawn has a template, and that rows of data have none."""
        found = super().clean() or {}
        drawn = found.get("output") in PrintJob.DRAWN
        if drawn and not found.get("template"):
            self.add_error("template", _("Choose a template: PDF and ZPL are drawn by one."))
        return found | {"template": found.get("template") if drawn else None}


class SignOffForm(forms.Form):
    """What somebody says who signs a sample sheet off."""

    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class AccountForm(forms.Form):
    """Somebody of a press to let in."""

    username = forms.CharField(
        label=_("User name"),
        max_length=60,
        help_text=_("Letters, digits and . _ - @; it cannot be changed later."),
        validators=[RegexValidator(r"^[\w.@-]+\Z", _("Use letters, digits and . _ - @ only."))],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("as the browser asks")), *settings.LANGUAGES], required=False
    )


class LostForm(forms.Form):
    """How a file got lost."""

    leaked = forms.TypedChoiceField(
        label=_("Where may it be?"),
        choices=[
            ("no", _("Deleted or broken: nobody else can have it")),
            ("yes", _("Perhaps in wrong hands: block the roll")),
        ],
        coerce=lambda value: value == "yes",
        initial="yes",
        widget=forms.RadioSelect,
    )
    note = forms.CharField(
        label=_("Note for colleagues"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class HashForm(forms.Form):
    """What the press computed: of the file it decrypted, and of the manifest that came with it."""

    plain_hash = forms.CharField(
        label=_("SHA-256 of the decrypted file"),
        max_length=100,
        help_text=_("64 hexadecimal digits, as the press reads them out."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )
    manifest_hash = forms.CharField(
        label=_("SHA-256 of the manifest"),
        max_length=100,
        required=False,
        help_text=_("As the checking program says it: it shows whether the manifest is the one that was signed."),
        widget=forms.TextInput(attrs={"class": "id", "autocomplete": "off", "spellcheck": "false"}),
    )

    def refuse(self, error: DomainError) -> None:
        """Say at the field that is meant why the acknowledgement is refused."""
        self.add_error("manifest_hash" if error.code == "tampered_manifest" else "plain_hash", error.detail)


class TemplateForm(forms.Form):
    """What all prints need: a template of these kinds, a key against doubles, a note."""

    kinds: tuple[str, ...] = ()
    order_key = forms.CharField(widget=forms.HiddenInput, max_length=100)
    template = forms.ModelChoiceField(
        label=_("Template"), queryset=Template.objects.none(), empty_label=_("choose a template")
    )
    note = forms.CharField(label=_("Note"), max_length=80, required=False)
    field_order: tuple[str, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["template"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = Template.objects.filter(kind__in=self.kinds, is_active=True).order_by("kind", "name")
        proposed = designs.proposed(self.kinds[0])
        if proposed is not None:
            self.initial.setdefault("template", proposed.pk)


class _BatchField(forms.ModelChoiceField):
    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\x00", "") if isinstance(value, str) else value)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.number} · {obj.product.display_name} · {obj.count:,}"


class PackForm(TemplateForm):
    """Packs for labels of a batch."""

    kinds = ("case", "inner", "pallet")
    batch = _BatchField(
        label=_("Batch"), queryset=Batch.objects.none(), to_field_name="public_id", empty_label=_("choose a batch")
    )
    first = forms.IntegerField(label=_("From label"), min_value=1)
    last = forms.IntegerField(label=_("To label"), min_value=1, help_text=_("Labels are counted from 1 in each batch."))
    per_pack = forms.IntegerField(
        label=_("Units in a pack"), min_value=1, max_value=99_999_999, help_text=_("The last pack may hold fewer.")
    )
    lot = forms.CharField(label=_("Lot"), max_length=20, required=False)
    field_order = ("order_key", "template", "batch", "first", "last", "per_pack", "lot", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["batch"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        states = (Batch.State.DRAFT, Batch.State.VOID)
        field.queryset = Batch.objects.exclude(state__in=states).select_related("product").order_by("-created_at")

    def clean_lot(self) -> str:
        """Refuse what a bar code of GS1 cannot hold."""
        lot: str = self.cleaned_data["lot"].strip()
        if not CHARSET_82.issuperset(lot) or set(lot) & set("()^~|"):
            raise forms.ValidationError(_("A lot has letters, digits and - . / only."))
        return lot


class CouponForm(TemplateForm):
    """Coupons with the next numbers."""

    kinds = ("coupon",)
    count = forms.IntegerField(label=_("Coupons"), min_value=1, max_value=MOST_PIECES)
    field_order = ("order_key", "template", "count", "note")
