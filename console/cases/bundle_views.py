"""Bundles of a file's evidence: asked for, listed, downloaded, and proved under a seal."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from analytics.bundle_models import EvidenceBundle
from analytics.tasks import make_bundle
from common.clock import now
from common.errors import DomainError
from console.cases.views import find, shown
from labels.tasks import push
from ledger.models import Anchor
from ledger.seals import sealed_by
from staff.middleware import acting_in
from staff.permissions import allowed, staff_view

SHOWN = 50


@dataclass(frozen=True)
class Listed:
    """A bundle, and the number of the seal that covers it, if one does."""

    bundle: EvidenceBundle
    seal: int | None

    @property
    def digest(self) -> str:
        """The hash of the container; empty until it is made."""
        return bytes(self.bundle.sha256).hex() if self.bundle.sha256 else ""


@staff_view("cases.read")
@require_safe
def bundles(request: HttpRequest, public_id: str) -> HttpResponse:
    """List the bundles of a file."""
    case = find(request, public_id)
    rows = list(case.bundles.select_related("job").order_by("-pk")[:SHOWN])
    seals = _seals_of(rows)
    context = {
        **vars(shown([case])[0]),
        "rows": [Listed(row, seals.get(bytes(row.sha256 or b""))) for row in rows],
        "may_export": allowed(request.user, "cases.export"),
    }
    return render(request, "console/cases/bundles.html", context)


@staff_view("cases.export")
@require_POST
def bundle_make(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a bundle of a file as it stands."""
    from analytics import bundling  # what draws pages is read when it is needed

    case = find(request, public_id)
    row = bundling.ask_for(case.pk, at=now(), by=request.user.get_username())
    push(make_bundle, row.pk)
    messages.success(request, _("The bundle is being made. It appears in the list in a minute."))
    return redirect("case-bundle", public_id=case.public_id)


def _seals_of(rows: list[EvidenceBundle]) -> dict[bytes, int]:
    """Return the seals that cover these bundles, by hash."""
    hashes = [bytes(row.sha256) for row in rows if row.sha256]
    found = Anchor.objects.filter(kind=Anchor.Kind.EVIDENCE, hash__in=hashes).values_list("pk", "hash")
    by_id = {pk: bytes(digest) for pk, digest in found}
    return {by_id[pk]: number for pk, number in sealed_by(list(by_id)).items()}


def _found(request: HttpRequest, public_id: str, bundle_id: str) -> EvidenceBundle:
    case = find(request, public_id)
    return get_object_or_404(EvidenceBundle.objects.select_related("case", "job"), case=case, public_id=bundle_id)


@staff_view("cases.export")
@never_cache
@require_safe
def bundle_file(request: HttpRequest, public_id: str, bundle_id: str) -> HttpResponse:
    """Send a bundle; that it was fetched is kept in the trail."""
    from analytics import bundling

    row = _found(request, public_id, bundle_id)
    with acting_in(request):  # a GET that leaves a trace
        try:
            data = bundling.fetch(row, at=now())
        except DomainError as error:
            return _refused(request, row, error)
    return _attachment(data, f"{row.case.number}-{row.public_id}.zip", "application/zip")


@staff_view("cases.read")
@require_safe
def bundle_proof(request: HttpRequest, public_id: str, bundle_id: str) -> HttpResponse:
    """Send the proof that a seal covers a bundle."""
    from analytics import bundling

    row = _found(request, public_id, bundle_id)
    try:
        data = bundling.proof(row)
    except DomainError as error:
        return _refused(request, row, error)
    return _attachment(data, f"{row.case.number}-{row.public_id}.seal.json", "application/json")


def _refused(request: HttpRequest, row: EvidenceBundle, error: DomainError) -> HttpResponse:
    """Go back to the list, and say there why there is nothing to send."""
    messages.error(request, str(error.detail))
    return redirect("case-bundle", public_id=row.case.public_id)


def _attachment(data: bytes, name: str, kind: str) -> HttpResponse:
    return HttpResponse(data, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
