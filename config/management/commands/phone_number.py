"""Keep a telephone number: which account brings its messages and calls, and whose it is (nobody's: shared)."""

from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import get_tenant_model

from brands.models import CarrierAccount
from brands.phone_numbers import keep_number
from common.clock import now


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the number."""
        parser.add_argument("number", help="as the carrier writes it: +8610…, or a service number")
        parser.add_argument("--account", required=True)
        parser.add_argument("--brand", help="the brand's schema; without it the number is shared")
        parser.add_argument("--base-url", default="", help="the address given to the carrier; else PUBLIC_BASE_URL")
        parser.add_argument("--language", action="append", choices=["zh-hans", "en"])
        parser.add_argument("--calls", action="store_true", help="it takes calls too")
        parser.add_argument("--preference", type=int, default=10)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the number, or change it."""
        account = CarrierAccount.objects.filter(name=options["account"]).first()
        if account is None:
            raise CommandError("There is no such account: make it with manage.py carrier_account.")
        brand = get_tenant_model().objects.filter(schema_name=options["brand"]).first() if options["brand"] else None
        if options["brand"] and brand is None:
            raise CommandError("There is no such brand.")
        if options["calls"] and brand is None:
            raise CommandError("A shared number takes no calls.")
        keep_number(
            options["number"],
            account=account,
            brand=brand,
            at=now(),
            base_url=options["base_url"],
            languages=options["language"] or ["zh-hans", "en"],
            takes_calls=options["calls"],
            preference=options["preference"],
        )
        self.stdout.write(f"{options['number']}: kept. Web processes know it within ten seconds.")
