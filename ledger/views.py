"""The ledger explorer of the console: the proof of zero, accounts, transfers, what is owed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_GET, require_http_methods

from brands.queries import brand_zone
from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.tables import CSV_ROWS, Column, csv_response, keyset_page, wants_csv
from ledger import queries, services, statements
from ledger.forms import FindForm, MomentForm, ReverseForm
from ledger.models import Account, Cause, Hold, Kind, Transfer
from staff import audit
from staff.approvals import NeedsApproval
from staff.keys import sign_key
from staff.models import User
from staff.permissions import allowed, staff_view

BIGGEST_ID = 2**63 - 1
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Why:
    """What a transfer answers to, for people: a text, and a page where there is one."""

    text: str
    url: str


@staff_view("ledger.read")
@require_GET
def ledger(request: HttpRequest) -> HttpResponse:
    """Show the whole ledger of one unit at a moment: zero proof, accounts by sort, transfers, what is owed."""
    form = MomentForm(request.GET)
    as_of = form.cleaned_data["as_of"] if form.is_valid() else None
    unit = (form.cleaned_data.get("unit") if form.is_valid() else "") or "points"
    kind = request.GET.get("kind", "")
    transfers = Transfer.objects.filter(debit__unit=unit).select_related("debit", "credit")
    if as_of:
        transfers = transfers.filter(posted_at__lte=as_of)
    if kind in {str(value) for value in Kind.values}:
        transfers = transfers.filter(kind=int(kind))
    if wants_csv(request):
        return csv_response(transfers.order_by("-id"), _transfer_columns(), "transfers")
    since = _day_start(as_of or now())
    trial = queries.trial_balance(as_of, since=since)
    rows = [row for row in trial.rows if row.unit == unit]
    owed = queries.liability(unit=unit)
    page = keyset_page(transfers, request, order=("-id",), limit=25)
    context = {
        "form": form,
        "as_of": as_of,
        "since": since,
        "unit": unit,
        "units": sorted({row.unit for row in trial.rows}),
        "rows": [row for row in rows if not row.role or row.opening or row.incoming or row.outgoing or row.balance],
        "count": trial.transfers,
        "total": _total(rows),
        "proof": _proof(rows),
        "page": page,
        "lines": _with_causes(page.rows),
        "kind": kind,
        "kinds": [(str(value), label) for value, label in Kind.choices],
        "months": _months(owed),
        "movements": [m for m in queries.movements(_month_start(since), as_of or now()) if m.unit == unit],
        "month_start": _month_start(since),
    }
    return render(request, "ledger/ledger.html", context, status=200 if form.is_valid() else 422)


@staff_view("ledger.read")
@require_GET
def accounts(request: HttpRequest) -> HttpResponse:
    """List the accounts, newest first, by whose they are."""
    form = FindForm(request.GET)
    party = form.cleaned_data["party"] if form.is_valid() else ""
    found = Account.objects.exclude(kind=Account.Kind.SYSTEM)
    if party:
        found = found.filter(party=party)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Account"), "public_id"),
            (_("Whose"), "name"),
            (_("Kind"), lambda row: row.get_kind_display()),
            (_("Unit"), "unit"),
            (_("State"), lambda row: row.get_status_display()),
            (_("Balance"), "posted"),
            (_("Held"), "held"),
            (_("Opened at"), "created_at"),
        ]
        return csv_response(found.order_by("-id"), columns, "accounts")
    context = {
        "page": keyset_page(found, request, order=("-id",)),
        "party": party,
        "parties": Account.Party.choices,
    }
    return render(request, "ledger/accounts.html", context)


@staff_view("ledger.read")
@require_GET
def account(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one account: balance at a moment, statement, lots, holds."""
    named = Account.objects.select_related("clawback_of").filter(public_id=public_id)
    found = None if "\x00" in public_id else named.first()
    if found is None:
        raise Http404
    form = MomentForm(request.GET)
    as_of = form.cleaned_data["as_of"] if form.is_valid() else None
    if wants_csv(request):
        whole = queries.statement(found.pk, limit=CSV_ROWS, as_of=as_of)
        return csv_response(whole.lines, _line_columns(), f"statement-{found.public_id}")
    cursor = request.GET.get("after", "")
    after = int(cursor) if cursor.isascii() and cursor.isdigit() and int(cursor) <= BIGGEST_ID else None
    page = queries.statement(found.pk, after, as_of=as_of)
    causes = [_why(line.cause_kind, line.cause_id) for line in page.lines]
    others = Account.objects.in_bulk({line.other_account for line in page.lines})
    context = {
        "account": found,
        "balance": queries.balance(found.pk, as_of),
        "debt": found.clawbacks.first(),
        "form": form,
        "as_of": as_of,
        "lines": [
            (line, Kind(line.kind).label, why, others.get(line.other_account))
            for line, why in zip(page.lines, causes, strict=True)
        ],
        "next": page.cursor,
        "after": after,
        "lots": [
            (lot.left, None if lot.expires_on == queries.NEVER else lot.expires_on) for lot in queries.lots(found.pk)
        ],
        "holds": Hold.objects.filter(account=found).order_by("-id")[:20],
    }
    return render(request, "ledger/account.html", context, status=200 if form.is_valid() else 422)


