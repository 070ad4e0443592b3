"""The pages of a product's links on the web."""

from dataclasses import fields
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, gettext as _, gettext_lazy
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from labels import links
from labels.links import BadLinkAddress, BadLinkLanguage, NewLink, UnknownLinkType
from labels.linkset import link_types
from labels.models import Product, ProductLink
from staff.permissions import staff_view

_FIELD_OF: dict[type[DomainError], str] = {
    BadLinkAddress: "href",
    BadLinkLanguage: "language",
    UnknownLinkType: "link_type",
}


class LinkForm(forms.Form):
    """One link."""

    link_type = forms.ChoiceField(label=gettext_lazy("Kind of link"))
    href = forms.CharField(
        label=gettext_lazy("Address"), max_length=500, help_text=gettext_lazy("Begins with https://.")
    )
    title = forms.CharField(label=gettext_lazy("Title in English"), max_length=80)
    title_zh = forms.CharField(label=gettext_lazy("Title in Chinese"), max_length=40)
    language = forms.CharField(
        label=gettext_lazy("Language of the page"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("A tag such as en, zh-Hans or fr. Empty: for readers of every language."),
    )
    media_type = forms.ChoiceField(label=gettext_lazy("Format"), choices=ProductLink.MediaType.choices)
    is_default = forms.BooleanField(
        label=gettext_lazy("Opens on scanning"),
        required=False,
        help_text=gettext_lazy("Whoever scans a label of this product comes here, and not to the page that checks it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = "zh" if (get_language() or "").startswith("zh") else "en"
        choices = [(name, f"{titles[language]} · gs1:{name}") for name, titles in link_types().items()]
        field = self.fields["link_type"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [("", _("choose a kind")), *choices]


@staff_view("labels.product")
def link_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Add a link to a product."""
    return _edit(request, get_object_or_404(Product, public_id=public_id), None)


@staff_view("labels.product")
def link_edit(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Change a link."""
    row = get_object_or_404(ProductLink.objects.select_related("product"), pk=pk, product__public_id=public_id)
    return _edit(request, row.product, row)


@staff_view("labels.product")
@require_POST
def link_remove(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Remove a link."""
    links.remove_link(get_object_or_404(ProductLink, pk=pk, product__public_id=public_id))
    messages.success(request, _("The link is removed."))
    return redirect(f"/console/products/{public_id}")


def _edit(request: HttpRequest, product: Product, row: ProductLink | None) -> HttpResponse:
    initial = {field.name: getattr(row, field.name) for field in fields(NewLink)} if row else {}
    form = LinkForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        link = NewLink(**form.cleaned_data)
        try:
            if row:
                links.change_link(row, link)
            else:
                links.add_link(product, link, at=now())
        except DomainError as error:
            form.add_error(_FIELD_OF.get(type(error)), error.detail)
        else:
            messages.success(request, _("The link is saved. Every label of the product tells it from now on."))
            return redirect(f"/console/products/{product.public_id}")
    context = {"form": form, "product": product, "link": row}
    return render(request, "labels/link_form.html", context, status=422 if form.errors else 200)
