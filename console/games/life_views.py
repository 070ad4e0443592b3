"""The pages of a game after publication: what happens next, arming, live figures, new versions, a halt, filings."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import csv_response, wants_csv
from console.games.forms import place_name
from console.games.forms_life import ChangeForm
from console.games.live import live
from console.games.packs import pack_of, pack_places
from console.games.wizard_views import find, hex_of, waiting_for
from lottery import law, services
from lottery.beacons import Beacon
from lottery.forms import HaltForm
from lottery.models import Campaign, Filing
from lottery.services.arming import ARM, GIVE_UP, HALT, first_commitment
from lottery.services.beaconing import value_of
from staff import approvals
from staff.models import User
from staff.permissions import allowed, staff_view

_SECRET_BYTES = 32


@staff_view("lottery.read")
def game(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a game: its state, what happens next and who must do it."""
    campaign = find(public_id)
    if campaign.state == Campaign.State.DRAFT:
        return redirect(f"/console/games/{public_id}/plan/{_first_open(campaign)}")
    return render(request, "console/games/game.html", _context(request, campaign))


def _first_open(campaign: Campaign) -> str:
    from console.games.wizard_views import draft_of

    missing = draft_of(campaign).missing
    return missing[0] if missing else "publish"


def _context(request: HttpRequest, campaign: Campaign, **more: Any) -> dict[str, Any]:
    at = now()
    change = services.waiting_change(campaign.pk).select_related("campaign").first()
    return {
        "campaign": campaign,
        "at": at,
        "tiers": campaign.tiers.order_by("use", "tier"),
        "draws": campaign.draws.order_by("number"),
        "versions": campaign.versions.order_by("-n"),
        "commitments": campaign.commitments.order_by("at", "pk"),
        "filings": _filings(campaign),
        "places": [(place, place_name(place)) for place in pack_places(campaign)],
        "arming": _arming(campaign, at=at),
        "revealing": _revealing(campaign, at=at),
        "change": change,
        "voices": services.voices(change) if change else [],
        "halt_form": HaltForm(public_id=campaign.public_id),
        "halting": approvals.waiting(at).filter(kind=HALT, payload__campaign=campaign.public_id).first(),
        "may_publish": allowed(request.user, "lottery.publish"),
        "may_file": allowed(request.user, "lottery.sign_off") or allowed(request.user, "lottery.publish"),
        "ended": campaign.state not in Campaign.BEFORE_THE_END,
        **more,
    }


def _filings(campaign: Campaign) -> list[tuple[Filing, dict[str, str]]]:
    texts = {
        row["id"]: row["text"]
        for place in campaign.places
        if place in law.PLACES
        for row in law.country(place)["items"]
    }
    return [(row, texts.get(row.item, {})) for row in Filing.objects.filter(campaign=campaign).order_by("due_on", "pk")]


def _arming(campaign: Campaign, *, at: datetime) -> dict[str, Any]:
    """Return where the arming of an instant game stands; empty for what is not to be armed."""
    if campaign.state != Campaign.State.PUBLISHED or not campaign.has_instant:
        return {}
    _commitment, value = first_commitment(campaign)
    beacon, round_no = Beacon.from_json(value["beacon"]), value["beacon"]["round"]
    payload = services.arm_payload(campaign)
    return {
        "round": round_no,
        "out_at": datetime.fromtimestamp(beacon.time_of(round_no), UTC),
        "is_out": value_of(beacon, round_no) is not None,
        "waiting": waiting_for(ARM, payload),
        "approved": approvals.approved_for(ARM, payload, at=at),
        "witness": len(value["k"]) > 1,
        "beacon": beacon,
    }


def _revealing(campaign: Campaign, *, at: datetime) -> dict[str, Any]:
    """Return whether a closed game may be revealed, and whether by a witness's secret; empty for any other."""
    if campaign.state != Campaign.State.CLOSED or not campaign.has_instant:
        return {}
    _commitment, value = first_commitment(campaign)
    return {"is_due": campaign.pk in services.reveal_due(at=at), "witness": len(value["k"]) > 1}


