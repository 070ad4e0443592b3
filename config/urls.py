"""What a brand's host answers."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from brands.views import logo
from config.demo.views import label
from sms_gateway import phone_views

handler400 = "console.errors.bad_request"
handler403 = "console.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"
urlpatterns: list[URLPattern | URLResolver] = [
    path("webhooks/", include("sms_gateway.webhook_urls")),  # first: carriers call often
    path("brand/logo.svg", logo, name="brand_logo"),
    path("api/", include("config.api")),
    path("language", set_language, name="set_language"),
    path("console/", include("staff.urls")),
    path("console/games/", include("console.games.urls")),
    path("console/", include("console.diversion.urls")),
    path("console/", include("console.cases.urls")),
    path("console/", include("console.urls")),  # before the apps: new orders stand beside batches
    path("console/", include("labels.urls")),
    path("console/", include("printing.urls")),
    path("console/", include("ledger.urls")),
    path("console/", include("members.urls")),
    path("console/", include("channel.urls")),
    path("console/", include("portal.console_urls")),
    path("console/", include("lottery.urls")),
    path("console/", include("redemption.console_urls")),
    path("console/", include("sms_gateway.console_urls")),
    path("portal/", include("portal.urls")),
    path("dev/label", label),
    path("dev/phone", phone_views.phone),
    path("dev/phone/sign", phone_views.sign),
    path("dev/phone/messages", phone_views.kept),
    path("dev/phone/fault", phone_views.fault),
    path("", include("console.fairness_urls")),
    path("", include("redemption.draw_urls")),
    path("", include("redemption.urls")),
]
