"""The pages of printing, under /console/."""

from django.urls import path

from printing import views

app_name = "printing"
urlpatterns = [
    path("presses", views.press_list, name="presses"),
    path("presses/<slug:public_id>", views.press_detail, name="press"),
    path("presses/<slug:public_id>/change", views.press_change, name="press_change"),
    path("prints", views.print_list, name="prints"),
    path("batches/<slug:public_id>/print", views.print_new, name="print_new"),
    path("prints/<slug:public_id>", views.print_detail, name="print"),
    path("prints/<slug:public_id>/start", views.print_start, name="print_start"),
    path("prints/<slug:public_id>/sample.pdf", views.print_sample, name="print_sample"),
    path("prints/<slug:public_id>/sign-off", views.print_sign_off, name="print_sign_off"),
    path("handovers/<slug:public_id>", views.handover, name="handover"),
    path("handovers/<slug:public_id>/acknowledge", views.acknowledge, name="acknowledge"),
    path("handovers/<slug:public_id>/file", views.download, name="download"),
    path("handovers/<slug:public_id>/manifest.json", views.manifest, name="manifest"),
    path("handovers/<slug:public_id>/manifest.sig", views.signature, name="signature"),
    path("verify_manifest.py", views.verifier, name="verifier"),
]
