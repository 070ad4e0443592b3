"""Say where the demo's brands are, and how to sign in. Refused in production."""

import json
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from django.core.management.base import CommandParser
from django_tenants.utils import get_tenant_model, tenant_context

from config import demo
from config.demo import numbers
from config.management.commands.demo_labels import hand_out
from sms_gateway.simulated import token_of


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
        self.stdout.write(f"\n  {settings.PRODUCT_NAME_BOTH} is running.")
        for planned, brand in zip(demo.BRANDS, brands, strict=True):
            self._show(planned, brand)

    def _show(self, planned: demo.DemoBrand, brand: dict[str, Any]) -> None:
        say = self.stdout.write
        say(f"\n  {planned.name} {planned.name_zh}")
        say(f"    console   {brand['sign_in_url']}")
        for person in brand["staff"]:
            say(f"              {person['username']:<14}{person['password']}")
        say(f"    portal    {brand['portal_url']}")
        for person in brand["portal"]:
            say(f"              {person['username']:<14}{person['password']}   {person['partner']}")
        say(f"    API       {brand['base_url']}/api/v1/   key {brand['api_key']}")
        say(f"    draws     {brand['base_url']}/draws   each with a proof that anybody can check")
        say(f"    phone     {brand['base_url']}/dev/phone   texts and calls to {brand['sms_number']}")
        with tenant_context(get_tenant_model().objects.get(schema_name=planned.schema)):
            [label] = hand_out(planned.schema, "active", 1)
        say(f"    a label   {label['url']}")
        say(f"              the code under its scratch layer: {label['secret']}")

    @staticmethod
    def _brand(brand: demo.DemoBrand, kept: dict[str, Any]) -> dict[str, Any]:
        number = numbers.number_of(brand.schema)
        base_url = f"http://{brand.host}:{settings.PORT}"
        return {
            "schema": brand.schema,
            "name": brand.name,
            "host": brand.host,
            "port": settings.PORT,
            "base_url": base_url,
            "sign_in_url": f"{base_url}/console/sign-in",
            "portal_url": f"{base_url}/portal/sign-in",
            "portal": kept.get("portal", []),
            "api_key": kept.get("api_key", ""),
            "staff": kept.get("staff", []),
            "sms_number": number.e164 if number else None,
            "voice_number": number.e164 if number else None,
            "shared_sms_number": numbers.SHARED,
            "webhooks": numbers.webhooks(),
            "simulator_token": token_of(number) if number else None,
        }
