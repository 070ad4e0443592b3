"""Messages that come in, as rows: kept first, decided second, answered third.

Whoever keeps a new message may decide about it alone for `LEASE`; after that (the process died) or after a failure it
is anybody's whose turn comes. A decision made twice has one effect, since its ``request_id`` is the same, and one
answer, since only the first is kept. Who speaks is decided by the first conditional change of ``reply_state``:
``none → inline`` when the answer is there in time, ``none → outbox`` when the carrier was told that we have the message.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from brands.queries import brand_date
from common.db import (
    HURRIED,
    Rows,
    array,
    ask,
    ask_commit,
    bytes_array,
    hurried,
    inside_transaction,
    moments,
    pipelined,
    texts,
)
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


class Row(NamedTuple):
    """What is kept of a message that is being decided."""

    id: int
    uuid: uuid.UUID
    state: str
    reply_state: str
    from_index: bytes | None
    opt_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A message that is kept. ``reply``: reference and text, once it was decided to answer inline.

    ``row``: how a new one was written that may be answered inline.
    """

    id: int
    request_id: str
    fresh: bool
    state: str
    reply_state: str
    due_at: datetime
    reply: tuple[str, str] | None = None
    row: Row | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the answer to the carrier is known: the reply, or nothing."""
        return self.state != _State.NEW or self.reply_state != _ReplyState.NONE


# --- kept first --------------------------------------------------------------------------------------------------------


def keep_many(news: Sequence[New]) -> list[Kept]:
    """Keep messages, each once; a message that was kept before is returned as it stands now.

    A message whose answer no budget would allow is kept, and parked: nothing is decided, so nothing is used up.
    """
    indexes = vault.blind_indexes(new.sender or "" for new in news)
    uuids = [uuid.uuid4() for _ in news]
    asked = _priced(news, indexes)
    needs = {request_id: need for request_id, need in asked.items() if need is not None}
    with transaction.atomic(durable=True):
        with pipelined():
            if not all(new.inline for new in news):  # their carriers may be answered before anything is decided
                hurried()
            written = _ask_kept(news, uuids, indexes)
            room = spending.ask_room(list(needs.values()), day=brand_date(news[0].at))
        fresh = {name: row for row, name in written()}
        ids = {new.request_id: fresh[name] for new, name in zip(news, uuids, strict=True) if name in fresh}
        over = {request_id: spending.COUNTRY for request_id, need in asked.items() if need is None}
        over |= {request_id: f"budget_{limit}" for request_id, limit in zip(needs, room(), strict=True) if limit}
        over = {request_id: problem for request_id, problem in over.items() if request_id in ids}
        if over:
            _park(over, ids)
    kept = []
    for new, name, index in zip(news, uuids, indexes, strict=True):
        row = fresh.get(name)
        if row is None:  # it was kept before, or stands twice in this list
            kept.append(find(new.carrier, new.message_id))
            continue
        state = _State.PARKED if new.request_id in over else _State.NEW
        spoken = _ReplyState.NONE if new.inline else _ReplyState.OUTBOX
        written_as = Row(row, name, state, spoken, index if new.sender else None, new.opt_out or "")
        kept.append(
            Kept(
                id=row,
                request_id=new.request_id,
                fresh=state == _State.NEW,
                state=state,
                reply_state=spoken,
                due_at=new.at + LEASE,
                row=written_as if new.inline else None,
            )
        )
    return kept


def _ask_kept(news: Sequence[New], rows: Sequence[uuid.UUID], indexes: Sequence[bytes]) -> Rows:
    return ask(
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
        RETURNING id, uuid
        """,
        [
            array(rows),
            texts(new.carrier for new in news),
            texts(new.message_id for new in news),
            texts(new.number for new in news),
            bytes_array(vault.seal_each([new.sender or "" for new in news], rows, field=FROM_FIELD)),
            bytes_array(index if new.sender else b"" for new, index in zip(news, indexes, strict=True)),
            bytes_array(vault.seal_each([new.body for new in news], rows, field=TEXT_FIELD)),
            bytes_array(vault.blind_indexes([new.body for new in news], purpose="sms.text")),
            moments(new.received_at for new in news),
            moments(new.at + LEASE for new in news),
            texts(_ReplyState.NONE if new.inline else _ReplyState.OUTBOX for new in news),
            texts(new.opt_out or "" for new in news),
        ],
    )


def _priced(news: Sequence[New], indexes: Sequence[bytes]) -> dict[str, spending.Need | None]:
    """Return what an answer as short as most takes, by request id, for messages that may get one."""
    paid = [
        (new.request_id, (new.sender, USUAL_PARTS), index)
        for new, index in zip(news, indexes, strict=True)
        if new.sender and not new.opt_out
    ]
    if not paid:
        return {}
    ids, wanted, known = zip(*paid, strict=True)
    return dict(zip(ids, spending.needs_of(wanted, known), strict=True))


