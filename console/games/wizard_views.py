"""The wizard: ten steps from a goal to rules that two persons publish. Each step is kept as typed, and can be opened again."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.money import major_of
from common.tables import csv_response
from console.games.forms import LimitForm, PrizeForm
from console.games.outlook import outlook, text_of
from console.games.plan import STEPS, TYPED, Draft
from lottery import services
from lottery.costs import spending
from lottery.models import Campaign, LawDocument, Plan
from lottery.services.publishing import APPROVAL
from redemption.queries import redeemed_share, touched
from staff import approvals
from staff.models import Approval, User
from staff.permissions import allowed, staff_view

_ROWS: dict[str, tuple[str, type[Form]]] = {"prizes": ("prizes", PrizeForm), "doors": ("limits", LimitForm)}
_FOLLOWS = "/console/games/{}/plan/{}"
WITNESS_BYTES = 32


def find(public_id: str) -> Campaign:
    """Return a campaign with prizes, or raise Http404."""
    return get_object_or_404(Campaign.objects.exclude(kind=Campaign.Kind.POINTS), public_id=public_id)


def draft_of(campaign: Campaign | None, typed: dict[str, Any] | None = None) -> Draft:
    """Return a campaign's plan as it is kept, with what is being typed laid over it."""
    plan = Plan.objects.filter(campaign=campaign).first() if campaign else None
    share = redeemed_share(at=now())
    usual = Decimal(10) if share is None else Decimal(f"{100 * share:.1f}")
    return Draft(campaign, plan, usual, typed or {})


def _typed(request: HttpRequest) -> dict[str, list[str]]:
    left_out = {"csrfmiddlewaretoken", "add", "go"}
    return {name: request.POST.getlist(name) for name in request.POST if name not in left_out}


@staff_view("lottery.edit")
def new(request: HttpRequest) -> HttpResponse:
    """Begin a campaign with its goal."""
    typed = {"goal": MultiValueDict(_typed(request))} if request.method == "POST" else None
    draft = draft_of(None, typed)
    if request.method == "POST" and draft.step("goal").is_sound:
        said = draft.step("goal").said
        campaign = services.start_plan(
            name=said["name"],
            name_zh=said["name_zh"],
            kind=said["kind"],
            zone=said["zone"],
            typed=_typed(request),
            at=now(),
            by=request.user.get_username(),
        )
        return redirect(_FOLLOWS.format(campaign.public_id, "labels"))
    return _page(request, draft, "goal", status=422 if request.method == "POST" else 200)


