"""Pages around the verdict: reports, rules, privacy, the shop's code, and what is shown when something fails."""

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channel.models import Partner
from channel.queries import partners_by_number
from common.clock import now
from lottery.models import Award, Campaign
from redemption.door import ConsumerRequest, consumer_page, expired, member_id_of, missing, page, unavailable
from redemption.forms import ReportForm
from redemption.page import Verdict
from redemption.reports import Told, file_report
from redemption.rules_views import game_rules
from redemption.tokens import CLAIM_TOKEN_FOR_S, Target, make_token, read_token
from redemption.visitor import is_partner_number, role_of

MOST_GAMES = 50


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def report(request: ConsumerRequest) -> HttpResponse:
    """Take a report of a thing that is not what was bought."""
    if request.method != "POST":
        return _report_page(request, ReportForm(initial={"label": request.GET.get("label", "")[:40]}))
    form = ReportForm(request.POST)
    token = read_token("report", request.POST.get("report", ""), Target(), CLAIM_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    if not form.is_valid():
        return _report_page(request, form, status=400)
    told = Told(request_id=token, member_id=member_id_of(request), **form.cleaned_data)
    filed = file_report(told, at=now())
    return page(request, "report.html", title=_("Thank you"), done=filed.public_id)


def _report_page(request: ConsumerRequest, form: ReportForm, *, status: int = 200) -> HttpResponse:
    return page(
        request,
        "report.html",
        title=_("Not what you bought?"),
        status=status,
        form=form,
        report_token=make_token("report"),
    )


@require_safe
@consumer_page
def rules(request: ConsumerRequest) -> HttpResponse:
    """List the campaigns that are open, and say how labels are checked."""
    public = Campaign.objects.filter(state=Campaign.State.OPEN).order_by("closes_at", "pk")
    points, kinds = Campaign.Kind.POINTS, Campaign.State
    games = (
        Campaign.objects.exclude(kind=points).exclude(state__in=[kinds.DRAFT, kinds.HALTED]).order_by("-opens_at", "pk")
    )
    return page(request, "rules.html", title=_("Rules"), campaigns=public.filter(kind=points), games=games[:MOST_GAMES])


@require_safe
@consumer_page
def rules_of(request: ConsumerRequest, campaign: str) -> HttpResponse:
    """Show what one campaign pays for which product, from when to when; of one with prizes, its rules in force."""
    found = Campaign.objects.exclude(state=Campaign.State.DRAFT).filter(public_id=campaign).first()
    if found is None:
        return missing(request)
    version = found.versions.order_by("-n").first()
    if version is not None:
        return game_rules(request, found, version)
    awards = Award.objects.filter(campaign=found).select_related("product").order_by("product__name", "party")
    return page(request, "campaign.html", title=found.display_name, campaign=found, awards=awards)


@require_safe
@consumer_page
def privacy(request: ConsumerRequest) -> HttpResponse:
    """Say what is kept, why, and for how long."""
    return page(request, "privacy.html", title=_("Privacy"))


@require_safe
@consumer_page
def partner(request: ConsumerRequest, number: str) -> HttpResponse:
    """Remember the shop or the promoter whose code was scanned, and say so."""
    number = number.strip("/").upper()
    found = partners_by_number([number]).get(number) if is_partner_number(number) else None
    role = role_of(found) if found and found.state == Partner.State.ACTIVE else None
    if found is None or role is None:
        return missing(request)
    request.visitor.come_from(role, found.number)
    return page(request, "partner.html", title=found.display_name, partner=found, role=role)


@require_POST
@consumer_page
def forget_partner(request: ConsumerRequest) -> HttpResponse:
    """Forget shop and promoter."""
    request.visitor.forget_partners()
    return HttpResponseRedirect(reverse("consumer:home"), status=303)


# --- what fails ----------------------------------------------------------------------------------------------------


@consumer_page
def not_found(request: ConsumerRequest) -> HttpResponse:
    """Say that there is no such page."""
    return missing(request)


@consumer_page
def failed(request: ConsumerRequest) -> HttpResponse:
    """Say that we cannot answer now, in grey: nothing is said about a label."""
    return unavailable(request, status=500)


@consumer_page
def csrf_failed(request: ConsumerRequest) -> HttpResponse:
    """Say that a form came from elsewhere or without cookies."""
    verdict = Verdict("calm", _("Please try again"), _("The form did not come from this page, or cookies are off."))
    return page(
        request,
        "message.html",
        verdict=verdict,
        status=403,
        text=_("Nothing was used up. This site needs its own cookies to protect you."),
        again=request.path,
        again_label=_("Load the page again"),
    )
