"""Prove the ledger of one brand or of all: every promise is asked of every row, and a broken one is named."""

from collections.abc import Iterator
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django.db import connection
from django_tenants.utils import tenant_context

from brands.models import Brand
from brands.queries import brands_named
from ledger import queries as ledger
from ledger.queries import Fault
from redemption import queries as redemption
from staff.keys import public_sign_keys


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose the brands."""
        parser.add_argument("--schema", help="the brand's schema")
        parser.add_argument("--all", action="store_true", help="every brand (the default)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Name the first bad row of each broken promise; exit 1 if there is one."""
        connection.set_schema_to_public()
        brands = brands_named(options["schema"])
        if not brands:
            raise CommandError("there is no such brand")
        faults = sum(self._verify(brand) for brand in brands)
        if faults:
            raise CommandError(f"{faults} broken", returncode=1)

    def _verify(self, brand: Brand) -> int:
        faults = 0
        with tenant_context(brand):
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
            for fault in _faults():
                faults += 1
                self.stderr.write(f"{brand.schema_name}: {fault.check}: {fault.table} {fault.row} {fault.detail}")
            with connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")
        if not faults:
            self.stdout.write(f"{brand.schema_name}: every promise holds, every unit sums to 0")
        return faults


def _faults() -> Iterator[Fault]:
    """Ask the ledger, and the floor above what it knows of causes."""
    yield from ledger.verify()
    yield from ledger.verify_seals(public_sign_keys())
    yield from redemption.verify()
