"""The console's pages of messages: the log, one message, numbers and their health, cost and limits."""

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from brands.phone_numbers import change_number, numbers_of
from brands.queries import brand_date
from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.phone import BadPhone, parse_phone
from common.tables import Column, csv_response, keyset_page, wants_csv
from sms_gateway import inbound, outbox, overview, spending
from sms_gateway.forms import MILLIONTHS, BudgetForm, NumberForm
from sms_gateway.models import CountryRate, InboundMessage, OutboundMessage, SpendingBudget
from sms_gateway.segments import parts_of
from sms_gateway.services import push_relay
from sms_gateway.tasks import push, sweep
from staff import audit
from staff.models import User
from staff.permissions import allowed, staff_view

IN_ORDER = ("-received_at", "-id")


def _user(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise Http404
    return user


# --- the log -----------------------------------------------------------------------------------------------------------


@staff_view("messages.read")
@require_GET
def log(request: HttpRequest) -> HttpResponse:
    """List the messages that came in, or went out, newest first; by state, and by a telephone number."""
    way = "out" if request.GET.get("way") == "out" else "in"
    state, text = request.GET.get("state", ""), request.GET.get("q", "").strip()[:40]
    came, went = InboundMessage.objects.all(), OutboundMessage.objects.all()
    wrong = ""
    if text:
        try:
            came, went = overview.with_number(parse_phone(text))
        except BadPhone as error:
            came, went, wrong = came.none(), went.none(), error.detail
    if state in (InboundMessage.State.values if way == "in" else OutboundMessage.State.values):
        came, went = came.filter(state=state), went.filter(state=state)
    if wants_csv(request):
        return _log_csv(way, came, went)
    context = {
        "way": way,
        "state": state,
        "q": text,
        "wrong": wrong,
        "states": InboundMessage.State.choices if way == "in" else OutboundMessage.State.choices,
        "stopped": {
            "in": InboundMessage.objects.filter(state=InboundMessage.State.PARKED).count(),
            "out": OutboundMessage.objects.filter(state=OutboundMessage.State.PARKED).count(),
        },
    }
    if way == "in":
        page = keyset_page(came.select_related("reply"), request, order=IN_ORDER)
        shown: list[overview.In] | list[overview.Out] = overview.shown_in(page.rows)
        return render(request, "sms_gateway/log.html", {**context, "page": page, "shown": shown})
    pages = keyset_page(went, request)
    return render(request, "sms_gateway/log.html", {**context, "page": pages, "shown": overview.shown_out(pages.rows)})


def _log_csv(way: str, came: object, went: object) -> HttpResponse:
    if way == "in":
        columns: list[Column] = [
            (_("Time"), lambda one: one.row.received_at),
            (pgettext("message", "From"), "sender"),
            (pgettext("message", "To"), lambda one: one.row.number),
            (_("Text"), "text"),
            (_("State"), lambda one: one.row.get_state_display()),
            (_("Problem"), lambda one: one.row.problem or one.row.silence),
        ]
        return csv_response(overview.shown_in(came.order_by(*IN_ORDER)[:10_000]), columns, "messages-in")  # type: ignore[attr-defined]
    columns = [
        (_("Time"), lambda one: one.row.created_at),
        (pgettext("message", "To"), "to"),
        (_("Purpose"), lambda one: one.row.get_purpose_display()),
        (_("Text"), "text"),
        (_("Parts"), lambda one: one.row.parts),
        (_("Cost"), lambda one: one.row.cost / MILLIONTHS),
        (_("State"), lambda one: one.row.get_state_display()),
        (_("Problem"), lambda one: one.row.problem),
    ]
    return csv_response(overview.shown_out(went.order_by("-created_at", "-id")[:10_000]), columns, "messages-out")  # type: ignore[attr-defined]


@staff_view("messages.read")
@require_GET
def message_in(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show one message that came in, and its answer."""
    row = get_object_or_404(InboundMessage.objects.select_related("reply"), uuid=uuid)
    [shown] = overview.shown_in([row])
    answers = overview.shown_out([row.reply]) if row.reply else []
    context = {
        "one": shown,
        "answer": answers[0] if answers else None,
        "parts": parts_of(shown.text),
        "took_ms": int((row.decided_at - row.received_at).total_seconds() * 1000) if row.decided_at else None,
        "may_replay": allowed(request.user, "messages.replay") and row.state == InboundMessage.State.PARKED,
    }
    return render(request, "sms_gateway/message_in.html", context)


@staff_view("messages.read")
@require_GET
def message_out(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show one message that went out: its tries, its delivery, its cost."""
    row = get_object_or_404(OutboundMessage, uuid=uuid)
    [shown] = overview.shown_out([row])
    context = {
        "one": shown,
        "parts": parts_of(shown.text),
        "cost": row.cost / MILLIONTHS,
        "currency": settings.SMS_CURRENCY,
        "tries": row.tries.order_by("id"),
        "reports": row.reports.order_by("id"),
        "question": InboundMessage.objects.filter(reply=row).first(),
        "may_replay": allowed(request.user, "messages.replay")
        and row.state in {OutboundMessage.State.PARKED, OutboundMessage.State.REFUSED}
        and row.problem != "stopped",
    }
    return render(request, "sms_gateway/message_out.html", context)


@staff_view("messages.replay")
@require_POST
def replay(request: HttpRequest, way: str, uuid: str) -> HttpResponse:
    """Try a message that was parked again, from the start."""
    at = now()
    if way == "in":
        row: InboundMessage | OutboundMessage = get_object_or_404(InboundMessage, uuid=uuid)
        again = inbound.replay(row.pk, at=at)
    else:
        row = get_object_or_404(OutboundMessage, uuid=uuid)
        again = row.problem != "stopped" and outbox.replay(row.pk, at=at)
    if again:
        audit.record("message.replay", at=at, table=row._meta.db_table, row_id=str(row.pk))
        if way == "in":
            push(sweep)
        else:
            push_relay()
        messages.success(request, _("The message is tried again."))
    else:
        messages.error(request, _("This message is not parked."))
    return redirect(f"/console/messages/{way}/{uuid}")


# --- numbers -----------------------------------------------------------------------------------------------------------


@staff_view("messages.read")
@require_GET
def numbers(request: HttpRequest) -> HttpResponse:
    """List our numbers, what they are for, and how they did in the last day."""
    found = overview.health(at=now())
    if wants_csv(request):
        columns: list[Column] = [
            (pgettext("telephone", "Number"), lambda one: one.number.e164),
            (_("Carrier"), lambda one: one.number.account.carrier),
            (_("Came in"), "came_in"),
            (_("Not answered"), "unanswered"),
            (_("Answered within (ms)"), "answer_ms"),
            (_("Tries to send"), "tried"),
            (_("Failed tries"), "failed"),
            (_("Delivered"), "delivered"),
            (_("Undelivered"), "undelivered"),
        ]
        return csv_response(found, columns, "numbers")
    context = {"found": found, "may_edit": allowed(request.user, "messages.numbers")}
    return render(request, "sms_gateway/numbers.html", context)


@staff_view("messages.numbers")
@require_http_methods(["GET", "POST"])
def number(request: HttpRequest, number_id: int) -> HttpResponse:
    """Change the languages of one of the brand's own numbers, and its place among them."""
    found = next((one for one in numbers_of(connection.tenant) if one.id == number_id), None)
    if found is None:
        raise Http404
    first, *rest = found.languages
    initial = {"first": first, "second": rest[0] if rest else "", "preference": found.preference}
    form = NumberForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        change_number(found.id, languages=form.languages, preference=form.cleaned_data["preference"])
        audit.record(
            "number.change",
            at=now(),
            table="brands_phonenumber",
            row_id=str(found.id),
            facts={"languages": form.languages, "preference": form.cleaned_data["preference"]},
        )
        messages.success(request, _("The number is changed. Web processes know it within ten seconds."))
        return redirect("/console/numbers")
    return render(
        request, "sms_gateway/number.html", {"form": form, "number": found}, status=422 if form.errors else 200
    )


# --- money -------------------------------------------------------------------------------------------------------------


@staff_view("messages.money.read")
@require_GET
def money(request: HttpRequest) -> HttpResponse:
    """Show what messages cost today, which limits are nearly used up or refused something, and the limits."""
    day = brand_date(now())
    used = overview.uses(day=day)
    by_day = overview.spent_by_day(day=day)
    if wants_csv(request):
        columns: list[Column] = [(_("Day"), lambda one: one[0]), (_("Cost"), lambda one: one[1] / MILLIONTHS)]
        return csv_response(by_day, columns, "spending")
    most = max((spent for _day, spent in by_day), default=0)
    context = {
        "currency": settings.SMS_CURRENCY,
        "scale": settings.FAILURE_BUDGET_SCALE,
        "today": by_day[-1][1] / MILLIONTHS,
        "month": sum(spent for _day, spent in by_day) / MILLIONTHS,
        "alarms": [use for use in used if use.is_empty or use.is_nearly_empty],
        "uses": [(use, use.spent / MILLIONTHS, (use.limit or 0) / MILLIONTHS, share(use.share, 1)) for use in used],
        "days": [(one, spent / MILLIONTHS, share(spent, most or 1)) for one, spent in reversed(by_day[-14:])],
        "budgets": [(row, row.per_day / MILLIONTHS) for row in overview.budgets()],
        "rates": [(row.region, row.part_price / MILLIONTHS) for row in CountryRate.objects.order_by("region")],
        "may_edit": allowed(request.user, "messages.budget"),
    }
    return render(request, "sms_gateway/money.html", context)


@staff_view("messages.budget")
@require_http_methods(["GET", "POST"])
def budget(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Change a limit: down at once, up with a second person."""
    row = get_object_or_404(SpendingBudget, pk=budget_id)
    form = BudgetForm(request.POST or None, initial={"per_day": f"{row.per_day / MILLIONTHS:.2f}"})
    if request.method == "POST" and form.is_valid():
        try:
            spending.change_budget(row.pk, per_day=form.millionths, by=_user(request), at=now())
        except spending.RaiseNeedsApproval as error:
            messages.info(request, error.detail)
            return redirect("/console/approvals")
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The limit is changed."))
            return redirect("/console/spending")
    context = {"form": form, "row": row, "currency": settings.SMS_CURRENCY}
    return render(request, "sms_gateway/budget.html", context, status=422 if form.errors else 200)
