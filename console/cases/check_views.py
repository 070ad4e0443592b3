"""Evidence from the field: photographs, and checks in shops, on a telephone."""

import uuid
from io import BytesIO
from typing import Any, cast

import PIL.Image
import PIL.ImageOps
from csp.decorators import csp_update
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from analytics import case_evidence, photos
from analytics.case_evidence import Seen
from analytics.models import Case, CasePhoto
from common.clock import now
from common.errors import Conflict, DomainError, NotFound
from console.cases.forms import CheckForm, PhotoForm
from console.cases.views import act, find, shown
from staff.middleware import acting_in
from staff.models import User
from staff.permissions import staff_view

SMALL_PX = 320
# What the reader of the camera needs, and no other page of a file has.
WASM: Any = csp_update({"script-src": ["'wasm-unsafe-eval'"]})
SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}


def _by(request: HttpRequest) -> str:
    return cast("User", request.user).username


@staff_view("cases.work")
@require_POST
def photo_add(request: HttpRequest) -> HttpResponse:
    """Add a photograph to the file that the form names."""
    case = find(request, request.POST.get("case", "")[:30].replace("\x00", ""))
    form = PhotoForm(request.POST, request.FILES)

    def do(data: dict[str, Any]) -> None:
        case_evidence.add_photo(case.pk, photo=data["picture"][0], spot=form.spot(), at=now(), by=_by(request))

    return act(request, case, ("photo_form", form), do, _("The photograph is kept, with its hash and the time."))


@staff_view("cases.read")
@never_cache
@require_safe
def photo(request: HttpRequest, public_id: str, photo_id: str) -> HttpResponse:
    """Give out a photograph as it came, and note that it was looked at; ``?small``: a small drawing of it."""
    case = find(request, public_id)
    row = get_object_or_404(CasePhoto.objects.select_related("case"), public_id=photo_id, case=case)
    try:
        if "small" in request.GET:
            return HttpResponse(_small(row), content_type="image/jpeg", headers=SAFE)
        with acting_in(request):  # a GET that leaves a trace
            data = photos.look_at(row, at=now())
    except NotFound as error:
        raise Http404(error.detail) from error
    kind = row.media_type.rpartition("/")[2]
    way = "attachment" if row.media_type in {CasePhoto.MediaType.PDF, CasePhoto.MediaType.HEIC} else "inline"
    named = {"Content-Disposition": f'{way}; filename="{case.number}-{row.pk}.{kind}"'}
    return HttpResponse(data, content_type=row.media_type, headers=SAFE | named)


def _small(row: CasePhoto) -> bytes:
    if row.media_type in {CasePhoto.MediaType.PDF, CasePhoto.MediaType.HEIC}:
        raise NotFound
    image = PIL.Image.open(BytesIO(photos.bytes_of(row)))
    image.draft("RGB", (SMALL_PX * 2, SMALL_PX * 2))
    drawn = PIL.ImageOps.exif_transpose(image).convert("RGB")
    drawn.thumbnail((SMALL_PX, SMALL_PX))
    out = BytesIO()
    drawn.save(out, "JPEG", quality=80)
    return out.getvalue()


# --- checks in shops ---------------------------------------------------------------------------------------------------


@staff_view("cases.work")
@WASM
@never_cache
@require_safe
def check(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the form of a check, for a telephone in a shop."""
    return _form(request, find(request, public_id), CheckForm(initial={"uuid": uuid.uuid4()}))


def _form(request: HttpRequest, case: Case, form: CheckForm, status: int = 200) -> HttpResponse:
    words = {
        "kept": _("Not sent: there is no connection. What you typed is kept; try again when there is one."),
        "sending": _("Sending …"),
        "place": _("Place noted, to about {n} m."),
        "no_place": _("The telephone gives no place. The check counts without it."),
        "camera": _("No camera can be used here. Type the number, or use a scanner that types."),
        "loading": _("Starting the camera …"),
        "scanned": _("Scanned."),
        "restored": _("This is what you typed before. Photographs must be taken again."),
    }
    script = {
        "case": case.public_id,
        "reader": static("build/zxing-reader.js"),
        "wasm": static("build/zxing-reader.wasm"),
        "words": words,
    }
    context = {**vars(shown([case])[0]), "form": form, "script": script}
    return render(request, "console/cases/check.html", context, status=status)


@staff_view("cases.work")
@WASM
@require_POST
def check_send(request: HttpRequest) -> HttpResponse:
    """Keep a check: sent twice, it is one. Answers a script with where to go on, or with what is wrong."""
    case = find(request, request.POST.get("case", "")[:30].replace("\x00", ""))
    form, scripted = CheckForm(request.POST, request.FILES), "application/json" in request.headers.get("Accept", "")
    status = 422
    if form.is_valid():
        data = form.cleaned_data
        seen = Seen(
            label=data["label"], shop=data["shop"], invoice=data["invoice"], price=data["price"], note=data["note"],
            spot=form.spot(), photos=tuple(data["pictures"]),
        )  # fmt: skip
        try:
            case_evidence.field_check(case.pk, uuid=data["uuid"], seen=seen, at=now(), by=_by(request))
        except DomainError as error:
            form.add_error(None, error.detail)
            status = 409 if isinstance(error, Conflict) else 422
        else:
            messages.success(request, _("The check is kept, with the time of the server."))
            answer = redirect("case-file", public_id=case.public_id)
            return JsonResponse({"go": answer.url}) if scripted else answer
    if scripted:
        wrong = {name: [str(one) for one in errors] for name, errors in form.errors.items()}
        return JsonResponse({"errors": wrong}, status=status)
    return _form(request, case, form, status)
