"""Say what a file of polygons of regions holds, or why it cannot be used."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import tenant_context

from brands.queries import brands_named
from channel.models import Region
from common import polygons


class Command(BaseCommand):
    help = "Check a GeoJSON file of regions (REGION_POLYGONS_FILE) against the regions of a brand, or of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take another file, property, and a brand."""
        parser.add_argument("file", nargs="?", default="", help="the file in the settings, if it is left out")
        parser.add_argument("--property", default="", help="the property that holds a region's code")
        parser.add_argument("--brand", help="the brand's schema; all brands, if it is left out")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the file as a server does, and print what fits as JSON."""
        name = options["file"] or settings.REGION_POLYGONS_FILE
        if not name:
            raise CommandError("No file: name one, or set REGION_POLYGONS_FILE.")
        try:
            found = polygons.read(Path(name), options["property"] or settings.REGION_POLYGONS_PROPERTY)
        except polygons.BadPolygons as error:
            raise CommandError(f"{name}: {error}") from error
        codes = set(found.codes)
        told: dict[str, Any] = {"regions": len(codes), "mended": sorted(found.mended), "brands": {}}
        brands = brands_named(options["brand"])
        if not brands:
            raise CommandError("There is no such brand.")
        for brand in brands:
            with tenant_context(brand):
                known = set(Region.objects.filter(valid_to=None).values_list("code", flat=True))
            told["brands"][brand.schema_name] = {
                "known": len(codes & known),
                "unknown": sorted(codes - known)[:20],
                "regions without a polygon": len(known - codes),
            }
        self.stdout.write(json.dumps(told, ensure_ascii=False, indent=2))
