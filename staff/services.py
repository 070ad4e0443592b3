"""People: invited by an owner, given roles, unlocked, sent away."""

import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Conflict
from staff import approvals
from staff.models import Approval, Role, User

OWNER_ACT = "staff.owner"


class NameTaken(Conflict):
    """There is already somebody of that user name."""

    code = "name_taken"


class HasOwner(Conflict):
    """The brand has an owner, who invites others on the console."""

    code = "has_owner"


class LastOwner(Conflict):
    """The brand needs at least one owner."""

    code = "last_owner"


def create_first_owner(*, username: str) -> tuple[User, str]:
    """Make the owner of a brand that has none; return the user and a first password, shown once.

    Raises `HasOwner`, `NameTaken`.
    """
    password = secrets.token_urlsafe(12)
    with transaction.atomic(durable=True):
        if _owners():
            raise HasOwner
        if User.objects.filter(username__iexact=username).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        return User.objects.create_user(username, password=password, role=Role.OWNER), password


def create_staff(
    *, username: str, role: str, language: str = "", regions: str = "", by: User, at: datetime
) -> tuple[User, str]:
    """Invite somebody; return the user and a first password, shown once. A new owner starts as auditor until approved.

    Raises `NameTaken`.
    """
    password = secrets.token_urlsafe(12)
    with transaction.atomic(durable=True):
        if User.objects.filter(username__iexact=username).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        first = Role.AUDITOR if role == Role.OWNER and _owners() > 1 else role
        user = User.objects.create_user(username, password=password, role=first, language=language, regions=regions)
        if first != role:
            approvals.request(OWNER_ACT, owner_payload(user), by=by, at=at)
    return user, password


def change_staff(
    user: User, *, role: str, is_active: bool, language: str, regions: str = "", by: User, at: datetime
) -> User:
    """Give a role, or close or open the account.

    A third owner needs another owner's approval (a brand's second one cannot be approved by anybody else).
    Raises `LastOwner` or `approvals.NeedsApproval`.
    """
    asked: Approval | None = None
    with transaction.atomic(durable=True):
        row = User.objects.select_for_update().get(pk=user.pk)
        owns = row.role == Role.OWNER and row.is_active
        will_own = role == Role.OWNER and is_active
        if owns and not will_own and _owners() == 1:
            raise LastOwner(_("The brand needs at least one owner."))
        if will_own and not owns and _owners() > 1:
            asked = approvals.ask_or_consume(OWNER_ACT, owner_payload(row), about=("user",), by=by, at=at)
        if asked is None:
            row.role, row.is_active, row.language, row.regions = role, is_active, language, regions
            row.save(update_fields=["role", "is_active", "language", "regions"])
    if asked is not None:
        raise approvals.NeedsApproval(asked)
    return row


def new_password(user: User) -> str:
    """Give a new password, shown once; it also unlocks the account."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.failures = 0
    user.save(update_fields=["password", "failures"])
    return password


def owner_payload(user: User) -> dict[str, Any]:
    """Return what an owner's approval is about."""
    return {"user": user.pk, "username": user.username}


def _owners() -> int:
    return User.objects.filter(role=Role.OWNER, is_active=True).count()
