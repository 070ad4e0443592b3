"""The addresses of files, under /console/cases. What takes pictures has an address without a name: larger bodies."""

from django.urls import path

from console.cases import ask_views, bundle_views, check_views, views

urlpatterns = [
    path("cases", views.case_list, name="case-list"),
    path("cases/open", views.case_open, name="case-open"),
    path("cases/photo", check_views.photo_add, name="case-photo-add"),
    path("cases/check", check_views.check_send, name="case-check-send"),
    path("cases/<str:public_id>", views.case_file, name="case-file"),
    path("cases/<str:public_id>/assign", views.case_assign, name="case-assign"),
    path("cases/<str:public_id>/move", views.case_move, name="case-move"),
    path("cases/<str:public_id>/close", views.case_close, name="case-close"),
    path("cases/<str:public_id>/note", views.case_note, name="case-note"),
    path("cases/<str:public_id>/ask", ask_views.ask, name="case-ask"),
    path("cases/<str:public_id>/decide", views.case_decide, name="case-decide"),
    path("cases/<str:public_id>/appeal", views.case_appeal, name="case-appeal"),
    path("cases/<str:public_id>/caution", views.case_caution, name="case-caution"),
    path("cases/<str:public_id>/lift", views.case_lift, name="case-lift"),
    path("cases/<str:public_id>/bundles", bundle_views.bundles, name="case-bundle"),
    path("cases/<str:public_id>/bundles/make", bundle_views.bundle_make, name="case-bundle-make"),
    path("cases/<str:public_id>/bundles/<str:bundle_id>", bundle_views.bundle_file, name="case-bundle-file"),
    path("cases/<str:public_id>/bundles/<str:bundle_id>/proof", bundle_views.bundle_proof, name="case-bundle-proof"),
    path("cases/<str:public_id>/check", check_views.check, name="case-check"),
    path("cases/<str:public_id>/photos/<str:photo_id>", check_views.photo, name="case-photo"),
]
