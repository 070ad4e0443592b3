"""The console's pages of this app, under /console/."""

from django.urls import path

from sms_gateway import console_views

urlpatterns = [
    path("messages", console_views.log),
    path("messages/in/<uuid:uuid>", console_views.message_in),
    path("messages/out/<uuid:uuid>", console_views.message_out),
    path("messages/<str:way>/<uuid:uuid>/replay", console_views.replay),
    path("numbers", console_views.numbers),
    path("numbers/<int:number_id>", console_views.number),
    path("spending", console_views.money),
    path("spending/<int:budget_id>", console_views.budget),
]
