"""The console's menu, and what every page of the console shows around itself."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.clock import now
from common.models import Job
from staff.models import User
from staff.permissions import allowed


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the menu: shown to those who have its operation."""

    label: Any
    path: str
    icon: str
    operation: str
    current: bool = False
    count: int = 0
    heat: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Some lines of the menu under one word."""

    label: Any
    items: tuple[Item, ...]


MENU = (
    Group("", (Item(_("Today"), "/console/", "home", "console.read"),)),
    Group("", (Item(_("Files to print"), "/console/press", "printer", "printing.fetch"),)),
    Group(
        _("Labels"),
        (
            Item(_("Products"), "/console/products", "box", "labels.read"),
            Item(_("Batches"), "/console/batches", "roll", "labels.read"),
            Item(_("Rolls"), "/console/rolls", "inbox", "labels.read"),
            Item(_("Templates"), "/console/templates", "pencil", "templates.read"),
            Item(_("Other prints"), "/console/runs", "box", "templates.read"),
            Item(_("Print files"), "/console/prints", "printer", "printing.read"),
            Item(_("Presses"), "/console/presses", "key", "printing.read"),
            Item(_("Activation and blocks"), "/console/activations", "lock", "labels.read"),
            Item(_("Recalls"), "/console/recalls", "octagon", "labels.read"),
            Item(_("Label history"), "/console/labels", "tag", "labels.read"),
            Item(_("Keys and odds"), "/console/slots", "seal", "labels.read"),
            Item(_("Checks and receipts"), "/console/receipts", "scan", "redemption.read"),
        ),
    ),
    Group(
        _("Programme"),
        (
            Item(_("Campaigns"), "/console/campaigns", "ticket", "lottery.read"),
            Item(_("Draws"), "/console/draws", "seal", "lottery.read"),
            Item(_("Prizes won"), "/console/claims", "gift", "claims.read"),
            Item(_("Members"), "/console/members", "users", "members.read"),
            Item(_("Ledger"), "/console/ledger", "book", "ledger.read"),
            Item(_("Calls"), "/console/calls", "phone", "calls.answer"),
            Item(_("Texts to telephones"), "/console/texts", "pencil", "texts.read"),
        ),
    ),
    Group(
        _("Messages"),
        (
            Item(_("Message log"), "/console/messages", "message", "messages.read"),
            Item(_("Numbers and routing"), "/console/numbers", "phone", "messages.read"),
            Item(_("Cost and limits"), "/console/spending", "coin", "messages.money.read"),
        ),
    ),
    Group(
        _("Trade"),
        (
            Item(_("Partners"), "/console/partners", "store", "channel.read"),
            Item(_("Goods"), "/console/goods", "truck", "channel.read"),
            Item(_("Regions"), "/console/regions", "tag", "channel.read"),
            Item(_("Diversion"), "/console/diversion", "map", "diversion.read"),
            Item(pgettext_lazy("investigation", "Files"), "/console/cases", "file", "cases.read"),
            Item(_("Product lines"), "/console/product-lines", "box", "channel.read"),
            Item(_("Reports from consumers"), "/console/reports", "message", "redemption.read"),
        ),
    ),
    Group(
        _("Control"),
        (
            Item(_("Approvals"), "/console/approvals", "shield", "approvals.read"),
            Item(_("Jobs"), "/console/jobs", "jobs", "jobs.read"),
            Item(_("Staff"), "/console/staff", "user", "staff.read"),
            Item(_("API keys"), "/console/keys", "key", "keys.read"),
            Item(_("Audit"), "/console/audit", "file", "audit.read"),
            Item(_("Settings"), "/console/brand", "cog", "brand.read"),
        ),
    ),
)


@cache
def exists(path: str) -> bool:
    """Return whether a page answers at ``path``: the menu never leads nowhere."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def menu(user: User, path: str) -> list[Group]:
    """Return the groups that this person may open, the current line marked."""
    shown = []
    for group in MENU:
        items = tuple(
            replace(item, current=_is_current(item.path, path))
            for item in group.items
            if allowed(user, item.operation) and exists(item.path)
        )
        if items:
            shown.append(Group(group.label, items))
    return shown


def _is_current(item_path: str, path: str) -> bool:
    return path == item_path or (item_path != "/console/" and path.startswith(f"{item_path}/"))


def context(request: HttpRequest) -> dict[str, Any]:
    """Return ``shell`` for pages of the console; it costs one query, and only where it is used."""
    if not request.path.startswith("/console/"):
        return {}
    return {"shell": SimpleLazyObject(lambda: shell(request))}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return menu, the job that runs now, and the time of these data."""
    user = request.user
    if not isinstance(user, User):
        return {"groups": [], "job": None, "at": now()}
    job = running_job() if allowed(user, "jobs.read") else None
    return {
        "groups": menu(user, request.path),
        "job": job,
        "job_percent": percent_of(job),
        "at": now(),
        "answers_calls": allowed(user, "calls.answer"),
    }


def running_job() -> Job | None:
    """Return the newest job that has not ended."""
    return Job.objects.filter(state__in=[Job.State.WAITING, Job.State.RUNNING]).order_by("-created_at", "-id").first()


def percent_of(job: Job | None) -> int:
    """Return how much of a job is done, in whole percent."""
    return 100 * job.done // job.total if job and job.total else 0
