"""`manage.py verify_bundle FILE`: check an evidence bundle, byte by byte, and the seal that covers it.

With ``--seal PROOF`` (the file "proof" from the page of the investigation) and ``--key HEX`` no database is needed. With
``--schema`` the seal and the keys are looked up in a brand's own ledger.

Ends with 0 if all holds; 1 if something differs, each named; 2 if a file cannot be read; 3 if what was checked holds, but
something was not shown: a seal, or whose key it is.
"""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics import bundle
from analytics.bundle import NoBundle, Report


class Command(BaseCommand):
    help = "Check an evidence bundle against its manifest, its signature, and the seal that covers it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the files, and where the keys come from."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--seal", type=Path, metavar="PROOF", help="the proof of the seal, as a file")
        parser.add_argument("--schema", help="the brand in whose ledger seal and keys are looked up")
        parser.add_argument(
            "--key", action="append", default=[], metavar="HEX", help="the brand's public key, from a place you trust"
        )

    def handle(self, *, file: Path, seal: Path | None, schema: str | None, key: list[str], **_options: Any) -> None:
        """Check and say, in plain words."""
        try:
            data, proof = file.read_bytes(), seal.read_bytes() if seal else None
            keys = [_key(text) for text in key]
        except OSError as error:
            self.stderr.write(f"{error.filename}: {error.strerror}")
            sys.exit(2)
        if schema:
            known, found = _ledger_of(schema, data)
            keys, proof = keys or known, proof or found
        report = _report(data, proof, keys)
        self._say(report, data)
        if report.faults:
            sys.exit(1)
        if report.lacking:
            sys.exit(3)

    def _say(self, report: Report, data: bytes) -> None:
        self.stdout.write(f"SHA-256 of the bundle: {sha256(data).hexdigest()}")
        for label, lines in (("holds", report.holds), ("NOT SHOWN", report.lacking), ("DIFFERS", report.faults)):
            for line in lines:
                self.stdout.write(f"{label:<10}{line}")
        if report.faults:
            self.stdout.write("The bundle is NOT as the brand made it.")
        else:
            self.stdout.write("The bundle is as it was made." if not report.lacking else "What was checked holds.")


def _report(data: bytes, proof: bytes | None, keys: list[bytes]) -> Report:
    try:
        report = bundle.check(data, keys=keys)
    except NoBundle as error:
        return Report(faults=[str(error)])
    if proof is None:
        report.lacking.append("When it was made: give the proof of the seal by --seal, or the brand by --schema.")
        return report
    try:
        under = bundle.check_seal(data, proof, keys=keys)
    except NoBundle as error:
        under = Report(faults=[str(error)])
    report.holds += under.holds
    report.faults += under.faults
    report.lacking += under.lacking
    return report


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise CommandError("A key has 64 hexadecimal digits.")
    return key


def _ledger_of(schema: str, data: bytes) -> tuple[list[bytes], bytes | None]:
    """Return a brand's public keys, and the proof for this bundle from its ledger."""
    from django_tenants.utils import get_tenant_model, tenant_context

    from analytics.bundling import brand_keys, proof_of_hash

    brand = get_tenant_model().objects.filter(schema_name=schema).first()
    if brand is None:
        raise CommandError(f"There is no brand {schema}.")
    with tenant_context(brand):
        return brand_keys(), proof_of_hash(sha256(data).digest())
