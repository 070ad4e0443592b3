"""Telephone calls: each turn is kept, decided by `VOICE_HANDLER`, and its answer kept, so that it can be given again.

State hangs on the carrier's call id. A turn that is asked again gets the TwiML it got before; one that is asked again
while the first is still being decided waits a moment, then is told to come again.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.module_loading import import_string

from common.clock import now
from sms_gateway import twiml
from sms_gateway.answering import TWIN_LOOK_S, TWIN_WAIT_S, TwinInFlight
from sms_gateway.carriers.base import Unreadable
from sms_gateway.doors import START, CallStep, Line, VoiceAnswer
from sms_gateway.models import Call, CallTurn
from sms_gateway.models.calls import ANSWER_FIELD, CALLER_FIELD, DIGITS_FIELD, STATE_FIELD
from staff import vault

LEASE = timedelta(seconds=10)
MOST_TURNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question of the carrier's: which call, which turn, what was keyed."""

    carrier: str
    call_id: str
    number: str
    caller: str | None
    step: str
    turn: int
    digits: str | None
    at: datetime


def answer(asked: Asked, line: Line, *, step_url: str, clock: Callable[[], datetime] = now) -> str:
    """Return the TwiML of a turn: the one it had, or what the handler says now.

    Raises `Unreadable` for a turn that cannot follow, `TwinInFlight` while the same one is being answered, and whatever
    the handler raises: the turn stays open, and may be asked again.
    """
    turn, before = _open(asked, line)
    if turn.answer_cipher is not None:
        return _unseal(turn, "answer_cipher", ANSWER_FIELD)
    step = CallStep(
        request_id=f"voice:{asked.call_id}:{asked.turn}",
        call_id=asked.call_id,
        caller=asked.caller,
        number=line,
        step=asked.step,
        turn=asked.turn,
        digits=asked.digits,
        language=turn.language,
        at=asked.at,
        state=before,
    )
    try:
        with translation.override(turn.language):
            said: VoiceAnswer = import_string(settings.VOICE_HANDLER)(step)
    except Exception:
        CallTurn.objects.filter(pk=turn.pk, answered_at=None).update(due_at=clock())
        raise
    return _keep(turn, said, twiml.voice(said, step_url=step_url, turn=asked.turn), at=clock())


def _open(asked: Asked, line: Line) -> tuple[CallTurn, Mapping[str, Any]]:
    """Return the row of this turn, ours to answer or answered already, and the state that the last answer left."""
    if not (1 <= asked.turn <= MOST_TURNS) or (asked.turn == 1) != (asked.step == START):
        raise Unreadable
    until = time.monotonic() + TWIN_WAIT_S
    while True:
        with transaction.atomic(durable=True):
            turn, before, is_ours = _claim(asked, line)
        if is_ours or turn.answer_cipher is not None:
            return turn, before
        if time.monotonic() > until:
            raise TwinInFlight
        time.sleep(TWIN_LOOK_S)


def _claim(asked: Asked, line: Line) -> tuple[CallTurn, Mapping[str, Any], bool]:
    call = _call(asked)
    turn = CallTurn.objects.select_for_update(no_key=True).filter(call=call, turn=asked.turn).first()
    last = CallTurn.objects.filter(call=call, turn=asked.turn - 1).first() if asked.turn > 1 else None
    if asked.turn > 1 and (last is None or last.answered_at is None):
        raise Unreadable  # nobody was told to ask this
    before = json.loads(_unseal(last, "state_cipher", STATE_FIELD)) if last and last.state_cipher else {}
    if turn is None:
        row = uuid.uuid4()
        turn, created = CallTurn.objects.get_or_create(
            call=call,
            turn=asked.turn,
            defaults={
                "uuid": row,
                "step": asked.step,
                "language": before.get("_language") or line.languages[0],
                "digits_cipher": vault.seal(asked.digits or "", field=DIGITS_FIELD, row=row),
                "asked_at": asked.at,
                "due_at": asked.at + LEASE,
            },
        )
        return turn, _public(before), created
    if turn.answered_at is None and turn.due_at <= asked.at:  # whoever had it is gone, or failed
        turn.due_at = asked.at + LEASE
        turn.save(update_fields=["due_at"])
        return turn, _public(before), True
    return turn, _public(before), False


def _public(state: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in state.items() if name != "_language"}


def _call(asked: Asked) -> Call:
    found = Call.objects.filter(carrier=asked.carrier, call_id=asked.call_id).first()
    if found is not None:
        return found
    row, caller = uuid.uuid4(), asked.caller
    call, _created = Call.objects.get_or_create(
        carrier=asked.carrier,
        call_id=asked.call_id,
        defaults={
            "uuid": row,
            "number": asked.number,
            "caller_cipher": vault.seal(caller, field=CALLER_FIELD, row=row) if caller else None,
            "caller_index": vault.blind_index(caller) if caller else None,
            "started_at": asked.at,
        },
    )
    return call


def _keep(turn: CallTurn, said: VoiceAnswer, text: str, *, at: datetime) -> str:
    """Keep an answer, unless the turn has one already: then return that."""
    state = json.dumps({**said.state, "_language": said.language}, ensure_ascii=False)
    kept = CallTurn.objects.filter(pk=turn.pk, answered_at=None).update(
        answer_cipher=vault.seal(text, field=ANSWER_FIELD, row=turn.uuid),
        state_cipher=vault.seal(state, field=STATE_FIELD, row=turn.uuid),
        answered_at=at,
    )
    if kept:
        return text
    turn.refresh_from_db()
    return _unseal(turn, "answer_cipher", ANSWER_FIELD)


def _unseal(turn: CallTurn, column: str, field: str) -> str:
    blob = getattr(turn, column)
    if blob is None:
        raise Unreadable  # cleared a day after the call
    return vault.unseal(bytes(blob), field=field, row=turn.uuid)


def end(carrier: str, call_id: str, *, duration_s: int | None, at: datetime) -> None:
    """Keep that a call is over; the first report counts."""
    Call.objects.filter(carrier=carrier, call_id=call_id, ended_at=None).update(ended_at=at, duration_s=duration_s)