@staff_view("lottery.read")
def step(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """Show a step, or keep it and go on."""
    campaign = find(public_id)
    if name not in STEPS:
        return redirect(_FOLLOWS.format(public_id, "goal"))
    if campaign.state != Campaign.State.DRAFT:
        return redirect(f"/console/games/{public_id}")
    if request.method != "POST" or name not in TYPED:
        return _page(request, draft_of(campaign), name)
    if not allowed(request.user, "lottery.edit"):
        messages.error(request, _("Your role may read this plan, not change it."))
        return redirect(_FOLLOWS.format(public_id, name))
    typed = _typed(request)
    if "add" in request.POST:
        typed = _one_more(typed, name)
    draft = _keep(request, campaign, name, typed)
    if draft is None:
        return redirect(f"/console/games/{public_id}")
    if "add" in request.POST:
        return redirect(f"{_FOLLOWS.format(public_id, name)}#last")
    if not draft.step(name).is_sound:
        return _page(request, draft, name, status=422)
    fault = draft.write(at=now(), by=request.user.get_username())
    if fault and not draft.missing:
        messages.warning(request, fault)
    following = list(STEPS)[list(STEPS).index(name) + 1]
    return redirect(_FOLLOWS.format(public_id, following))


def _keep(request: HttpRequest, campaign: Campaign, name: str, typed: dict[str, list[str]]) -> Draft | None:
    """Keep a step as it was typed; None once the rules are published."""
    try:
        services.save_step(campaign.pk, name, typed, at=now(), by=request.user.get_username())
    except DomainError as error:
        messages.error(request, error.detail)
        return None
    return draft_of(campaign)


def _one_more(typed: dict[str, list[str]], step: str) -> dict[str, list[str]]:
    """Return what was typed with one more row as its form begins, or the same where the step has no rows."""
    if step not in _ROWS:
        return typed
    prefix, form = _ROWS[step]
    name = f"{prefix}-TOTAL_FORMS"
    count = (typed.get(name) or ["1"])[0]
    if not count.isdecimal() or len(count) > 3:
        return typed
    usual = {key: field.initial for key, field in form.base_fields.items() if field.initial is not None}
    begun = {f"{prefix}-{int(count)}-{key}": [str(value)] for key, value in usual.items()}
    return {**typed, name: [str(int(count) + 1)], **begun}


@staff_view("lottery.edit")
@require_POST
def preview(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """Keep what is typed so far, and return what it comes to."""
    campaign = find(public_id)
    if name not in TYPED:
        return HttpResponse(status=404)
    draft = _keep(request, campaign, name, _typed(request)) or draft_of(campaign)
    return render(request, "console/games/outlook.html", {"part": True, **_context(request, draft, name)})


@staff_view("lottery.edit")
@require_POST
def preview_new(request: HttpRequest) -> HttpResponse:
    """Return what a goal that is not kept yet comes to."""
    draft = draft_of(None, {"goal": MultiValueDict(_typed(request))})
    return render(request, "console/games/outlook.html", {"part": True, **_context(request, draft, "goal")})


@staff_view("lottery.read")
def spending_csv(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return the expected way of the cost as CSV."""
    draft = draft_of(find(public_id))
    money = draft.currency
    return csv_response(
        spending(draft.basis),
        [
            (_("Day"), "on"),
            (_("Expected"), lambda row: major_of(row.middle, money)),
            (_("Low"), lambda row: major_of(row.low, money)),
            (_("High"), lambda row: major_of(row.high, money)),
        ],
        "spending",
    )


def _context(request: HttpRequest, draft: Draft, name: str) -> dict[str, Any]:
    return {"campaign": draft.campaign, "draft": draft, "name": name, **outlook(draft, name, at=now())}


def _page(request: HttpRequest, draft: Draft, name: str, *, status: int = 200) -> HttpResponse:
    context = _context(request, draft, name)
    names = list(STEPS)
    place = names.index(name)
    context |= {
        "title": STEPS[name],
        "back": context["steps"][place - 1] if place else None,
        "following": STEPS[names[place + 1]] if place + 1 < len(names) else "",
        "may_edit": allowed(request.user, "lottery.edit"),
        "kind": Campaign.Kind(draft.kind).label if draft.campaign else "",
    }
    if name in TYPED:
        found = draft.step(name)
        context |= {"form": found.form, "rows": found.rows}
    if name == "law":
        context |= _law(request, draft)
    if name == "publish":
        context |= _publication(request, draft)
    return render(request, f"console/games/{name}.html", context, status=status)


def _law(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    form: Any = draft.step("law").form
    fault = draft.write(at=now(), by=request.user.get_username()) if allowed(request.user, "lottery.edit") else ""
    found = outlook(draft, "law", at=now())["laws"]
    documents = {
        row.item: row for row in LawDocument.objects.filter(campaign=draft.campaign).defer("data").order_by("pk")
    }
    checks = [
        (
            place,
            [
                {
                    "item": item,
                    "text": text_of(item),
                    "field": form[form.by_item[item.id]] if item.id in form.by_item else None,
                    "document": documents.get(item.id),
                    "due": services.due_on(item, draft.campaign) if draft.campaign else None,
                }
                for item in place.items
            ],
        )
        for place in found
    ]
    loose = [form[name] for name in ("purchase_price", "expected_sales") if name in form.fields]
    return {
        "checks": checks,
        "loose": loose,
        "laws": found,
        "fault": fault,
        "may_sign": allowed(request.user, "lottery.sign_off"),
    }


# --- the law ------------------------------------------------------------------------------------------------------------


@staff_view("lottery.sign_off")
@require_POST
def sign(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note that a named person of the role legal stands for an item, with its paper where one is asked for."""
    campaign = find(public_id)
    item, name, paper = (
        request.POST.get("item", ""),
        request.POST.get("name", "").strip(),
        request.FILES.get("document"),
    )
    known = {one.id: one for one in services.checklist(campaign, at=now())}
    by = request.user.get_username()
    try:
        if item not in known or known[item].kind not in {"sign-off", "document"}:
            raise services.BadCampaign(_("There is no such item to be signed."))
        if not name:
            raise services.BadCampaign(_("Type the name of the person who stands for it."))
        if known[item].kind == "document":
            if paper is None:
                raise services.BadCampaign(_("This item asks for a document: choose the file."))
            services.bring_document(
                campaign.pk,
                item,
                file_name=paper.name or item,
                data=paper.read(6_000_000),
                name=name,
                brought_by=by,
                at=now(),
            )
        else:
            services.sign_off(campaign.pk, item, name=name, signed_by=by, at=now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("It is signed."))
    return redirect(f"{_FOLLOWS.format(public_id, 'law')}#{item.replace('.', '-')[:60]}")


@staff_view("lottery.read")
def document(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Return a paper that was brought for an item."""
    found = get_object_or_404(LawDocument, campaign=find(public_id), pk=pk)
    answer = HttpResponse(bytes(found.data), content_type=found.media_type)
    name = "".join(letter if letter.isalnum() or letter in ".-_ " else "_" for letter in found.name)
    answer["Content-Disposition"] = f'attachment; filename="{name.encode("ascii", "replace").decode()}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


# --- dry run and publication -----------------------------------------------------------------------------------------------


@staff_view("lottery.edit")
@require_POST
def rehearse(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a dry run."""
    campaign = find(public_id)
    fault = draft_of(campaign).write(at=now(), by=request.user.get_username())
    try:
        if fault:
            raise services.BadCampaign(fault)
        campaign.refresh_from_db()
        services.ask_rehearsal(
            campaign.pk, at=now(), asked_by=request.user.get_username(), touched=touched(_spans(campaign))
        )
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(_FOLLOWS.format(public_id, "rehearsal"))


def _publication(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    campaign = draft.campaign
    assert campaign is not None  # noqa: S101 - only a kept plan has this step
    fault = draft.write(at=now(), by=request.user.get_username()) if allowed(request.user, "lottery.edit") else ""
    campaign.refresh_from_db()
    if not campaign.tiers.exists():
        return {"fault": fault or _("The plan is not complete yet."), "laws": []}
    payload = services.publish_payload(campaign)
    return {
        "fault": fault,
        "laws": outlook(draft, "publish", at=now())["laws"],
        "hash": payload["hash"],
        "approved": approvals.approved_for(APPROVAL, payload, at=now()),
        "waiting": waiting_for(APPROVAL, payload),
        "needs_witness": bool(campaign.terms.get("witness")),
        "may_publish": allowed(request.user, "lottery.publish"),
    }


def waiting_for(kind: str, payload: dict[str, Any]) -> Approval | None:
    """Return the request for exactly this that somebody must decide."""
    return approvals.waiting(now()).filter(kind=kind, payload=payload).order_by("pk").first()


@staff_view("lottery.publish")
@require_POST
def publish(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a second person's word on exactly these rules, or publish them once it is given."""
    campaign, draft = find(public_id), draft_of(find(public_id))
    here = _FOLLOWS.format(public_id, "publish")
    try:
        if draft.missing:
            raise services.BadCampaign(
                _("Still to be done: %(steps)s.") % {"steps": ", ".join(str(STEPS[name]) for name in draft.missing)}
            )
        fault = draft.write(at=now(), by=request.user.get_username())
        if fault:
            raise services.BadCampaign(fault)
        campaign.refresh_from_db()
        payload = services.publish_payload(campaign)
        found = approvals.approved_for(APPROVAL, payload, at=now())
        if found is None:
            return _ask(request, campaign, payload)
        _publish(request, campaign, draft, found)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(here)
    messages.success(request, _("The rules are published. From now on nobody can change them."))
    return redirect(f"/console/games/{public_id}")


def _ask(request: HttpRequest, campaign: Campaign, payload: dict[str, Any]) -> HttpResponse:
    open_items = [item for item in services.checklist(campaign, at=now()) if item.is_open]
    if open_items:
        texts = "; ".join(text_of(item) for item in open_items[:3])
        raise services.LawOpen(_("The law asks for more before this is published: %(items)s") % {"items": texts})
    if campaign.has_instant:
        services.prepare_pools(campaign.pk, at=now(), asked_by=request.user.get_username())
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - staff_view lets nobody else in
    asked = approvals.request(APPROVAL, payload, by=user, at=now())
    messages.warning(request, _("Another person has to approve this. The request is made."))
    return redirect(f"/console/approvals/{asked.pk}")


def _publish(request: HttpRequest, campaign: Campaign, draft: Draft, approval: Approval) -> None:
    witness = None
    if campaign.terms.get("witness"):
        witness = hex_of(request.POST.get("witness", ""), WITNESS_BYTES)
        if witness is None:
            raise services.BadCampaign(_("Type the auditor's hash: 64 hexadecimal digits."))
    services.publish(
        campaign.pk,
        approval_id=approval.pk,
        touched=touched(_spans(campaign)),
        at=now(),
        published_by=request.user.get_username(),
        witness=witness,
        redeemed_share=float(draft.basis.redeemed),
    )


def _spans(campaign: Campaign) -> list[tuple[int, int]]:
    return [(int(first), int(beyond)) for pool in campaign.pools.all() for first, beyond in pool.ranges]


def hex_of(text: str, size: int) -> bytes | None:
    """Return so many bytes typed as hexadecimal digits, or None."""
    text = "".join(text.split()).lower()
    if len(text) != 2 * size or any(letter not in "0123456789abcdef" for letter in text):
        return None
    return bytes.fromhex(text)
