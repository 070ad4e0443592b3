"""The portal's pages about questions: the list, a question with its evidence, the answer, the appeal."""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analytics import replies as files
from analytics.case_evidence import MOST_UPLOADS
from analytics.models import CaseQuestion
from analytics.photos import MOST_BYTES, Photo, read_photo
from common.clock import now
from common.errors import DomainError, Invalid
from common.tables import keyset_page
from portal import replies
from portal.door import PortalRequest, page, portal_view
from portal.scan_views import KEY

MOST_TEXT = 4_000
MOST_TOGETHER = 25_000_000
"""Bytes of one request's files; `settings.LARGER_BODIES` lets so much through, and a little for the form itself."""


@portal_view("portal.read")
@require_safe
def questions(request: PortalRequest) -> HttpResponse:
    """List the questions to the partner, the newest first."""
    at = now()
    one_page = keyset_page(replies.all_of(request.partner), request, order=("-pk",), limit=20)
    rows = [(files.asked(one, at=at), replies.title_of(one)) for one in one_page.rows]
    return page(request, "question_list.html", page=one_page, rows=rows)


@portal_view("portal.read")
@require_safe
def question(request: PortalRequest, public_id: str) -> HttpResponse:
    """Show a question with the evidence released with it, the answers, and what was decided."""
    return _show(request, _question(request, public_id))


@portal_view("portal.read")
@require_safe
def picture(request: PortalRequest, public_id: str, photo: str) -> HttpResponse:
    """Hand out a picture released with a question, or a file of the partner's own answer."""
    try:
        data, media_type = replies.picture(request.partner, _question(request, public_id), photo)
    except DomainError as error:
        raise Http404 from error
    answer = HttpResponse(data, content_type=media_type)
    kind = "inline" if media_type.startswith("image/") and media_type != "image/heic" else "attachment"
    answer["Content-Disposition"] = kind
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


@portal_view("portal.move")
@require_http_methods(["POST"])
def answer(request: PortalRequest) -> HttpResponse:
    """Take an answer with its files. The form's key names it: sent twice it is one answer.

    The address is the same for all questions, because more than 1 MB is taken by address (`settings.LARGER_BODIES`).
    """
    found = _question(request, request.POST.get("question", ""))
    key, text = request.POST.get("key", ""), request.POST.get("text", "")
    if not KEY.fullmatch(key):
        messages.error(request, _("This page was open for too long. Nothing was sent: load it again."))
        return redirect(f"{replies.HOME}/{found.public_id}")
    try:
        uploads = _uploads(request)
        replies.answer(found, key=key, text=text, at=now(), by=request.user.get_username(), uploads=uploads)
    except DomainError as error:
        return _show(request, found, status=422, text=text, key=key, fault=str(error.detail))
    messages.success(request, _("Your answer is with the brand."))
    return redirect(f"{replies.HOME}/{found.public_id}")


@portal_view("portal.move")
@require_POST
def appeal(request: PortalRequest, public_id: str) -> HttpResponse:
    """Object to the decision: the file opens again."""
    found, text = _question(request, public_id), request.POST.get("text", "")
    try:
        replies.appeal(request.partner, found, text=text, at=now(), by=request.user.get_username())
    except DomainError as error:
        return _show(request, found, status=422, appeal_text=text, appeal_fault=str(error.detail))
    messages.success(request, _("Your appeal is with the brand. It looks at the matter again."))
    return redirect(f"{replies.HOME}/{found.public_id}")


def _show(request: PortalRequest, found: CaseQuestion, *, status: int = 200, **given: Any) -> HttpResponse:
    context: dict[str, Any] = {
        "told": replies.told(request.partner, found, at=now()),
        "key": f"page-{uuid4()}",
        "most_files": MOST_UPLOADS,
        "most_text": MOST_TEXT,
        "most_mb": MOST_BYTES // 1_000_000,
        "most_bytes": MOST_BYTES,
        "together_mb": MOST_TOGETHER // 1_000_000,
        "together_bytes": MOST_TOGETHER,
    }
    return page(request, "question.html", status=status, **context | given)


def _uploads(request: PortalRequest) -> list[Photo]:
    """Return the files that came, looked through. Raises `Invalid` for too much, and what `read_photo` raises."""
    sent = [one for one in request.FILES.getlist("files") if one.name]
    if len(sent) > MOST_UPLOADS:
        raise Invalid(_("Send at most %(most)s files with an answer.") % {"most": MOST_UPLOADS})
    if any((one.size or 0) > MOST_BYTES for one in sent):
        raise Invalid(_("A file may have %(mb)s MB.") % {"mb": MOST_BYTES // 1_000_000})
    return [read_photo(one.read(), name=one.name or "", papers=True) for one in sent]


def _question(request: PortalRequest, public_id: str) -> CaseQuestion:
    try:
        return replies.question_to(request.partner, public_id)
    except DomainError as error:
        raise Http404 from error
