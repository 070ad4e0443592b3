"""Sign-in, people, API keys, approvals and the audit trail."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from operator import itemgetter
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.views import LoginView
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from staff import apikeys, approvals, queries, services, sessions
from staff.acts import ACTS
from staff.forms import AuditFilter, DecisionForm, EditStaffForm, KeyForm, NewStaffForm
from staff.models import ApiKey, Approval, Audit, Role, User
from staff.permissions import TABLE, allowed, fresh_second_factor, staff_view


class SignInView(LoginView):  # type: ignore[misc]  # allauth has no type stubs
    """Sign-in of staff; a wrong name or password comes back with 422."""

    template_name = "staff/sign_in.html"

    def form_invalid(self, form: Any) -> HttpResponse:
        """Answer 422 with the form."""
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response


# --- people ------------------------------------------------------------------------------------------------------


@staff_view("staff.read")
def people(request: HttpRequest) -> HttpResponse:
    """List the brand's staff."""
    found = User.objects.order_by("username")
    if wants_csv(request):
        columns: list[Column] = [
            (_("User name"), "username"),
            (_("Role"), lambda user: user.get_role_display()),
            (_("May sign in"), lambda user: _("yes") if user.is_active else _("no")),
            (_("Last sign-in"), "last_login"),
        ]
        return csv_response(found, columns, "staff")
    return render(request, "staff/people.html", {"page": keyset_page(found, request, order=("username", "id"))})


@staff_view("staff.edit")
@never_cache
def person_new(request: HttpRequest) -> HttpResponse:
    """Invite somebody and show the first password, once."""
    form = NewStaffForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user, password = services.create_staff(**form.cleaned_data, by=_user(request), at=now())
        except DomainError as error:
            form.add_error("username", error.detail)
        else:
            return render(request, "staff/password.html", {"person": user, "password": password})
    return render(request, "staff/person_new.html", {"form": form}, status=422 if form.is_bound else 200)


@staff_view("staff.read")
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show somebody, and what the role may do; an owner changes it here."""
    found = get_object_or_404(User, pk=pk)
    initial = {name: getattr(found, name) for name in ("role", "language", "regions", "is_active")}
    form = EditStaffForm(request.POST or None, initial=initial)
    if request.method == "POST":
        return _change_person(request, found, form)
    return render(request, "staff/person.html", _person_context(found, form))


@staff_view("staff.edit")
def _change_person(request: HttpRequest, found: User, form: EditStaffForm) -> HttpResponse:
    if form.is_valid():
        try:
            services.change_staff(found, **form.cleaned_data, by=_user(request), at=now())
        except approvals.NeedsApproval as error:
            messages.warning(request, str(error.detail))
            return redirect(f"/console/approvals/{error.approval.pk}")
        except DomainError as error:
            form.add_error(None, str(error.detail))
        else:
            messages.success(request, _("Saved."))
            return redirect(f"/console/staff/{found.pk}")
    return render(request, "staff/person.html", _person_context(found, form), status=422)


def _person_context(found: User, form: EditStaffForm) -> dict[str, Any]:
    operations = [operation for operation, roles in TABLE.items() if Role(found.role) in roles]
    trail = queries.audit_rows(actor=found.username).order_by("-id")[:10]
    return {"person": found, "form": form, "operations": operations, "trail": trail}


@staff_view("staff.edit")
@require_POST
@never_cache
def person_password(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a new password and show it, once."""
    found = get_object_or_404(User, pk=pk)
    return render(request, "staff/password.html", {"person": found, "password": services.new_password(found)})


@staff_view("staff.read")
def roles(request: HttpRequest) -> HttpResponse:
    """Show who may do what: the table of roles and operations."""
    rows = [(operation, [role in granted for role in Role]) for operation, granted in TABLE.items()]
    if wants_csv(request):
        columns: list[Column] = [(_("Operation"), itemgetter(0))]
        columns += [(role.label, _granted(index)) for index, role in enumerate(Role)]
        return csv_response(rows, columns, "roles")
    return render(request, "staff/roles.html", {"rows": rows, "roles": list(Role)})


def _granted(index: int) -> Callable[[Any], str]:
    return lambda row: "x" if row[1][index] else ""


# --- sessions ------------------------------------------------------------------------------------------------------


@staff_view("console.read")
def own_sessions(request: HttpRequest) -> HttpResponse:
    """List where one is signed in; end one of them."""
    return _sessions(request, _user(request), "/console/account/sessions")


@staff_view("staff.edit")
def person_sessions(request: HttpRequest, pk: int) -> HttpResponse:
    """List where somebody is signed in; an owner ends one of them."""
    return _sessions(request, get_object_or_404(User, pk=pk), f"/console/staff/{pk}/sessions")


def _sessions(request: HttpRequest, person: User, here: str) -> HttpResponse:
    if request.method == "POST":
        ended = sessions.end(person, request.POST.get("session", ""), at=now())
        if ended:
            messages.success(request, _("That session has ended."))
        return redirect(here)
    found = sessions.of(person, here=request.session.session_key or "", at=now())
    return render(request, "staff/sessions.html", {"person": person, "sessions": found, "here": here})


# --- keys --------------------------------------------------------------------------------------------------------