def _secrets(request: HttpRequest) -> dict[str, bytes]:
    """Return the witness's secret and nonce as typed. Raises `services.BadSecret`."""
    secrets = {}
    for name in ("s2", "n2"):
        typed = hex_of(request.POST.get(name, ""), _SECRET_BYTES)
        if typed is None:
            raise services.BadSecret(_("The witness's secret and nonce have 64 hexadecimal digits each."))
        secrets[name] = typed
    return secrets


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view lets nobody else in
    return request.user


def _done(request: HttpRequest, public_id: str, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect(f"/console/games/{public_id}")


def _failed(request: HttpRequest, public_id: str, error: DomainError) -> HttpResponse:
    messages.error(request, error.detail)
    return redirect(f"/console/games/{public_id}")


def _asked(request: HttpRequest, kind: str, payload: dict[str, Any]) -> HttpResponse:
    found = approvals.request(kind, payload, by=_user(request), at=now())
    messages.warning(request, _("Another person has to approve this. The request is made."))
    return redirect(f"/console/approvals/{found.pk}")


@staff_view("lottery.publish")
@require_POST
def arm(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a second person's word on the arming, or arm the game once it is given."""
    campaign = find(public_id)
    try:
        payload = services.arm_payload(campaign)
        found = approvals.approved_for(ARM, payload, at=now())
        if found is None:
            return _asked(request, ARM, payload)
        secrets = _secrets(request) if _arming(campaign, at=now()).get("witness") else {}
        services.arm(campaign.pk, approval_id=found.pk, at=now(), armed_by=_user(request).username, **secrets)
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("The game is armed. It opens by itself at its time."))


@staff_view("lottery.publish")
@require_POST
def give_up(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give up a first commitment before arming, with a public reason: its successor has a witness."""
    campaign, reason = find(public_id), request.POST.get("reason", "").strip()[:200]
    try:
        payload = {**services.arm_payload(campaign), "reason": reason}
        if not reason:
            raise services.BadCampaign(_("A commitment that is given up says why, for the public to read."))
        found = approvals.approved_for(GIVE_UP, payload, at=now())
        if found is None:
            return _asked(request, GIVE_UP, payload)
        witness = hex_of(request.POST.get("witness", ""), _SECRET_BYTES)
        if witness is None:
            raise services.BadCampaign(_("Type the auditor's hash: 64 hexadecimal digits."))
        services.give_up(
            campaign.pk, reason=reason, approval_id=found.pk, at=now(), by=_user(request).username, witness=witness
        )
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("The commitment is given up, and its successor is public."))


@staff_view("lottery.publish")
@require_POST
def halt(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a second person's word on a halt, or halt once it is given."""
    campaign = find(public_id)
    form = HaltForm(request.POST, public_id=public_id)
    if not form.is_valid():
        return render(request, "console/games/game.html", _context(request, campaign, halt_form=form), status=422)
    reason = form.cleaned_data["reason"].strip()
    payload = services.halt_payload(campaign, reason)
    try:
        found = approvals.approved_for(HALT, payload, at=now())
        if found is None:
            return _asked(request, HALT, payload)
        services.halt_game(campaign.pk, reason=reason, approval_id=found.pk, at=now())
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("The campaign is halted."))


@staff_view("lottery.publish")
@require_POST
def reveal(request: HttpRequest, public_id: str) -> HttpResponse:
    """Reveal a closed game that no claim waits for; one with a witness needs the witness's secret."""
    campaign = find(public_id)
    try:
        found = _revealing(campaign, at=now())
        if not found.get("is_due"):
            raise services.BadCampaign(_("The game cannot be revealed yet: it is not closed, or a prize waits."))
        secrets = _secrets(request) if found["witness"] else {}
        services.reveal(campaign.pk, at=now(), **secrets)
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("The game is revealed. Anybody can count the winners again."))


