"""What a brand's host answers."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from sms_gateway.views import phone

urlpatterns: list[URLPattern | URLResolver] = [
    path("language", set_language, name="set_language"),
    path("console/", include("staff.urls")),
    path("console/", include("members.urls")),
    path("console/", include("channel.urls")),
    path("console/", include("console.urls")),
    path("console/", include("lottery.urls")),
    path("dev/phone", phone),
]