@staff_view("keys.read")
def keys(request: HttpRequest) -> HttpResponse:
    """List the API keys."""
    found = ApiKey.objects.select_related("created_by")
    if wants_csv(request):
        columns: list[Column] = [
            (_("Name"), "name"),
            (_("Prefix"), "prefix"),
            (_("May do"), lambda key: " ".join(key.scopes)),
            (_("Made at"), "created_at"),
            (_("Valid until"), "expires_at"),
            (_("Last used"), "last_used_at"),
            (_("Revoked at"), "revoked_at"),
        ]
        return csv_response(found.order_by("-created_at"), columns, "api-keys")
    return render(request, "staff/keys.html", {"page": keyset_page(found, request), "at": now()})


@staff_view("keys.edit")
@never_cache
def key_new(request: HttpRequest) -> HttpResponse:
    """Make a key and show its token, once."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        expires_at = None
        if data["expires_on"]:
            expires_at = timezone.make_aware(datetime.combine(data["expires_on"] + timedelta(days=1), time.min))
        key, token = apikeys.create_key(
            data["name"],
            data["scopes"],
            at=now(),
            is_test=data["is_test"],
            expires_at=expires_at,
            created_by=_user(request),
        )
        return render(request, "staff/key_made.html", {"key": key, "token": token})
    return render(request, "staff/key_new.html", {"form": form}, status=422 if form.is_bound else 200)


@staff_view("keys.read")
def key(request: HttpRequest, prefix: str) -> HttpResponse:
    """Show a key; revoking it asks for its prefix."""
    found = get_object_or_404(ApiKey, prefix=prefix)
    if request.method == "POST":
        return _revoke(request, found)
    return render(request, "staff/key.html", _key_context(found))


@staff_view("keys.edit")
def _revoke(request: HttpRequest, found: ApiKey) -> HttpResponse:
    if request.POST.get("typed", "").strip() != found.prefix:
        context = {**_key_context(found), "error": _("That is not the prefix of this key.")}
        return render(request, "staff/key.html", context, status=422)
    apikeys.revoke_key(found, at=now())
    messages.success(request, _("The key is revoked. It stops working everywhere within ten seconds."))
    return redirect(f"/console/keys/{found.prefix}")


def _key_context(found: ApiKey) -> dict[str, Any]:
    labels = dict(ApiKey.Scope.choices)
    trail = queries.audit_rows(table="staff_apikey", row_id=str(found.pk)).order_by("-id")[:10]
    return {"key": found, "scopes": [labels[scope] for scope in found.scopes], "at": now(), "trail": trail}


# --- approvals ---------------------------------------------------------------------------------------------------


@staff_view("approvals.read")
def inbox(request: HttpRequest) -> HttpResponse:
    """List what waits for a second person, or all."""
    everything = request.GET.get("show") == "all"
    found = Approval.objects.all() if everything else approvals.waiting(now())
    page = keyset_page(found.select_related("requested_by", "decided_by"), request, order=("-requested_at", "-id"))
    return render(request, "staff/approvals.html", {"page": page, "everything": everything, "at": now()})


@staff_view("approvals.read")
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one request with exactly what it asks for."""
    found = get_object_or_404(Approval.objects.select_related("requested_by", "decided_by"), pk=pk)
    user = _user(request)
    waits = found.approved is None and found.expires_at > now()
    may_decide = waits and found.requested_by_id != user.pk and _may_decide(user, found)
    context = {"approval": found, "waits": waits, "may_decide": may_decide, "form": DecisionForm(), "at": now()}
    return render(request, "staff/approval.html", context)


@staff_view("approvals.decide")
@require_POST
@fresh_second_factor
@reauthentication_required
def approval_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Say yes or no, with a fresh password or second factor."""
    found = get_object_or_404(Approval, pk=pk)
    user = _user(request)
    if not _may_decide(user, found):
        approvals.refused(found, code="role", at=now())
        raise Http404
    approved = request.POST.get("decision") == "yes"
    try:
        with transaction.atomic(durable=True):
            approvals.decide(
                pk, approved=approved, by=user, at=now(), note=request.POST.get("note", "").replace("\x00", "")
            )
    except DomainError as error:
        approvals.refused(found, code=error.code, at=now())
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("Approved.") if approved else _("Refused."))
    return redirect(f"/console/approvals/{pk}")


def _may_decide(user: User, found: Approval) -> bool:
    return allowed(user, ACTS[found.kind].decides if found.kind in ACTS else "approvals.decide")


# --- the trail ---------------------------------------------------------------------------------------------------


@staff_view("audit.read")
def trail(request: HttpRequest) -> HttpResponse:
    """List who changed what, newest first."""
    form = AuditFilter(request.GET or None)
    asked = form.cleaned_data if form.is_valid() else {}
    found = queries.audit_rows(
        table=asked.get("table", ""),
        actor=asked.get("actor", ""),
        act=asked.get("act", ""),
        row_id=asked.get("row", ""),
        day=asked.get("day"),
    )
    if wants_csv(request):
        names = ("at", "actor", "act", "table_name", "row_id", "before", "after", "reason", "request_id", "ip_prefix")
        return csv_response(found.order_by("-id"), [(name, name) for name in names], "audit")
    page = keyset_page(found, request, order=("-id",))
    rows = [(row, queries.changes(row)) for row in page.rows]
    filtered = any(asked.values())
    context = {"page": page, "rows": rows, "form": form, "filtered": filtered, "acts": _acts()}
    return render(request, "staff/audit.html", context)


def _acts() -> list[str]:
    """Return the acts that the trail knows, for the filter."""
    return sorted(set(Audit.objects.order_by("-id").values_list("act", flat=True)[:1000]))


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
