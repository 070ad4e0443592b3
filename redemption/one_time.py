"""One-time codes at the web door: asking for one, and signing in by it."""

import time

from django.core.cache import cache
from django.forms import Form
from django.http import JsonResponse
from django.utils.translation import get_language, gettext as _

from common.clock import now
from common.net import client_ip, ip_prefix
from labels.keys import audit_mac
from members.models import Member
from members.sign_in import TooManyCodes, WrongCode, confirm_code, request_code
from redemption.door import ConsumerRequest

MEMO_FOR_S = 120
MEMO_WAIT_S = 0.05
MEMO_TRIES = 3


def ask_for_code(request: ConsumerRequest, form: Form) -> str:
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


def said_or_wrong(form: Form, said: str) -> JsonResponse:
    """Tell the page's script that the code was sent, or what is wrong with the number."""
    wrong = " ".join(str(error) for error in form.errors.get("phone", ()))
    return JsonResponse({"said": said or wrong, "done": bool(said)})


def sign_in_by_code(request: ConsumerRequest, form: Form, token: str) -> bool:
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
    for _turn in range(MEMO_TRIES):
        member_id = cache.get(memo)
        if member_id is not None:
            return Member.objects.filter(pk=member_id).first()
        time.sleep(MEMO_WAIT_S)
    return None
