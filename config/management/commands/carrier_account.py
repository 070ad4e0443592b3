"""Keep an account with a carrier: its secrets are read as JSON from standard input and stored wrapped."""

import json
import sys
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from brands.phone_numbers import keep_account
from common.clock import now
from common.errors import DomainError
from sms_gateway.carriers import CARRIERS


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the account."""
        parser.add_argument("name")
        parser.add_argument("--carrier", required=True, choices=sorted(CARRIERS))
        parser.add_argument(
            "--source", action="append", default=[], help="network from which it may call: 203.0.113.0/24"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the account, or replace its secrets and sources."""
        try:
            secrets = json.load(sys.stdin)
        except ValueError as error:
            raise CommandError("Standard input is not JSON.") from error
        if not isinstance(secrets, dict):
            raise CommandError("Standard input is not a JSON object.")
        try:
            keep_account(
                options["name"], carrier=options["carrier"], secrets=secrets, sources=options["source"], at=now()
            )
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{options['name']}: kept. Web processes know it within ten seconds.")
