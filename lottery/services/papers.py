"""Documents that prove who claims a prize: redrawn, encrypted, seen by staff, deleted 90 days after the claim has ended."""

import warnings
from datetime import datetime, timedelta
from io import BytesIO

import PIL.Image
import PIL.ImageOps
from django.db import transaction
from django.utils.translation import gettext as _

from lottery import claims as rules
from lottery.errors import BadClaim, ClaimState, NoSuchClaim
from lottery.models import Claim, ClaimDocument
from lottery.models.claim import DOCUMENT_FIELD
from staff import audit, vault
from staff.models import User

MOST_BYTES = 8_000_000
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 2_000
MOST_DOCUMENTS = 6
KEPT_FOR = timedelta(days=90)
MEDIA_TYPE = "image/jpeg"


def redrawn(sent: bytes) -> bytes:
    """Return a PNG or JPEG drawn anew as JPEG, so that nothing else is left in it. Raises `BadClaim`."""
    if len(sent) > MOST_BYTES:
        raise BadClaim(_("The picture is larger than 8 MB."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            opened = PIL.Image.open(BytesIO(sent), formats=("PNG", "JPEG"))
            if opened.width * opened.height > MOST_PIXELS:
                raise BadClaim(_("The picture has too many pixels."))
            image = PIL.ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError, Warning) as error:
        raise BadClaim(_("This is no picture that can be read. Send a photograph as JPEG or PNG.")) from error
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    drawn = BytesIO()
    image.save(drawn, "JPEG", quality=85)
    return drawn.getvalue()


def add(claim_id: int, kind: str, sent: bytes, *, by: str, at: datetime) -> ClaimDocument:
    """Keep a document for a claim that is not approved yet. Raises `BadClaim`, `ClaimState`, `NoSuchClaim`."""
    picture = redrawn(sent)
    if kind not in ClaimDocument.Kind.values:
        raise BadClaim(_("Choose what the picture shows."))
    with transaction.atomic(durable=True):
        claim = Claim.objects.select_for_update(no_key=True, of=("self",)).filter(pk=claim_id).first()
        if claim is None:
            raise NoSuchClaim
        if claim.state not in {*Claim.WAITING, Claim.State.CLAIMED, Claim.State.CHECKED}:
            raise ClaimState
        if claim.documents.count() >= MOST_DOCUMENTS:
            raise BadClaim(_("There are enough pictures for this prize."))
        row = ClaimDocument(claim=claim, kind=kind, added_at=at, added_by=by)
        row.cipher = vault.seal_bytes(picture, field=DOCUMENT_FIELD, row=row.uuid)
        row.save(force_insert=True)
    return row


def look_at(document_id: int, *, claim: Claim, by: User, at: datetime) -> bytes:
    """Return a document's picture to a person of the staff, and note that they saw it. Raises `NoSuchClaim`."""
    with transaction.atomic(durable=True):
        row = ClaimDocument.objects.select_for_update(no_key=True).filter(pk=document_id, claim=claim).first()
        if row is None or row.cipher is None:
            raise NoSuchClaim
        audit.record("read", at=at, table=row._meta.db_table, row_id=str(row.pk), facts={"claim": claim.public_id})
        if row.seen_at is None:
            row.seen_at, row.seen_by = at, by.username
            row.save(update_fields=["seen_at", "seen_by"])
    return vault.unseal_bytes(bytes(row.cipher), field=DOCUMENT_FIELD, row=row.uuid)


def forget_old(*, at: datetime) -> int:
    """Delete the pictures of claims that ended 90 days ago, one way or another; return how many."""
    over = [state for state, nexts in rules.NEXT.items() if not nexts]
    old = ClaimDocument.objects.filter(cipher__isnull=False, claim__state__in=over, claim__moved_at__lte=at - KEPT_FOR)
    with transaction.atomic():
        return old.update(cipher=None, deleted_at=at)


def forget_of(claim_ids: list[int], *, at: datetime) -> None:
    """Delete all pictures of these claims now; inside the caller's transaction."""
    ClaimDocument.objects.filter(claim__in=claim_ids, cipher__isnull=False).update(cipher=None, deleted_at=at)
