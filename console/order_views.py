"""Ordering labels: product, template, number and code, rolls and press, with everything that follows in view."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_POST

from brands.models import Brand
from common.charts import share
from common.clock import now
from common.errors import DomainError
from labels import services
from labels.codes.forms import FORMS
from labels.forms import OFFERED, OrderForm
from labels.models import Product
from printing import designs, preview
from printing.models import DefaultTemplate, Press, Template
from printing.template import BadTemplate
from staff.permissions import staff_view

ATTACK_PER_HOUR = 4_000_000  # the design figure of an attacker with a botnet
USUAL_ROLL = 10_000


class OrderWizard(OrderForm):
    """An order, with the template and the press that its print will be asked for."""

    template = forms.ModelChoiceField(
        label=gettext_lazy("Label template"),
        queryset=Template.objects.none(),
        to_field_name="public_id",
        required=False,
        empty_label=gettext_lazy("none: rows of data"),
    )
    press = forms.ModelChoiceField(
        label=gettext_lazy("Press"),
        queryset=Press.objects.none(),
        to_field_name="public_id",
        required=False,
        empty_label=gettext_lazy("say it later"),
        help_text=gettext_lazy("Presses whose key has been checked. The print itself is asked for afterwards."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offers = {
            "template": Template.objects.filter(is_active=True, kind=Template.Kind.UNIT).order_by("name"),
            "press": Press.objects.filter(is_active=True, checked_at__isnull=False).order_by("name"),
        }
        for name, found in offers.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
            field.queryset = found
        if from_received_rolls():
            self.initial.setdefault("roll_labels", USUAL_ROLL)

    def clean(self) -> dict[str, Any]:
        """Ask for rolls where nothing else could ever be put on sale."""
        data = super().clean() or {}
        needs_rolls = from_received_rolls() and not data.get("test_series")
        if needs_rolls and not data.get("roll_labels") and "roll_labels" not in self.errors:
            text = _("Labels of this brand go on sale from received rolls: say how many labels a roll has.")
            self.add_error("roll_labels", forms.ValidationError(text, code="required"))
        return data


def from_received_rolls() -> bool:
    """Return whether the brand lets only received rolls go on sale."""
    return bool(connection.tenant.activation_requires == Brand.ActivationRequires.RECEIVED)  # type: ignore[attr-defined]


@staff_view("labels.order")
def batch_new(request: HttpRequest) -> HttpResponse:
    """Order labels."""
    product = Product.objects.filter(public_id=request.GET.get("product", "")[:26].replace("\x00", "")).first()
    unit = DefaultTemplate.objects.filter(kind=Template.Kind.UNIT, product__in=[product] if product else [])
    default = unit.first() or DefaultTemplate.objects.filter(kind=Template.Kind.UNIT, product=None).first()
    initial = {
        "product": product.pk if product else None,
        "count": 10_000,
        "template": default.template.public_id if default else None,
    }
    form = OrderWizard(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        order = {name: value for name, value in form.cleaned_data.items() if name not in ("template", "press")}
        try:
            batch = services.order_batch(**order, at=now(), asked_by=request.user.get_username())
        except DomainError as error:
            form.add_error("count" if isinstance(error, services.OddsTooHigh) else None, error.detail)
        else:
            messages.success(request, _("Batch %(number)s is ordered.") % {"number": batch.number})
            chosen = {
                name: form.cleaned_data[name].public_id for name in ("template", "press") if form.cleaned_data[name]
            }
            onward = f"?{urlencode(chosen)}" if chosen and batch.roll_labels else ""
            return redirect(f"/console/batches/{batch.public_id}{onward}")
    context = {"form": form, "has_products": Product.objects.filter(is_active=True).exists(), **consequences(form)}
    return render(request, "labels/batch_order.html", context, status=422 if form.errors else 200)


@staff_view("labels.order")
@require_POST
def batch_preview(request: HttpRequest) -> HttpResponse:
    """Return what follows from what is typed so far: odds, rolls, the label, and which steps are done."""
    form = OrderWizard(request.POST)
    form.is_valid()
    return render(request, "labels/consequences.html", {"form": form, "part": True, **consequences(form)})


def consequences(form: OrderWizard) -> dict[str, Any]:
    """Return guess odds, what an attacker would hit, how full the slot gets, rolls, strips, and the drawn label."""
    data = _told(form)
    count, name = data.get("count"), data.get("secret_form") or form.fields["secret_form"].initial
    offers = [(value, *OFFERED[value]) for value, _label in form.fields["secret_form"].choices]  # type: ignore[attr-defined]
    context = {
        "offers": offers,
        "chosen": name,
        "label": _label(data, str(name)),
        "told": data,
        "steps": _steps(form, data),
    }
    if not isinstance(count, int) or name not in OFFERED:
        return context
    code = FORMS[name]
    quote = services.quote(code, count, at=now())
    room = int(quote.limit * code.space)
    hits = quote.odds * ATTACK_PER_HOUR
    size = data.get("roll_labels")
    return context | {
        "quote": quote,
        "count": count,
        "one_in": round(1 / quote.odds),
        "limit_one_in": round(1 / quote.limit),
        "room": room,
        "width": share(min(quote.live, room), room),
        "hits_per_hour": round(hits) if hits >= 1 else None,
        "hours_per_hit": round(1 / hits) if hits < 1 else None,
        "test_series": bool(data.get("test_series")),
        "rolls": -(-count // size) if size else None,
        "strips": services.strips_of(count, size) if size else 0,
    }


def _told(form: OrderWizard) -> dict[str, Any]:
    """Return what is typed and right so far; ids of the first showing become rows."""
    if form.is_bound:
        return dict(form.cleaned_data)
    told = dict(form.initial)
    told["product"] = Product.objects.filter(pk=told.get("product") or 0).first()
    told["template"] = Template.objects.filter(public_id=told.get("template") or "").first()
    return told


def _label(data: dict[str, Any], form_name: str) -> SafeString | None:
    """Return the label drawn with codes that open nothing."""
    template = data.get("template")
    if template is None or form_name not in FORMS:
        return None
    sample, values = designs.sample(template.kind, data.get("product"), form=FORMS[form_name])
    try:
        return mark_safe(preview.svg(template.as_template(values), sample))  # noqa: S308 - drawn by us
    except BadTemplate:
        return None


def _steps(form: OrderWizard, data: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the steps of an order, each with whether it is done."""
    done = [
        bool(data.get("product")),
        "template" not in form.errors,
        isinstance(data.get("count"), int) and bool(data.get("secret_form") or not form.is_bound),
        "roll_labels" not in form.errors and "press" not in form.errors,
    ]
    names = [_("Product"), _("Label template"), _("Number and code"), _("Rolls and press"), _("Check and order")]
    return list(zip(names, [*done, False], strict=True))
