"""Migrate, and create the two demo brands if they are not there. Refused in production."""

from typing import Any

from django.core.management import BaseCommand, call_command
from django_tenants.utils import get_tenant_model

from config.demo import BRANDS, require_demo


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Run as the owner's role (manage.py sees to it)."""
        require_demo()
        call_command("prepare_database")
        there = set(get_tenant_model().objects.values_list("schema_name", flat=True))
        for brand in BRANDS:
            if brand.schema not in there:
                call_command(
                    "create_brand",
                    brand.schema,
                    brand.host,
                    f"--name={brand.name}",
                    f"--name-zh={brand.name_zh}",
                    f"--hotline={brand.hotline}",
                    stdout=self.stderr,
                )
