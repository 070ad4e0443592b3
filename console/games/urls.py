"""The addresses of campaigns with prizes, under /console/games."""

from django.urls import path

from console.games import life_views, wizard_views

app_name = "games"
urlpatterns = [
    path("new", wizard_views.new, name="new"),
    path("preview", wizard_views.preview_new, name="preview_new"),
    path("<str:public_id>", life_views.game, name="game"),
    path("<str:public_id>/plan/<slug:name>", wizard_views.step, name="step"),
    path("<str:public_id>/preview/<slug:name>", wizard_views.preview, name="preview"),
    path("<str:public_id>/spending.csv", wizard_views.spending_csv, name="spending"),
    path("<str:public_id>/sign", wizard_views.sign, name="sign"),
    path("<str:public_id>/documents/<int:pk>", wizard_views.document, name="document"),
    path("<str:public_id>/rehearse", wizard_views.rehearse, name="rehearse"),
    path("<str:public_id>/publish", wizard_views.publish, name="publish"),
    path("<str:public_id>/arm", life_views.arm, name="arm"),
    path("<str:public_id>/give-up", life_views.give_up, name="give_up"),
    path("<str:public_id>/reveal", life_views.reveal, name="reveal"),
    path("<str:public_id>/halt", life_views.halt, name="halt"),
    path("<str:public_id>/change", life_views.change, name="change"),
    path("<str:public_id>/change/apply", life_views.change_apply, name="change_apply"),
    path("<str:public_id>/change/drop", life_views.change_drop, name="change_drop"),
    path("<str:public_id>/live", life_views.live_page, name="live"),
    path("<str:public_id>/filings/<int:pk>", life_views.filed, name="filed"),
    path("<str:public_id>/packs/<slug:place>.zip", life_views.pack, name="pack"),
]
