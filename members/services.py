"""Members' verbs: find or create, unlock, allow and take back, claim, lapse. Signing in is in `sign_in`, forgetting in `personal`."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from common.db import array, inside_transaction
from common.errors import Conflict, NotFound
from common.ids import new_public_id
from ledger.models import Account
from ledger.services import (
    NewTransfer,
    close,
    expire_lots,
    open_accounts,
    post,
    reserve_accounts,
    system_account,
)
from members.models import NAME_FIELD, PHONE_FIELD, Consent, Member, PendingHolder
from members.queries import (
    Holder,
    asker_indexes,
    consents_now,
    holder_of_pending,
    holders_by_index,
    indexes_of,
    pending_by_index,
)
from staff import audit, vault

LAPSE_AFTER = timedelta(days=180)
SEEN_EVERY = timedelta(days=30)
CONSENT_WORDING = "2026-11"  # of what people allow today, at every door


class PointsHeldBack(Conflict):
    """Some of these points are still being looked at. Please try again later."""

    code = "points_held_back"


class AlreadyClaimed(Conflict):
    """These points were already claimed."""

    code = "already_claimed"


# --- find or create ----------------------------------------------------------------------------------------------


@inside_transaction
def members_for_phones(phones: Sequence[str], *, at: datetime, language: str = "") -> dict[str, Holder]:
    """Return the member of each number (E.164), made provisional with an account where there was none.

    One statement if all are known, else four. Of two transactions that bring the same new number one waits for the
    other and then finds its member; numbers are taken in the order of their blind index, so that they never deadlock.
    """
    index_of = indexes_of(phones)
    held = holders_by_index(index_of.values())
    missing = {index: phone for phone, index in index_of.items() if index not in held}
    if missing:
        held |= _create_members(missing, at=at, language=language)
    return {phone: held[index] for phone, index in index_of.items()}


def _create_members(missing: dict[bytes, str], *, at: datetime, language: str) -> dict[bytes, Holder]:
    indexes = sorted(missing)
    rows = [uuid.uuid4() for _index in indexes]
    sealed = [vault.seal(missing[index], field=PHONE_FIELD, row=row) for index, row in zip(indexes, rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_member (public_id, uuid, phone_cipher, phone_index, state, account_id, language, created_at)
            SELECT public_id, uuid, decode(phone_cipher, 'hex'), decode(phone_index, 'hex'), 'provisional', account_id, %s, %s
              FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::bigint[])
                   AS new (public_id, uuid, phone_cipher, phone_index, account_id)
             ORDER BY phone_index
                ON CONFLICT (phone_index) DO NOTHING
            RETURNING id, phone_index, account_id
            """,
            [
                language,
                at,
                array(new_public_id("mem") for _index in indexes),
                array(rows),
                array(cipher.hex() for cipher in sealed),
                array(index.hex() for index in indexes),
                array(reserve_accounts(len(indexes))),
            ],
        )
        made = {
            bytes(index): Holder(member_id=member_id, pending_id=None, account_id=account_id, created=True)
            for member_id, index, account_id in cursor.fetchall()
        }
    _open_for(made.values(), party="consumer")
    lost = [index for index in indexes if index not in made]
    return made | holders_by_index(lost) if lost else made


def _open_for(holders: Collection[Holder], *, party: str) -> None:
    if holders:
        open_accounts(len(holders), party=party, ids=[holder.account_id for holder in holders])


@inside_transaction
def pending_for(askers: Sequence[tuple[int, str]], *, at: datetime) -> dict[tuple[int, str], Holder]:
    """Return the holder of each asker (API client's id, its own reference), made with an account where there was none.

    One statement if all are known and were seen within a month. Points lapse 180 days after the asker was last seen.
    """
    index_of = asker_indexes(askers)
    clients = {client_id for client_id, _reference in askers}
    rows = pending_by_index(clients, list(index_of.values()))
    held = {index: holder_of_pending(row) for index, row in rows.items()}
    stale = [
        row.pk for row in rows.values() if row.claimed_by_id is None and row.lapses_at < at + LAPSE_AFTER - SEEN_EVERY
    ]
    if stale:
        _see_again(stale, at=at)
    missing = sorted((index, client_id) for (client_id, _reference), index in index_of.items() if index not in held)
    if missing:
        held |= _create_pending(missing, clients, at=at)
    return {asker: held[index] for asker, index in index_of.items()}


