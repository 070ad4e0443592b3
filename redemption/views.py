"""The consumer's web door: a label's page, typed numbers, claiming, receipts.

A GET writes nothing: it shows what is known (`services.look`). The visit is told by a signed token which the visible
page posts; the claim form carries a signed token too, which becomes the request id, so that a second press of its
button gets the first answer.
"""

import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from channel.queries import partners_by_number
from common.clock import now
from common.net import client_ip, ip_prefix
from labels import digital_link, queries as labels
from labels.digital_link import BadLink, Link
from labels.keys import audit_mac
from labels.models import Product
from labels.queries import Status
from members.models import Member
from members.services import TooManyCodes, WrongCode, confirm_code, request_code
from redemption import collector, page as pages, queries, services
from redemption.door import ConsumerRequest, consumer_page, page, wants_json
from redemption.forms import ClaimForm, EntryForm
from redemption.models import Scan
from redemption.page import Verdict
from redemption.rules import Act, AskerKind, Attempt, Detail, Door, Outcome, Place, Receipt, asker_key
from redemption.services import InProgress, TryLater

VISIT_TOKEN_FOR_S = 30 * 60
CLAIM_TOKEN_FOR_S = 24 * 3600
MEMO_FOR_S = 120


@dataclass(frozen=True, slots=True)
class Target:
    """The label that a page is about: none on the page for typed codes."""

    serial: str | None = None
    gtin: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """A card with the hotline. ``look`` is no or wait."""

    look: str
    title: str
    text: str


# --- a label's page ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def label(request: ConsumerRequest, rest: str) -> HttpResponse:
    """Answer a label's Digital Link, in any case, with or without a trailing slash."""
    link = digital_link.parse(raw_path_of(request), query_of(request))
    if isinstance(link, BadLink) or link.gtin is None or link.serial is None:
        return bad_link(request, link if isinstance(link, BadLink) else None)
    target = Target(link.serial, link.gtin)
    if request.method != "POST":
        receipt = services.look(attempt_of(request, target, acts=False))
        return show_label(request, receipt, target)
    match request.POST.get("step"):
        case "visit":
            return visit(request, target)
        case "mine" | "other" as answer:
            return was_that_you(request, target, yes=answer == "mine")
        case "place":
            return add_place(request, target)
        case _step:
            return claim_step(request, target)


def raw_path_of(request: ConsumerRequest) -> str:
    """Return the path as it was sent, not decoded, where the server tells it."""
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI") or request.get_full_path()
    return str(raw).partition("?")[0]


def query_of(request: ConsumerRequest) -> str:
    return str(request.META.get("QUERY_STRING", ""))


