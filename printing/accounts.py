"""People at a press: they sign in here, fetch the files of their press, and leave a trail.

A press that has an account in use fetches its files itself; nobody else may, not even staff of the brand.
"""

import secrets
from datetime import datetime
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.db import transaction
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from common.errors import Forbidden
from printing import services
from printing.models import Handover, Press, PressAccount
from staff.models import Audit, Role, User
from staff.services import NameTaken

_OF_INTEREST = ("download", "refused", "update")


class NotYourFile(Forbidden):
    """The file is for another press."""

    code = "another_press"


class PressFetches(Forbidden):
    """The press has accounts of its own: one of them fetches the file."""

    code = "press_fetches"


def create_account(press: Press, *, username: str, language: str = "", at: datetime, asked_by: str) -> tuple[User, str]:
    """Let somebody of a press in; return the user and a first password, shown once. Raises `staff.services.NameTaken`."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic(durable=True):
        if User.objects.filter(username__iexact=username).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        user = User.objects.create_user(username, password=password, role=Role.PRESS, language=language)
        PressAccount.objects.create(press=press, user=user, created_at=at, created_by=asked_by)
    return user, password


def set_account_in_use(account: PressAccount, *, is_active: bool) -> None:
    """Let somebody of a press in again, or no longer: every session of theirs ends at once."""
    User.objects.filter(pk=account.user_id, role=Role.PRESS).update(is_active=is_active)


def people_of(press: Press) -> list[tuple[PressAccount, bool]]:
    """Return who of a press may sign in, each with whether a second factor is set up."""
    return [(account, is_mfa_enabled(account.user)) for account in press.accounts.select_related("user").order_by("id")]


def press_of(user: User) -> Press | None:
    """Return the press in use that somebody belongs to."""
    return Press.objects.filter(accounts__user=user, is_active=True).first() if user.role == Role.PRESS else None


def files_of(press: Press) -> QuerySet[Handover, Handover]:
    """Return what was made for a press; what was given up before it was a file is not of its concern."""
    built = Handover.objects.filter(print_job__press=press, ready_at__isnull=False)
    return built.select_related("roll__batch", "print_job__press")


def fetch(one: Handover, *, start: int = 0, by: User, at: datetime) -> Handover:
    """Allow one download, by the right person; see `printing.services.download`.

    Raises `NotYourFile`, `PressFetches`, `printing.services.Gone`.
    """
    refuse_strangers(one, by=by)
    return services.download(one.pk, start=start, at=at, asked_by=by.get_username())


def refuse_strangers(one: Handover, *, by: User) -> None:
    """Raise `NotYourFile` for another press, `PressFetches` for staff where the press has an account in use."""
    press = one.print_job.press
    if by.role == Role.PRESS:
        if press_of(by) != press:
            raise NotYourFile(_("This file is for another press."))
    elif press.accounts.filter(user__is_active=True).exists():
        raise PressFetches(_("This press has accounts of its own: one of them fetches the file."))


def log_of(press: Press) -> QuerySet[Audit, Audit]:
    """Return what happened to the files of a press, and what its people did: rows of the trail."""
    ids = Handover.objects.filter(print_job__press=press).annotate(text=Cast("pk", CharField())).values("text")
    people = press.accounts.values("user__username")
    of_files = Q(table_name="printing_handover", row_id__in=ids, act__in=_OF_INTEREST)
    return Audit.objects.filter(of_files | Q(actor__in=people))


def told(row: Audit, names: dict[str, str]) -> dict[str, Any]:
    """Return a row of `log_of` in words; ``names`` maps ids of hand-overs to their public ids."""
    after = row.after or {}
    if row.act == "download":
        text = _("File fetched") if not after.get("from") else _("Download went on at byte {n}").format(n=after["from"])
    elif row.act == "refused":
        text = _("Refused: {what} ({code})").format(what=after.get("what", ""), code=after.get("refused", ""))
    elif row.act == "sign_in":
        text = _("Signed in")
    elif row.table_name == "printing_handover" and row.act == "update":
        state = dict(Handover.State.choices).get(after.get("state", ""), after.get("state", ""))
        text = _("File is now: {state}").format(state=state)
    else:
        text = f"{row.act} {row.table_name}"
    name = names.get(row.row_id, "") if row.table_name == "printing_handover" else ""
    return {"at": row.at, "text": text, "by": row.actor, "network": row.ip_prefix, "handover": name, "act": row.act}
