"""Members on the console. Numbers are shown masked; the full number leaves only by an export, which is audited."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.clock import now
from common.phone import BadPhone, parse_phone
from common.tables import Column, csv_response, keyset_page, wants_csv
from ledger import queries as ledger
from ledger.lots import NEVER
from ledger.models import Kind
from members import personal, queries, services
from members.models import Member
from staff import audit
from staff.permissions import allowed, staff_view


@staff_view("members.read")
@require_GET
def members(request: HttpRequest) -> HttpResponse:
    """List the members, newest first."""
    return _list(request)


@staff_view("members.read")
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    """Go to the member of a number. The number travels in the body: addresses are logged."""
    try:
        found = queries.member_by_phone(parse_phone(request.POST.get("phone", "")))
    except BadPhone:
        return _list(request, fault=_("That is not a telephone number. Enter it with all its digits."))
    if found is None:
        return _list(request, fault=_("No member has that number."))
    return redirect(f"/console/members/{found.public_id}")


def _list(request: HttpRequest, fault: str = "") -> HttpResponse:
    state = request.GET.get("state", "")
    found = Member.objects.select_related("account")
    if state in Member.State.values:
        found = found.filter(state=state)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Member"), "public_id"),
            (_("Phone"), "masked_phone"),
            (_("State"), lambda row: row.get_state_display()),
            (_("Points"), lambda row: row.account.posted),
            (_("Member since"), "created_at"),
        ]
        return csv_response(found.order_by("-created_at", "-id"), columns, "members")
    context = {"page": keyset_page(found, request), "state": state, "states": Member.State.choices, "fault": fault}
    return render(request, "members/members.html", context, status=422 if fault else 200)


@staff_view("members.read")
@require_GET
def member(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one member: what they have, what they earned and spent, what they allowed."""
    found = _get(public_id)
    context = {
        "member": found,
        "lots": [
            (lot.left, lot.expires_on if lot.expires_on < NEVER else None) for lot in ledger.lots(found.account_id)
        ],
        "lines": [(line, Kind(line.kind).label) for line in ledger.statement(found.account_id, limit=20).lines],
        "consents": found.consents.order_by("-id")[:50],
        "claims": found.claims.order_by("-id")[:50],
        "may_export": allowed(request.user, "members.export"),
        "may_erase": allowed(request.user, "members.erase"),
        "is_locked": queries.is_locked(found),
        "may_unlock": allowed(request.user, "members.unlock"),
    }
    return render(request, "members/member.html", context)


@staff_view("members.export")
@require_POST
def export(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hand out everything kept about a member as a JSON file; the audit trail says who took it."""
    found = _get(public_id)
    audit.record("export", at=now(), table=Member._meta.db_table, row_id=str(found.pk))
    answer = JsonResponse(personal.export_member(found), json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer["Content-Disposition"] = f'attachment; filename="{found.public_id}.json"'
    answer["Cache-Control"] = "no-store"
    return answer


@staff_view("members.unlock")
@require_POST
def unlock(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let a member try codes again who typed too many wrong ones in a row."""
    found = _get(public_id)
    with transaction.atomic(durable=True):
        services.unlock(found.pk, at=now())
    messages.success(request, _("This member may type codes again."))
    return redirect(f"/console/members/{public_id}")


@staff_view("members.erase")
@require_http_methods(["GET", "POST"])
def erase(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for the number as it is shown, then forget the person."""
    found = _get(public_id)
    if found.state == Member.State.ERASED:
        return redirect(f"/console/members/{public_id}")
    fault = ""
    if request.method == "POST":
        if request.POST.get("typed", "").strip() == found.masked_phone:
            personal.erase_member(found, at=now(), asked_by=request.user.get_username())
            audit.record("erase", at=now(), table=Member._meta.db_table, row_id=str(found.pk))
            messages.success(request, _("This person is forgotten. The ledger keeps the figures without the name."))
            return redirect(f"/console/members/{public_id}")
        fault = _("That is not the number shown above.")
    return render(request, "members/erase.html", {"member": found, "fault": fault}, status=422 if fault else 200)


def _get(public_id: str) -> Member:
    found = Member.objects.select_related("account").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found
