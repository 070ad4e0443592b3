"""Messages that come in, as rows: kept first, decided second, answered third.

Whoever keeps a new message may decide about it alone for `LEASE`; after that (the process died) or after a failure it
is anybody's whose turn comes. A decision made twice has one effect, since its ``request_id`` is the same, and one
answer, since only the first is kept. Who speaks is decided by the first conditional change of ``reply_state``:
``none → inline`` when the answer is there in time, ``none → outbox`` when the carrier was told that we have the message.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from brands.queries import brand_date
from common.db import array, ask, bytes_array, inside_transaction, moments
from sms_gateway import spending
from sms_gateway.backoff import MOST_TRIES, next_try
from sms_gateway.doors import OptOut, Purpose, Reply
from sms_gateway.masking import mask_codes
from sms_gateway.models import BODY_FIELD, FROM_FIELD, TEXT_FIELD, TO_FIELD, InboundMessage, OutboundMessage
from sms_gateway.segments import fold, parts_of
from sms_gateway.services import PRIORITY, push_relay
from staff import vault

LEASE = timedelta(seconds=30)
SAME_ERROR_AGAIN = timedelta(minutes=1)
SAME_ERROR_WINDOW = timedelta(hours=1)
SAME_ERROR_MOST = 3
USUAL_PARTS = 1
_State, _ReplyState = InboundMessage.State, InboundMessage.ReplyState


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A message as it came, to be kept. ``inline``: whether the answer to this request can carry the reply."""

    carrier: str
    message_id: str
    number: str
    sender: str | None
    body: str
    received_at: datetime
    at: datetime
    opt_out: OptOut | None = None
    inline: bool = True

    @property
    def request_id(self) -> str:
        return f"{self.carrier}:{self.message_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A message that is kept. ``reply``: reference and text, once it was decided to answer inline."""

    id: int
    request_id: str
    fresh: bool
    state: str
    reply_state: str
    due_at: datetime
    reply: tuple[str, str] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the answer to the carrier is known: the reply, or nothing."""
        return self.state != _State.NEW or self.reply_state != _ReplyState.NONE


# --- kept first --------------------------------------------------------------------------------------------------------


def keep_many(news: Sequence[New]) -> list[Kept]:
    """Keep messages, each once; a message that was kept before is returned as it stands now.

    A message whose answer no budget would allow is kept, and parked: nothing is decided, so nothing is used up.
    """
    with transaction.atomic(durable=True):
        fresh = _insert(news)
        over = _without_budget([new for new in news if new.request_id in fresh])
        if over:
            _park(over, fresh)
    kept = []
    for new in news:
        row = fresh.pop(new.request_id, None)  # the same message twice in one list: the second finds the first's row
        if row is None:
            kept.append(find(new.carrier, new.message_id))
            continue
        state = _State.PARKED if new.request_id in over else _State.NEW
        spoken = _ReplyState.NONE if new.inline else _ReplyState.OUTBOX
        kept.append(
            Kept(
                id=row,
                request_id=new.request_id,
                fresh=state == _State.NEW,
                state=state,
                reply_state=spoken,
                due_at=new.at + LEASE,
            )
        )
    return kept


def _insert(news: Sequence[New]) -> dict[str, int]:
    rows = [uuid.uuid4() for _ in news]
    senders = [new.sender or "" for new in news]
    written = ask(
        """
        INSERT INTO sms_gateway_inboundmessage
               (uuid, carrier, message_id, number, from_cipher, from_index, body_cipher, body_mac, received_at, state,
                attempts, due_at, problem, reply_state, silence, opt_out)
        SELECT uuid, carrier, message_id, number, from_cipher, nullif(from_index, ''::bytea), body_cipher, body_mac,
               received_at, 'new', 1, due_at, '', reply_state, '', opt_out
          FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::bytea[],
                      %s::bytea[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[])
               AS new (uuid, carrier, message_id, number, from_cipher, from_index, body_cipher, body_mac, received_at,
                       due_at, reply_state, opt_out)
         ORDER BY carrier, message_id
            ON CONFLICT (carrier, message_id) DO NOTHING
        RETURNING id, carrier, message_id
        """,
        [
            array(rows),
            [new.carrier for new in news],
            [new.message_id for new in news],
            [new.number for new in news],
            bytes_array(vault.seal_each(senders, rows, field=FROM_FIELD)),
            bytes_array(
                index if sender else b"" for sender, index in zip(senders, vault.blind_indexes(senders), strict=True)
            ),
            bytes_array(vault.seal_each([new.body for new in news], rows, field=TEXT_FIELD)),
            bytes_array(vault.blind_indexes([new.body for new in news], purpose="sms.text")),
            moments(new.received_at for new in news),
            moments(new.at + LEASE for new in news),
            array(_ReplyState.NONE if new.inline else _ReplyState.OUTBOX for new in news),
            array(str(new.opt_out or "") or '""' for new in news),
        ],
    )
    return {f"{carrier}:{message_id}": row for row, carrier, message_id in written()}


def _without_budget(news: Sequence[New]) -> dict[str, str]:
    """Return why the answer to a message would not be paid for, for those for which it would not."""
    paid = [(new.request_id, new.sender) for new in news if new.sender and not new.opt_out]
    needs = dict(
        zip(
            [request_id for request_id, _sender in paid],
            spending.needs_of([(sender, USUAL_PARTS) for _request_id, sender in paid]),
            strict=True,
        )
    )
    closed = {request_id: spending.COUNTRY for request_id, need in needs.items() if need is None}
    asked = {request_id: need for request_id, need in needs.items() if need is not None}
    over = spending.without_room(list(asked.values()), day=brand_date(news[0].at)) if asked else []
    return closed | {request_id: f"budget_{limit}" for request_id, limit in zip(asked, over, strict=True) if limit}


def _park(over: dict[str, str], ids: dict[str, int]) -> None:
    for request_id, problem in over.items():
        InboundMessage.objects.filter(pk=ids[request_id]).update(
            state=_State.PARKED, problem=problem, reply_state=_ReplyState.SILENT, silence=problem[:20]
        )


def find(carrier: str, message_id: str) -> Kept:
    """Return a message that is kept, with its reply if it was answered inline."""
    return _kept(InboundMessage.objects.select_related("reply").get(carrier=carrier, message_id=message_id))


def read(row_id: int) -> Kept:
    """Return a message by its row."""
    return _kept(InboundMessage.objects.select_related("reply").get(pk=row_id))


def _kept(row: InboundMessage) -> Kept:
    reply = row.reply
    said = None
    if row.reply_state == _ReplyState.INLINE and reply is not None and reply.body_cipher is not None:
        said = (str(reply.uuid), vault.unseal(bytes(reply.body_cipher), field=BODY_FIELD, row=reply.uuid))
    return Kept(
        id=row.pk, request_id=f"{row.carrier}:{row.message_id}", fresh=False, state=row.state,
        reply_state=row.reply_state, due_at=row.due_at, reply=said,
    )  # fmt: skip


# --- decided second ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the handler said to one message. ``body`` is the message's text, which is masked now."""

    id: int
    sender: str | None
    number: str
    carrier: str
    body: str
    reply: Reply | None
    at: datetime


