"""Make the first owner of a brand, who signs in on the console and invites everybody else; the password is shown once."""

from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from brands.models import Brand
from common.errors import DomainError
from staff.services import create_first_owner


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the brand and the person."""
        parser.add_argument("schema")
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse where an owner is."""
        brand = Brand.objects.filter(schema_name=options["schema"]).first()
        if brand is None:
            raise CommandError(f"There is no brand {options['schema']}.")
        try:
            with tenant_context(brand):
                user, password = create_first_owner(username=options["username"])
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{user.username} signs in at /console/sign-in with {password}")
