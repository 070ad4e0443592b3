"""The pages that see several apps, under /console/."""

from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("", views.today, name="today"),
]