def _park(over: dict[str, str], ids: dict[str, int]) -> None:
    hurried()
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
    """What the handler said to one message. ``body`` is the message's text, which is masked now.

    ``row``: what was kept of it by whoever decides now; None if that has to be looked up.
    """

    id: int
    sender: str | None
    number: str
    carrier: str
    body: str
    reply: Reply | None
    at: datetime
    row: Row | None = None


def conclude_many(decisions: Sequence[Decision]) -> list[tuple[str, str] | None]:
    """Keep what was decided; return for each what to say now (reference and text), or None.

    A message decided before keeps its first answer. A reply that may not be said (no budget, a loop, no number to send
    it to) is not said, and the row says why.
    """
    rows = {decision.id: decision.row for decision in decisions if decision.row and not _is_error(decision)}
    if len(rows) == len(decisions):
        try:
            return _conclude_unseen(decisions, rows)
        except _LookFirst:  # seldom: where there was no room already, messages were parked
            pass
    return _conclude(decisions)


class _LookFirst(Exception):
    """A message is no longer as it was kept, or a reply passes a limit: nothing was written."""


def _conclude_unseen(decisions: Sequence[Decision], rows: Mapping[int, Row]) -> list[tuple[str, str] | None]:
    """Keep what was decided about messages that stand as they were kept, in one round trip. Raises `_LookFirst`."""
    silences = _silences(decisions, rows)
    replies = _priced_replies(decisions, rows, silences)
    with transaction.atomic(durable=True), pipelined():
        _ask_untouched(list(rows))
        spending.ask_take([spoken.need for spoken in replies], day=brand_date(decisions[0].at), unless=_LookFirst)
        _write_told(decisions, rows, silences, {spoken.decision.id: spoken for spoken in replies})
        ask_commit()  # the brand's budget is one row, which those of other processes wait for
    said = {spoken.decision.id: (str(spoken.uuid), spoken.text) for spoken in replies}
    return [said.get(one.id) for one in decisions]


def _conclude(decisions: Sequence[Decision]) -> list[tuple[str, str] | None]:
    """Keep what was decided, once it is known how the messages stand and which replies pass a limit."""
    with transaction.atomic(durable=True):
        rows = _lock([decision.id for decision in decisions])
        todo = [decision for decision in decisions if rows[decision.id].state != _State.DECIDED]
        todo = list({decision.id: decision for decision in todo}.values())
        _errors_in_turn(todo, rows)
        silences = _silences(todo, rows)
        replies = _priced_replies(todo, rows, silences)
        # A reply sent by itself later is paid for when it is sent.
        paid = [spoken for spoken in replies if not spoken.later]
        if paid:
            at = paid[0].decision.at
            limits = spending.take([spoken.need for spoken in paid], day=brand_date(at), at=at)
            for spoken, limit in zip(paid, limits, strict=True):
                if limit:
                    silences[spoken.decision.id] = f"budget_{limit}"
            replies = [spoken for spoken in replies if not silences[spoken.decision.id]]
        if any(spoken.later for spoken in replies):
            transaction.on_commit(push_relay)
        with pipelined():
            if todo:
                _write_told(todo, rows, silences, {spoken.decision.id: spoken for spoken in replies})
            ask_commit()
    said = {spoken.decision.id: (str(spoken.uuid), spoken.text) for spoken in replies if not spoken.later}
    known = {decision.id for decision in todo}
    return [said.get(one.id) if one.id in known else read(one.id).reply for one in decisions]


@dataclass(slots=True)
class _Spoken:
    """A reply on its way: its own id and price, and whether it goes out later, by itself."""

    decision: Decision
    uuid: uuid.UUID
    text: str
    parts: int
    need: spending.Need
    later: bool


@inside_transaction
def _lock(ids: Sequence[int]) -> dict[int, Row]:
    rows = ask(
        f"""
        WITH commit AS MATERIALIZED (SELECT {HURRIED})
        SELECT id, uuid, state, reply_state, from_index, opt_out FROM commit, sms_gateway_inboundmessage m
         WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE OF m
        """,  # noqa: S608 - our own words
        [array(ids)],
    )
    return {row[0]: Row(*row) for row in rows()}


@inside_transaction
def _ask_untouched(ids: Sequence[int]) -> None:
    """Lock messages as `_lock` does; `_LookFirst` is raised unless all stand as they were kept: new, nobody speaks yet."""
    ask(
        f"""
        WITH commit AS MATERIALIZED (SELECT {HURRIED})
        SELECT 1 / (count(*) FILTER (WHERE state = 'new' AND reply_state = 'none') = %s)::int
          FROM (SELECT state, reply_state FROM commit, sms_gateway_inboundmessage m
                 WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE OF m) locked
        """,  # noqa: S608 - our own words
        [len(ids), array(ids)],
        unless=_LookFirst,
    )


def _is_error(decision: Decision) -> bool:
    return decision.reply is not None and decision.reply.purpose is Purpose.ERROR


