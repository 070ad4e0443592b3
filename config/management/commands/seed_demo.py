"""Fill the demo brands with goods, people and three months of history, through the services. Refused in production.

Run again it changes nothing; interrupted, it goes on where it stood.
"""

import os
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management import BaseCommand
from django.core.management.base import CommandParser
from django.db import connection
from django_tenants.utils import get_tenant_model, tenant_context

from common.clock import now
from config import demo
from config.demo import numbers, seed, story
from staff.audit import acting


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose how much history."""
        parser.add_argument(
            "--scale", type=float, default=float(os.environ.get("DEMO_SCALE") or 1), help="1: over 5,000 members"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed each demo brand that is not complete."""
        demo.require_demo()
        kept = demo.read()
        numbers.seed_numbers(at=now())
        for planned in demo.BRANDS:
            brand = get_tenant_model().objects.get(schema_name=planned.schema)
            mine = kept.setdefault(planned.schema, {})
            mine.setdefault("began", self._beginning(brand.time_zone))
            with tenant_context(brand), acting(seed.BY, "demonstration"):
                with connection.cursor() as cursor:
                    cursor.execute("SET statement_timeout = 0")
                    cursor.execute("SET synchronous_commit = off")  # what a crash takes is told again
                seed.seed_people(mine, at=now())
                demo.write(kept)
                if "labels" not in mine:
                    plan = story.PLANS[planned.schema]
                    seed.seed_brand(
                        plan, mine, at=now(), scale=options["scale"], seed=planned.schema, say=self._say(planned.name)
                    )
            demo.write(kept)

    @staticmethod
    def _beginning(zone: str) -> str:
        """Return the midnight, in the brand's zone, with which the story begins so that its last day is today."""
        today = now().astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (today - timedelta(days=story.DAYS - 1)).astimezone(UTC).isoformat()

    def _say(self, name: str) -> seed.Say:
        return lambda line: self.stderr.write(f"{name}: {line}")