def _see_again(pending_ids: list[int], *, at: datetime) -> None:
    locked = PendingHolder.objects.filter(pk__in=pending_ids, claimed_by=None, lapsed_at=None).order_by("pk")
    ids = list(locked.select_for_update(no_key=True).values_list("pk", flat=True))
    PendingHolder.objects.filter(pk__in=ids).update(lapses_at=at + LAPSE_AFTER)


def _create_pending(missing: list[tuple[bytes, int]], clients: set[int], *, at: datetime) -> dict[bytes, Holder]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_pendingholder (asker_index, client_id, account_id, created_at, lapses_at)
            SELECT decode(asker_index, 'hex'), client_id, account_id, %s, %s
              FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS new (asker_index, client_id, account_id)
             ORDER BY asker_index
                ON CONFLICT (client_id, asker_index) DO NOTHING
            RETURNING id, asker_index, account_id
            """,
            [
                at,
                at + LAPSE_AFTER,
                array(index.hex() for index, _client_id in missing),
                array(client_id for _index, client_id in missing),
                array(reserve_accounts(len(missing))),
            ],
        )
        made = {
            bytes(index): Holder(member_id=None, pending_id=pending_id, account_id=account_id, created=True)
            for pending_id, index, account_id in cursor.fetchall()
        }
    _open_for(made.values(), party="pending")
    lost = [index for index, _client_id in missing if index not in made]
    found = pending_by_index(clients, lost) if lost else {}
    return made | {index: holder_of_pending(row) for index, row in found.items()}


# --- wrong codes in a row ----------------------------------------------------------------------------------------


def count_failures(failed: Mapping[int, int], *, forgiven: Collection[int] = ()) -> None:
    """Add the wrong codes of each member to those in a row; ``forgiven``: members whose row a right code has ended.

    One statement of its own, after the transaction that answered: it waits for no other lock while it holds a member's.
    """
    ids = sorted({*failed, *forgiven})
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_member m
               SET failures = LEAST(32767, n.added + CASE WHEN n.forgiven THEN 0 ELSE m.failures END)
              FROM (SELECT l.id, u.added, u.forgiven
                      FROM members_member l
                      JOIN unnest(%s::bigint[], %s::int[], %s::bool[]) AS u (id, added, forgiven) ON u.id = l.id
                     ORDER BY l.id FOR NO KEY UPDATE OF l) n
             WHERE m.id = n.id
            """,
            [ids, [failed.get(member_id, 0) for member_id in ids], [member_id in forgiven for member_id in ids]],
        )


@inside_transaction
def unlock(member_id: int, *, at: datetime) -> Member:
    """Let a member try codes again who typed too many wrong ones in a row; kept in the trail. Raises `NotFound`."""
    member = lock_living(member_id)
    audit.record(
        "unlock", at=at, table=Member._meta.db_table, row_id=str(member.pk), facts={"failures": member.failures}
    )
    member.failures = 0
    member.save(update_fields=["failures"])
    return member


# --- consent and name --------------------------------------------------------------------------------------------


@inside_transaction
def grant_consent(member_id: int, purpose: str, *, wording_version: str, at: datetime, door: str = "web") -> Consent:
    """Keep that the member allowed a purpose under that wording."""
    return _answer(member_id, purpose, granted=True, wording_version=wording_version, at=at, door=door)


@inside_transaction
def withdraw_consent(member_id: int, purpose: str, *, at: datetime, door: str = "web") -> Consent:
    """Keep that the member took a consent back: a new row, under the wording that it answers."""
    given = consents_now(member_id).get(purpose)
    wording = given.wording_version if given else ""
    return _answer(member_id, purpose, granted=False, wording_version=wording, at=at, door=door)


def _answer(member_id: int, purpose: str, **columns: Any) -> Consent:
    if not Member.objects.filter(pk=member_id).exclude(state=Member.State.ERASED).exists():
        raise NotFound(_("There is no such member."))
    return Consent.objects.create(member_id=member_id, purpose=Consent.Purpose(purpose), **columns)


