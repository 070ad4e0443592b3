"""A plan read: its steps as forms, what is wrong in each, the game that they come to, and what it will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.db import connection
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _, gettext_lazy

from common.errors import DomainError
from common.money import DECIMALS, minor_of
from console.games import forms as steps
from labels.models import Batch
from lottery import services
from lottery.costs import Basis, Figures, Prize, figures
from lottery.models import Campaign, Plan
from lottery.rules import series
from lottery.services import NewAward, NewDraw, NewGame, NewPool, NewTier

STEPS: dict[str, Any] = {
    "goal": gettext_lazy("Goal"),
    "labels": gettext_lazy("Products and batches"),
    "prizes": gettext_lazy("Prizes and tiers"),
    "doors": gettext_lazy("Doors and limits"),
    "dates": gettext_lazy("Dates and beacon"),
    "law": gettext_lazy("Law"),
    "texts": gettext_lazy("Texts"),
    "cost": gettext_lazy("Cost"),
    "rehearsal": gettext_lazy("Dry run"),
    "publish": gettext_lazy("Publish"),
}
TYPED = ("goal", "labels", "prizes", "doors", "dates", "law", "texts", "cost")
WRITTEN = "written"  # beside the steps: a mark of the game that the rows say
Data = MultiValueDict[str, str]
Prizes = forms.formset_factory(
    steps.PrizeForm,
    formset=steps.PrizeRows,
    extra=0,
    min_num=1,
    max_num=steps.MOST_PRIZES,
    absolute_max=steps.MOST_PRIZES,
)
Limits = forms.formset_factory(
    steps.LimitForm, extra=0, min_num=1, max_num=steps.MOST_LIMITS, absolute_max=steps.MOST_LIMITS
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step as its page shows it: a form, with rows where it has some."""

    form: forms.Form
    rows: Any = None

    @property
    def is_sound(self) -> bool:
        """Whether all of it was typed, and is right."""
        return self.form.is_bound and self.form.is_valid() and (self.rows is None or bool(self.rows.is_valid()))

    @property
    def said(self) -> dict[str, Any]:
        """What was typed and is right, so far."""
        if self.form.is_bound:
            self.form.is_valid()
            return self.form.cleaned_data
        return {name: value for name, value in self.form.initial.items() if value is not None}

    @property
    def said_rows(self) -> list[dict[str, Any]]:
        """What was typed and is right in each row, so far."""
        if self.rows is None or not self.rows.is_bound:
            return []
        self.rows.is_valid()
        return [row.cleaned_data for row in self.rows.forms if getattr(row, "cleaned_data", None)]


