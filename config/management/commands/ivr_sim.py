"""Call the running demo as a telephone would, through its signed webhook, and press keys. Refused in production."""

import sys
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from config import demo
from config.demo import telephones
from sms_gateway.telephone import Call, Refused


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the keys of each question, or a scenario file; with neither, a line of keys each from the keyboard."""
        telephones.add_arguments(parser)
        parser.add_argument("keys", nargs="*", help='keys for each question in turn; "" waits until time is up')

    def handle(self, *args: Any, **options: Any) -> None:
        """Call, and print what is heard."""
        demo.require_demo()
        if options["scenario"]:
            telephones.run(options, self.stdout.write)
            return
        try:
            self._call(telephones.telephone(options).call(), options["keys"])
        except Refused as error:
            raise CommandError(f"The webhook answered {error}") from None

    def _call(self, call: Call, keys: list[str]) -> None:
        self._heard(call)
        for pressed in keys or (line.strip() for line in sys.stdin):
            if call.over:
                break
            self.stdout.write(f"⌨ {pressed or '(nothing)'}")
            call.press(pressed)
            self._heard(call)
        if not call.over:
            call.hang_up()
            self.stdout.write("(hung up)")

    def _heard(self, call: Call) -> None:
        for words in call.heard:
            self.stdout.write(f"♪ {words}")
        if call.dialled:
            self.stdout.write(f"(connected to {call.dialled})")
        elif call.over:
            self.stdout.write("(the line is closed)")
