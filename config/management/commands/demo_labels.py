"""Hand out labels of the demo, each once: serial, link, hidden code. Refused in production."""

import fcntl
import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import get_tenant_model, tenant_context

from common.clock import now
from config import demo
from labels import queries as labels
from labels.models import Product
from lottery.queries import Ended, offers

STATES = ("active", "inactive", "redeemed", "blocked", "recalled")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose how many, of which brand, in which state."""
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument("--brand", default=demo.BRANDS[0].schema, choices=[brand.schema for brand in demo.BRANDS])
        parser.add_argument("--state", default="active", choices=STATES)
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the labels."""
        demo.require_demo()
        if options["count"] < 1:
            raise CommandError("--count must be at least 1.")
        brand = get_tenant_model().objects.get(schema_name=options["brand"])
        with tenant_context(brand):
            found = hand_out(options["brand"], options["state"], options["count"])
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
            return
        for label in found:
            self.stdout.write(f"{label['url']}  {label['secret']}  {label['product']}  {label['points']}")


def hand_out(schema: str, state: str, count: int) -> list[dict[str, Any]]:
    """Return ``count`` labels of that state which were never handed out before. Raises `CommandError`."""
    chosen = list(_take(schema, state, count))
    at = now()
    states = labels.states(chosen, at)
    products = Product.objects.in_bulk({states[no].product_id for no in chosen})
    points = _points(products, at) if state == "active" else {}
    codes = zip(chosen, labels.serials_of(chosen), labels.secrets_of(chosen), strict=True)
    host = next(brand.host for brand in demo.BRANDS if brand.schema == schema)
    return [
        {
            "serial": serial,
            "url": f"http://{host}:{settings.PORT}/01/{product.gtin}/21/{serial}",
            "secret": secret,
            "gtin": product.gtin,
            "product": product.name,
            "points": points.get(product.pk, 0),
        }
        for no, serial, secret in codes
        for product in [products[states[no].product_id]]
    ]


def _take(schema: str, state: str, count: int) -> Iterator[int]:
    """Take the next labels from the ranges that `seed_demo` set aside, counted in a file under a lock."""
    ranges = demo.read().get(schema, {}).get("labels", {}).get(state, [])
    path = settings.VAR_DIR / "demo_labels.json"
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        taken = json.loads(file.read() or "{}")
        key = f"{schema} {state}"
        start = taken.get(key, 0)
        left = sum(end - first for first, end in ranges) - start
        if left < count:
            raise CommandError(f"Only {left} {state} labels of {schema} are left to hand out.")
        taken[key] = start + count
        file.seek(0)
        file.truncate()
        file.write(json.dumps(taken))
    for first, end in ranges:
        here = range(first + start, min(end, first + start + count))
        yield from here
        count -= len(here)
        start = max(0, start - (end - first))
        if not count:
            return


def _points(products: dict[int, Product], at: Any) -> dict[int, int]:
    found = offers(set(products), at)
    return {product: offer.points_of("consumer") for product, offer in found.items() if not isinstance(offer, Ended)}
