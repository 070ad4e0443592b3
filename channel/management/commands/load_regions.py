"""Bring a brand's tree of regions up to date: countries, provinces, cities and counties."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import tenant_context

from brands.queries import brands_named
from channel.regions import load
from common.errors import DomainError


class Command(BaseCommand):
    help = "Load the regions of countries, for one brand or all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the countries, and a brand."""
        parser.add_argument("--countries", required=True, help="ISO 3166-1 codes: CN,US,DE")
        parser.add_argument("--brand", help="the brand's schema; all brands, if it is left out")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and say how many."""
        countries = [code.strip().upper() for code in options["countries"].split(",") if code.strip()]
        brands = brands_named(options["brand"])
        if not brands:
            raise CommandError("There is no such brand.")
        for brand in brands:
            with tenant_context(brand):
                try:
                    count = load(countries)
                except DomainError as error:
                    raise CommandError(error.detail) from error
            self.stdout.write(f"{brand.schema_name}: {count} regions")