def conclude_many(decisions: Sequence[Decision]) -> list[tuple[str, str] | None]:
    """Keep what was decided; return for each what to say now (reference and text), or None.

    A message decided before keeps its first answer. A reply that may not be said (no budget, a loop, no number to send
    it to) is not said, and the row says why.
    """
    with transaction.atomic(durable=True):
        rows = _lock([decision.id for decision in decisions])
        todo = [decision for decision in decisions if rows[decision.id].state != _State.DECIDED]
        todo = list({decision.id: decision for decision in todo}.values())
        silences = _silences(todo, rows)
        replies = [_Spoken(decision, rows[decision.id]) for decision in todo if not silences[decision.id]]
        replies = _paid(replies, silences)
        made = _write_replies(replies)
        _mark_decided(todo, rows, silences, made)
        if any(spoken.later for spoken in replies):
            transaction.on_commit(push_relay)
    said = {spoken.decision.id: (str(spoken.uuid), spoken.text) for spoken in replies if not spoken.later}
    known = {decision.id for decision in todo}
    return [said.get(one.id) if one.id in known else read(one.id).reply for one in decisions]


class _Row(NamedTuple):
    """What is kept of a message that is being decided."""

    id: int
    uuid: uuid.UUID
    state: str
    reply_state: str
    from_index: bytes | None
    opt_out: str


