"""The telephone door: asks for a code, makes one call, says the answer. docs/algorithms/sms-and-voice.md has the flow.

Each turn of a call is a function of (turn, what the last turn left); the gateway keeps the turns, so that a repeated
question gets the same answer. A caller's number is believed when it earns; a withheld one may only check.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, transaction

from brands.models import PhoneNumber
from common.phone import BadPhone, parse_phone
from labels.queries import secret_lengths
from members.queries import member_by_phone
from redemption import collector, queries
from redemption.messages import django_language, say, say_try_later, spoken_digits
from redemption.prompts import spoken
from redemption.rules import Attempt, Door, Outcome, Receipt
from redemption.services import InProgress, TryLater
from sms_gateway import services as gateway
from sms_gateway.doors import CallStep, Dial, Gather, Hangup, Line, Pause, Play, Say, Verb, VoiceAnswer

TRIES = 3
CODE_TIMEOUT_S = 8
MENU_TIMEOUT_S = 6
AGENT_KEY, AGAIN_KEY, TEXT_KEY, NEXT_KEY = "0", "*", "1", "2"
RIGHT_KEY = "1"
_TEXTS = UUID("5f0a7b0e-6a0f-4b0a-9f4b-0d6f5f6f1c55")  # names the message that one turn sends

Prompts = tuple[Say | Play | Pause, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """What one turn leaves to the next. ``partial``: digits keyed after a star; ``receipt``: that of the answer told."""

    language: str
    tries: int = 0
    partial: str = ""
    code: str = ""
    receipt: str = ""
    texted: bool = False


@dataclass(frozen=True)
class Turn:
    """One turn, as its step sees it."""

    step: CallStep
    left: Left

    @property
    def line(self) -> Line:
        return self.step.number

    @property
    def keys(self) -> str:
        return self.step.digits or ""

    @property
    def withheld(self) -> bool:
        return self.step.caller is None

    @cached_property
    def code_length(self) -> int | None:
        """How many digits every code of the brand has, or None where they differ."""
        lengths = secret_lengths()
        return next(iter(lengths)) if len(lengths) == 1 else None

    def say(self, key: str, **values: Any) -> Say | Play:
        return spoken(key, self.left.language, self.line, **values)

    def read_out(self, text: str) -> Say:
        return Say(text, self.left.language)

    def answer(self, *verbs: Verb, left: Left | None = None) -> VoiceAnswer:
        kept = left or self.left
        return VoiceAnswer(verbs=verbs, language=kept.language, state=_as_state(kept))


def answer(step: CallStep) -> VoiceAnswer:
    """Return what is said and asked next. The same ``request_id`` redeems once and is told the same."""
    left = _from_state(step.state) or Left(language=_first_language(step))
    turn = Turn(step, left)
    try:
        return _STEPS.get(step.step, _start)(turn)
    except (TryLater, InProgress):
        return turn.answer(turn.read_out(say_try_later(left.language, Door.VOICE)), turn.say("goodbye"), Hangup())


def _as_state(left: Left) -> dict[str, Any]:
    return {name: getattr(left, name) for name in Left.__slots__}


def _from_state(state: Mapping[str, Any]) -> Left | None:
    return Left(**{name: state[name] for name in Left.__slots__ if name in state}) if state.get("language") else None


def _languages(line: Line) -> tuple[str, ...]:
    return tuple(dict.fromkeys(django_language(tag) for tag in line.languages)) or (django_language(""),)


def _wish(step: CallStep) -> str:
    """Return the language that a member has chosen, where the line speaks it."""
    member = member_by_phone(step.caller) if step.caller else None
    wish = django_language(member.language) if member and member.language else ""
    return wish if wish in _languages(step.number) else ""


def _first_language(step: CallStep) -> str:
    return _wish(step) or _languages(step.number)[0]


# --- greeting and language -----------------------------------------------------------------------------------------------


def _start(turn: Turn) -> VoiceAnswer:
    languages = _languages(turn.line)
    if len(languages) == 1 or _wish(turn.step):
        return _ask(turn, turn.say("greeting"))
    choices = tuple(
        spoken(key, language, turn.line)
        for key, language in zip(("choose_first", "choose_second"), languages, strict=False)
    )
    prompts = (turn.say("greeting"), *choices)
    return turn.answer(Gather(next="language", prompts=prompts, num_digits=1, timeout_s=MENU_TIMEOUT_S))


def _choose_language(turn: Turn) -> VoiceAnswer:
    """Take 1 or 2; anything else keeps the line's own language, for a caller is asked once."""
    if turn.keys == AGENT_KEY:
        return _agent(turn)
    languages = _languages(turn.line)
    chosen = languages[int(turn.keys) - 1] if turn.keys in {"1", "2"} and int(turn.keys) <= len(languages) else None
    return _ask(replace(turn, left=replace(turn.left, language=chosen or turn.left.language)))


