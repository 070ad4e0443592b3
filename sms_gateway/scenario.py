"""Scenario files: what telephones do, and what they must hear. TOML; the format is in docs/operations/phone-simulator.md.

name = "A code is redeemed once"

[[steps]]
phone = "+8613800138000"
text = "{code1}"
expect = ["正品", "积分"]

[[steps]]
phone = "+8613900139000"
call = ["2", "{code1}", "*"]
expect = ["This code was redeemed"]
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sms_gateway.telephone import Telephone

_CODE = re.compile(r"\{code(\d+)\}")
_KEYS = {"phone", "text", "call", "expect", "refuse", "message_id", "times"}


class BadScenario(ValueError):
    """The file is not a scenario; the message says where."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one telephone does: a ``text``, or a ``call`` with the keys of each turn. ``refuse``: must not be heard."""

    phone: str
    text: str | None = None
    call: tuple[str, ...] | None = None
    expect: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    message_id: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step. ``faults``: what was expected and missing, or refused and heard."""

    step: Step
    said: str
    heard: str
    faults: tuple[str, ...]


def parse(text: str) -> Scenario:
    """Read a scenario file. Raises `BadScenario`."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(f"not TOML: {error}") from None
    steps = found.get("steps")
    if not isinstance(steps, list) or not steps:
        raise BadScenario("there are no [[steps]]")
    return Scenario(str(found.get("name", "")), tuple(_step(number, step) for number, step in enumerate(steps, 1)))


def _step(number: int, step: dict[str, Any]) -> Step:
    strange = sorted(step.keys() - _KEYS)
    if strange:
        raise BadScenario(f"step {number}: nothing is called {', '.join(strange)}")
    if ("text" in step) == ("call" in step) or not isinstance(step.get("phone"), str):
        raise BadScenario(f"step {number}: name a phone, and a text or a call")
    values = dict(step)
    for name in ("call", "expect", "refuse"):
        if name in values:
            if not isinstance(values[name], list) or not all(isinstance(each, str) for each in values[name]):
                raise BadScenario(f"step {number}: {name} is a list of texts")
            values[name] = tuple(values[name])
    return Step(**values)


def run(scenario: Scenario, telephone: Callable[[str], Telephone], next_code: Callable[[], str]) -> Iterator[Outcome]:
    """Run the steps in order. ``{code1}`` stands for the first code from ``next_code``, the same one in every step."""
    codes: dict[str, str] = {}

    def filled(text: str) -> str:
        for number in _CODE.findall(text):
            if number not in codes:
                codes[number] = next_code()
        return _CODE.sub(lambda found: codes[found.group(1)], text)

    for step in scenario.steps:
        phone = telephone(step.phone)
        heard: list[str] = []
        if step.text is not None:
            said = filled(step.text)
            for _time in range(step.times):
                heard += [answer.body for answer in phone.text(said, message_id=filled(step.message_id))]
        else:
            keys = [filled(each) for each in step.call or ()]
            said = " ".join(keys)
            call = phone.call()
            heard.append(call.said)
            for each in keys:
                heard.append(call.press(each))
            if not call.over:
                call.hang_up()
        everything = "\n".join(heard)
        faults = [f"not heard: {text}" for text in map(filled, step.expect) if text not in everything]
        faults += [f"heard: {text}" for text in map(filled, step.refuse) if text in everything]
        yield Outcome(step, said, everything, tuple(faults))
