"""Two persons for one act: proposed by one, approved by another, consumed once by the service that acts.

The approver's click only marks the row. The service that acts calls `consume` in its own transaction with the payload
it is about to act on: what was approved is what is done, once, within 72 hours.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.db import inside_transaction
from common.errors import Conflict, DomainError, Forbidden, NotFound
from staff import audit
from staff.models import Approval, User

LIFE = timedelta(hours=72)


class NoSuchApproval(NotFound):
    """There is no such request."""

    code = "no_such_approval"


class NotApproved(Conflict):
    """That act has not been approved by a second person, or no longer."""

    code = "not_approved"


class SamePerson(Forbidden):
    """Who asks cannot approve."""

    code = "same_person"


class NeedsApproval(DomainError):
    """A second person has to approve; the request is made."""

    code = "needs_approval"

    def __init__(self, approval: Approval) -> None:
        super().__init__(_("Another person has to approve this. The request is made."))
        self.approval = approval


def request(kind: str, payload: dict[str, Any], *, by: User, at: datetime) -> Approval:
    """Ask for a second person's word on exactly this; an open request for the same is returned again."""
    digest = _digest(payload)
    found = waiting(at).filter(kind=kind, payload_hash=digest, requested_by=by).first()
    return found or Approval.objects.create(
        kind=kind, payload=payload, payload_hash=digest, requested_by=by, requested_at=at, expires_at=at + LIFE
    )


@inside_transaction
def decide(approval_id: int, *, approved: bool, by: User, at: datetime, note: str = "") -> Approval:
    """Say yes or no to a waiting request. Raises `NoSuchApproval` or `SamePerson`.

    Whom the payload names under ``not_by`` (user names) took part before, and may not decide either.
    """
    row = waiting(at).select_for_update().filter(pk=approval_id).first()
    if row is None:
        raise NoSuchApproval(_("This request has been decided or has lapsed."))
    if row.requested_by_id == by.pk:
        raise SamePerson(_("You asked for this yourself: another person must decide."))
    if by.username in row.payload.get("not_by", ()):
        raise SamePerson(_("You took part in this before: another person must decide."))
    row.approved, row.decided_by, row.decided_at, row.note = approved, by, at, note[:200]
    row.save(update_fields=["approved", "decided_by", "decided_at", "note"])
    return row


@inside_transaction
def consume(approval_id: int, kind: str, payload: dict[str, Any], *, at: datetime) -> None:
    """Use up an approval for exactly this payload. Raises `NotApproved`."""
    used = Approval.objects.filter(
        pk=approval_id,
        kind=kind,
        payload_hash=_digest(payload),
        approved=True,
        consumed_at=None,
        expires_at__gt=at,
    ).update(consumed_at=at)
    if not used:
        raise NotApproved(_("This act has not been approved by a second person, or no longer."))


def refused(row: Approval, *, code: str, at: datetime) -> None:
    """Keep in the trail that somebody tried to decide who may not; outside the transaction that was refused."""
    facts = {"refused": code, "of": row.kind, "what": "decide"}
    audit.record("refused", at=at, table=row._meta.db_table, row_id=str(row.pk), facts=facts)


@inside_transaction
def ask_or_consume(
    kind: str, payload: dict[str, Any], *, about: tuple[str, ...], by: User, at: datetime
) -> Approval | None:
    """Use up an approval of the same act, where ``about`` names what of the payload makes it the same.

    Where there is none, ask for one and return the request: the caller commits it and raises `NeedsApproval`.
    """
    same = {f"payload__{name}": payload[name] for name in about}
    open_ones = Approval.objects.filter(kind=kind, approved=True, consumed_at=None, expires_at__gt=at, **same)
    found = open_ones.order_by("pk").first()
    if found is None:
        waits = waiting(at).filter(kind=kind, **same).first()
        return waits or request(kind, payload, by=by, at=at)
    consume(found.pk, kind, found.payload, at=at)
    return None


def approved_for(kind: str, payload: dict[str, Any], *, at: datetime) -> Approval | None:
    """Return an approval that `consume` would accept now."""
    return (
        Approval.objects.filter(
            kind=kind, payload_hash=_digest(payload), approved=True, consumed_at=None, expires_at__gt=at
        )
        .order_by("pk")
        .first()
    )


def waiting(at: datetime) -> QuerySet[Approval, Approval]:
    """Return the requests that somebody must decide."""
    return Approval.objects.filter(Q(approved=None), expires_at__gt=at)


def _digest(payload: dict[str, Any]) -> bytes:
    return hashlib.sha256(canonical(payload)).digest()