@staff_view("ledger.read")
@require_GET
def account_statement(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hand out an account's statement, signed, each line with its proof: for the partner or member whose it is."""
    found = None if "\x00" in public_id else Account.objects.filter(public_id=public_id).first()
    if found is None or found.kind == Account.Kind.SYSTEM:
        raise Http404
    at = now()
    data = statements.signed_statement(found, key=sign_key(at=at), at=at)
    audit.record("export", at=at, table="ledger_account", row_id=str(found.pk), facts={"what": "statement"})
    name = f"statement-{found.public_id}-{at:%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(data, content_type="application/json", headers=headers)


@staff_view("ledger.read")
@require_GET
def transfer(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """Show one transfer with the group that it belongs to."""
    return render(request, "ledger/transfer.html", _transfer_context(request, _get(transfer_id)))


@staff_view("ledger.reverse")
@require_http_methods(["GET", "POST"])
def reverse(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """Take a whole group back."""
    found = _get(transfer_id)
    form = ReverseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.reverse_group(
                transfer_id,
                at=now(),
                by=cast("User", request.user),
                reason=form.cleaned_data["reason"],
            )
        except NeedsApproval as asked:
            messages.warning(request, str(asked.detail))
            return redirect(f"/console/approvals/{asked.approval.pk}")
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The group is reversed."))
            return redirect(f"/console/ledger/transfers/{transfer_id}")
    context = {**_transfer_context(request, found), "form": form}
    return render(request, "ledger/reverse.html", context, status=422 if form.is_bound else 200)


def _get(transfer_id: int) -> Transfer:
    found = Transfer.objects.select_related("debit", "credit").filter(pk=min(transfer_id, BIGGEST_ID)).first()
    if found is None:
        raise Http404
    return found


def _transfer_context(request: HttpRequest, found: Transfer) -> dict[str, Any]:
    group = list(queries.group_of(found).select_related("debit", "credit"))
    reversal = Transfer.objects.filter(kind=Kind.REVERSAL, cause_id=found.pk).first()
    return {
        "transfer": found,
        "why": _why(found.cause_kind, found.cause_id),
        "expires_on": None if found.expires_on == queries.NEVER else found.expires_on,
        "never": found.expires_on == queries.NEVER,
        "group": group,
        "group_total": sum(row.amount for row in group),
        "uses": [
            (use.amount, None if use.expires_on == queries.NEVER else use.expires_on)
            for use in found.lot_uses.order_by("expires_on")
        ],
        "reversal": reversal,
        "may_reverse": allowed(request.user, "ledger.reverse")
        and reversal is None
        and found.cause_kind != Cause.REDEMPTION
        and found.kind not in services.FINAL,
    }


def _why(cause_kind: int, cause_id: int) -> Why:
    """Say what a cause is: by the hook of the floor above, or by its number."""
    cause = Cause(cause_kind)
    if cause == Cause.TRANSFER:
        return Why(_("Transfer %(number)s") % {"number": cause_id}, f"/console/ledger/transfers/{cause_id}")
    if cause == Cause.LOT:
        return Why(_("End of a lot’s last day"), "")
    hook = settings.LEDGER_CAUSES.get(cause.name.lower())
    if hook:
        return Why(*import_string(hook)(cause_id))
    return Why(f"{cause.label} {cause_id}", "")


def _with_causes(rows: Sequence[Transfer]) -> list[tuple[Transfer, Why]]:
    return [(row, _why(row.cause_kind, row.cause_id)) for row in rows]


def _total(rows: Sequence[queries.TrialRow]) -> dict[str, int]:
    return {
        name: sum(getattr(row, name) for row in rows)
        for name in ("accounts", "opening", "incoming", "outgoing", "balance")
    }


def _proof(rows: Sequence[queries.TrialRow]) -> list[tuple[str, int]]:
    """Return the four figures whose sum is zero."""
    issued = {Account.Role.ISSUANCE, Account.Role.CLEARING, Account.Role.ADJUSTMENT}
    used = {Account.Role.REDEEMED, Account.Role.EXPIRED, Account.Role.PAYOUT}
    return [
        (_("Issued by the brand"), sum(row.balance for row in rows if row.role in issued)),
        (_("Owed to people"), sum(row.balance for row in rows if not row.role)),
        (_("Set aside for prizes"), sum(row.balance for row in rows if row.role == Account.Role.BUDGET)),
        (_("Used or expired"), sum(row.balance for row in rows if row.role in used)),
    ]


def _months(owed: Sequence[queries.Liability]) -> list[tuple[Any, int, float]]:
    """Return what is owed by month of expiry, with the width of its bar; the far months in one line."""
    sums: dict[Any, int] = {}
    for row in owed:
        sums[row.month] = sums.get(row.month, 0) + row.amount
    dated = sorted(month for month in sums if month is not None)
    lines = [(month, sums[month]) for month in dated[:MONTHS_SHOWN]]
    later = sum(sums[month] for month in dated[MONTHS_SHOWN:])
    if later:
        lines.append(("later", later))
    if sums.get(None):
        lines.append((None, sums[None]))
    top = max((amount for _month, amount in lines), default=0)
    return [(month, amount, share(amount, top)) for month, amount in lines]


def _day_start(at: datetime) -> datetime:
    return at.astimezone(brand_zone()).replace(hour=0, minute=0, second=0, microsecond=0)


def _month_start(day: datetime) -> datetime:
    return timezone.localtime(day, brand_zone()).replace(day=1)


def _transfer_columns() -> list[Column]:
    return [
        (_("Transfer"), "pk"),
        (_("Posted"), "posted_at"),
        (_("Kind"), lambda row: row.get_kind_display()),
        (_("Because"), lambda row: _why(row.cause_kind, row.cause_id).text),
        (_("From"), lambda row: f"{row.debit.name} {row.debit.public_id}"),
        (_("To"), lambda row: f"{row.credit.name} {row.credit.public_id}"),
        (_("Amount"), "amount"),
        (_("Expires"), "expires_on"),
        (_("Linked"), "linked"),
        (_("Recorded by"), "recorded_by"),
    ]


def _line_columns() -> list[Column]:
    return [
        (_("Transfer"), "transfer_id"),
        (_("Posted"), "posted_at"),
        (_("Kind"), lambda line: Kind(line.kind).label),
        (_("Because"), lambda line: _why(line.cause_kind, line.cause_id).text),
        (pgettext("points", "Change"), "change"),
        (_("Balance"), "balance"),
        (_("Expires"), "expires_on"),
    ]
