"""Answers as TwiML; Twilio, Telnyx, SignalWire, Kazoo and our simulator read it. Pure.

Calls are answered by the vendor's own library. It takes longer over a message than reading its code does, so these are
written here, byte for byte as the library would.
"""

from collections.abc import Callable, Iterable
from html import escape

from twilio.twiml.voice_response import Gather as GatherVerb, VoiceResponse

from sms_gateway.doors import Dial, Gather, Hangup, Pause, Play, Redirect, Say, Verb, VoiceAnswer

_VOICES = {"zh-hans": "zh-CN", "en": "en-GB"}


def voice_of(language: str) -> str:
    """Return the carrier's name of a language that Django writes as ``language``."""
    return _VOICES.get(language, language)


def messages(replies: Iterable[tuple[str, str | None]]) -> str:
    """Return the TwiML that sends each (text, address for its delivery reports or None); of none: an empty response."""
    said = [
        f"<Message{_report_to(status_callback)}>{escape(body, quote=False)}</Message>"
        for body, status_callback in replies
    ]
    response = f"<Response>{''.join(said)}</Response>" if said else "<Response />"
    return f'<?xml version="1.0" encoding="UTF-8"?>{response}'


def _report_to(status_callback: str | None) -> str:
    return f' statusCallback="{escape(status_callback)}"' if status_callback else ""


def voice(answer: VoiceAnswer, *, step_url: str, turn: int) -> str:
    """Return the TwiML of an answer. ``step_url``: the path of the next turn; ``turn``: the number of this one."""

    def following(step: str) -> str:
        return f"{step_url}?step={step}&turn={turn + 1}"

    response = VoiceResponse()
    for verb in answer.verbs:
        _add(response, verb, answer.language, following)
    return str(response)


def _add(response: VoiceResponse, verb: Verb, language: str, following: Callable[[str], str]) -> None:
    match verb:
        case Say() | Play() | Pause():
            _speak(response, verb, language)
        case Gather():
            asked = GatherVerb(
                input="dtmf",
                action=following(verb.next),
                method="POST",
                timeout=verb.timeout_s,
                finish_on_key=verb.finish_on,
                action_on_empty_result=True,
                **({"num_digits": verb.num_digits} if verb.num_digits else {}),
            )
            for prompt in verb.prompts:
                _speak(asked, prompt, language)
            response.append(asked)
        case Dial():
            response.dial(number=verb.number, timeout=verb.timeout_s)
        case Redirect():
            response.redirect(following(verb.next), method="POST")
        case Hangup():
            response.hangup()


def _speak(response: VoiceResponse | GatherVerb, verb: Say | Play | Pause, language: str) -> None:
    match verb:
        case Say():
            response.say(verb.text, language=voice_of(verb.language or language))
        case Play():
            response.play(verb.url)
        case Pause():
            response.pause(length=verb.seconds)