class _Spoken:
    """A reply on its way: its own id and price, and whether it goes out later, by itself."""

    __slots__ = ("decision", "later", "need", "parts", "text", "to", "uuid")

    def __init__(self, decision: Decision, row: _Row) -> None:
        reply = decision.reply
        if reply is None or decision.sender is None:
            raise ValueError("a reply without a text or a number is silenced before")
        self.decision = decision
        self.uuid = uuid.uuid4()
        self.text = fold(reply.body)
        self.parts = parts_of(self.text).count
        self.later = row.reply_state == _ReplyState.OUTBOX
        self.to = decision.sender
        self.need: spending.Need | None = None


@inside_transaction
def _lock(ids: Sequence[int]) -> dict[int, _Row]:
    rows = ask(
        "SELECT id, uuid, state, reply_state, from_index, opt_out FROM sms_gateway_inboundmessage"
        " WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        [array(ids)],
    )
    return {row[0]: _Row(*row) for row in rows()}


def _silences(decisions: Sequence[Decision], rows: dict[int, _Row]) -> dict[int, str]:
    """Return for each why it gets no reply, or ""."""
    silences: dict[int, str] = {}
    told: set[tuple[bytes, bytes]] = set()
    _errors_in_turn(decisions, rows)
    for decision in decisions:
        row, reply = rows[decision.id], decision.reply
        if row.opt_out:
            silences[decision.id] = "carrier_answered"
        elif decision.sender is None or row.from_index is None:
            silences[decision.id] = "no_number"
        elif reply is None or not reply.body:
            silences[decision.id] = "nothing_to_say"
        elif reply.purpose is Purpose.ERROR and _loops(
            bytes(row.from_index), _error_mac(reply), decision.at, among=told
        ):
            silences[decision.id] = "loop"
        else:
            silences[decision.id] = ""
    return silences


