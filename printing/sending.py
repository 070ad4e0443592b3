"""A hand-over's file, manifest and checking program as answers to a browser, for staff and for presses alike."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from common.clock import now
from common.errors import DomainError
from common.signing import public_of
from printing import accounts, handover as files, services
from printing.models import Handover
from staff.keys import sign_key
from staff.middleware import acting_in
from staff.models import User

_PIECE = 262_144
_VERIFIER = Path(__file__).parent / "verify_manifest.py"
_FROM = re.compile(r"bytes=([1-9][0-9]{0,14})-")


def file_of(request: HttpRequest, one: Handover, *, by: User) -> HttpResponseBase:
    """Send the encrypted file, once; a broken download goes on by its byte range. A refusal is kept and told."""
    asked = _FROM.fullmatch(request.headers.get("Range", ""))
    start = int(asked[1]) if asked else 0
    with acting_in(request):  # a GET that changes something names its actor too
        try:
            one = accounts.fetch(one, start=start, by=by, at=now())
        except DomainError as error:
            services.refused(error, what="download", row=one, at=now())
            status = 410 if isinstance(error, services.Gone) else 403
            return render(request, "printing/gone.html", {"one": one, "error": error.detail}, status=status)
    size = one.cipher_bytes or 0
    response = StreamingHttpResponse(
        _pieces(files.path_of(one.public_id), start),
        status=206 if start else 200,
        content_type="application/octet-stream",
    )
    response["Content-Disposition"] = f'attachment; filename="{one.public_id}.age"'
    response["Content-Length"] = str(size - start)
    response["Accept-Ranges"] = "bytes"
    if start:
        response["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return response


def _pieces(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(_PIECE):
            yield piece


def manifest_of(one: Handover) -> HttpResponse:
    """Send the manifest: what the file holds, without any code."""
    return _attachment(bytes(one.manifest), f"{one.public_id}.manifest.json", "application/json")


def signature_of(one: Handover) -> HttpResponse:
    """Send the manifest's signature."""
    return _attachment(bytes(one.signature), f"{one.public_id}.manifest.sig", "application/octet-stream")


def verifier() -> HttpResponse:
    """Send the program by which a press checks manifest and file; the brand's public key is written into it."""
    text = _VERIFIER.read_text().replace('PUBLIC_KEY = ""', f'PUBLIC_KEY = "{public_key()}"')
    return _attachment(text.encode(), "verify_manifest.py", "text/x-python")


def public_key() -> str:
    """Return the key by which manifests are checked, in hexadecimal digits."""
    return public_of(sign_key(at=now())).hex()


def _attachment(content: bytes, name: str, kind: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