# --- the code --------------------------------------------------------------------------------------------------------------


def _ask(turn: Turn, *first: Say | Play | Pause, again: bool = False) -> VoiceAnswer:
    """Ask for a code."""
    warning = (turn.say("withheld"),) if turn.withheld and not again else ()
    question = turn.say("enter_again" if again else "enter_code")
    return _gather(turn, (*first, *warning, question), replace(turn.left, partial="", code="", receipt=""))


def _gather(turn: Turn, prompts: Prompts, left: Left) -> VoiceAnswer:
    wanted = turn.code_length - len(left.partial) if turn.code_length else None
    return turn.answer(Gather(next="code", prompts=prompts, num_digits=wanted, timeout_s=CODE_TIMEOUT_S), left=left)


def _code(turn: Turn) -> VoiceAnswer:
    """Take what was keyed: what stands before the last star is dropped; a star alone repeats and is no try."""
    starred = "*" in turn.keys
    digits = turn.keys.rpartition("*")[2] if starred else turn.left.partial + turn.keys
    if starred and not digits:
        return _ask(turn)
    if not digits:
        return _failed(turn, turn.say("silence"))
    if digits == AGENT_KEY:
        return _agent(turn)
    # All the keys that were waited for have come, but some of them stood before the star: the rest follows.
    if starred and turn.code_length and len(turn.keys) >= turn.code_length > len(digits):
        return _gather(turn, (turn.say("go_on"),), replace(turn.left, partial=digits))
    return _told(turn, digits)


def _told(turn: Turn, digits: str) -> VoiceAnswer:
    attempt = Attempt(
        door=Door.VOICE,
        at=turn.step.at,
        request_id=turn.step.request_id,
        code=digits,
        phone=turn.step.caller,
        language=turn.left.language,
    )
    receipt = collector.verify(attempt) if turn.withheld else collector.redeem(attempt)
    text = turn.read_out(say(receipt, turn.left.language, Door.VOICE))
    match receipt.outcome:
        case Outcome.TYPO:
            return _failed(turn, *_read_back(turn, digits), text)
        case Outcome.UNKNOWN:
            return _confirm(turn, digits, receipt)
        case Outcome.TOO_MANY_TRIES:
            return _given_up(turn, text)
    left = replace(turn.left, tries=0, partial="", receipt=receipt.receipt_no or "")
    return _after(replace(turn, left=left), receipt)


def _read_back(turn: Turn, digits: str) -> Prompts:
    """Say the digits in fours, a pause after each."""
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    spoken_groups = [turn.read_out(spoken_digits(group, turn.left.language)) for group in groups]
    return (turn.say("heard"), *(each for group in spoken_groups for each in (group, Pause(1))))


def _confirm(turn: Turn, digits: str, receipt: Receipt) -> VoiceAnswer:
    """A code that we do not know is read back before it is called so."""
    left = replace(turn.left, tries=turn.left.tries + 1, partial="", code=digits, receipt=receipt.receipt_no or "")
    prompts = (*_read_back(turn, digits), turn.say("confirm"))
    return turn.answer(Gather(next="confirm", prompts=prompts, num_digits=1, timeout_s=MENU_TIMEOUT_S), left=left)


def _confirmed(turn: Turn) -> VoiceAnswer:
    if turn.keys == AGENT_KEY:
        return _agent(turn)
    receipt = queries.receipt(turn.left.receipt)
    heard: Prompts = ()
    if turn.keys == RIGHT_KEY and receipt is not None:
        heard = (turn.read_out(say(receipt, turn.left.language, Door.VOICE)), *_receipt_again(turn, receipt))
    if turn.left.tries >= TRIES:
        return _given_up(turn, *heard)
    return _ask(turn, *heard, again=True)


