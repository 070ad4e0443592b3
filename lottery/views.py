"""The pages of campaigns."""

from typing import Any, cast

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from lottery import services
from lottery.forms import MOST_ROWS, AwardFormSet, CampaignForm, HaltForm, TopUpForm, award_rows
from lottery.models import Campaign
from lottery.queries import campaigns
from lottery.services import NewAward
from staff.approvals import NeedsApproval
from staff.models import User
from staff.permissions import staff_view


@staff_view("lottery.read")
def campaign_list(request: HttpRequest) -> HttpResponse:
    """List the campaigns, newest first."""
    state = request.GET.get("state", "")
    found = campaigns()
    if state in Campaign.State.values:
        found = found.filter(state=state)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Name"), "display_name"),
            (_("Kind"), lambda campaign: campaign.get_kind_display()),
            (_("State"), lambda campaign: campaign.get_state_display()),
            (_("Opens"), "opens_at"),
            (_("Closes"), "closes_at"),
            (_("Budget in points"), "points_total"),
            (_("Left"), "points_left"),
        ]
        return csv_response(found.order_by("-created_at", "-id"), columns, "campaigns")
    page = keyset_page(found, request)
    counts = Campaign.objects.aggregate(**{name: Count("pk", filter=Q(state=name)) for name in Campaign.State.values})
    chips = [(name, label, counts[name]) for name, label in Campaign.State.choices]
    rows = [(campaign, _width(campaign)) for campaign in page.rows]
    context = {"page": page, "rows": rows, "state": state, "chips": chips, "total": sum(counts.values()), "at": now()}
    return render(request, "lottery/campaigns.html", context)


@staff_view("lottery.read")
def campaign_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a campaign: terms, budget, and what it has cost. One with prizes has pages of its own."""
    if Campaign.objects.filter(public_id=public_id).exclude(kind=Campaign.Kind.POINTS).exists():
        return redirect(f"/console/games/{public_id}")
    return render(request, "lottery/campaign.html", _detail(_find(public_id)))


def _detail(campaign: Any) -> dict[str, Any]:
    awards = campaign.awards.select_related("product").order_by("product__name", "id")
    return {
        "campaign": campaign,
        "awards": awards,
        "given": _given(campaign),
        "width": _width(campaign),
        "per_code": _per_code([NewAward(party=a.party, points=a.points, product_id=a.product_id) for a in awards]),
        "halt_form": HaltForm(public_id=campaign.public_id),
        "top_up_form": TopUpForm(),
        "at": now(),
    }


@staff_view("lottery.edit")
def campaign_new(request: HttpRequest) -> HttpResponse:
    """Make a campaign, in draft."""
    start = now().replace(second=0, microsecond=0)
    return _edit(request, None, {"opens_at": start, "budget": None}, [{"months": 24}])


@staff_view("lottery.edit")
def campaign_edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Rewrite a draft."""
    campaign = _find(public_id)
    if campaign.state != Campaign.State.DRAFT:
        messages.warning(request, _("Only a draft can be changed."))
        return redirect(f"/console/campaigns/{public_id}")
    return _edit(request, campaign, CampaignForm.of(campaign), award_rows(campaign))


def _edit(
    request: HttpRequest, campaign: Campaign | None, initial: dict[str, Any], rows: list[dict[str, Any]]
) -> HttpResponse:
    form = CampaignForm(request.POST or None, initial=initial)
    formset = AwardFormSet(request.POST or None, initial=rows, prefix="awards")
    status = 200
    if request.method == "POST" and "add" in request.POST:
        form, formset = _one_more_row(request)
    elif request.method == "POST":
        status = 422
        if form.is_valid() and formset.is_valid():
            try:
                saved = _save(request, campaign, form, formset)
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, _("The draft is saved. It pays nothing before it is opened."))
                return redirect(f"/console/campaigns/{saved.public_id}")
    context = {"campaign": campaign, "form": form, "formset": formset, "most": len(formset.forms) >= MOST_ROWS}
    return render(request, "lottery/campaign_form.html", {**context, **_preview(form, formset)}, status=status)


def _save(request: HttpRequest, campaign: Campaign | None, form: Any, formset: Any) -> Campaign:
    awards = [award for row in formset.forms for award in row.awards()]
    terms = {**form.cleaned_data, "awards": awards}
    if campaign is not None:
        return services.edit_campaign(campaign.pk, **terms)
    return services.create_campaign(**terms, at=now(), asked_by=str(request.user))


