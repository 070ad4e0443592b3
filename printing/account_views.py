"""The pages by which a brand lets people of a press in, and sees what they did."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from printing import accounts
from printing.forms import AccountForm
from printing.models import Handover, Press, PressAccount
from staff.permissions import allowed, staff_view
from staff.services import new_password


@staff_view("printing.press")
@never_cache
def account_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Let somebody of a press in, and show the first password, once."""
    press = get_object_or_404(Press, public_id=public_id)
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user, password = accounts.create_account(
                press, **form.cleaned_data, at=now(), asked_by=request.user.get_username()
            )
        except DomainError as error:
            form.add_error("username", error.detail)
        else:
            return render(request, "printing/account_made.html", {"press": press, "person": user, "password": password})
    context = {"press": press, "form": form}
    return render(request, "printing/account_form.html", context, status=422 if form.errors else 200)


@staff_view("printing.press")
@require_POST
@never_cache
def account_change(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Give somebody of a press a new password, or close or open the account."""
    account = get_object_or_404(PressAccount.objects.select_related("press", "user"), pk=pk, press__public_id=public_id)
    if "password" in request.POST:
        password = new_password(account.user)
        context = {"press": account.press, "person": account.user, "password": password}
        return render(request, "printing/account_made.html", context)
    is_active = request.POST.get("use") == "yes"
    accounts.set_account_in_use(account, is_active=is_active)
    messages.success(request, _("The account is open.") if is_active else _("The account is closed."))
    return redirect(f"/console/presses/{public_id}")


@staff_view("printing.read")
def press_log(request: HttpRequest, public_id: str) -> HttpResponse:
    """List what happened to the files of a press and what its people did, newest first."""
    press = get_object_or_404(Press, public_id=public_id)
    found = accounts.log_of(press)
    names = {
        str(pk): name for pk, name in Handover.objects.filter(print_job__press=press).values_list("pk", "public_id")
    }
    if wants_csv(request):
        rows = [accounts.told(row, names) for row in found.order_by("-id")[:10_000]]
        columns: list[Column] = [
            (_("Time"), lambda row: row["at"]),
            (_("What"), lambda row: row["text"]),
            (_("By"), lambda row: row["by"]),
            (_("Network"), lambda row: row["network"]),
            (_("Hand-over"), lambda row: row["handover"]),
        ]
        return csv_response(rows, columns, f"press-{press.public_id}")
    page = keyset_page(found, request, order=("-id",))
    context = {
        "press": press,
        "page": page,
        "rows": [accounts.told(row, names) for row in page.rows],
        "may_edit": allowed(request.user, "printing.press"),
    }
    return render(request, "printing/press_log.html", context)
