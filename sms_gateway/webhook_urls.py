"""The addresses of the webhooks, on every host."""

from django.urls import path

from sms_gateway import simulated, webhooks

urlpatterns = [
    path("simulator/api/2010-04-01/Accounts/<str:sid>/Messages.json", simulated.create_message),
    path("simulator/api/2010-04-01/Accounts/<str:sid>/Messages/<str:message_sid>.json", simulated.fetch_message),
    path("<str:carrier>/sms", webhooks.sms),
    path("<str:carrier>/status", webhooks.status),
    path("<str:carrier>/voice", webhooks.voice),
    path("<str:carrier>/voice/step", webhooks.voice_step),
    path("<str:carrier>/<str:secret>/sms", webhooks.sms),
    path("<str:carrier>/<str:secret>/status", webhooks.status),
]
