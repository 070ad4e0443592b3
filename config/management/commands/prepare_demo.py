"""Migrate, and create the two demo brands if they are not there. Refused in production."""

from typing import Any

from django.core.management import BaseCommand, call_command
from django_tenants.utils import get_tenant_model, tenant_context

from brands.models import Brand
from brands.services import create_brand
from common.clock import now
from config import demo
from staff.keys import create_brand_keys


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Run as the owner's role (manage.py sees to it)."""
        demo.require_demo()
        call_command("prepare_database")
        there = set(get_tenant_model().objects.values_list("schema_name", flat=True))
        for planned in demo.BRANDS:
            if planned.schema not in there:
                self._create(planned)

    @staticmethod
    def _create(planned: demo.DemoBrand) -> None:
        brand = create_brand(
            schema=planned.schema,
            host=planned.host,
            name=planned.name,
            name_zh=planned.name_zh,
            short_name=planned.name[:18],
            short_name_zh=planned.name_zh[:8],
            hotline=planned.hotline,
            colour=planned.colour,
            gs1_prefix=f"6901{234 + demo.BRANDS.index(planned)}",
            logo_svg=planned.logo_svg,
            activation_requires=Brand.ActivationRequires.GENERATED,
        )
        with tenant_context(brand):
            create_brand_keys(at=now())
