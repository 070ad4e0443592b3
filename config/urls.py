"""What a brand's host answers."""

from django.urls import URLPattern, URLResolver, path

from sms_gateway.views import phone

urlpatterns: list[URLPattern | URLResolver] = [
    path("dev/phone", phone),
]
