"""What is kept about a member, given out and forgotten; higher floors take part (``PERSONAL_DATA_HOLDERS``)."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings
from django.db import transaction

from common.canonical import canonical
from ledger import queries as ledger
from ledger.models import Hold, Kind
from ledger.seals import moment
from ledger.services import anchor, system_account, void
from members.models import CodeSend, Erasure, Member, SignInCode
from members.services import empty_and_close, lock_living
from sms_gateway.queries import messages_to
from sms_gateway.services import forget_number


class PersonalDataHolder(Protocol):
    """A module of a higher floor that keeps something about members."""

    def export(self, member_id: int) -> dict[str, Any]:
        """Return everything about the member, as JSON values under names that fit beside the others'."""

    def erase(self, member_id: int, *, at: datetime) -> None:
        """Clear everything personal about the member; called inside the transaction of the erasure."""


def holders() -> Iterator[PersonalDataHolder]:
    """Yield the modules that the settings name."""
    for path in settings.PERSONAL_DATA_HOLDERS:
        yield cast("PersonalDataHolder", import_module(path))


def export_member(member: Member) -> dict[str, Any]:
    """Return everything that is kept about a member, as JSON values; higher floors add what they keep."""
    data: dict[str, Any] = {
        "member": member.public_id,
        "phone": member.phone,
        "name": member.name,
        "language": member.language,
        "state": member.state,
        "member_since": member.created_at.isoformat(),
        "first_sign_in": member.activated_at.isoformat() if member.activated_at else None,
        "wrong_codes_in_a_row": member.failures,
        "consents": [
            {
                "purpose": consent.purpose,
                "granted": consent.granted,
                "wording": consent.wording_version,
                "door": consent.door,
                "at": consent.at.isoformat(),
            }
            for consent in member.consents.order_by("id")
        ],
        "points": _points_of(member.account_id),
        "messages": [
            {"purpose": message.purpose, "text": message.body, "at": message.created_at.isoformat()}
            for message in (messages_to(member.phone) if member.phone_cipher else [])
        ],
        "claims": [
            {"client": claim.client_id, "at": claim.claimed_at.isoformat() if claim.claimed_at else None}
            for claim in member.claims.order_by("id")
        ],
    }
    for holder in holders():
        data |= holder.export(member.pk)
    return data


def _points_of(account_id: int) -> dict[str, Any]:
    lines: list[ledger.Line] = []
    cursor: int | None = None
    while True:
        page = ledger.statement(account_id, cursor, 1000)
        lines += page.lines
        cursor = page.cursor
        if cursor is None:
            break
    return {
        "balance": ledger.balance(account_id),
        "lots": [{"expires_on": lot.expires_on.isoformat(), "points": lot.left} for lot in ledger.lots(account_id)],
        "statement": [
            {
                "at": line.posted_at.isoformat(),
                "kind": Kind(line.kind).name.lower(),
                "points": line.change,
                "balance": line.balance,
            }
            for line in lines
        ],
    }


@transaction.atomic(durable=True)
def erase_member(member: Member, *, at: datetime, asked_by: str) -> Erasure:
    """Forget a person for good: number, name, messages, codes; what is left is a tombstone and a record of the act.

    What the account has is forfeited by an ordinary transfer, so that the ledger proves as before. Higher floors clear
    what they keep. The same number may join again as somebody new. Raises `NotFound` if the member is gone already.
    """
    row = lock_living(member.pk)
    for holder in holders():
        holder.erase(row.pk, at=at)
    forget_number(row.phone)
    SignInCode.objects.filter(phone_index=row.phone_index).delete()
    CodeSend.objects.filter(phone_index=row.phone_index).delete()
    row.claims.update(asker_index=None)
    for hold_id in (
        Hold.objects.filter(account=row.account_id, state=Hold.State.OPEN).order_by("pk").values_list("pk", flat=True)
    ):
        void(hold_id=hold_id, at=at)
    points = empty_and_close(
        row.account_id, into=system_account("expired"), kind="forfeit", cause=("member", row.pk), at=at
    )
    row.phone_cipher = row.phone_index = row.name_cipher = None
    row.language, row.failures = "", 0
    row.state, row.erased_at = Member.State.ERASED, at
    row.save()
    record = {"member": row.public_id, "points_settled": points, "at": moment(at)}
    anchor(kind="erasure", subject=row.public_id, digest=sha256(canonical(record)).digest(), at=at)
    return Erasure.objects.create(member=row, asked_by=asked_by, points_settled=points, at=at)
