"""Say where the demo's brands are, and how to sign in. Refused in production."""

import json
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from django.core.management.base import CommandParser

from config import demo


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose the form of the answer."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the answer."""
        demo.require_demo()
        kept = demo.read()
        brands = [self._brand(brand, kept.get(brand.schema, {})) for brand in demo.BRANDS]
        if options["json"]:
            self.stdout.write(json.dumps({"brands": brands}, ensure_ascii=False, indent=2))
            return
        self.stdout.write(f"\n  {settings.PRODUCT_NAME_BOTH} is running.\n")
        for brand in brands:
            self.stdout.write(f"\n  {brand['name']}  {brand['base_url']}/\n    console   {brand['sign_in_url']}")
            for person in brand["staff"]:
                self.stdout.write(f"      {person['role']:<14}{person['username']:<14}{person['password']}")
            if brand["api_key"]:
                self.stdout.write(f"    API key   {brand['api_key']}")

    @staticmethod
    def _brand(brand: demo.DemoBrand, kept: dict[str, Any]) -> dict[str, Any]:
        base_url = f"http://{brand.host}:{settings.PORT}"
        return {
            "schema": brand.schema,
            "name": brand.name,
            "host": brand.host,
            "port": settings.PORT,
            "base_url": base_url,
            "sign_in_url": f"{base_url}/console/sign-in",
            "api_key": kept.get("api_key", ""),
            "staff": kept.get("staff", []),
            "sms_number": None,
            "voice_number": None,
            "webhooks": {},
            "simulator_token": None,
        }
