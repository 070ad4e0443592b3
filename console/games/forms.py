"""The wizard's steps as forms. A step is kept as it was typed, so each form is made from the plan's own texts."""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import get_language, gettext as _, gettext_lazy, pgettext_lazy

from common.money import DECIMALS
from labels.models import Batch, Product
from lottery import law
from lottery.models import Campaign, PrizeTier
from lottery.rules import DOORS

ZONES = sorted(name for name in available_timezones() if "/" in name)
MOST_PRIZES, MOST_LIMITS = 20, 10
_ELSEWHERE = re.compile(r"[a-z]{2}")


class Moment(forms.DateTimeInput):
    """A day and a time as the browser asks for them."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def _money(label: Any, **more: Any) -> forms.DecimalField:
    return forms.DecimalField(label=label, min_value=0, max_digits=13, decimal_places=2, **more)


def _long(label: Any, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}), **more)


class GoalForm(forms.Form):
    """What it is called, what kind of game it is, and where it runs."""

    name = forms.CharField(label=gettext_lazy("Name in English"), max_length=80)
    name_zh = forms.CharField(label=gettext_lazy("Name in Chinese"), max_length=40)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        widget=forms.RadioSelect,
        choices=[
            (Campaign.Kind.INSTANT, gettext_lazy("Scratch and win at once")),
            (Campaign.Kind.DRAW, gettext_lazy("Draws at fixed times")),
            (Campaign.Kind.BOTH, gettext_lazy("Both: scratch first, then a draw")),
        ],
    )
    zone = forms.ChoiceField(
        label=gettext_lazy("Time zone of all its dates"),
        choices=[(name, name) for name in ZONES],
    )
    places = forms.MultipleChoiceField(
        label=gettext_lazy("Where it runs"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        choices=[(place, place) for place in law.PLACES],
    )
    elsewhere = forms.CharField(
        label=gettext_lazy("Other countries"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("Two letters each, for example FR, DE. Each asks for its own words and a signature."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = self.fields["places"]
        assert isinstance(places, forms.MultipleChoiceField)  # noqa: S101 - declared above
        places.choices = [(place, place_name(place)) for place in law.PLACES]

    def clean_elsewhere(self) -> list[str]:
        """Read codes of countries."""
        codes = [code for code in re.split(r"[\s,;，、]+", self.cleaned_data["elsewhere"].lower()) if code]
        wrong = [code for code in codes if not _ELSEWHERE.fullmatch(code)]
        if wrong:
            raise ValidationError(_("“%(code)s” is no code of two letters."), params={"code": wrong[0][:20]})
        return [code for code in codes if code not in law.PLACES]

    def clean(self) -> dict[str, Any]:
        """Ask for a place."""
        data = super().clean() or {}
        if not self.errors and not data.get("places") and not data.get("elsewhere"):
            self.add_error("places", ValidationError(_("Say where it runs: the law of that place applies.")))
        return data


def place_name(place: str) -> str:
    """Return a country's name in the reader's language; its code in capitals where we have no data."""
    if place not in law.PLACES:
        return place.upper()
    names: dict[str, str] = law.country(place)["name"]
    return names["zh" if (get_language() or "").startswith("zh") else "en"]


class _Batches(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Batch) -> str:
        return f"{obj.number} · {obj.count:,} · {obj.product.display_name}"


class _Products(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Product) -> str:
        return obj.display_name


class LabelsForm(forms.Form):
    """Which labels take part: batches in pools for an instant game, products for draws."""

    products = _Products(
        label=gettext_lazy("Products whose codes enter draws"),
        queryset=Product.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("None: all products."),
    )
    batches = _Batches(
        label=gettext_lazy("Batches in the game"),
        queryset=Batch.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Labels that were scanned before publication take no part, by themselves."),
    )
    pooling = forms.ChoiceField(
        label=gettext_lazy("Pools"),
        choices=[("one", gettext_lazy("one pool of all batches")), ("each", gettext_lazy("a pool for each batch"))],
        initial="one",
    )
    winners = forms.CharField(
        label=gettext_lazy("Winners of each pool"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "id", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One line a pool: its winners of tier 1, tier 2 and so on, with blanks between. Empty: shared by size."
        ),
    )
    points = forms.IntegerField(
        label=gettext_lazy("Points for each code"), min_value=1, max_value=10**9, required=False
    )
    months = forms.IntegerField(
        label=gettext_lazy("Points expire after months"), min_value=1, max_value=120, required=False, initial=24
    )

    def __init__(self, *args: Any, kind: str, campaign_id: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        products, batches = self.fields["products"], self.fields["batches"]
        assert isinstance(products, forms.ModelMultipleChoiceField)  # noqa: S101 - declared above
        assert isinstance(batches, forms.ModelMultipleChoiceField)  # noqa: S101 - declared above
        products.queryset = Product.objects.filter(is_active=True).order_by("name")
        batches.queryset = batches_offered()
        if kind == Campaign.Kind.DRAW:
            for name in ("batches", "pooling", "winners"):
                del self.fields[name]

    def clean_winners(self) -> list[list[int]]:
        """Read the winners of each pool."""
        lines = [line.split() for line in self.cleaned_data["winners"].splitlines() if line.strip()]
        try:
            return [[int(word) for word in line if len(word) < 12] for line in lines]
        except ValueError:
            raise ValidationError(_("Write whole numbers with blanks between, one line a pool.")) from None


def batches_offered() -> QuerySet[Batch, Batch]:
    """Return the batches that a game may have, the newest first."""
    ended = [Batch.State.DRAFT, Batch.State.CLOSED, Batch.State.VOID]
    found = Batch.objects.exclude(state__in=ended).exclude(secret_slot__number=0)  # the test series
    return found.select_related("product").order_by("-pk")


class PrizeForm(forms.Form):
    """One kind of prize. The dearest becomes tier 1 by itself."""

    use = forms.ChoiceField(label=gettext_lazy("Won by"), choices=PrizeTier.Use.choices, initial=PrizeTier.Use.INSTANT)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=PrizeTier.Kind.choices, initial=PrizeTier.Kind.GOODS)
    name = forms.CharField(label=gettext_lazy("Name in English"), max_length=80)
    name_zh = forms.CharField(label=gettext_lazy("Name in Chinese"), max_length=40)
    quantity = forms.IntegerField(label=gettext_lazy("Quantity"), min_value=1, max_value=2**31 - 1)
    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=1,
        max_value=10**9,
        required=False,
        help_text=gettext_lazy("of a prize of points"),
    )
    unit_cost = _money(gettext_lazy("Cost of one"))
    market_price = _money(gettext_lazy("Market price"), help_text=gettext_lazy("what the law compares"))
    delivery_cost = _money(gettext_lazy("Cost of delivery"), required=False)
    withheld_tax = _money(gettext_lazy("Tax we pay"), required=False)
    claim_days = forms.IntegerField(label=gettext_lazy("Days to claim"), min_value=1, max_value=3650, initial=30)
    id_level = forms.TypedChoiceField(
        label=gettext_lazy("Identification"),
        coerce=int,
        choices=[
            (0, gettext_lazy("telephone")),
            (1, gettext_lazy("name and address")),
            (2, gettext_lazy("document seen by staff")),
            (3, gettext_lazy("in person, or by a notary")),
        ],
        initial=0,
    )
    alternates = forms.IntegerField(
        label=gettext_lazy("Alternates"),
        min_value=0,
        max_value=100_000,
        required=False,
        help_text=gettext_lazy("of a draw; empty: 10, or 20 %"),
    )

    def __init__(self, *args: Any, kind: str = Campaign.Kind.BOTH, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind != Campaign.Kind.BOTH:
            use = self.fields["use"]
            use.disabled, use.initial, use.widget = True, kind, forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        """Ask for points where they are the prize, and only there."""
        data = super().clean() or {}
        is_points = data.get("kind") == PrizeTier.Kind.POINTS
        if is_points and not data.get("points") and "points" not in self.errors:
            self.add_error("points", ValidationError(_("Say how many points this prize is.")))
        if not is_points:
            data["points"] = None
        return data


class PrizeRows(forms.BaseFormSet):  # type: ignore[type-arg]  # takes no argument when it runs
    """All prizes of a campaign; rows after the first that nobody filled in are none."""

    def clean(self) -> None:
        """See that what can be scratched has something under it."""
        uses = {row.cleaned_data.get("use") for row in self.forms if hasattr(row, "cleaned_data")}
        if not any(self.errors) and self.form_kwargs.get("kind") == Campaign.Kind.BOTH and uses == {"draw"}:
            raise ValidationError(_("Every prize here is won by a draw: add one that is won at once."))


class CurrencyForm(forms.Form):
    """The currency of all amounts of the campaign."""

    currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=[(name, name) for name in DECIMALS])


class LimitForm(forms.Form):
    """At most so many acts of one subject in a period."""

    most = forms.IntegerField(label=gettext_lazy("At most"), min_value=1, max_value=10**6, required=False)
    act = forms.ChoiceField(
        label=pgettext_lazy("limit", "Of"),
        choices=[("play", gettext_lazy("plays")), ("entry", gettext_lazy("entries")), ("win", gettext_lazy("wins"))],
    )
    subject = forms.ChoiceField(
        label=pgettext_lazy("limit", "For each"),
        choices=[
            ("member", gettext_lazy("member")),
            ("phone", gettext_lazy("telephone number")),
            ("device", gettext_lazy("device")),
            ("household", gettext_lazy("household")),
            ("payout", gettext_lazy("payout account")),
        ],
    )
    period = forms.ChoiceField(
        label=pgettext_lazy("limit", "In"),
        choices=[
            ("day", gettext_lazy("a day")),
            ("hour", gettext_lazy("an hour")),
            ("all", pgettext_lazy("limit", "all")),
        ],
    )


class DoorsForm(forms.Form):
    """Ways into draws, and who or what is held back."""

    left_out = forms.MultipleChoiceField(
        label=gettext_lazy("Doors at which codes take no part"),
        required=False,
        choices=[
            ("web", gettext_lazy("web page")),
            ("api", gettext_lazy("app or program")),
            ("sms", gettext_lazy("text message")),
            ("voice", gettext_lazy("phone call")),
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: codes take part at every door. The public rules say so."),
    )
    label = forms.IntegerField(label=gettext_lazy("Weight of a redeemed code"), min_value=0, max_value=1000, initial=1)
    losing_play = forms.IntegerField(
        label=gettext_lazy("More for a play that won nothing"), min_value=0, max_value=1000, initial=0
    )
    free = forms.IntegerField(
        label=gettext_lazy("Weight of a free entry"),
        min_value=0,
        max_value=1000,
        initial=1,
        help_text=gettext_lazy("0: there is no free way in"),
    )
    points_price = forms.IntegerField(
        label=gettext_lazy("Points for one unit of weight"),
        min_value=0,
        max_value=10**9,
        initial=0,
        help_text=gettext_lazy("0: points buy no entries"),
    )
    max_weight = forms.IntegerField(
        label=gettext_lazy("Highest weight of one entry"), min_value=1, max_value=10**6, initial=1000
    )
    one_per = forms.ChoiceField(
        label=gettext_lazy("One prize of a draw for each"),
        choices=[
            ("who", gettext_lazy("person")),
            ("kin", gettext_lazy("household")),
            ("entry", gettext_lazy("entry")),
        ],
    )
    insiders_excluded = forms.BooleanField(
        label=gettext_lazy("Staff, agencies, printers, partners and their households cannot win"),
        required=False,
        initial=True,
    )
    waves = forms.IntegerField(
        label=gettext_lazy("Prizes are released in how many parts"), min_value=1, max_value=100, initial=1
    )
    regions = forms.CharField(
        label=gettext_lazy("Bound to regions"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("Names with commas between. Empty: the same chance everywhere."),
    )

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unused: Sequence[str] = ()
        if kind == Campaign.Kind.INSTANT:
            unused = ("label", "losing_play", "free", "points_price", "max_weight", "one_per")
        elif kind == Campaign.Kind.DRAW:
            unused = ("losing_play", "waves")
        for name in unused:
            del self.fields[name]

    def clean_left_out(self) -> list[str]:
        """Leave a door open."""
        left_out: list[str] = self.cleaned_data["left_out"]
        if len(left_out) == len(DOORS):
            raise ValidationError(_("Leave at least one door open."))
        return left_out

    def clean(self) -> dict[str, Any]:
        """Leave the page open for entries that are made there."""
        data = super().clean() or {}
        if "web" in data.get("left_out", []) and (data.get("free") or data.get("points_price")):
            text = _("Free entries and entries for points are made on the web page: leave that door open.")
            self.add_error("left_out", ValidationError(text))
        return data

    @property
    def doors(self) -> list[str]:
        """The doors at which codes take part, as terms name them; none of them where every one is open."""
        left_out = self.cleaned_data.get("left_out", [])
        return [door for door in DOORS if door not in left_out] if left_out else []

    def clean_regions(self) -> list[str]:
        """Read names with commas between."""
        return [name.strip() for name in re.split(r"[,，、;]", self.cleaned_data["regions"]) if name.strip()]


class DatesForm(forms.Form):
    """From when to when, when it is drawn, and which public value decides."""

    opens_at = forms.DateTimeField(label=gettext_lazy("Opens"), widget=Moment())
    closes_at = forms.DateTimeField(label=gettext_lazy("Closes"), widget=Moment())
    first_close = forms.DateTimeField(
        label=gettext_lazy("First draw closes"),
        widget=Moment(),
        help_text=gettext_lazy("It is drawn half an hour later, by a public value that nobody can know before."),
    )
    times = forms.IntegerField(label=gettext_lazy("How many draws"), min_value=1, max_value=100, initial=1)
    every_days = forms.IntegerField(
        label=gettext_lazy("Days between them"), min_value=1, max_value=366, initial=7, required=False
    )
    reserve = forms.BooleanField(
        label=gettext_lazy("It draws the prizes that nobody won by scratching (second chance)"), required=False
    )
    witness = forms.BooleanField(
        label=gettext_lazy("An auditor outside keeps a secret of their own until the game is armed (witness)"),
        required=False,
    )
    beacon = forms.ChoiceField(
        label=gettext_lazy("Public value that decides"),
        choices=[
            ("usual", gettext_lazy("the installation's beacon")),
            ("manual", gettext_lazy("published numbers, typed by two persons")),
        ],
        initial="usual",
    )
    event = forms.CharField(
        label=gettext_lazy("Which numbers, of which day, in which order, published by whom"),
        max_length=300,
        required=False,
    )
    bits = forms.IntegerField(label=gettext_lazy("Bits of chance in them"), min_value=1, max_value=1000, required=False)

    def __init__(self, *args: Any, kind: str, uses: Collection[str] | None = None, **kwargs: Any) -> None:
        """Take what prizes are won by (``uses``), where that is known already."""
        super().__init__(*args, **kwargs)
        self._uses = uses if kind == Campaign.Kind.BOTH else None
        unused: Sequence[str] = ()
        if kind == Campaign.Kind.INSTANT:
            unused = ("first_close", "times", "every_days", "reserve", "beacon", "event", "bits")
        elif kind == Campaign.Kind.DRAW:
            unused = ("reserve", "witness")
        else:
            unused = ("beacon", "event", "bits")
        for name in unused:
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """Put the dates in order, each fault at its own field."""
        data = super().clean() or {}
        opens, closes, first = (data.get(name) for name in ("opens_at", "closes_at", "first_close"))
        if opens and closes and closes <= opens:
            self.add_error("closes_at", ValidationError(_("A campaign must close after it opens.")))
        if opens and first and first <= opens:
            self.add_error("first_close", ValidationError(_("A draw closes after the campaign opens.")))
        if data.get("reserve") and closes and first and first < closes:
            text = _("A second-chance draw closes after the game: only then it is known what nobody won.")
            self.add_error("first_close", ValidationError(text))
        if self._uses is not None and data.get("reserve") and "draw" in self._uses:
            text = _("The second chance has no prizes of its own. Take out those won by a draw, or this tick.")
            self.add_error("reserve", ValidationError(text))
        if self._uses is not None and not data.get("reserve") and "draw" not in self._uses:
            text = _("The draw has no prize: add one that is won by a draw, or let it give what nobody won.")
            self.add_error("reserve", ValidationError(text))
        if data.get("times", 1) and (data.get("times") or 1) > 1 and not data.get("every_days"):
            self.add_error("every_days", ValidationError(_("Say how many days lie between the draws.")))
        if data.get("beacon") == "manual":
            for name in ("event", "bits"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, ValidationError(_("Published numbers need this."), code="required"))
        return data


class LawForm(forms.Form):
    """What the rules must state by the law of each place; items that are reckoned or signed are no fields."""

    def __init__(self, *args: Any, places: Sequence[str], currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chinese = (get_language() or "").startswith("zh")
        self.by_item: dict[str, str] = {}
        for place in places:
            if place not in law.PLACES:
                self.fields[f"{place}-text"] = _long(_("What the law there asks for"), required=False)
                self.by_item[f"{place}.text"] = f"{place}-text"
                continue
            for row in law.country(place)["items"]:
                if row["kind"] == "field":
                    name = f"{place}-{row['field']}"
                    self.fields[name] = forms.CharField(
                        label=row["text"]["zh" if chinese else "en"],
                        max_length=1000,
                        required=False,
                        widget=forms.Textarea(attrs={"rows": 2}),
                    )
                    self.by_item[row["id"]] = name
            if place == "jp":
                for name, label in (
                    ("purchase_price", _("Price of the purchase")),
                    ("expected_sales", _("Expected sales")),
                ):
                    self.fields[name] = _money(f"{label} ({currency})", required=False)

    def said(self) -> dict[str, dict[str, str]]:
        """Return what was typed, by place and field."""
        found: dict[str, dict[str, str]] = {}
        for name, value in self.cleaned_data.items():
            place, dash, field = name.partition("-")
            if dash and value:
                found.setdefault(place, {})[field] = value
        return found


class TextsForm(forms.Form):
    """The words of the public rules, in both languages."""

    summary_en = _long(gettext_lazy("In one sentence, English"))
    summary_zh = _long(gettext_lazy("In one sentence, Chinese"))
    how_en = _long(gettext_lazy("How to take part and to claim, English"))
    how_zh = _long(gettext_lazy("How to take part and to claim, Chinese"))
    contact_en = _long(gettext_lazy("Organiser and contact, English"))
    contact_zh = _long(gettext_lazy("Organiser and contact, Chinese"))

    def texts(self) -> dict[str, dict[str, str]]:
        """Return the words by language, as the terms hold them."""
        return {
            language: {name: self.cleaned_data.get(f"{name}_{language}", "") for name in ("summary", "how", "contact")}
            for language in ("en", "zh")
        }


class CostForm(forms.Form):
    """What the expected cost is reckoned with."""

    budget = _money(gettext_lazy("Budget"), required=False, help_text=gettext_lazy("Empty: no comparison."))
    redeemed = forms.DecimalField(
        label=gettext_lazy("Labels that will be redeemed, %"),
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        help_text=gettext_lazy("Suggested from the brand's last twelve months; 10 where too little is known."),
    )
    claimed = forms.DecimalField(
        label=gettext_lazy("Prizes that will be claimed, %"),
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        initial=Decimal(90),
    )
