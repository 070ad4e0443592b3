"""Photographs and papers as evidence: looked through, and kept as they came, byte by byte, encrypted."""

import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO

import PIL.Image
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from analytics.case_models import PHOTO_FIELD, Case, CaseAnswer, CasePhoto, CasePhotoContent, FieldCheck
from common.db import inside_transaction
from common.errors import Invalid, NotFound
from staff import audit, vault

MOST_BYTES = 12_000_000
MOST_PIXELS = 120_000_000
_FORMATS = {
    "JPEG": CasePhoto.MediaType.JPEG,
    "MPO": CasePhoto.MediaType.JPEG,  # several JPEGs in one: what some telephones make
    "PNG": CasePhoto.MediaType.PNG,
    "WEBP": CasePhoto.MediaType.WEBP,
}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}


class BadPhoto(Invalid):
    """No photograph that can be kept: send a JPEG, PNG, WebP or HEIC of at most 12 MB."""

    code = "bad_photo"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a telephone says that it is: degrees (WGS 84), metres."""

    lat: float
    lon: float
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """What was sent, looked through: bytes, their kind, and the name that the sender gave them."""

    data: bytes
    media_type: CasePhoto.MediaType
    name: str = ""

    @property
    def sha256(self) -> bytes:
        """The hash of the bytes as they came."""
        return hashlib.sha256(self.data).digest()


def read_photo(data: bytes, *, name: str = "", papers: bool = False) -> Photo:
    """Look through what was sent; ``papers`` lets a PDF pass too. Raises `BadPhoto`. Nothing is drawn anew."""
    if not data or len(data) > MOST_BYTES:
        raise _refusal(name, papers=papers)
    if papers and data.startswith(b"%PDF-") and b"%%EOF" in data[-2048:]:
        return Photo(data, CasePhoto.MediaType.PDF, _plain(name))
    if _is_heic(data):
        return Photo(data, CasePhoto.MediaType.HEIC, _plain(name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # the limit here is our own
            image = PIL.Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
            if image.width * image.height > MOST_PIXELS:
                raise BadPhoto(_("The picture has too many pixels."))
            image.load()  # a file that was cut off fails here
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError, Warning) as error:
        raise _refusal(name, papers=papers) from error
    return Photo(data, _FORMATS[str(image.format)], _plain(name))


def _refusal(name: str, *, papers: bool) -> BadPhoto:
    """Say which of several files it is, and what may be sent instead."""
    if not (shown := _plain(name)):
        return BadPhoto()
    if papers:
        said = _("{name} cannot be kept: send a PDF, JPEG, PNG, WebP or HEIC of at most 12 MB.")
    else:
        said = _("{name} cannot be kept: send a JPEG, PNG, WebP or HEIC of at most 12 MB.")
    return BadPhoto(said.format(name=shown))


def _plain(name: str) -> str:
    """Return the last part of a file's name, without signs that steer a printer or a browser."""
    return "".join(sign for sign in name.replace("\\", "/").rpartition("/")[2] if sign.isprintable())[:120]


def _is_heic(data: bytes) -> bool:
    """Return whether these are whole boxes of an image file with HEVC (ISO/IEC 14496-12, 4.2; 23008-12, B.4.1)."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIC_BRANDS:
        return False
    place, kinds = 0, set()
    while place < len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        size = int.from_bytes(data[place + 8 : place + 16], "big") if size == 1 else size or len(data) - place
        if size < 8:
            return False
        kinds.add(kind)
        place += size
    return place == len(data) and {b"meta", b"mdat"} <= kinds


@inside_transaction
def keep(
    case: Case,
    photo: Photo,
    *,
    at: datetime,
    by: str,
    spot: Spot | None = None,
    check: FieldCheck | None = None,
    answer: CaseAnswer | None = None,
) -> CasePhoto:
    """Write a photograph into a file, its bytes encrypted beside it."""
    row = CasePhoto(
        case=case,
        check_of=check,
        answer=answer,
        sha256=photo.sha256,
        size=len(photo.data),
        media_type=photo.media_type,
        name=photo.name,
        at=at,
        by=by,
        **({"lat": spot.lat, "lon": spot.lon, "accuracy_m": spot.accuracy_m} if spot else {}),
    )
    row.save(force_insert=True)
    cipher = vault.seal_bytes(photo.data, field=PHOTO_FIELD, row=row.uuid)
    CasePhotoContent.objects.create(photo=row, cipher=cipher)
    return row


def bytes_of(photo: CasePhoto) -> bytes:
    """Return a photograph's bytes. Raises `NotFound` once they are deleted."""
    content = CasePhotoContent.objects.filter(pk=photo.pk).first()
    if content is None:
        raise NotFound(_("The photograph has been deleted; its hash remains."))
    return vault.unseal_bytes(bytes(content.cipher), field=PHOTO_FIELD, row=photo.uuid)


def look_at(photo: CasePhoto, *, at: datetime) -> bytes:
    """Return a photograph's bytes to somebody, and leave a line in the audit trail. Raises `NotFound`."""
    data = bytes_of(photo)
    facts = {"file": photo.case.public_id, "photo": photo.public_id}
    audit.record("read", at=at, table=photo._meta.db_table, row_id=str(photo.pk), facts=facts)
    return data


def forget_old(*, at: datetime) -> int:
    """Delete the photographs of files closed `CASE_PHOTOS_DAYS` ago, and where they were taken; return how many.

    Hashes, times and names stay: who kept a copy can still prove that it is the one.
    """
    before = at - timedelta(days=settings.CASE_PHOTOS_DAYS)
    old = {"case__state": Case.State.CLOSED, "case__moved_at__lte": before}
    with transaction.atomic():
        for model in (CasePhoto, FieldCheck):
            model.objects.filter(**old, lat__isnull=False).update(lat=None, lon=None, accuracy_m=None)
        of_files = CasePhotoContent.objects.filter(**{f"photo__{name}": value for name, value in old.items()})
        return of_files.delete()[0]
