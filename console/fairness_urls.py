"""The fairness report of an instant game: on the console, and for everybody once the game is over."""

from django.urls import path

from console import fairness_views

urlpatterns = [
    path("console/campaigns/<str:public_id>/fairness", fairness_views.console_report, name="fairness"),
    path("console/campaigns/<str:public_id>/fairness/make", fairness_views.make, name="fairness_make"),
    path("draws/<str:public_id>/fairness", fairness_views.public_report, name="game_fairness"),
]
