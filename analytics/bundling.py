"""The verbs of evidence bundles: asked for, made by a task, kept encrypted, given out, proved under a seal.

A bundle is made from one snapshot of the database. The same state of a file makes the same bytes, so that a bundle made
twice is one hash under one anchor. Encrypted like the photographs in it (`staff.vault`), in a file of the brand's folder.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from analytics import bundle, photos
from analytics.bundle_content import Content, content_of, file_of, moment
from analytics.bundle_models import FILE_FIELD, EvidenceBundle
from analytics.bundle_paper import paper_of
from analytics.case_models import Case, CaseEntry
from brands.models import Brand
from common import jobs
from common.clock import now
from common.db import schema_name
from common.errors import Conflict, NotFound
from common.models import Job
from ledger.models import Anchor, Seal
from ledger.seals import inclusion, seal_json
from ledger.services import anchor
from staff import audit, vault
from staff.keys import public_sign_keys, sign_key

LANGUAGES = {"en": "evidence-en.pdf", "zh-hans": "evidence-zh.pdf"}
MOST_PHOTO_BYTES = 400_000_000
"""Of all photographs together; those that come after are named by their hash alone."""


class NotMadeYet(Conflict):
    """The bundle is not made yet. Wait until its job has ended."""

    code = "not_made_yet"


class NotSealedYet(Conflict):
    """No seal covers the bundle yet. Seals are made every few minutes."""

    code = "not_sealed_yet"


# --- asked for, made ---------------------------------------------------------------------------------------------------


def ask_for(case_id: int, *, at: datetime, by: str) -> EvidenceBundle:
    """Ask for a bundle of a file as it stands when it is made; one that is under way is returned as it is."""
    with transaction.atomic(durable=True):
        case = Case.objects.select_for_update(no_key=True).filter(pk=case_id).first()
        if case is None:
            raise NotFound(_("There is no such file."))
        open_states = [Job.State.WAITING, Job.State.RUNNING]
        waiting = EvidenceBundle.objects.filter(case=case, job__state__in=open_states).first()
        if waiting is not None:
            return waiting
        row = EvidenceBundle(case=case, asked_at=at, asked_by=by)
        row.job = jobs.create(kind=EvidenceBundle.JOB_KIND, subject=row.public_id, total=1, at=at, asked_by=by)
        row.save(force_insert=True)
    return row


def make(bundle_id: int) -> None:
    """Make a bundle that was asked for; run again, it goes on or does nothing. For a Celery task."""
    row = EvidenceBundle.objects.select_related("case", "job").get(pk=bundle_id)
    made: list[bytes] = []

    def work() -> None:
        made[:] = [bytes_of_case(row.case, at=now())]
        _keep(row, made[0])

    def step(_done: int) -> int:
        [data] = made
        at, digest = now(), sha256(data).digest()
        row.sha256, row.size, row.made_at = digest, len(data), at
        row.save(update_fields=["sha256", "size", "made_at"])
        anchor(kind=Anchor.Kind.EVIDENCE, subject=row.case.public_id, digest=digest, at=at)
        CaseEntry.objects.create(
            case=row.case,
            at=at,
            by=row.asked_by,
            kind=CaseEntry.Kind.EXPORTED,
            text=digest.hex(),
            data={"bundle": row.public_id, "sha256": digest.hex()},
        )
        return 1

    jobs.run(row.job_id, step, lambda: None, work=work)


def bytes_of_case(case: Case, *, at: datetime) -> bytes:
    """Return the bundle of a file as it stands; ``at`` says which signing key is in use.

    The file is locked while it is read, as by all who write into it; what is long comes after.
    """
    with transaction.atomic(durable=True):
        content = content_of(Case.objects.select_for_update(no_key=True).get(pk=case.pk))
    key = sign_key(at=at)
    pictures = _pictures(content)
    files = {f"data/{name}.csv": table.as_csv() for name, table in content.tables.items()} | pictures
    brand = Brand.objects.get(schema_name=schema_name())
    hashes = {name: sha256(data).hexdigest() for name, data in files.items()}
    for language, name in LANGUAGES.items():
        named = brand.name_zh or brand.name if language.startswith("zh") else brand.name
        files[name] = paper_of(content, language=language, brand=named, photos=pictures, hashes=hashes)
    return bundle.pack(files, _about(content, brand), key=key)


def _pictures(content: Content) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    room = MOST_PHOTO_BYTES
    for one in content.photos:
        if one.size > room:
            continue
        try:
            data = photos.bytes_of(one)
        except NotFound:  # deleted by its age: the hash remains
            continue
        found[file_of(one)] = data
        room -= len(data)
    return found


def _about(content: Content, brand: Brand) -> Mapping[str, object]:
    run = content.run
    return {
        "brand": brand.name,
        "file": content.case.public_id,
        "number": content.case.number,
        "shipment": content.shipment.public_id,
        "as_of": moment(content.as_of),
        "run": run.public_id if run else None,
        "data_sha256": bytes(run.data_hash).hex() if run else None,
        "code_version": run.code_version if run else None,
    }


# --- kept, given out ---------------------------------------------------------------------------------------------------


def path_of(row: EvidenceBundle) -> Path:
    """Return where a bundle lies, encrypted."""
    return Path(settings.VAR_DIR) / "evidence" / schema_name() / f"{row.public_id}.bin"


def _keep(row: EvidenceBundle, data: bytes) -> None:
    path = path_of(row)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - by descriptor
            file.write(vault.seal_bytes(data, field=FILE_FIELD, row=row.uuid))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def fetch(row: EvidenceBundle, *, at: datetime) -> bytes:
    """Return a bundle to somebody, and leave a line in the audit trail. Raises `NotMadeYet`, `NotFound`."""
    if row.sha256 is None:
        raise NotMadeYet
    try:
        data = vault.unseal_bytes(path_of(row).read_bytes(), field=FILE_FIELD, row=row.uuid)
    except FileNotFoundError:
        raise NotFound(_("The file of this bundle is no longer there: make the bundle again.")) from None
    facts = {"file": row.case.public_id, "bundle": row.public_id, "sha256": bytes(row.sha256).hex()}
    audit.record("export", at=at, table=row._meta.db_table, row_id=str(row.pk), facts=facts)
    return data


def proof(row: EvidenceBundle) -> bytes:
    """Return the proof that a seal covers the bundle. Raises `NotMadeYet`, `NotSealedYet`."""
    if row.sha256 is None:
        raise NotMadeYet
    found = proof_of_hash(bytes(row.sha256))
    if found is None:
        raise NotSealedYet
    return found


def proof_of_hash(digest: bytes) -> bytes | None:
    """Return the proof for a bundle's hash; None if it is not anchored, or no seal covers it yet."""
    ids = list(
        Anchor.objects.filter(kind=Anchor.Kind.EVIDENCE, hash=digest).order_by("pk").values_list("pk", flat=True)
    )
    proofs = inclusion(anchors=ids[:1])
    if not proofs:
        return None
    return bundle.proof_of(proofs[0], seal_json(Seal.objects.get(n=proofs[0]["seal"])))


def brand_keys() -> list[bytes]:
    """Return the public keys by which the brand's bundles and seals are checked."""
    return public_sign_keys()
