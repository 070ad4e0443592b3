"""The consumer's web door: a label's page, typed numbers, claiming, receipts.

A GET writes nothing: it shows what is known (`services.look`). The visit is told by a signed token which the visible
page posts; the claim form carries a signed token too, which becomes the request id, so that a second press of its
button gets the first answer.
"""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext as _, pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.canonical import canonical
from common.clock import now
from common.net import client_ip, ip_prefix
from labels import digital_link, queries as labels
from labels.digital_link import Link
from labels.models import Product
from labels.queries import Status
from redemption import collector, page as pages, queries, services
from redemption.door import (
    ConsumerRequest,
    consumer_page,
    expired,
    member_id_of,
    missing,
    page,
    partner_names,
    wants_json,
)
from redemption.forms import ClaimForm, EntryForm
from redemption.one_time import ask_for_code, said_or_wrong, sign_in_by_code
from redemption.rules import Act, Attempt, Door, Outcome, Place, Receipt
from redemption.scratch import scratch_of, signed_play
from redemption.services import InProgress, TryLater
from redemption.templatetags.consumer import fours
from redemption.tokens import CLAIM_TOKEN_FOR_S, VISIT_TOKEN_FOR_S, Target, make_token, read_token, request_id
from redemption.work import make_puzzle, read_solution

# --- a label's page ------------------------------------------------------------------------------------------------

CONSENT = "2026-11"  # of the words beside the button that gives a place


def label(request: ConsumerRequest, target: Target) -> HttpResponse:
    """Answer what is posted from a label's page."""
    match request.POST.get("step"):
        case "visit":
            return visit(request, target)
        case "mine" | "other" as answer:
            return was_that_you(request, target, yes=answer == "mine")
        case "place":
            return add_place(request, target)
        case _step:
            return claim_step(request, target)


def show_label(
    request: ConsumerRequest,
    receipt: Receipt,
    target: Target,
    *,
    form: ClaimForm | None = None,
    open_form: bool = False,
    status: int | None = None,
    **more: Any,
) -> HttpResponse:
    """Render the page of a label, or of a typed code, for a receipt."""
    verdict = pages.verdict_of(receipt)
    earlier = receipt.earlier
    asks = (
        receipt.outcome is Outcome.GENUINE_REPEAT
        and verdict.look == "wait"
        and earlier is not None
        and "answered" not in more
    )
    can_claim = form is not None or (
        receipt.outcome in {Outcome.GENUINE_FIRST, Outcome.GENUINE_REPEAT} and receipt.secret_unused
    )
    fresh = receipt.receipt_no is None and receipt.outcome is not Outcome.TOO_MANY_TRIES and target.serial is not None
    if can_claim and form is None:
        form = claim_form(request)
    yours = receipt.outcome is Outcome.ALREADY_REDEEMED and pages.is_yours(receipt)
    context: dict[str, Any] = {
        "receipt": receipt,
        "item": pages.item_name(receipt),
        "stub_label": pgettext("stub", "Redeemed")
        if receipt.act is Act.REDEEM and not pages.code_error(receipt)
        else pgettext("stub", "Checked"),
        "action": request.path,
        "visit_token": make_token("visit", target) if fresh else None,
        "asks": asks,
        "first_place": pages.place_name(earlier.first_place) if earlier else "",
        "first_door": pages.door_name(earlier.first_door) if earlier else "",
        "form": form if can_claim else None,
        "open": open_form,
        "claim_token": make_token("claim", target),
        "heading": _("Read it once more") if pages.code_error(receipt) else _("Enter the code"),
        "intro": _("Your digits are still here. Compare each one with the label.") if pages.code_error(receipt) else "",
        "submit": _("Check again") if pages.code_error(receipt) else _("Get the points"),
        "left": pages.tries_left(receipt),
        "old_receipt": receipt.receipt_no if yours else None,
        "help": pages.help_for(receipt),
        "retype": not can_claim and receipt.outcome in {Outcome.TYPO, Outcome.UNKNOWN},
        "partner_names": partner_names(request),
        "work": work_for(receipt),
    }
    context |= more
    response = page(request, "label.html", verdict=verdict, status=status or pages.status_of(receipt), **context)
    if receipt.retry_after_s:
        response.headers["Retry-After"] = str(receipt.retry_after_s)
    return response


def work_for(receipt: Receipt) -> dict[str, str] | None:
    """Return the puzzle and its script for an answer that asks for a proof of work."""
    return {"puzzle": make_puzzle(at=now()), "script": pages.work_script()} if receipt.needs_work else None


