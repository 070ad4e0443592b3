"""The addresses of diversion, under /console/diversion."""

from django.urls import path

from console.diversion import finding_views

urlpatterns = [
    path("diversion", finding_views.findings, name="diversion-findings"),
]
