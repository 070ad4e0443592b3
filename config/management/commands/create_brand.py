"""Create a brand: its schema, host name and keys."""

from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from brands.models import Brand
from brands.services import create_brand
from common.clock import now
from common.errors import DomainError
from staff.keys import create_brand_keys


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the brand."""
        parser.add_argument("schema")
        parser.add_argument("host")
        parser.add_argument("--name", required=True)
        parser.add_argument("--name-zh", required=True)
        parser.add_argument("--hotline", default="400 000 0000")
        choices = Brand.ActivationRequires.values
        parser.add_argument("--activation-requires", choices=choices, default=Brand.ActivationRequires.RECEIVED)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run as the owner's role (manage.py sees to it)."""
        try:
            brand = create_brand(
                schema=options["schema"],
                host=options["host"],
                name=options["name"],
                name_zh=options["name_zh"],
                short_name=options["name"][:18],
                short_name_zh=options["name_zh"][:8],
                hotline=options["hotline"],
                activation_requires=options["activation_requires"],
            )
        except DomainError as error:
            raise CommandError(error.detail) from error
        with tenant_context(brand):
            create_brand_keys(at=now())
        self.stdout.write(f"{brand.name} answers at {options['host']}")
