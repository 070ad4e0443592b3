"""The public page of the ledger's seals, and a member's signed statement: what was written stays, and anybody can check it."""

from datetime import date
from pathlib import Path

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common.clock import now
from ledger import statements, verify_statement
from ledger.models import Account
from redemption.door import ConsumerRequest, consumer_page, missing, page
from redemption.wallet_views import freshly_signed_in
from staff.keys import public_sign_keys, sign_key

DAYS = 30


@require_safe
@consumer_page
def seals(request: ConsumerRequest) -> HttpResponse:
    """List the days with their last seals, say what a seal is, and how to check a statement."""
    at = now()
    found = statements.days(at=at, before=_day(request.GET.get("before", "")), limit=DAYS + 1)
    return page(
        request,
        "seals.html",
        title=_("Seals of the ledger"),
        days=found[:DAYS],
        more=found[DAYS - 1].day if len(found) > DAYS else None,
        keys=[key.hex() for key in public_sign_keys()],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@require_safe
@consumer_page
def seals_of_day(request: ConsumerRequest, day: str) -> HttpResponse:
    """Hand out all seals of a day, signed."""
    wanted = _day(day)
    data = statements.day_file(wanted, key=sign_key(at=now())) if wanted else None
    return missing(request) if data is None else _file(data, f"seals-{day}.json", "application/json")


@require_safe
@consumer_page
def checker(request: ConsumerRequest) -> HttpResponse:
    """Hand out the program that checks statements."""
    data = Path(verify_statement.__file__).read_bytes()
    return _file(data, "verify_statement.py", "text/x-python; charset=utf-8")


@require_safe
@consumer_page
@freshly_signed_in
def statement(request: ConsumerRequest) -> HttpResponse:
    """Hand out the member's own statement, signed, each line with its proof."""
    at, member = now(), request.visitor.member
    account = Account.objects.get(pk=member.account_id if member else 0)
    data = statements.signed_statement(account, key=sign_key(at=at), at=at)
    return _file(data, f"statement-{at:%Y-%m-%d}.json", "application/json")


def _file(data: bytes, name: str, kind: str) -> HttpResponse:
    return HttpResponse(data, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
