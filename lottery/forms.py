"""The form of a campaign: its terms, and a row of points for each product."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labels.models import Product
from lottery.models import Award, Campaign
from lottery.services import NewAward

MOST_ROWS = 20


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class CampaignForm(forms.Form):
    """When, within which limits, and by which name."""

    name = forms.CharField(label=_("Name in English"), max_length=80)
    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=40)
    opens_at = forms.DateTimeField(label=_("Opens"), widget=_Moment())
    closes_at = forms.DateTimeField(
        label=_("Closes"), widget=_Moment(), required=False, help_text=_("Empty: until somebody closes it.")
    )
    budget = forms.IntegerField(
        label=_("Budget in points"),
        min_value=1,
        max_value=10**12,
        required=False,
        help_text=_("Empty: without limit. It can be raised later, never lowered."),
    )
    daily_cap = forms.IntegerField(
        label=_("Codes a day for each consumer"), min_value=1, max_value=10**6, required=False
    )
    total_cap = forms.IntegerField(
        label=_("Codes in all for each consumer"), min_value=1, max_value=10**6, required=False
    )

    @classmethod
    def of(cls, campaign: Campaign) -> dict[str, Any]:
        """Return the initial values of a campaign's form."""
        budget = getattr(campaign, "budget", None)
        names = ("name", "name_zh", "opens_at", "closes_at", "daily_cap", "total_cap")
        return {**{name: getattr(campaign, name) for name in names}, "budget": budget.total if budget else None}


class AwardForm(forms.Form):
    """What one code of a product (or of any) pays to each party."""

    product = forms.ModelChoiceField(
        label=_("Product"), queryset=Product.objects.none(), required=False, empty_label=_("any product")
    )
    consumer = forms.IntegerField(label=_("Consumer"), min_value=1, max_value=10**9, required=False)
    retailer = forms.IntegerField(label=_("Retailer"), min_value=1, max_value=10**9, required=False)
    promoter = forms.IntegerField(label=_("Promoter"), min_value=1, max_value=10**9, required=False)
    months = forms.IntegerField(label=_("Expire after months"), min_value=1, max_value=120, required=False, initial=24)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        product = self.fields["product"]
        assert isinstance(product, forms.ModelChoiceField)  # noqa: S101 - declared above
        product.queryset = Product.objects.filter(is_active=True).order_by("name")

    def awards(self) -> list[NewAward]:
        """Return what the row states, one award a party."""
        data = self.cleaned_data
        product = data.get("product")
        return [
            NewAward(
                party=party,
                points=data[party],
                product_id=product.pk if product else None,
                expires_after_months=data.get("months"),
            )
            for party in Award.Party.values
            if data.get(party)
        ]


AwardFormSet = forms.formset_factory(AwardForm, extra=0, min_num=1, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


def award_rows(campaign: Campaign) -> list[dict[str, Any]]:
    """Return a campaign's awards as the form's rows: one a product and life of points."""
    rows: dict[tuple[int | None, int | None], dict[str, Any]] = {}
    for award in campaign.awards.order_by("product_id", "id"):
        key = (award.product_id, award.expires_after_months)
        row = rows.setdefault(key, {"product": award.product_id, "months": award.expires_after_months})
        row[award.party] = award.points
    return list(rows.values())


class HaltForm(forms.Form):
    """Why a campaign is stopped; its id is typed, since this cannot be undone."""

    reason = forms.CharField(
        label=_("Reason, which the public may read"), max_length=200, widget=forms.Textarea(attrs={"rows": 2})
    )
    typed = forms.CharField(max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, public_id: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.public_id = public_id
        self.fields["typed"].label = _("Type “%(name)s” to confirm.") % {"name": public_id}

    def clean_typed(self) -> str:
        """Refuse another id."""
        typed: str = self.cleaned_data["typed"].strip()
        if typed != self.public_id:
            raise forms.ValidationError(_("That is not the id of this campaign."))
        return typed


class TopUpForm(forms.Form):
    """More points for a budget."""

    points = forms.IntegerField(label=_("Points to add"), min_value=1, max_value=10**12)