@inside_transaction
def join(phone: str, *, at: datetime, language: str = "", door: str = "sms") -> Holder:
    """Make the number's owner a member who agreed to the terms, or find them. They still sign in by one-time code."""
    holder = members_for_phones([phone], at=at, language=language)[phone]
    given = consents_now(holder.member_id or 0).get(Consent.Purpose.TERMS)
    if given is None or not given.granted:
        grant_consent(holder.member_id or 0, Consent.Purpose.TERMS, wording_version=CONSENT_WORDING, at=at, door=door)
    return holder


@inside_transaction
def set_language(member_id: int, language: str) -> None:
    """Keep in which language a member wants to be written and spoken to ("en", "zh-hans")."""
    Member.objects.filter(pk=member_id).exclude(state=Member.State.ERASED).update(language=language)


@inside_transaction
def set_name(member_id: int, name: str) -> Member:
    """Keep the member's name, encrypted; an empty one clears it. Raises `NotFound`."""
    member = lock_living(member_id)
    member.name_cipher = vault.seal(name.strip(), field=NAME_FIELD, row=member.uuid) if name.strip() else None
    member.save(update_fields=["name_cipher"])
    return member


def lock_living(member_id: int) -> Member:
    """Lock a member who is not erased, and return them. Raises `NotFound`."""
    member = Member.objects.select_for_update(no_key=True).filter(pk=member_id).first()
    if member is None or member.state == Member.State.ERASED:
        raise NotFound(_("There is no such member."))
    return member


# --- claiming and lapsing ----------------------------------------------------------------------------------------


@inside_transaction
def claim_pending(pending_id: int, *, member_id: int, at: datetime) -> int:
    """Move an asker's points, with their days of expiry, to a member who signed in by one-time code; return how many.

    From now on the asker earns for the member. Claiming again by the same member moves nothing. Raises `NotFound` if
    there is no such holder or it has lapsed, `AlreadyClaimed` if it is another member's.
    """
    member = lock_living(member_id)
    row = PendingHolder.objects.select_for_update(no_key=True).filter(pk=pending_id, lapsed_at=None).first()
    if row is None:
        raise NotFound(_("There are no points to claim here."))
    if row.claimed_by_id == member.pk:
        return 0
    if row.claimed_by_id is not None:
        raise AlreadyClaimed(_("These points were already claimed."))
    row.claimed_by, row.claimed_at = member, at
    row.save(update_fields=["claimed_by", "claimed_at"])
    return empty_and_close(row.account_id, into=member.account_id, kind="move", cause=("claim", row.pk), at=at)


def lapse_pending(*, at: datetime, limit: int = 500) -> int:
    """Settle the holders whom nobody claimed in time: points expire, the reference is cleared. Return how many.

    Takes at most ``limit`` rows that no one else holds, so that it may run often and twice at once. A holder with
    points held back waits until that is decided.
    """
    with transaction.atomic(durable=True):
        due = PendingHolder.objects.filter(claimed_by=None, lapsed_at=None, lapses_at__lte=at, account__held=0)
        rows = list(due.order_by("pk").select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
        for row in rows:
            empty_and_close(
                row.account_id, into=system_account("expired"), kind="forfeit", cause=("claim", row.pk), at=at
            )
            row.asker_index, row.lapsed_at = None, at
            row.save(update_fields=["asker_index", "lapsed_at"])
    return len(rows)


def empty_and_close(account_id: int, *, into: int, kind: str, cause: tuple[str, int], at: datetime) -> int:
    """Move all that an account has by one ordinary transfer, write off what it owes, and close it; return how much.

    Raises `PointsHeldBack`. Whoever pays the account later is told that it is closed, so that nothing is stranded.
    """
    accounts = Account.objects.filter(pk__in=[account_id, into]).order_by("pk").select_for_update(no_key=True)
    account = next(account for account in accounts if account.pk == account_id)
    points = account.posted
    if account.held:
        raise PointsHeldBack(_("Some of these points are still being looked at. Please try again later."))
    if expire_lots(as_of=at, accounts=[account_id]):
        points = Account.objects.get(pk=account_id).posted
    cause_kind, cause_id = cause
    if points:
        post([NewTransfer(account_id, into, points, kind, cause_kind, cause_id)], at=at)
    debt = Account.objects.filter(clawback_of=account_id, posted__lt=0).first()
    if debt is not None:
        adjusted = NewTransfer(system_account("adjustment"), debt.pk, -debt.posted, "adjustment", cause_kind, cause_id)
        post([adjusted], at=at)
    close(account_id=account_id, at=at)
    return points