@dataclass
class Draft:
    """A campaign's plan, with a step laid over it that is being typed (``typed``)."""

    campaign: Campaign | None
    plan: Plan | None
    redeemed_usual: Decimal = Decimal(10)
    typed: Mapping[str, Data] = field(default_factory=dict)

    def data(self, step: str) -> Data | None:
        """Return what was typed in a step, None for one that nobody has opened."""
        if step in self.typed:
            return self.typed[step]
        kept = self.plan.steps.get(step) if self.plan else None
        return MultiValueDict(kept) if kept is not None else None

    def step(self, name: str) -> Step:
        """Return a step, bound to what was typed in it."""
        found = self._steps.get(name)
        if found is None:
            with timezone.override(ZoneInfo(self.zone)):
                found = self._steps[name] = self._make(name)
                found.said, found.said_rows  # noqa: B018 - moments are read in the campaign's zone
        return found

    @cached_property
    def _steps(self) -> dict[str, Step]:
        return {}

    def _make(self, name: str) -> Step:
        data = self.data(name)
        if name == "goal":
            return Step(steps.GoalForm(data, initial={"zone": connection.tenant.time_zone, "kind": "both"}))  # type: ignore[attr-defined]
        if name == "labels":
            return Step(steps.LabelsForm(data, kind=self.kind))
        if name == "prizes":
            rows = Prizes(data, prefix="prizes", form_kwargs={"kind": self.kind})
            return Step(steps.CurrencyForm(data, initial={"currency": "CNY"}), rows)
        if name == "doors":
            return Step(steps.DoorsForm(data, kind=self.kind), Limits(data, prefix="limits"))
        if name == "dates":
            prizes = self.step("prizes")
            uses = {row["use"] for row in prizes.said_rows} if prizes.is_sound else None
            return Step(steps.DatesForm(data, kind=self.kind, uses=uses))
        if name == "law":
            return Step(steps.LawForm(data, places=self.places, currency=self.currency))
        if name == "texts":
            return Step(steps.TextsForm(data))
        return Step(steps.CostForm(data, initial={"redeemed": self.redeemed_usual, "claimed": Decimal(90)}))

    # --- what steps need of those before ------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The kind of the game."""
        data = self.data("goal")
        kinds = {Campaign.Kind.INSTANT, Campaign.Kind.DRAW, Campaign.Kind.BOTH}
        said = data.get("kind") if data else None
        return said if said in kinds else Campaign.Kind.BOTH

    @property
    def zone(self) -> str:
        """The campaign's time zone; the brand's while none is chosen."""
        data = self.data("goal")
        usual = str(connection.tenant.time_zone)  # type: ignore[attr-defined]
        said = str(data.get("zone")) if data else usual
        return said if said in steps.ZONES else usual

    @property
    def places(self) -> list[str]:
        """The chosen countries, those with data first."""
        said = self.step("goal").said
        return [*said.get("places", []), *(said.get("elsewhere") or [])]

    @property
    def currency(self) -> str:
        """The currency of all amounts."""
        data = self.data("prizes")
        said = data.get("currency") if data else None
        return said if said in DECIMALS else "CNY"

    def minor(self, amount: Decimal | None) -> int:
        """Return an amount in minor units; none is nothing."""
        return minor_of(amount or Decimal(0), self.currency)

    @property
    def batches(self) -> list[Batch]:
        """The batches of the game, in the order of their labels."""
        return sorted(self.step("labels").said.get("batches") or [], key=lambda batch: batch.label_range.lower)

    # --- soundness ------------------------------------------------------------------------------------------------------

    @cached_property
    def sound(self) -> set[str]:
        """The steps that are complete and right."""
        return {name for name in TYPED if self.data(name) is not None and self.step(name).is_sound}

    @property
    def missing(self) -> list[str]:
        """The typed steps that are still to be done."""
        return [name for name in TYPED if name not in self.sound]

    # --- the game ---------------------------------------------------------------------------------------------------------

    def game(self) -> NewGame:
        """Return the game that the plan comes to; every step but law, texts and cost must be sound."""
        goal, dates = self.step("goal").said, self.step("dates").said
        return NewGame(
            kind=self.kind,
            name=goal["name"],
            name_zh=goal["name_zh"],
            opens_at=dates["opens_at"],
            closes_at=dates["closes_at"],
            zone=self.zone,
            places=self.places,
            terms=self._terms(),
            tiers=self._tiers(),
            pools=self._pools(),
            draws=self._draws(),
            awards=self._awards(),
        )

    def _terms(self) -> dict[str, Any]:
        doors, dates, said = self.step("doors").said, self.step("dates").said, self.step("law").said
        law_said: dict[str, Any] = {}
        if self.step("law").form.is_bound:
            law_said = dict(cast("steps.LawForm", self.step("law").form).said())
            for name in ("purchase_price", "expected_sales"):
                if said.get(name) is not None:
                    law_said[name] = self.minor(said[name])
        terms: dict[str, Any] = {
            "products": [product.pk for product in self.step("labels").said.get("products") or []],
            "insiders_excluded": doors["insiders_excluded"],
            "regions": doors["regions"],
            "waves": doors.get("waves", 1),
            "limits": [
                {name: row[name] for name in ("act", "subject", "period", "most")}
                for row in self.step("doors").said_rows
                if row.get("most")
            ],
            "law": law_said,
        }
        if open_doors := cast("steps.DoorsForm", self.step("doors").form).doors:
            terms["doors"] = open_doors
        if dates.get("witness"):
            terms["witness"] = True
        if self.step("texts").form.is_bound:
            terms["texts"] = cast("steps.TextsForm", self.step("texts").form).texts()
        if self.kind != Campaign.Kind.INSTANT:
            terms["enter"] = {
                "label": doors["label"],
                "losing_play": doors.get("losing_play", 0),
                "free": doors["free"],
                "points": 1 if doors["points_price"] else 0,
                "points_price": doors["points_price"],
            }
            terms["draw"] = {"one_per": doors["one_per"], "max_weight": doors["max_weight"]}
            if dates.get("reserve"):
                terms["draw"]["prizes"] = "reserve"
        if dates.get("beacon") == "manual":
            terms["beacon"] = {
                "source": "manual",
                "chain": self.campaign.public_id if self.campaign else "",
                "key": "",
                "genesis": 0,
                "period": 3,
            }
            terms["beacon_bits"], terms["beacon_event"] = dates["bits"], dates["event"]
        return terms

    def _tiers(self) -> list[NewTier]:
        found = []
        for use in ("instant", "draw"):
            rows = [row for row in self.step("prizes").said_rows if row["use"] == use]
            rows.sort(key=lambda row: -row["market_price"])
            found += [self._tier(number, row) for number, row in enumerate(rows, 1)]
        return found

    def _tier(self, number: int, row: Mapping[str, Any]) -> NewTier:
        return NewTier(
            use=row["use"],
            tier=number,
            kind=row["kind"],
            name=row["name"],
            name_zh=row["name_zh"],
            quantity=row["quantity"],
            unit_cost=self.minor(row["unit_cost"]),
            market_price=self.minor(row["market_price"]),
            currency=self.currency,
            points=row["points"],
            delivery_cost=self.minor(row["delivery_cost"]),
            withheld_tax=self.minor(row["withheld_tax"]),
            claim_days=row["claim_days"],
            id_level=row["id_level"],
            alternates=row["alternates"],
        )

    def _pools(self) -> list[NewPool]:
        if self.kind == Campaign.Kind.DRAW:
            return []
        said, batches = self.step("labels").said, self.batches
        winners: Sequence[Sequence[int]] = said.get("winners") or []
        groups = [[batch] for batch in batches] if said.get("pooling") == "each" else [batches]
        if winners and len(winners) != len(groups):
            raise services.BadCampaign(_("State the winners of every pool, one line each, or of none."))
        return [
            NewPool(
                number=number,
                ranges=[batch.goods for batch in group],
                name=", ".join(batch.number for batch in group)[:80],
                quantities=winners[number - 1] if winners else (),
            )
            for number, group in enumerate(groups, 1)
        ]

    def _draws(self) -> list[NewDraw]:
        if self.kind == Campaign.Kind.INSTANT:
            return []
        said = self.step("dates").said
        closes = series(
            said["first_close"], every_days=said.get("every_days") or 1, times=said["times"], zone=self.zone
        )
        opens = [said["opens_at"], *closes[:-1]]
        return [
            NewDraw(number=number, opens_at=start, close_at=end)
            for number, (start, end) in enumerate(zip(opens, closes, strict=True), 1)
        ]

    def _awards(self) -> list[NewAward]:
        said = self.step("labels").said
        if not said.get("points"):
            return []
        return [NewAward(party="consumer", points=said["points"], expires_after_months=said.get("months"))]

    # --- the cost -----------------------------------------------------------------------------------------------------------

    @property
    def basis(self) -> Basis:
        """What figures are reckoned from: all that is right so far."""
        cost, dates, labels = self.step("cost").said, self.step("dates").said, self.step("labels").said
        draws = dates.get("times") or 1
        prizes = [
            Prize(
                use=row["use"],
                quantity=row["quantity"] * (draws if row["use"] == "draw" else 1),
                each=sum(self.minor(row.get(name)) for name in ("unit_cost", "delivery_cost", "withheld_tax")),
                points=row.get("points") or 0,
            )
            for row in self.step("prizes").said_rows
            if row.get("quantity") and row.get("use")
        ]
        opens, closes, zone = dates.get("opens_at"), dates.get("closes_at"), ZoneInfo(self.zone)
        return Basis(
            prizes=prizes,
            labels=sum(batch.count for batch in self.batches),
            redeemed=Fraction(cost.get("redeemed") or 0) / 100,
            claimed=Fraction(cost.get("claimed") or 0) / 100,
            points_per_code=labels.get("points") or 0,
            reserve=bool(dates.get("reserve")),
            budget=self.minor(cost["budget"]) if cost.get("budget") is not None else None,
            first=opens.astimezone(zone).date() if opens else None,
            last=closes.astimezone(zone).date() if closes else None,
        )

    @property
    def figures(self) -> Figures:
        """What it comes to."""
        return figures(self.basis)

    # --- saving ---------------------------------------------------------------------------------------------------------------

    def write(self, *, at: datetime, by: str) -> str:
        """Let the campaign's own rows follow the plan where they can; return what keeps them from it, "" for nothing.

        Rows that say the same already stay: what somebody is asked to approve does not change under them.
        """
        needed = {"goal", "labels", "prizes", "doors", "dates"}
        if self.campaign is None or self.plan is None or not needed <= self.sound:
            return _("Complete the steps before: goal, products, prizes, doors and dates.")
        try:
            game = self.game()
            mark = sha256(repr(game).encode()).hexdigest()
            if self.plan.steps.get(WRITTEN) == mark:
                return ""
            services.draft_game(game, at=at, asked_by=by, campaign_id=self.campaign.pk)
        except DomainError as error:
            return error.detail
        self.plan.steps[WRITTEN] = mark
        self.plan.save(update_fields=["steps"])
        return ""
