"""What the platform's own host answers: health only, until webhooks of shared numbers come."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
