"""What the platform's own host answers: health and webhooks."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("webhooks/", include("sms_gateway.webhook_urls"))]
