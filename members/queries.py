"""Reading members: who holds a number, who earns, what was allowed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from django.conf import settings
from django.db.models import F

from common.db import array, ask, bytes_array
from members.models import PHONE_FIELD, Consent, Member, PendingHolder
from staff import vault


class Holder(NamedTuple):
    """Who earns: a member, or an API client's asker who has not claimed yet; and the account to pay.

    A claimed asker has both ids, and the member's account. ``failures``: the member's wrong codes in a row.
    """

    member_id: int | None
    pending_id: int | None
    account_id: int
    created: bool = False
    failures: int = 0

    @property
    def is_locked(self) -> bool:
        """Whether so many codes in a row were wrong that a person must unlock the member (`services.unlock`)."""
        return self.failures >= Member.MOST_FAILURES * settings.FAILURE_BUDGET_SCALE


def is_locked(member: Member) -> bool:
    """Return whether a person must unlock this member before another code of theirs is looked at."""
    return Holder(member.pk, None, member.account_id, failures=member.failures).is_locked


def member_by_phone(phone: str) -> Member | None:
    """Return the member of a number (E.164), found by blind index."""
    return Member.objects.filter(phone_index=vault.blind_index(phone)).first()


def phones_of(member_ids: Collection[int]) -> dict[int, str]:
    """Return the numbers (E.164) of those of the members that have one. One statement, none for nobody."""
    if not member_ids:
        return {}
    rows = ask(
        "SELECT id, phone_cipher, uuid FROM members_member WHERE id = ANY (%s::bigint[]) AND phone_cipher IS NOT NULL",
        [array(member_ids)],
    )
    return {pk: vault.unseal(bytes(cipher), field=PHONE_FIELD, row=row) for pk, cipher, row in rows()}


class Known(NamedTuple):
    """What an answer to a member's message needs: the language chosen ("" if none was), and the account."""

    language: str
    account_id: int


def known_at(phones: Collection[str]) -> dict[str, Known]:
    """Return those of the numbers (E.164) that have a member. One statement."""
    index_of = indexes_of(phones)
    if not index_of:
        return {}
    rows = ask(
        "SELECT phone_index, language, account_id FROM members_member WHERE phone_index = ANY (%s::bytea[])",
        [bytes_array(index_of.values())],
    )
    found = {index: Known(language, account_id) for index, language, account_id in rows()}
    return {phone: found[index] for phone, index in index_of.items() if index in found}


def members_at(phones: Collection[str]) -> dict[str, Holder]:
    """Return the holders of those of the numbers (E.164) that have a member. One statement."""
    index_of = indexes_of(phones)
    held = holders_by_index(index_of.values())
    return {phone: held[index] for phone, index in index_of.items() if index in held}


def indexes_of(phones: Iterable[str]) -> dict[str, bytes]:
    """Return the blind index of each number."""
    distinct = list(dict.fromkeys(phones))
    return dict(zip(distinct, vault.blind_indexes(distinct), strict=True))


def holders_by_index(indexes: Iterable[bytes]) -> dict[bytes, Holder]:
    """Return the members of those of the blind indexes that have one."""
    return ask_members(indexes)()


def ask_members(indexes: Iterable[bytes]) -> Callable[[], dict[bytes, Holder]]:
    """Ask for `holders_by_index`."""
    rows = ask(
        "SELECT phone_index, id, account_id, failures FROM members_member WHERE phone_index = ANY (%s::bytea[])",
        [bytes_array(indexes)],
    )
    return lambda: {
        index: Holder(member_id, None, account_id, failures=failures)
        for index, member_id, account_id, failures in rows()
    }


def ask_pending(client_ids: Iterable[int], indexes: Iterable[bytes]) -> Callable[[], dict[bytes, Holder]]:
    """Ask for the holders of those of the asker indexes that have one."""
    rows = ask(
        "SELECT p.asker_index, p.id, m.id, coalesce(m.account_id, p.account_id), coalesce(m.failures, 0)"
        " FROM members_pendingholder p"
        " LEFT JOIN members_member m ON m.id = p.claimed_by_id"
        " WHERE p.client_id = ANY (%s::bigint[]) AND p.asker_index = ANY (%s::bytea[])",
        [array(client_ids), bytes_array(indexes)],
    )
    return lambda: {
        index: Holder(member_id, pending_id, account, failures=failures)
        for index, pending_id, member_id, account, failures in rows()
    }


def asker_index(client_id: int, asker: str) -> bytes:
    """Return the blind index of an API client's own reference for its end user."""
    return asker_indexes([(client_id, asker)])[client_id, asker]


def asker_indexes(askers: Iterable[tuple[int, str]]) -> dict[tuple[int, str], bytes]:
    """Return the blind index of each asker (client id, reference)."""
    distinct = list(dict.fromkeys(askers))
    texts = [f"{client_id}\x00{reference}" for client_id, reference in distinct]
    return dict(zip(distinct, vault.blind_indexes(texts, purpose="asker"), strict=True))


def pending_at(askers: Collection[tuple[int, str]]) -> dict[tuple[int, str], Holder]:
    """Return the holders of those of the askers (client id, reference) that have one. One statement."""
    index_of = asker_indexes(askers)
    held = ask_pending({client_id for client_id, _ in askers}, index_of.values())()
    return {asker: held[index] for asker, index in index_of.items() if index in held}


def pending_by_index(client_ids: Collection[int], indexes: Sequence[bytes]) -> dict[bytes, PendingHolder]:
    """Return the rows of those of the asker indexes that have one, each with ``member_account_id`` if claimed."""
    rows = PendingHolder.objects.filter(client_id__in=client_ids, asker_index__in=indexes)
    return {bytes(row.asker_index or b""): row for row in rows.annotate(member_account_id=F("claimed_by__account"))}


def holder_of_pending(row: PendingHolder) -> Holder:
    """Return who earns for a row of `pending_by_index`."""
    if row.claimed_by_id is None:
        return Holder(member_id=None, pending_id=row.pk, account_id=row.account_id)
    return Holder(member_id=row.claimed_by_id, pending_id=row.pk, account_id=row.member_account_id)  # type: ignore[attr-defined]


def ask_holders_of(member_ids: Iterable[int]) -> Callable[[], dict[int, Holder]]:
    """Ask for the holders of members who are signed in; those erased are missing."""
    rows = ask(
        "SELECT id, account_id, failures FROM members_member WHERE id = ANY (%s::bigint[]) AND state <> 'erased'",
        [array(member_ids)],
    )
    return lambda: {
        member_id: Holder(member_id, None, account_id, failures=failures) for member_id, account_id, failures in rows()
    }


def consents_now(member_id: int) -> dict[str, Consent]:
    """Return, for each purpose that the member ever answered, the consent row that counts: the newest."""
    rows = Consent.objects.filter(member_id=member_id).order_by("purpose", "-id").distinct("purpose")
    return {row.purpose: row for row in rows}


def allows(member_id: int, purpose: str) -> bool:
    """Return whether the member's consent to a purpose stands."""
    row = Consent.objects.filter(member_id=member_id, purpose=purpose).order_by("-id").first()
    return row is not None and row.granted