def _one_more_row(request: HttpRequest) -> tuple[Any, Any]:
    """Return the forms as typed, with one more row and no errors yet."""
    data = request.POST.copy()
    count = data.get("awards-TOTAL_FORMS", "1")
    rows = min(int(count) + 1, MOST_ROWS) if count.isdecimal() and len(count) < 4 else 1
    initial = [
        {name: data.get(f"awards-{i}-{name}") for name in ("product", "consumer", "retailer", "promoter", "months")}
        for i in range(rows - 1)
    ]
    typed = {name: data.get(name) for name in CampaignForm.base_fields}
    return CampaignForm(initial=typed), AwardFormSet(initial=[*initial, {"months": 24}], prefix="awards")


@staff_view("lottery.edit")
@require_POST
def campaign_preview(request: HttpRequest) -> HttpResponse:
    """Return the box of consequences for what is typed so far."""
    form, formset = CampaignForm(request.POST), AwardFormSet(request.POST, prefix="awards")
    form.is_valid()
    formset.is_valid()
    return render(request, "lottery/preview.html", _preview(form, formset))


def _preview(form: Any, formset: Any) -> dict[str, Any]:
    """Return what the typed terms come to: points a code, and how many codes the budget pays."""
    awards: list[NewAward] = []
    for row in formset.forms:
        if row.is_bound and not row.errors:
            awards += row.awards()
        elif not row.is_bound:
            awards += [
                NewAward(party=party, points=points, product_id=row.initial.get("product"))
                for party in ("consumer", "retailer", "promoter")
                if isinstance(points := row.initial.get(party), int)
            ]
    per_code = _per_code(awards)
    budget = form.cleaned_data.get("budget") if form.is_bound and hasattr(form, "cleaned_data") else None
    budget = budget or form.initial.get("budget")
    codes = budget // per_code if isinstance(budget, int) and per_code else None
    return {"per_code": per_code, "codes": codes, "budget_typed": budget}


def _per_code(awards: list[NewAward]) -> int:
    """Return the most points that one code can cost: of any product, all parties together."""
    general = {award.party: award.points for award in awards if award.product_id is None}
    products = {award.product_id for award in awards}
    sums = []
    for product in products:
        own = {award.party: award.points for award in awards if award.product_id == product}
        sums.append(sum({**general, **own}.values()))
    return max(sums, default=0)


@staff_view("lottery.publish")
@require_POST
def campaign_open(request: HttpRequest, public_id: str) -> HttpResponse:
    """Open a draft."""
    return _act(request, public_id, lambda pk: services.open_campaign(pk, at=now()), _("The campaign is open."))


@staff_view("lottery.publish")
@require_POST
def campaign_close(request: HttpRequest, public_id: str) -> HttpResponse:
    """Close an open campaign in the ordinary way."""
    return _act(request, public_id, lambda pk: services.close_campaign(pk, at=now()), _("The campaign is closed."))


@staff_view("lottery.publish")
@require_POST
def campaign_halt(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop an open campaign at once."""
    form = HaltForm(request.POST, public_id=public_id)
    if not form.is_valid():
        return render(request, "lottery/campaign.html", {**_detail(_find(public_id)), "halt_form": form}, status=422)
    reason = form.cleaned_data["reason"]
    return _act(request, public_id, lambda pk: services.halt(pk, reason=reason, at=now()), _("The campaign is halted."))


@staff_view("lottery.publish")
@require_POST
def campaign_top_up(request: HttpRequest, public_id: str) -> HttpResponse:
    """Raise a budget."""
    form = TopUpForm(request.POST)
    if not form.is_valid():
        context = {**_detail(_find(public_id)), "top_up_form": form}
        return render(request, "lottery/campaign.html", context, status=422)
    points, user = form.cleaned_data["points"], cast("User", request.user)
    return _act(
        request,
        public_id,
        lambda pk: services.raise_budget(pk, points=points, by=user, at=now()),
        _("The budget is raised."),
    )


def _act(request: HttpRequest, public_id: str, act: Any, done: str) -> HttpResponse:
    try:
        act(_find(public_id).pk)
    except NeedsApproval as asked:
        messages.warning(request, str(asked.detail))
        return redirect(f"/console/approvals/{asked.approval.pk}")
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, done)
    return redirect(f"/console/campaigns/{public_id}")


def _find(public_id: str) -> Any:
    found: QuerySet[Campaign, Campaign] = campaigns().filter(kind=Campaign.Kind.POINTS)
    return get_object_or_404(found, public_id=public_id)


def _width(campaign: Any) -> float:
    return share(_given(campaign) or 0, campaign.points_total or 0)


def _given(campaign: Any) -> int | None:
    """Return the points that a campaign's budget has paid, or None for one without a budget."""
    return None if campaign.points_total is None else campaign.points_total - (campaign.points_left or 0)
