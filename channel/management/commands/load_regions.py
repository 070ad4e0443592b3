"""Bring a brand's tree of regions up to date: countries, provinces, cities and counties."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import get_tenant_model, schema_context

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
        brands = get_tenant_model().objects.exclude(schema_name="public")
        if options["brand"]:
            brands = brands.filter(schema_name=options["brand"])
        if not brands.exists():
            raise CommandError("There is no such brand.")
        for schema in brands.values_list("schema_name", flat=True):
            with schema_context(schema):
                try:
                    count = load(countries)
                except DomainError as error:
                    raise CommandError(error.detail) from error
            self.stdout.write(f"{schema}: {count} regions")
