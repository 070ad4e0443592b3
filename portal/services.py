"""Letting people and programs of a partner in, and out again."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from channel.models import Partner
from common.errors import Conflict, Invalid, NotFound
from portal.models import Account, Invitation, PartnerKey
from staff import apikeys
from staff.models import ApiKey, Role, User
from staff.services import NameTaken

INVITED_FOR = timedelta(days=7)


class NoInvitation(NotFound):
    """The invitation was used or withdrawn, or has ended. Ask the brand for another one."""

    code = "no_invitation"


class PoorPassword(Invalid):
    """The password is too easy to guess."""

    code = "poor_password"


class PartnerNotActive(Conflict):
    """Only a partner who is active can let people in."""

    code = "partner_not_active"


def invite(
    partner: Partner, *, username: str, language: str = "", at: datetime, asked_by: str
) -> tuple[Invitation, str]:
    """Invite one person of a partner; return the invitation and the link's secret, shown once.

    An older invitation of that name, still open, is withdrawn. Raises `NameTaken`, `PartnerNotActive`.
    """
    token = secrets.token_urlsafe(32)
    with transaction.atomic(durable=True):
        found = Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)
        if found.state != Partner.State.ACTIVE:
            raise PartnerNotActive
        if User.objects.filter(username__iexact=username).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        open_ones = Invitation.objects.filter(username=username, used_at=None, withdrawn_at=None)
        if open_ones.exclude(partner=found).filter(expires_at__gt=at).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        open_ones.update(withdrawn_at=at)
        row = Invitation.objects.create(
            partner=found,
            username=username,
            language=language,
            digest=_digest(token),
            created_at=at,
            created_by=asked_by,
            expires_at=at + INVITED_FOR,
        )
    return row, token


def withdraw(invitation: Invitation, *, at: datetime) -> bool:
    """End an invitation that nobody has used; return whether it was open."""
    rows = Invitation.objects.filter(pk=invitation.pk, used_at=None, withdrawn_at=None)
    return bool(rows.update(withdrawn_at=at))


def invitation_of(token: str, *, at: datetime) -> Invitation:
    """Return the open invitation of a link. Raises `NoInvitation`."""
    found = _open(at).select_related("partner").filter(digest=_digest(token)).first()
    if found is None:
        raise NoInvitation
    return found


def accept(token: str, *, password: str, at: datetime) -> User:
    """Open the account that a link stands for, with a password of the person's own; a link works once.

    Raises `NoInvitation`, `PoorPassword`, `NameTaken`.
    """
    with transaction.atomic(durable=True):
        row = _open(at).select_for_update(of=("self",), no_key=True).filter(digest=_digest(token)).first()
        if row is None:
            raise NoInvitation
        if User.objects.filter(username__iexact=row.username).exists():
            raise NameTaken(_("There is already somebody of that user name."))
        try:
            validate_password(password, User(username=row.username))
        except ValidationError as error:
            raise PoorPassword(" ".join(error.messages)) from None
        user = User.objects.create_user(row.username, password=password, role=Role.PARTNER, language=row.language)
        Account.objects.create(partner_id=row.partner_id, user=user, created_at=at)
        row.used_at = at
        row.save(update_fields=["used_at"])
    return user


def set_in_use(account: Account, *, is_active: bool) -> None:
    """Let somebody of a partner in again, or no longer: every session of theirs ends at once."""
    User.objects.filter(pk=account.user_id, role=Role.PARTNER).update(is_active=is_active)


def make_key(partner: Partner, *, name: str, at: datetime, created_by: User) -> tuple[ApiKey, str]:
    """Make an API key that acts for a partner; return its row and the token, shown once. Raises `PartnerNotActive`."""
    with transaction.atomic(durable=True):
        found = Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)
        if found.state != Partner.State.ACTIVE:
            raise PartnerNotActive
        key, token = apikeys.create_key(name, [ApiKey.Scope.PARTNER], at=at, created_by=created_by)
        PartnerKey.objects.create(partner=found, key=key)
    return key, token


def _open(at: datetime) -> QuerySet[Invitation, Invitation]:
    return Invitation.objects.filter(
        Q(used_at=None, withdrawn_at=None, expires_at__gt=at), partner__state=Partner.State.ACTIVE
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
