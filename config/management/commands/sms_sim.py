"""Send text messages to the running demo as a telephone would, through its signed webhook. Refused in production."""

import sys
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from config import demo
from config.demo import telephones
from sms_gateway.telephone import Refused


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Take messages, or a scenario file; with neither, one message a line from the keyboard."""
        telephones.add_arguments(parser)
        parser.add_argument("messages", nargs="*", help="each is sent as one message")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, and print what comes back."""
        demo.require_demo()
        if options["scenario"]:
            telephones.run(options, self.stdout.write)
            return
        phone = telephones.telephone(options)
        for body in options["messages"] or (line.rstrip("\n") for line in sys.stdin):
            self.stdout.write(f"→ {body}")
            try:
                answers = phone.text(body)
            except Refused as error:
                raise CommandError(f"The webhook answered {error}") from None
            for answer in answers:
                self.stdout.write(f"{telephones.bubble(answer.body)}   {phone.trace[-1].took_ms:.0f} ms")
            if not answers:
                self.stdout.write("  (no reply with the answer)")
