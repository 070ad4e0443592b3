"""What the gateway hands to the doors above it, and what they hand back. Pure: no Django, no clock, no carrier.

`SMS_HANDLER` names a function ``(Sequence[IncomingText]) -> list[Reply | Exception | None]`` that answers messages which
came together, each in its place, `VOICE_HANDLER` one ``(CallStep) -> VoiceAnswer``, `SMS_ROUTER` one ``(text) -> (form, slot) | None`` that finds a brand on a number which several share. They run with
the connection pointed at the brand (the router: at no brand's data), outside any transaction, may be called again
with the same ``request_id`` after a failure, and must then have no second effect. An exception means that nothing
was written: the gateway tries again later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The number that was texted or called.

    ``languages``: Django's codes, the line's own first. ``texts``: the brand's own words for this line by language and
    name (``texts["zh-hans"]["greeting"]``); uploads for voice are addresses (https) under names that begin with "play_".
    """

    e164: str
    languages: tuple[str, ...]
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


# --- text messages -----------------------------------------------------------------------------------------------------


class OptOut(StrEnum):
    """What the carrier itself has obeyed and answered already; it is only to be recorded."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingText:
    """One text message, as it was sent. ``request_id`` is "carrier:message id".

    ``sender`` is E.164, or None for names and short codes: those get no reply, whatever is returned.
    """

    request_id: str
    sender: str | None
    number: Line
    body: str
    received_at: datetime
    opt_out: OptOut | None = None


class Purpose(StrEnum):
    """What a reply is. An ERROR (typos, HELP, "one code per message") is what robots could loop on.

    The same error text goes to one number at most once a minute and three times an hour.
    """

    ANSWER = "answer"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Reply:
    """One text message back, whole: the gateway neither cuts nor changes it."""

    body: str
    language: str
    purpose: Purpose = Purpose.ANSWER


# --- calls -------------------------------------------------------------------------------------------------------------

START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStep:
    """One turn of a call. The first has ``step`` "start"; later ones the ``next`` of the verb that led here.

    ``request_id`` is "voice:{call id}:{turn}". ``digits`` are the keys pressed (0-9 * #), "" for silence, None at the
    start. ``caller`` is None where the number is withheld. ``state`` is what the last answer left.
    """

    request_id: str
    call_id: str
    caller: str | None
    number: Line
    step: str
    turn: int
    digits: str | None
    language: str
    at: datetime
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text. ``language`` as Django writes it; empty: the language of the answer."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """Play a recording (an https address)."""

    url: str


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Speak ``prompts`` and collect keys until ``finish_on``, ``num_digits`` keys or ``timeout_s`` of silence.

    The next turn has ``step`` = ``next``; silence comes as digits "".
    """

    next: str
    prompts: tuple[Say | Play | Pause, ...]
    num_digits: int | None = None
    timeout_s: int = 8
    finish_on: str = "#"


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller to a number (E.164) or an extension; the call ends with that conversation."""

    number: str
    timeout_s: int = 30


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the step ``next`` without waiting for keys."""

    next: str


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


Verb = Say | Play | Pause | Gather | Dial | Redirect | Hangup


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceAnswer:
    """What is spoken and asked now, in ``language``. ``state`` (JSON) comes back with the next turn, kept encrypted."""

    verbs: tuple[Verb, ...]
    language: str
    state: Mapping[str, Any] = field(default_factory=dict)
