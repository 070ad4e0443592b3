"""The public proofs of draws and instant games: names without an app, since every floor above links to them."""

from django.urls import path

from redemption import draw_views

urlpatterns = [
    path("draws", draw_views.draw_list, name="draws"),
    path("draws/<str:public_id>", draw_views.proof, name="draw_proof"),
    path("draws/<str:public_id>/rules.json", draw_views.rules_json, name="draw_rules"),
    path("draws/<str:public_id>/root.json", draw_views.root_json, name="draw_root"),
    path("draws/<str:public_id>/commitments.json", draw_views.commitments_json, name="game_commitments"),
    path("draws/<str:public_id>/bundle.zip", draw_views.bundle, name="draw_bundle"),
    path("draws/<str:public_id>/<int:edition>/bundle.zip", draw_views.bundle, name="draw_edition"),
]
