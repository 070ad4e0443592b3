"""The console's pages of this app, under /console/."""

from django.urls import path

from redemption import words_views

app_name = "words"
urlpatterns = [
    path("texts", words_views.texts, name="texts"),
    path("texts/recordings", words_views.recordings, name="recordings"),
    path("texts/recordings/<slug:key>/<slug:language>", words_views.recording, name="recording"),
    path("texts/<slug:key>/<slug:language>", words_views.text, name="text"),
    path("texts/<slug:key>/<slug:language>/measure", words_views.measure, name="measure"),
]