@inside_transaction
def _errors_in_turn(decisions: Sequence[Decision], rows: dict[int, _Row]) -> None:
    """Let errors to one number be decided one after another: of two at once only the first is told."""
    senders = {
        bytes(rows[one.id].from_index or b"") for one in decisions if one.reply and one.reply.purpose is Purpose.ERROR
    }
    if senders:
        keys = sorted(int.from_bytes(sender[:8], signed=True) for sender in senders)
        ask("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [array(keys)])


def _error_mac(reply: Reply) -> bytes:
    return vault.blind_index(reply.body, purpose="sms.error")


def _loops(sender: bytes, mac: bytes, at: datetime, *, among: set[tuple[bytes, bytes]]) -> bool:
    """Return whether this number was told the same now (``among``), a minute ago, or three times within the hour."""
    if (sender, mac) in among:
        return True
    among.add((sender, mac))
    said = InboundMessage.objects.filter(
        from_index=sender, error_mac=mac, silence="", decided_at__gt=at - SAME_ERROR_WINDOW
    ).values_list("decided_at", flat=True)
    times = list(said)
    return len(times) >= SAME_ERROR_MOST or any(time > at - SAME_ERROR_AGAIN for time in times if time)


def _paid(replies: list[_Spoken], silences: dict[int, str]) -> list[_Spoken]:
    """Take each reply's price; a reply sent by itself later is paid for when it is sent."""
    paid = []
    needs = spending.needs_of([(spoken.to, spoken.parts) for spoken in replies])
    for spoken, need in zip(replies, needs, strict=True):
        spoken.need = need
        if need is None:
            silences[spoken.decision.id] = spending.COUNTRY
        else:
            paid.append(spoken)
    now_said = [spoken for spoken in paid if not spoken.later]
    if not now_said:
        return paid
    at = now_said[0].decision.at
    over = spending.take([spoken.need for spoken in now_said if spoken.need], day=brand_date(at), at=at)
    for spoken, limit in zip(now_said, over, strict=True):
        if limit:
            silences[spoken.decision.id] = f"budget_{limit}"
    return [spoken for spoken in paid if not silences[spoken.decision.id]]


def _write_replies(replies: Sequence[_Spoken]) -> dict[int, int]:
    """Write the replies as messages; return the row of each by the row of the message that it answers."""
    if not replies:
        return {}
    numbers, uuids = [spoken.to for spoken in replies], [spoken.uuid for spoken in replies]
    written = ask(
        """
        INSERT INTO sms_gateway_outboundmessage
               (uuid, to_cipher, to_index, body_cipher, purpose, language, template, state, priority, attempts, due_at,
                problem, number, carrier, carrier_ref, parts, cost, created_at, sent_at)
        SELECT uuid, to_cipher, to_index, body_cipher, 'reply', language, '', state, %s, attempts, at, '', number,
               carrier, '', parts, cost, at, CASE WHEN attempts = 1 THEN at END
          FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::int[],
                      %s::text[], %s::text[], %s::int[], %s::bigint[], %s::timestamptz[])
               AS new (uuid, to_cipher, to_index, body_cipher, language, state, attempts, number, carrier, parts, cost,
                       at)
        RETURNING uuid, id
        """,
        [
            PRIORITY[OutboundMessage.Purpose.REPLY],
            array(uuids),
            bytes_array(vault.seal_each(numbers, uuids, field=TO_FIELD)),
            bytes_array(vault.blind_indexes(numbers)),
            bytes_array(vault.seal_each([spoken.text for spoken in replies], uuids, field=BODY_FIELD)),
            [spoken.decision.reply.language for spoken in replies if spoken.decision.reply],
            array("waiting" if spoken.later else "sent" for spoken in replies),
            array(0 if spoken.later else 1 for spoken in replies),
            [spoken.decision.number for spoken in replies],
            ["" if spoken.later else spoken.decision.carrier for spoken in replies],
            array(spoken.parts for spoken in replies),
            array(0 if spoken.later or not spoken.need else spoken.need.amount for spoken in replies),
            moments(spoken.decision.at for spoken in replies),
        ],
    )
    ids = dict(written())
    return {spoken.decision.id: ids[spoken.uuid] for spoken in replies}


def _mark_decided(
    decisions: Sequence[Decision],
    rows: dict[int, _Row],
    silences: dict[int, str],
    made: dict[int, int],
) -> None:
    if not decisions:
        return
    ask(
        """
        UPDATE sms_gateway_inboundmessage AS m
           SET state = 'decided', decided_at = d.at, problem = '', body_cipher = d.body_cipher, silence = d.silence,
               reply_id = d.reply_id, error_mac = nullif(d.error_mac, ''::bytea),
               reply_state = CASE WHEN d.silence <> '' THEN 'silent' WHEN m.reply_state = 'none' THEN 'inline'
                                  ELSE m.reply_state END
          FROM unnest(%s::bigint[], %s::timestamptz[], %s::bytea[], %s::text[], %s::bigint[], %s::bytea[])
               AS d (id, at, body_cipher, silence, reply_id, error_mac)
         WHERE m.id = d.id
        """,
        [
            array(decision.id for decision in decisions),
            moments(decision.at for decision in decisions),
            bytes_array(
                vault.seal_each(
                    [mask_codes(decision.body) for decision in decisions],
                    [rows[decision.id].uuid for decision in decisions],
                    field=TEXT_FIELD,
                )
            ),
            array(silences[decision.id][:20] or '""' for decision in decisions),
            array(made.get(decision.id) for decision in decisions),
            bytes_array(
                _error_mac(decision.reply) if decision.reply and decision.reply.purpose is Purpose.ERROR else b""
                for decision in decisions
            ),
        ],
    )


def fail(row_id: int, problem: str, *, at: datetime) -> None:
    """Keep that deciding failed: again after a growing while, at most five times, then parked with its reason."""
    with transaction.atomic(durable=True):
        row = InboundMessage.objects.select_for_update(no_key=True).get(pk=row_id)
        if row.state != _State.NEW:
            return
        row.problem = problem[:60]
        row.due_at = next_try(row.attempts, at)
        if row.attempts >= MOST_TRIES:
            row.state = _State.PARKED
        row.save(update_fields=["problem", "due_at", "state"])


def leave_to_worker(row_id: int) -> Kept:
    """Tell the carrier nothing more: if nobody has spoken yet, a worker will. Return how the message stands then."""
    InboundMessage.objects.filter(pk=row_id, reply_state=_ReplyState.NONE).update(reply_state=_ReplyState.OUTBOX)
    return read(row_id)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An undecided message that is ours to decide about for a while."""

    id: int
    new: New


def claim_one(row_id: int, *, at: datetime) -> Claimed | None:
    """Take an undecided message whose time has come, for an answer inline; None if somebody else has it."""
    return next(iter(_claim(InboundMessage.objects.filter(pk=row_id), at=at, most=1)), None)


def claim_due(*, at: datetime, most: int) -> list[Claimed]:
    """Take undecided messages whose time has come; their answers go out by themselves."""
    return _claim(InboundMessage.objects.all(), at=at, most=most, inline=False)


def _claim(which: "object", *, at: datetime, most: int, inline: bool = True) -> list[Claimed]:
    with transaction.atomic(durable=True):
        due = which.filter(state=_State.NEW, due_at__lte=at, body_cipher__isnull=False)  # type: ignore[attr-defined]
        rows = list(due.order_by("due_at", "id").select_for_update(skip_locked=True, no_key=True)[:most])
        spent = [row for row in rows if row.attempts >= MOST_TRIES]
        for row in spent:  # whoever tried last died of it
            row.state, row.problem = _State.PARKED, row.problem or "process died"
            row.save(update_fields=["state", "problem"])
        rows = [row for row in rows if row.state == _State.NEW]
        ids = [row.pk for row in rows]
        InboundMessage.objects.filter(pk__in=ids).update(attempts=F("attempts") + 1, due_at=at + LEASE)
        if not inline:
            InboundMessage.objects.filter(pk__in=ids, reply_state=_ReplyState.NONE).update(
                reply_state=_ReplyState.OUTBOX
            )
    return [Claimed(row.pk, _as_new(row, at)) for row in rows]


def _as_new(row: InboundMessage, at: datetime) -> New:
    sender = vault.unseal(bytes(row.from_cipher or b""), field=FROM_FIELD, row=row.uuid)
    return New(
        carrier=row.carrier,
        message_id=row.message_id,
        number=row.number,
        sender=sender or None,
        body=vault.unseal(bytes(row.body_cipher or b""), field=TEXT_FIELD, row=row.uuid),
        received_at=row.received_at,
        at=at,
        opt_out=OptOut(row.opt_out) if row.opt_out else None,
    )


def replay(row_id: int, *, at: datetime) -> bool:
    """Try a parked message again from the start; say whether it was parked."""
    return bool(
        InboundMessage.objects.filter(pk=row_id, state=_State.PARKED, body_cipher__isnull=False).update(
            state=_State.NEW, attempts=0, due_at=at, reply_state=_ReplyState.OUTBOX, silence="", problem=""
        )
    )
