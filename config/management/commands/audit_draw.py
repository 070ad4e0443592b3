"""Tie each entry of a published draw to its redemption, hold or free entry; write the signed audit beside the bundle."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from brands.models import Brand
from common.canonical import canonical
from common.clock import now
from common.errors import DomainError
from lottery.audit import audit
from lottery.models import Bundle
from redemption.models import Redemption
from staff import audit as trail
from staff.models import Role, User


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the brand, the draw, the auditor and the folder."""
        parser.add_argument("schema", help="the brand's schema")
        parser.add_argument("draw", help="the draw's public id")
        parser.add_argument("--by", required=True, help="user name of an auditor")
        parser.add_argument("--to", default=".", help="folder for bundle.zip and audit.json")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write both files; exit 1 if an entry is not tied to what earned it."""
        brand = Brand.objects.filter(schema_name=options["schema"]).first()
        if brand is None:
            raise CommandError("there is no such brand")
        with tenant_context(brand):
            auditor = User.objects.filter(username=options["by"], role=Role.AUDITOR, is_active=True)
            if not auditor.exists():
                raise CommandError(f"{options['by']} is no auditor of this brand")
            with trail.acting(options["by"], "audit of a draw"):
                try:
                    found = audit(options["draw"], redeemed=_redeemed, at=now(), by=options["by"])
                except DomainError as error:
                    raise CommandError(str(error)) from error
            bundle = Bundle.objects.filter(draw__public_id=options["draw"]).order_by("-edition")[0]
        folder = Path(options["to"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bundle.zip").write_bytes(bytes(bundle.data))
        (folder / "audit.json").write_bytes(canonical(found))
        findings = found["content"]["findings"]
        for finding in findings:
            self.stderr.write(f"entry {finding['entry']}: {finding['what']}")
        if findings:
            raise CommandError(f"{len(findings)} findings", returncode=1)
        self.stdout.write(f"{found['content']['entries']} entries, each tied to what earned it")


def _redeemed(label_nos: Collection[int]) -> set[int]:
    """Return the labels that were redeemed, and whose redemption stands."""
    stands = Redemption.objects.filter(pk__in=label_nos, reversal=None)
    return set(stands.values_list("label_no", flat=True))