@require_POST
@consumer_page
def prove(request: ConsumerRequest) -> HttpResponse:
    """Take the solution of a puzzle; this device may try again a few times."""
    challenge = read_solution(request.POST.get("solution", "")[:2000])
    if challenge is None:
        return JsonResponse({"done": False}, status=400)
    request.visitor.prove(challenge)
    return JsonResponse({"done": True})


def visit(request: ConsumerRequest, target: Target) -> HttpResponse:
    """Count the visit of a page that was seen, once for each token; answer with the receipt."""
    receipt = told_visit(request, target)
    if receipt is None:
        return expired(request)
    if wants_json(request):
        verdict = pages.verdict_of(receipt)
        answer = JsonResponse(
            {"receipt": fours(receipt.receipt_no), "line": verdict.line, "outcome": receipt.outcome},
            status=429 if receipt.outcome is Outcome.TOO_MANY_TRIES else 200,
        )
        if receipt.retry_after_s:
            answer.headers["Retry-After"] = str(receipt.retry_after_s)
        return answer
    return show_label(request, receipt, target)


def told_visit(request: ConsumerRequest, target: Target) -> Receipt | None:
    """Check the label for the person who posts a visit token of it; None if the token is not good."""
    token = read_token("visit", request.POST.get("visit", ""), target, VISIT_TOKEN_FOR_S)
    if token is None:
        return None
    receipt = services.verify(attempt_of(request, target, request_id=request_id("visit", token, member_id_of(request))))
    request.visitor.keep_receipt(receipt.receipt_no)
    return receipt


def was_that_you(request: ConsumerRequest, target: Target, *, yes: bool) -> HttpResponse:
    """Keep the answer to "was that you?"; "no" shows what to do now."""
    receipt = told_visit(request, target)
    if receipt is None or receipt.receipt_no is None:
        return expired(request)
    if receipt.earlier is None:
        return show_label(request, receipt, target)
    services.answer_was_that_you(scan_of(receipt), yes=yes, at=now())
    if yes:
        return show_label(request, receipt, target, answered=_("Thank you. We have noted that it was you."))
    advice = pages.Help(
        "no",
        _("Then it may be a copy"),
        _("Someone else checked this label before. Keep the pack, and tell us where you bought it."),
    )
    return show_label(request, receipt, target, answered=_("Thank you. We look into it."), help=advice)


def add_place(request: ConsumerRequest, target: Target) -> HttpResponse:
    """Keep where a check was made, asked for by a tap; refusing costs nothing."""
    receipt = told_visit(request, target)
    place = place_of(request)
    if receipt is None or receipt.receipt_no is None or place is None:
        return JsonResponse({"said": _("No place was added."), "done": False})
    services.add_place(scan_of(receipt), place, at=now())
    return JsonResponse({"said": _("The place was added. Thank you."), "done": True})


def scan_of(receipt: Receipt) -> int:
    """Return the scan that a receipt of ours names."""
    return labels.scan_id_of(receipt.receipt_no or "") or 0


def place_of(request: ConsumerRequest) -> Place | None:
    """Read a fix in degrees and metres; what is no place on earth is none."""
    try:
        lat, lon, accuracy = (float(request.POST[name][:30]) for name in ("lat", "lon", "accuracy"))
    except (KeyError, ValueError):
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180 and 0 <= accuracy < 1e7):
        return None
    return Place(lat, lon, accuracy, consent=CONSENT)


