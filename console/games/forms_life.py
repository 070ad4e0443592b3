"""Forms for a published game: a new version of its rules, a halt."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _, gettext_lazy

from lottery.models import Campaign, PrizeTier
from lottery.services import Amendment

_WORDS = ("summary", "how", "contact")


class ChangeForm(forms.Form):
    """What a new version may change: words, longer deadlines, more prizes of draws without entries."""

    reason = forms.CharField(label=gettext_lazy("Reason, which the public may read"), max_length=200)
    name = forms.CharField(label=gettext_lazy("Name in English"), max_length=80)
    name_zh = forms.CharField(label=gettext_lazy("Name in Chinese"), max_length=40)

    def __init__(self, data: Any = None, *, campaign: Campaign) -> None:
        self.campaign = campaign
        self.tiers: list[PrizeTier] = list(campaign.tiers.order_by("use", "tier"))
        texts = campaign.terms.get("texts", {})
        initial: dict[str, Any] = {"name": campaign.name, "name_zh": campaign.name_zh}
        initial |= {
            f"{word}_{language}": texts.get(language, {}).get(word, "") for word in _WORDS for language in ("en", "zh")
        }
        initial |= {f"days_{tier.pk}": tier.claim_days for tier in self.tiers}
        initial |= {f"more_{tier.pk}": tier.quantity for tier in self.tiers}
        super().__init__(data, initial=initial)
        labels = {
            "summary": _("In one sentence"),
            "how": _("How to take part and to claim"),
            "contact": _("Organiser and contact"),
        }
        for word in _WORDS:
            for language, where in (("en", _("English")), ("zh", _("Chinese"))):
                self.fields[f"{word}_{language}"] = forms.CharField(
                    label=f"{labels[word]}, {where}",
                    max_length=2000,
                    required=False,
                    widget=forms.Textarea(attrs={"rows": 2}),
                )
        for tier in self.tiers:
            self.fields[f"days_{tier.pk}"] = forms.IntegerField(
                label=_("%(prize)s: days to claim") % {"prize": tier.display_name},
                min_value=tier.claim_days,
                max_value=3650,
            )
            if tier.use == PrizeTier.Use.DRAW:
                self.fields[f"more_{tier.pk}"] = forms.IntegerField(
                    label=_("%(prize)s: quantity") % {"prize": tier.display_name},
                    min_value=tier.quantity,
                    max_value=2**31 - 1,
                )

    @property
    def words(self) -> list[Any]:
        """The fields of words."""
        return [self[f"{word}_{language}"] for word in _WORDS for language in ("en", "zh")]

    @property
    def numbers(self) -> list[Any]:
        """The fields of deadlines and quantities."""
        return [self[name] for name in self.fields if name.startswith(("days_", "more_"))]

    def clean(self) -> dict[str, Any]:
        """Refuse a change that changes nothing."""
        data = super().clean() or {}
        if not self.errors and not set(self.changed_data) - {"reason"}:
            raise ValidationError(_("Nothing is changed."))
        return data

    def amendment(self) -> Amendment:
        """Return the change."""
        data, changed = self.cleaned_data, set(self.changed_data)
        texts = {
            language: {word: data[f"{word}_{language}"] for word in _WORDS}
            for language in ("en", "zh")
            if any(f"{word}_{language}" in changed for word in _WORDS)
        }
        return Amendment(
            reason=data["reason"].strip(),
            claim_days={tier.pk: data[f"days_{tier.pk}"] for tier in self.tiers if f"days_{tier.pk}" in changed},
            prizes={tier.pk: data[f"more_{tier.pk}"] for tier in self.tiers if f"more_{tier.pk}" in changed},
            name=data["name"] if "name" in changed else "",
            name_zh=data["name_zh"] if "name_zh" in changed else "",
            texts=texts,
        )
