"""Reading: for whom somebody acts, and who may act for a partner."""

from dataclasses import dataclass

from allauth.mfa.utils import is_mfa_enabled
from django.db.models import QuerySet

from channel.models import Partner
from portal.models import Account, Invitation, PartnerKey
from staff.models import Role, User


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a partner who may sign in."""

    account: Account
    has_second_factor: bool


def partner_of(user: User) -> Partner | None:
    """Return the partner for whom somebody acts; none while it is paused or closed."""
    if user.role != Role.PARTNER:
        return None
    found = Account.objects.select_related("partner__account").filter(user=user, partner__state=Partner.State.ACTIVE)
    account = found.first()
    return account.partner if account else None


def partner_of_key(key_id: int) -> Partner | None:
    """Return the partner for whom an API key acts; none while it is paused or closed."""
    found = PartnerKey.objects.select_related("partner__account").filter(
        key_id=key_id, partner__state=Partner.State.ACTIVE
    )
    row = found.first()
    return row.partner if row else None


def people_of(partner: Partner) -> list[Person]:
    """Return who of a partner may sign in."""
    rows = Account.objects.filter(partner=partner).select_related("user").order_by("id")
    return [Person(row, is_mfa_enabled(row.user)) for row in rows]


def invitations_of(partner: Partner) -> QuerySet[Invitation, Invitation]:
    """Return a partner's invitations that are neither used nor withdrawn, the newest first."""
    return Invitation.objects.filter(partner=partner, used_at=None, withdrawn_at=None).order_by("-id")


def keys_of(partner: Partner) -> QuerySet[PartnerKey, PartnerKey]:
    """Return a partner's API keys, the newest first."""
    return PartnerKey.objects.filter(partner=partner).select_related("key").order_by("-id")
