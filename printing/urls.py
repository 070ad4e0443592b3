"""The pages of printing, under /console/."""

from django.urls import path

from printing import account_views, lost_views, press_views, views

app_name = "printing"
urlpatterns = [
    path("presses", views.press_list, name="presses"),
    path("presses/<slug:public_id>", views.press_detail, name="press"),
    path("presses/<slug:public_id>/change", views.press_change, name="press_change"),
    path("presses/<slug:public_id>/log", account_views.press_log, name="press_log"),
    path("presses/<slug:public_id>/accounts/new", account_views.account_new, name="press_account_new"),
    path("presses/<slug:public_id>/accounts/<int:pk>", account_views.account_change, name="press_account"),
    path("press", press_views.own_files, name="own_files"),
    path("press/verify_manifest.py", press_views.own_verifier, name="own_verifier"),
    path("press/files/<slug:public_id>", press_views.own_file, name="own_file"),
    path("press/files/<slug:public_id>/file", press_views.own_download, name="own_download"),
    path("press/files/<slug:public_id>/acknowledge", press_views.own_acknowledge, name="own_acknowledge"),
    path("press/files/<slug:public_id>/manifest.json", press_views.own_manifest, name="own_manifest"),
    path("press/files/<slug:public_id>/manifest.sig", press_views.own_signature, name="own_signature"),
    path("prints", views.print_list, name="prints"),
    path("batches/<slug:public_id>/print", views.print_new, name="print_new"),
    path("prints/<slug:public_id>", views.print_detail, name="print"),
    path("prints/<slug:public_id>/start", views.print_start, name="print_start"),
    path("prints/<slug:public_id>/sample.pdf", views.print_sample, name="print_sample"),
    path("prints/<slug:public_id>/sign-off", views.print_sign_off, name="print_sign_off"),
    path("handovers/<slug:public_id>", views.handover, name="handover"),
    path("handovers/<slug:public_id>/lost", lost_views.lost_new, name="lost"),
    path("handovers/<slug:public_id>/again", lost_views.issue_again, name="issue_again"),
    path("handovers/<slug:public_id>/acknowledge", views.acknowledge, name="acknowledge"),
    path("handovers/<slug:public_id>/file", views.download, name="download"),
    path("handovers/<slug:public_id>/manifest.json", views.manifest, name="manifest"),
    path("handovers/<slug:public_id>/manifest.sig", views.signature, name="signature"),
    path("verify_manifest.py", views.verifier, name="verifier"),
]
