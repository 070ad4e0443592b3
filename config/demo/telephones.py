"""The demo's telephones on the command line: what `sms_sim` and `ivr_sim` share."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django_tenants.utils import get_tenant_model, tenant_context

from brands.phone_numbers import Number, number_called
from common.phone import BadPhone, parse_phone
from config import demo
from config.demo.numbers import NUMBERS
from config.management.commands.demo_labels import hand_out
from sms_gateway import scenario
from sms_gateway.carriers.simulator import Simulator
from sms_gateway.scenario import BadScenario
from sms_gateway.segments import parts_of
from sms_gateway.telephone import WITHHELD, Telephone, over_http

Say = Callable[[str], object]
TOUR = Path(__file__).resolve().parents[2] / "sms_gateway" / "scenarios" / "tour.toml"


def add_arguments(parser: ArgumentParser) -> None:
    """Choose the telephone, the number it reaches, and the server."""
    parser.add_argument("--from", dest="phone", default="+8613800138000", help="the telephone; anonymous: withheld")
    parser.add_argument("--to", default="", help="one of our numbers; default: the brand's own")
    parser.add_argument("--brand", default=demo.BRANDS[0].schema, choices=[brand.schema for brand in demo.BRANDS])
    parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}", help="where the server runs")
    parser.add_argument("--scenario", type=Path, help=f"a scenario file, such as {TOUR.name} beside the gateway")


def telephone(options: dict[str, Any], phone: str = "") -> Telephone:
    """Return the telephone that the options describe. Raises `CommandError`."""
    number = phone or options["phone"]
    try:
        number = number if number == WITHHELD else parse_phone(number)
    except BadPhone:
        raise CommandError("--from is no telephone number.") from None
    return Telephone(number, _line(options), over_http(options["url"], host="platform.localhost"))


def _line(options: dict[str, Any]) -> Number:
    e164 = options["to"] or NUMBERS[options["brand"]]
    line = number_called(Simulator.name, e164)
    if line is None:
        raise CommandError(f"{e164} is not a number of the simulator. Run: manage.py seed_demo")
    return line


def run(options: dict[str, Any], say: Say) -> None:
    """Run a scenario file against the server. Raises `CommandError` if anything was not as expected."""

    def next_code() -> str:
        with tenant_context(get_tenant_model().objects.get(schema_name=options["brand"])):
            [label] = hand_out(options["brand"], "active", 1)
        return str(label["secret"])

    try:
        found = scenario.parse(options["scenario"].read_text())
    except (OSError, BadScenario) as error:
        raise CommandError(str(error)) from None
    say(found.name)
    failed = 0
    for number, outcome in enumerate(scenario.run(found, lambda phone: telephone(options, phone), next_code), 1):
        failed += bool(outcome.faults)
        kind = "SMS " if outcome.step.text is not None else "call"
        say(f"\n{number:>2}  {kind}  {outcome.step.phone}  → {outcome.said}")
        for line in outcome.heard.splitlines():
            say(f"    ← {line}")
        for fault in outcome.faults:
            say(f"    ✗ {fault}")
    if failed:
        raise CommandError(f"{failed} of {len(found.steps)} steps were not as expected.")
    say(f"\nAll {len(found.steps)} steps were as expected.")


def bubble(body: str) -> str:
    """Return a message as a line, with its parts."""
    parts = parts_of(body)
    return f"← {body}   [{parts.encoding}, {parts.units}, {parts.count} part{'s' if parts.count > 1 else ''}]"