# --- typed numbers -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def home(request: ConsumerRequest) -> HttpResponse:
    """The brand's own page: type the number beside the QR code, or the hidden code."""
    form = EntryForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return page(
            request,
            "home.html",
            title=_("Check a label"),
            status=200 if request.method != "POST" else 400,
            form=form,
            visit_token=make_token("visit"),
            partner_names=partner_names(request),
        )
    typed = form.cleaned_data["typed"]
    address = address_of(typed)
    if address is not None:
        return HttpResponseRedirect(address, status=303)
    token = read_token("visit", request.POST.get("visit", ""), Target(), VISIT_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    number = {"serial" if is_serial(typed) else "code": typed}
    receipt = services.verify(
        attempt_of(request, Target(), request_id=request_id("check", token, member_id_of(request), typed), **number)
    )
    request.visitor.keep_receipt(receipt.receipt_no)
    retry = receipt.outcome in {Outcome.TYPO, Outcome.UNKNOWN}
    if retry or receipt.needs_work:
        if retry:
            form.add_error("typed", pages.code_error(receipt))
        return page(
            request,
            "home.html",
            verdict=pages.verdict_of(receipt),
            status=pages.status_of(receipt),
            form=form,
            receipt=receipt,
            stub_label=pgettext("stub", "Checked"),
            left=pages.tries_left(receipt),
            help=pages.help_for(receipt),
            visit_token=make_token("visit"),
            explained=retry,
            work=work_for(receipt),
        )
    claim_data = claim_form(request, code=typed)
    return show_label(
        request,
        receipt,
        Target(),
        form=claim_data if receipt.secret_unused else None,
        open_form=True,
        action=reverse("consumer:claim"),
    )


def is_serial(typed: str) -> bool:
    """Return whether a typed number is read as the one beside the QR code: it fits no hidden code, or is named so."""
    as_secret = labels.resolve(typed, purpose="secret").status
    if as_secret is Status.MALFORMED:
        return labels.resolve(typed, purpose="serial").status is not Status.MALFORMED
    return as_secret is Status.SERIAL_TYPED


def address_of(typed: str) -> str | None:
    """Return the page of the label whose serial, or whole link, was typed; None if it names no label of ours."""
    path = urlsplit(typed.strip()).path
    link = digital_link.parse(path[path.index("/01/") :]) if "/01/" in path else None
    if isinstance(link, Link) and link.gtin and link.serial:
        return reverse("consumer:label", args=[f"{link.gtin}/21/{link.serial}"])
    if not is_serial(typed):
        return None
    found = labels.resolve(typed, purpose="serial")
    if not found.known or found.product_id is None:
        return None
    gtin = Product.objects.values_list("gtin", flat=True).get(pk=found.product_id)
    return reverse("consumer:label", args=[f"{gtin}/21/{labels.serials_of([found.label_no or 0])[0]}"])


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def claim(request: ConsumerRequest) -> HttpResponse:
    """Redeem a hidden code whose label was not scanned."""
    if request.method == "POST":
        return claim_step(request, Target())
    return show_claim(request, claim_form(request))


def show_claim(request: ConsumerRequest, form: ClaimForm, *, status: int = 200, **more: Any) -> HttpResponse:
    """Render the form for codes alone."""
    context: dict[str, Any] = {
        "form": form,
        "open": True,
        "action": request.path,
        "claim_token": make_token("claim"),
        "heading": _("Redeem a hidden code"),
        "intro": _("Scratch the silver panel, then enter the code under it."),
        "submit": _("Get the points"),
        "partner_names": partner_names(request),
    }
    return page(request, "claim.html", title=_("Redeem a code"), status=status, **(context | more))


# --- claiming ------------------------------------------------------------------------------------------------------


def claim_step(request: ConsumerRequest, target: Target) -> HttpResponse:
    """One press of a button in the claim form: send a one-time code, change who redeems, or redeem."""
    step = request.POST.get("step")
    if step == "sign-out":
        request.visitor.sign_out()
        return show_form(request, target, claim_form(request, code=request.POST.get("code", "")[:64]))
    form = ClaimForm(request.POST, signed_in=request.visitor.member is not None, code_needed=step != "send")
    if step == "send":
        return send_code(request, target, form)
    token = read_token("claim", request.POST.get("claim", ""), target, CLAIM_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    if not form.is_valid() or not (request.visitor.member or sign_in_by_code(request, form, token)):
        return show_form(request, target, form, status=400)
    return redeem(request, target, form, token)


def send_code(request: ConsumerRequest, target: Target, form: ClaimForm) -> HttpResponse:
    """Send a one-time code to the number in the form; what else was typed stays."""
    form.is_valid()
    for field in set(form.errors) - {"phone"}:
        del form.errors[field]
    said = ""
    if "phone" not in form.errors:
        said = ask_for_code(request, form)
    if wants_json(request):
        return said_or_wrong(form, said)
    return show_form(request, target, form, status=400 if form.errors else 200, said=said, code_sent=bool(said))


def redeem(request: ConsumerRequest, target: Target, form: ClaimForm, token: str) -> HttpResponse:
    """Redeem the code and go to the receipt, or show what can be mended."""
    typed = form.cleaned_data
    attempt = attempt_of(
        request,
        target,
        code=typed["code"],
        retailer=typed["retailer"] or None,
        promoter=typed["promoter"] or None,
        request_id=request_id(
            "redeem", token, member_id_of(request), typed["code"], typed["retailer"], typed["promoter"]
        ),
    )
    try:
        receipt = collector.redeem(attempt)
    except (TryLater, InProgress):
        form.add_error(None, _("We cannot answer now. Nothing was used up. Please press the button again in a moment."))
        return show_claim(request, form, status=503, claim_token=request.POST["claim"])
    request.visitor.keep_receipt(receipt.receipt_no)
    error = pages.code_error(receipt)
    if error:
        form.add_error("code", error)
        return show_form(request, target, form, receipt=receipt)
    if receipt.needs_work:
        return show_label(request, receipt, target, form=form, open_form=True)
    if receipt.outcome is Outcome.TOO_MANY_TRIES or (
        receipt.outcome is Outcome.ALREADY_REDEEMED and pages.is_yours(receipt)
    ):
        return show_label(request, receipt, target)
    assert receipt.receipt_no is not None  # noqa: S101 - all others were looked at
    return HttpResponseRedirect(reverse("consumer:receipt", args=[receipt.receipt_no]), status=303)


def show_form(
    request: ConsumerRequest,
    target: Target,
    form: ClaimForm,
    *,
    receipt: Receipt | None = None,
    status: int | None = None,
    **more: Any,
) -> HttpResponse:
    """Render the claim form again, under the verdict of a refusal or of the label."""
    if receipt is not None:
        return show_label(request, receipt, target, form=form, open_form=True, **more)
    if target.serial is None:
        return show_claim(request, form, status=status or 200, **more)
    known = services.look(attempt_of(request, target, acts=False))
    return show_label(request, known, target, form=form, open_form=True, status=status, **more)


def claim_form(request: ConsumerRequest, *, code: str = "") -> ClaimForm:
    """Return a fresh form, with the shop and the promoter whom the visitor came from."""
    partners = request.visitor.partners
    initial = {"code": code, "retailer": partners.get("retailer", ""), "promoter": partners.get("promoter", "")}
    return ClaimForm(initial=initial, signed_in=request.visitor.member is not None)


# --- receipts ------------------------------------------------------------------------------------------------------


def opened(request: ConsumerRequest, receipt_no: str) -> Receipt | None:
    """Return a receipt to the device or the member that got it; to anyone else there is none."""
    member_id = member_id_of(request)
    kept_here = receipt_no in request.visitor.receipts
    opens = kept_here or (member_id is not None and queries.is_of_member(receipt_no, member_id))
    return queries.receipt(receipt_no) if opens else None


@require_safe
@consumer_page
def receipt(request: ConsumerRequest, receipt_no: str) -> HttpResponse:
    """Show a receipt; what its label won is under a scratch card."""
    found = opened(request, receipt_no)
    if found is None:
        return missing(request)
    verdict = pages.verdict_of(found)
    points_won = found.play.points if found.play and found.outcome is Outcome.REDEEMED else 0
    return page(
        request,
        "receipt.html",
        verdict=verdict,
        small=found.outcome is Outcome.REDEEMED,
        receipt=found,
        old_balance=found.balance - found.points - points_won,
        new_balance=found.balance - points_won,
        scratch=scratch_of(found) if found.play else None,
        item=pages.item_name(found),
        stub_label=pgettext("stub", "Redeemed") if found.act is Act.REDEEM else pgettext("stub", "Checked"),
        others_paid=pages.others_paid(found),
        help=pages.help_for(found),
    )


@require_safe
@consumer_page
def play_receipt(request: ConsumerRequest, receipt_no: str) -> HttpResponse:
    """Hand out the signed receipt of a play, for `verify_draw.py --receipt` once the game is revealed."""
    found = opened(request, receipt_no)
    signed = signed_play(receipt_no) if found is not None and found.play is not None else None
    if signed is None:
        return missing(request)
    return download(signed, f"play-{receipt_no}.json")


def download(content: dict[str, Any], name: str) -> HttpResponse:
    """Return a signed receipt as the file that the verifier reads."""
    response = HttpResponse(canonical(content), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- parts ---------------------------------------------------------------------------------------------------------


def attempt_of(request: ConsumerRequest, target: Target, *, acts: bool = True, **typed: Any) -> Attempt:
    """Translate a request into an attempt. Who acts, and does not merely look, has a cookie from here on."""
    return Attempt(
        door=Door.WEB,
        at=now(),
        member_id=member_id_of(request),
        cookie=request.visitor.act() if acts else request.visitor.asker,
        language=get_language() or "",
        ip_prefix=ip_prefix(client_ip(request)),
        proof=request.visitor.proof,
        **({"serial": target.serial, "gtin": target.gtin} | typed),
    )
