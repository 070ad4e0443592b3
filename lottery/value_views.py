"""The page on which two persons type the public value of a draw whose rules name published numbers.

And the box in which one person pastes the signature of a late round: what can be checked needs no second person.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.clock import now
from common.errors import DomainError
from lottery import proofs
from lottery.models import Draw
from lottery.services import Reading, beaconing, papers, readings, type_for
from staff.permissions import staff_view


class ValueForm(forms.Form):
    """Published numbers as one person reads them."""

    published_on = forms.DateField(
        label=gettext_lazy("Day of the numbers"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    numbers = forms.CharField(
        label=gettext_lazy("Numbers"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "id", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "In the order of the rules, a line for each source, blanks between numbers. Smallest first, unless the rules"
            " say that their order counts."
        ),
    )
    url = forms.URLField(
        label=gettext_lazy("Address where you read them"), max_length=300, assume_scheme="https", widget=forms.URLInput
    )
    image = forms.FileField(
        label=gettext_lazy("Picture of them"),
        max_length=200,
        help_text=gettext_lazy("A screenshot or photograph, JPEG or PNG, up to 8 MB."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"}),
    )

    def clean_url(self) -> str:
        """Refuse what is no web page."""
        url = str(self.cleaned_data["url"])
        if not url.startswith(("https://", "http://")):
            raise ValidationError(_("Give the address of a web page."))
        return url


class PasteForm(forms.Form):
    """The signature of the round that a draw waits for."""

    signature = forms.RegexField(
        r"^[0-9a-f]{96}$",
        label=gettext_lazy("Signature of the round"),
        help_text=gettext_lazy(
            "96 characters of 0–9 and a–f, from any relay or mirror: it is checked before it is stored."
        ),
        error_messages={"invalid": gettext_lazy("A signature has 96 characters of 0–9 and a–f.")},
        widget=forms.TextInput(attrs={"class": "id", "spellcheck": "false", "autocomplete": "off"}),
    )


@staff_view("lottery.approve")
@require_POST
def value_paste(request: HttpRequest, public_id: str) -> HttpResponse:
    """Check and store the signature of a round that no relay has brought; the draw goes on by itself."""
    draw = _find(public_id)
    form = PasteForm({"signature": request.POST.get("signature", "").strip().lower()})
    error = " ".join(str(error) for error in form.errors.get("signature", ()))
    if form.is_valid() and draw.round is not None:
        try:
            beaconing.store(
                proofs.beacon_of(draw.campaign),
                draw.round,
                form.cleaned_data["signature"],
                at=now(),
                by=request.user.get_username(),
            )
        except DomainError as refused:
            error = refused.detail
    if error:
        messages.error(request, error)
    else:
        messages.success(request, _("The value is stored, and the draw goes on by itself in a minute."))
    return redirect(f"/console/draws/{draw.public_id}")


@staff_view("lottery.approve")
@require_safe
def value_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the form to who has not typed yet, and to others how far it is; nobody sees what another typed."""
    draw = _find(public_id)
    return _page(request, draw, ValueForm())


@staff_view("lottery.approve")
@require_POST
def value_type(request: HttpRequest) -> HttpResponse:
    """Note what a person read. The draw is named in the form: larger bodies are admitted by address."""
    draw = _find(request.POST.get("draw", "")[:30])
    form = ValueForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, draw, form, status=422)
    said = form.cleaned_data
    try:
        reading = Reading(
            numbers=said["numbers"],
            published_on=said["published_on"],
            url=said["url"],
            image=papers.redrawn(said["image"].read()),
        )
        value = type_for(draw.pk, reading, by=request.user.get_username(), at=now())
    except DomainError as error:
        form.add_error(None, error.detail)
        return _page(request, draw, form, status=422)
    if value is None:
        return redirect(f"/console/draws/{draw.public_id}/value")
    messages.success(
        request, _("Two persons typed the same: the value is stored, and the draw goes on by itself in a minute.")
    )
    return redirect(f"/console/draws/{draw.public_id}")


@staff_view("lottery.read")
@require_safe
def value_picture(request: HttpRequest, public_id: str, n: int) -> HttpResponse:
    """Show the n-th picture of a value that is stored: before that it is what another person typed."""
    draw = _find(public_id)
    if beaconing.value_of(proofs.beacon_of(draw.campaign), draw.round or 0) is None:
        raise Http404
    rows = readings.typed_values(draw)
    if not 1 <= n <= len(rows) or rows[n - 1].image is None:
        raise Http404
    return HttpResponse(bytes(rows[n - 1].image or b""), content_type=papers.MEDIA_TYPE)


def _find(public_id: str) -> Draw:
    draws = Draw.objects.select_related("campaign").filter(rules__isnull=False)
    return get_object_or_404(draws, public_id=public_id)


def _page(request: HttpRequest, draw: Draw, form: ValueForm, *, status: int = 200) -> HttpResponse:
    beacon, at = proofs.beacon_of(draw.campaign), now()
    context: dict[str, Any] = {
        "draw": draw,
        "form": form,
        "manual": beacon.source == "manual",
        "stored": beaconing.value_of(beacon, draw.round or 0) is not None,
        "awaits": readings.awaits_typing(draw, at=at),
        "standing": readings.standing(draw, by=request.user.get_username()),
        "event": draw.campaign.terms.get("beacon_event", ""),
        "due": proofs.moment_of(beacon, draw.round),
    }
    return render(request, "lottery/value.html", context, status=status)