def _failed(turn: Turn, *heard: Say | Play | Pause) -> VoiceAnswer:
    """Count a try; after the third, give up."""
    left = replace(turn.left, tries=turn.left.tries + 1, partial="")
    further = replace(turn, left=left)
    return _given_up(further, *heard) if left.tries >= TRIES else _ask(further, *heard, again=True)


# --- after the answer --------------------------------------------------------------------------------------------------


def _after(turn: Turn, receipt: Receipt, *first: Say | Play | Pause) -> VoiceAnswer:
    """Say the answer, the receipt once more, and what can be done now."""
    told = (turn.read_out(say(receipt, turn.left.language, Door.VOICE)), *_receipt_again(turn, receipt))
    return _menu(turn, *first, *told)


def _menu(turn: Turn, *first: Say | Play | Pause) -> VoiceAnswer:
    menu = turn.say("after_withheld" if turn.withheld or turn.left.texted else "after")
    return turn.answer(Gather(next="after", prompts=(*first, Pause(1), menu), num_digits=1, timeout_s=MENU_TIMEOUT_S))


def _receipt_again(turn: Turn, receipt: Receipt) -> Prompts:
    if receipt.receipt_no is None:
        return ()
    return (Pause(1), turn.say("receipt", receipt=spoken_digits(receipt.receipt_no, turn.left.language)))


def _chosen(turn: Turn) -> VoiceAnswer:
    receipt = queries.receipt(turn.left.receipt)
    match turn.keys:
        case "*" if receipt is not None:
            return _after(turn, receipt)
        case "1" if receipt is not None and not turn.withheld and not turn.left.texted:
            _text(turn, receipt)
            return _menu(replace(turn, left=replace(turn.left, texted=True)), turn.say("texted"))
        case "2":
            return _ask(replace(turn, left=replace(turn.left, texted=False)), again=True)
        case "0":
            return _agent(turn)
    return turn.answer(turn.say("goodbye"), Hangup())


def _text(turn: Turn, receipt: Receipt) -> None:
    """Send the answer as a text message, once for this turn however often it is asked."""
    language = turn.left.language
    with transaction.atomic(durable=True):
        gateway.queue_message(
            turn.step.caller or "",
            say(receipt, language, Door.SMS),
            purpose="reply",
            at=turn.step.at,
            language=language,
            key=uuid5(_TEXTS, f"{connection.schema_name}:{turn.step.request_id}"),
        )


# --- the end -----------------------------------------------------------------------------------------------------------


def _given_up(turn: Turn, *heard: Say | Play | Pause) -> VoiceAnswer:
    takes_texts = PhoneNumber.objects.filter(e164=turn.line.e164, takes_texts=True, is_active=True).exists()
    key = "given_up" if takes_texts else "given_up_calls_only"
    prompts = (*heard, turn.say(key))
    return turn.answer(Gather(next="given_up", prompts=prompts, num_digits=1, timeout_s=MENU_TIMEOUT_S))


def _given_up_chosen(turn: Turn) -> VoiceAnswer:
    return _agent(turn) if turn.keys == AGENT_KEY else turn.answer(turn.say("goodbye"), Hangup())


def _agent(turn: Turn) -> VoiceAnswer:
    """Connect to the line's agent, else to the brand's hotline."""
    number = turn.line.texts.get(turn.left.language, {}).get("agent") or _hotline()
    if not number or number == turn.line.e164:
        hotline = spoken_digits("".join(filter(str.isdigit, connection.tenant.hotline)), turn.left.language)
        return turn.answer(turn.say("no_agent", hotline=hotline), Hangup())
    return turn.answer(turn.say("agent"), Dial(number))


def _hotline() -> str:
    try:
        return parse_phone(connection.tenant.hotline)
    except BadPhone:
        return ""


_STEPS: dict[str, Callable[[Turn], VoiceAnswer]] = {
    "start": _start,
    "language": _choose_language,
    "code": _code,
    "confirm": _confirmed,
    "after": _chosen,
    "given_up": _given_up_chosen,
}