def bad_link(request: ConsumerRequest, fault: BadLink | None) -> HttpResponse:
    """Say why an address is no label's."""
    texts = {
        "01": _("The product number in the address is not right."),
        "21": _("The serial number in the address is not right."),
    }
    reason = texts.get(fault.ai if fault else "", _("Something is missing or wrong in the address."))
    verdict = Verdict("wait", _("Not readable"), reason)
    return page(
        request,
        "home.html",
        verdict=verdict,
        status=400,
        form=EntryForm(),
        visit_token=make_token("visit"),
        explained=True,
    )


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
    context = {
        "receipt": receipt,
        "product_name": product_name(receipt),
        "stub_label": _("Redeemed") if receipt.act is Act.REDEEM and not pages.code_error(receipt) else _("Checked"),
        "action": request.path,
        "visit_token": make_token("visit", target) if fresh else None,
        "asks": asks,
        "first_place": pages.place_name(earlier.first_place) if earlier else "",
        "first_door": door_name(earlier.first_door) if earlier else "",
        "form": form if can_claim else None,
        "open": open_form,
        "claim_token": make_token("claim", target),
        "heading": _("Read it once more") if pages.code_error(receipt) else _("Enter the code"),
        "intro": _("Your digits are still here. Compare each one with the label.") if pages.code_error(receipt) else "",
        "submit": _("Check again") if pages.code_error(receipt) else _("Get the points"),
        "left": pages.tries_left(receipt),
        "old_receipt": receipt.receipt_no if yours else None,
        "help": help_for(receipt),
        "retype": not can_claim and receipt.outcome in {Outcome.TYPO, Outcome.UNKNOWN},
        "partner_names": partner_names(request),
    }
    context |= more
    response = page(request, "label.html", verdict=verdict, status=status or pages.status_of(receipt), **context)
    if receipt.retry_after_s:
        response.headers["Retry-After"] = str(receipt.retry_after_s)
    return response


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
    receipt = services.verify(attempt_of(request, target, request_id=request_id(request, "visit", token)))
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
    advice = Help(
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
    return Place(lat, lon, accuracy)


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
        attempt_of(request, Target(), request_id=request_id(request, "check", token, typed), **number)
    )
    request.visitor.keep_receipt(receipt.receipt_no)
    retry = receipt.outcome in {Outcome.TYPO, Outcome.UNKNOWN}
    if retry:
        form.add_error("typed", pages.code_error(receipt))
        return page(
            request,
            "home.html",
            verdict=pages.verdict_of(receipt),
            status=pages.status_of(receipt),
            form=form,
            receipt=receipt,
            left=pages.tries_left(receipt),
            help=help_for(receipt),
            visit_token=make_token("visit"),
            explained=True,
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
    context = {
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
        errors = form.errors.get("phone", [])
        return JsonResponse({"said": said or " ".join(errors), "done": not errors})
    return show_form(request, target, form, status=400 if form.errors else 200, said=said, code_sent=bool(said))


def ask_for_code(request: ConsumerRequest, form: Any) -> str:
    """Send the code and say so; else put the reason at the phone's field and return nothing."""
    try:
        request_code(
            form.cleaned_data["phone"],
            at=now(),
            language=get_language() or "",
            ip_prefix=ip_prefix(client_ip(request)),
        )
    except TooManyCodes as error:
        form.add_error("phone", error.detail)
        return ""
    return _("We sent a code to this number. It is good for 5 minutes.")


def sign_in_by_code(request: ConsumerRequest, form: Any, token: str) -> bool:
    """Sign the visitor in by the one-time code; else put the reason at the code's field.

    A second press of the button comes with a code that the first has just used up: the same page, number and code
    name the member for two minutes more.
    """
    phone, code = form.cleaned_data["phone"], form.cleaned_data["one_time_code"]
    memo = f"signed-in:{audit_mac(f'{token}|{phone}|{code}'.encode()).hex()}"
    at = now()
    try:
        member = confirm_code(phone, code, at=at, language=get_language() or "")
        cache.set(memo, member.pk, MEMO_FOR_S)
    except WrongCode as error:
        found = remembered(memo)
        if found is None:
            form.add_error("one_time_code", error.detail)
            return False
        member = found
    request.visitor.sign_in(member, at)
    return True


def remembered(memo: str) -> Member | None:
    """Return the member whom the first press has signed in, allowing it a moment to say so."""
    for _turn in range(3):
        member_id = cache.get(memo)
        if member_id is not None:
            return Member.objects.filter(pk=member_id).first()
        time.sleep(0.05)
    return None


def redeem(request: ConsumerRequest, target: Target, form: ClaimForm, token: str) -> HttpResponse:
    """Redeem the code and go to the receipt, or show what can be mended."""
    typed = form.cleaned_data
    attempt = attempt_of(
        request,
        target,
        code=typed["code"],
        retailer=typed["retailer"] or None,
        promoter=typed["promoter"] or None,
        request_id=request_id(request, "redeem", token, typed["code"], typed["retailer"], typed["promoter"]),
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


@require_safe
@consumer_page
def receipt(request: ConsumerRequest, receipt_no: str) -> HttpResponse:
    """Show a receipt to the device or the member that got it; to anyone else there is none."""
    found = None
    if receipt_no in request.visitor.receipts or is_members(receipt_no, request.visitor.member):
        found = queries.receipt(receipt_no)
    if found is None:
        return missing(request)
    verdict = pages.verdict_of(found)
    return page(
        request,
        "receipt.html",
        verdict=verdict,
        small=found.outcome is Outcome.REDEEMED,
        receipt=found,
        old_balance=found.balance - found.points,
        product_name=product_name(found),
        stub_label=_("Redeemed") if found.act is Act.REDEEM else _("Checked"),
        others_paid=others_paid(found),
        help=help_for(found),
    )


def is_members(receipt_no: str, member: Member | None) -> bool:
    """Return whether a receipt is of the member who is signed in."""
    scan_id = labels.scan_id_of(receipt_no)
    if member is None or scan_id is None:
        return False
    return Scan.objects.filter(pk=scan_id, asker=asker_key(AskerKind.MEMBER, member.pk)).exists()


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
        **({"serial": target.serial, "gtin": target.gtin} | typed),
    )


def member_id_of(request: ConsumerRequest) -> int | None:
    return request.visitor.member.pk if request.visitor.member else None


def make_token(kind: str, target: Target | None = None) -> str:
    """Sign a fresh id for one page of one label of this brand."""
    target = target or Target()
    return signing.dumps([uuid.uuid4().hex, target.gtin, target.serial], salt=_salt(kind), compress=True)


def read_token(kind: str, token: str, target: Target, lives_s: int) -> str | None:
    """Return the id of a token of this page, or None if it is forged, stale or another label's."""
    try:
        token_id, gtin, serial = signing.loads(token, salt=_salt(kind), max_age=lives_s)
    except (signing.BadSignature, ValueError):
        return None
    return str(token_id) if (gtin, serial) == (target.gtin, target.serial) else None


def _salt(kind: str) -> str:
    return f"consumer:{connection.schema_name}:{kind}"


def request_id(request: ConsumerRequest, kind: str, token: str, *typed: str) -> str:
    """Name one page, who acts in it and what was typed: the same again is the same attempt, a corrected code another."""
    content = "|".join([str(member_id_of(request)), *typed])
    mac = audit_mac(b"page\x00" + content.encode())
    return f"{kind}:{token}:{mac.hex()[:16]}"


def fours(receipt_no: str | None) -> str:
    return " ".join((receipt_no or "")[start : start + 4] for start in range(0, len(receipt_no or ""), 4))


def product_name(receipt: Receipt) -> str:
    """Return the product's name in the page's language."""
    if receipt.product is None:
        return ""
    chinese = (get_language() or "").startswith("zh")
    return (receipt.product.name_zh if chinese else receipt.product.name) or receipt.product.name


def door_name(door: Door) -> str:
    return {Door.WEB: _("web page"), Door.API: _("app"), Door.SMS: _("text message"), Door.VOICE: _("phone call")}[door]


def partner_names(request: ConsumerRequest) -> str:
    """Return who sent the visitor, as people call them."""
    numbers = list(request.visitor.partners.values())
    found = partners_by_number(numbers) if numbers else {}
    return _(" and ").join(found[number].display_name for number in numbers if number in found)


def others_paid(receipt: Receipt) -> str:
    """Say what the shop and the promoter earned beside the consumer."""
    paid = {part.party: part.points for part in receipt.paid}
    retailer, promoter = paid.get("retailer", 0), paid.get("promoter", 0)
    if retailer and promoter:
        text = _("The shop earned {retailer} points, the promoter {promoter}.")
    elif retailer:
        text = _("The shop earned {retailer} points.")
    elif promoter:
        text = _("The promoter earned {promoter} points.")
    else:
        return ""
    return text.format(retailer=retailer, promoter=promoter)


def help_for(receipt: Receipt) -> Help | None:
    """Return the card with the hotline, where help is the next step."""
    match receipt.outcome, receipt.detail:
        case Outcome.UNKNOWN, Detail.MISMATCH:
            return Help("no", _("Both from one pack?"), _("Then keep the pack, and tell us where you bought it."))
        case Outcome.UNKNOWN, _detail:
            return Help(
                "no",
                _("Same on the label?"),
                _("Beware of a fake. Do not use the product, keep the pack, and tell us where you bought it."),
            )
        case Outcome.ALREADY_REDEEMED, _detail if not pages.is_yours(receipt):
            return Help(
                "wait",
                _("Have you just scratched it?"),
                _("Then someone else used its code. Keep the pack, and tell us where you bought it."),
            )
        case Outcome.NOT_RELEASED, _detail:
            return Help("wait", _("Where did you get it?"), _("Keep the pack, and tell us where you bought it."))
        case Outcome.RECALLED, _detail:
            return Help(
                "no", _("What to do now"), _("Stop using the product, and call us. We tell you what comes next.")
            )
        case Outcome.WITHDRAWN, Detail.TEST_LABEL:
            return Help("wait", _("Found on a product?"), _("Samples are not for sale. Tell us where you found it."))
        case Outcome.WITHDRAWN, _detail:
            return Help("no", _("Where did you get it?"), _("Keep the pack, and tell us where you bought it."))
        case Outcome.ENDED, Detail.RETIRED:
            return Help("wait", _("Questions?"), _("We cannot check this series here any more. Please call us."))
        case Outcome.TOO_MANY_TRIES, _detail:
            return Help("wait", _("You cannot wait?"), _("Nothing was used up. Call us, and have the pack at hand."))
    return None


# --- what goes wrong -------------------------------------------------------------------------------------------------


def missing(request: ConsumerRequest) -> HttpResponse:
    """Say that there is no such page."""
    verdict = Verdict("calm", _("Nothing is here"), _("There is no page at this address, or it is not yours to open."))
    return page(
        request,
        "message.html",
        verdict=verdict,
        status=404,
        again=reverse("consumer:home"),
        again_label=_("Check a label"),
    )


def expired(request: ConsumerRequest) -> HttpResponse:
    """Say that a page stood open for too long."""
    if wants_json(request):
        return JsonResponse({"said": _("This page was open for too long. Please load it again.")}, status=400)
    verdict = Verdict("calm", _("Please try again"), _("This page was open for too long. Nothing was used up."))
    return page(
        request, "message.html", verdict=verdict, status=400, again=request.path, again_label=_("Load the page again")
    )