def _silences(decisions: Sequence[Decision], rows: Mapping[int, Row]) -> dict[int, str]:
    """Return for each why it gets no reply, or ""."""
    silences: dict[int, str] = {}
    told: set[tuple[bytes, bytes]] = set()
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
def _errors_in_turn(decisions: Sequence[Decision], rows: Mapping[int, Row]) -> None:
    """Let errors to one number be decided one after another: of two at once only the first is told."""
    senders = {bytes(rows[one.id].from_index or b"") for one in decisions if _is_error(one)}
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


def _priced_replies(decisions: Sequence[Decision], rows: Mapping[int, Row], silences: dict[int, str]) -> list[_Spoken]:
    """Return the replies that may be said, with what they take; of the others ``silences`` then tells why not."""
    said = [(one, fold(one.reply.body)) for one in decisions if one.reply and not silences[one.id]]
    parts = [parts_of(text).count for _one, text in said]
    needs = spending.needs_of(
        [(one.sender or "", count) for (one, _text), count in zip(said, parts, strict=True)],
        [rows[one.id].from_index or b"" for one, _text in said],
    )
    replies = []
    for (one, text), count, need in zip(said, parts, needs, strict=True):
        if need is None:
            silences[one.id] = spending.COUNTRY
        else:
            later = rows[one.id].reply_state == _ReplyState.OUTBOX
            replies.append(_Spoken(one, uuid.uuid4(), text, count, need, later))
    return replies


@inside_transaction
def _write_told(
    decisions: Sequence[Decision], rows: Mapping[int, Row], silences: Mapping[int, str], replies: Mapping[int, _Spoken]
) -> None:
    """Write the replies as messages, and what was decided beside each message that came: one statement."""
    spoken = [replies.get(one.id) for one in decisions]
    kept = [rows[one.id].uuid for one in decisions]
    named = [reply.uuid if reply else row for reply, row in zip(spoken, kept, strict=True)]
    said = [reply if reply and not reply.later else None for reply in spoken]
    ask(
        """
        WITH told AS MATERIALIZED (
             SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bytea[], %s::text[], %s::bytea[], %s::uuid[],
                                  %s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::int[], %s::bigint[],
                                  %s::text[])
                           AS n (id, at, body_cipher, silence, error_mac, reply, to_cipher, to_index, text_cipher,
                                 language, number, parts, cost, carrier)),
        made AS (
             INSERT INTO sms_gateway_outboundmessage
                    (uuid, to_cipher, to_index, body_cipher, purpose, language, template, state, priority, attempts,
                     due_at, problem, number, carrier, carrier_ref, parts, cost, created_at, sent_at)
             SELECT reply, to_cipher, to_index, text_cipher, 'reply', language, '',
                    CASE WHEN carrier = '' THEN 'waiting' ELSE 'sent' END, %s::int, (carrier <> '')::int, at, '', number,
                    carrier, '', parts, cost, at, CASE WHEN carrier <> '' THEN at END
               FROM told WHERE reply IS NOT NULL
             RETURNING id, uuid)
        UPDATE sms_gateway_inboundmessage AS m
           SET state = 'decided', decided_at = t.at, problem = '', body_cipher = t.body_cipher, silence = t.silence,
               reply_id = made.id, error_mac = nullif(t.error_mac, ''::bytea),
               reply_state = CASE WHEN t.silence <> '' THEN 'silent' WHEN m.reply_state = 'none' THEN 'inline'
                                  ELSE m.reply_state END
          FROM told t LEFT JOIN made ON made.uuid = t.reply
         WHERE m.id = t.id
        """,
        [
            array(one.id for one in decisions),
            moments(one.at for one in decisions),
            bytes_array(vault.seal_each([mask_codes(one.body) for one in decisions], kept, field=TEXT_FIELD)),
            texts(silences[one.id][:20] for one in decisions),
            bytes_array(
                _error_mac(one.reply) if one.reply and one.reply.purpose is Purpose.ERROR else b"" for one in decisions
            ),
            array(reply and reply.uuid for reply in spoken),
            bytes_array(vault.seal_each([one.sender or "" for one in decisions], named, field=TO_FIELD)),
            bytes_array(rows[one.id].from_index or b"" for one in decisions),
            bytes_array(vault.seal_each([reply.text if reply else "" for reply in spoken], named, field=BODY_FIELD)),
            texts(one.reply.language if one.reply else "" for one in decisions),
            texts(one.number for one in decisions),
            array(reply.parts if reply else 0 for reply in spoken),
            array(reply.need.amount if reply else 0 for reply in said),
            texts(reply.decision.carrier if reply else "" for reply in said),  # none: it goes out later
            PRIORITY[OutboundMessage.Purpose.REPLY],
        ],
    )


def fail(row_id: int, problem: str, *, at: datetime) -> None:
    """Keep that deciding failed: again after a growing while, at most five times, then parked with its reason."""
    with transaction.atomic(durable=True):
        hurried()
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
    with transaction.atomic(durable=True):
        hurried()
        InboundMessage.objects.filter(pk=row_id, reply_state=_ReplyState.NONE).update(reply_state=_ReplyState.OUTBOX)
    return read(row_id)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An undecided message that is ours to decide about for a while. ``row``: how it was written, if just now."""

    id: int
    new: New
    row: Row | None = None


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