# --- new versions ---------------------------------------------------------------------------------------------------------


@staff_view("lottery.publish")
def change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a new version of the rules."""
    campaign = find(public_id)
    if campaign.state in {Campaign.State.DRAFT, Campaign.State.REVEALED, Campaign.State.HALTED}:
        messages.warning(request, _("The rules of this campaign do not change any more."))
        return redirect(f"/console/games/{public_id}")
    form = ChangeForm(request.POST or None, campaign=campaign)
    if request.method == "POST" and form.is_valid():
        try:
            services.propose(campaign.pk, form.amendment(), by=_user(request), at=now())
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return _done(request, public_id, _("The change waits for the word of two other persons."))
    context = {"campaign": campaign, "form": form}
    return render(request, "console/games/change.html", context, status=422 if form.errors else 200)


@staff_view("lottery.publish")
@require_POST
def change_apply(request: HttpRequest, public_id: str) -> HttpResponse:
    """Publish the change that two persons have approved."""
    campaign = find(public_id)
    waiting = services.waiting_change(campaign.pk).first()
    try:
        if waiting is None:
            raise services.BadCampaign(_("No change waits."))
        version = services.apply_change(waiting.pk, at=now(), by=_user(request).username)
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("Version %(n)s of the rules is public.") % {"n": version.n})


@staff_view("lottery.publish")
@require_POST
def change_drop(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give up the change that waits."""
    for row in services.waiting_change(find(public_id).pk):
        services.drop_change(row.pk, at=now())
    return _done(request, public_id, _("The change is dropped."))


# --- live -----------------------------------------------------------------------------------------------------------------


@staff_view("lottery.read")
def live_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show how an open game goes; asked by htmx every few seconds, the figures alone."""
    campaign = find(public_id)
    found = live(campaign, at=now())
    if wants_csv(request):
        if request.GET.get("of") == "days":
            columns: list[Any] = [
                (_("Day"), lambda row: row[0]),
                (_("Plays"), lambda row: row[1]),
                (_("Wins"), lambda row: row[2]),
            ]
            return csv_response(found.days, columns, "plays")
        columns = [
            (_("Prize"), lambda row: row.tier.display_name),
            (_("Quantity"), lambda row: row.tier.quantity),
            (_("Given"), "taken"),
            (_("Left"), "left"),
            (_("Left by plan"), "planned"),
            (_("Ends on"), "ends_on"),
        ]
        return csv_response(found.prizes, columns, "prizes")
    template = "console/games/live_part.html" if request.headers.get("HX-Request") else "console/games/live.html"
    return render(request, template, {"campaign": campaign, "found": found, "at": found.at})


# --- filings ----------------------------------------------------------------------------------------------------------------


@staff_view("lottery.read")
@require_POST
def filed(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Say that something was filed with an authority."""
    campaign = find(public_id)
    if not (allowed(request.user, "lottery.sign_off") or allowed(request.user, "lottery.publish")):
        messages.error(request, _("Your role may not say that."))
        return redirect(f"/console/games/{public_id}")
    try:
        if not Filing.objects.filter(campaign=campaign, pk=pk).exists():
            raise services.NoSuchCampaign
        services.file_done(
            pk, note=request.POST.get("note", "").replace("\x00", ""), by=_user(request).username, at=now()
        )
    except DomainError as error:
        return _failed(request, public_id, error)
    return _done(request, public_id, _("It is noted as filed."))


@staff_view("lottery.read")
def pack(request: HttpRequest, public_id: str, place: str) -> HttpResponse:
    """Return the filing pack of a country: one zip."""
    campaign = find(public_id)
    if place not in pack_places(campaign) or not campaign.versions.exists():
        messages.error(request, _("There is no filing pack before the rules are published."))
        return redirect(f"/console/games/{public_id}")
    answer = HttpResponse(pack_of(campaign, place, at=now()), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{campaign.public_id}-{place}.zip"'
    return answer
