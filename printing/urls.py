"""The pages of printing, under /console/."""

from django.urls import path, register_converter

from printing import account_views, lost_views, press_views, run_views, template_views as designs, views


class RunConverter:
    """The public id of a run: other words under ``runs/`` are pages of the floor above."""

    regex = "run_[a-z0-9]{20}"

    def to_python(self, value: str) -> str:
        """Return the id."""
        return value

    def to_url(self, value: str) -> str:
        """Return the id."""
        return value


register_converter(RunConverter, "run")
app_name = "printing"
urlpatterns = [
    path("templates", designs.template_list, name="templates"),
    path("templates/new", designs.template_new, name="template_new"),
    path("templates/art", designs.art_new, name="art_new"),
    path("templates/art/<str:sha256>", designs.art_file, name="art_file"),
    path("templates/<slug:public_id>", designs.template_edit, name="template"),
    path("templates/<slug:public_id>/preview", designs.template_preview, name="template_preview"),
    path("templates/<slug:public_id>/change", designs.template_change, name="template_change"),
    path("templates/<slug:public_id>/test.pdf", designs.test_page, name="template_test"),
    path("runs", run_views.run_list, name="runs"),
    path("runs/packs", run_views.packs_new, name="packs_new"),
    path("runs/coupons", run_views.coupons_new, name="coupons_new"),
    path("runs/<run:public_id>", run_views.run_detail, name="run"),
    path("runs/<run:public_id>/cancel", run_views.run_cancel, name="run_cancel"),
    path("runs/<run:public_id>/file.pdf", run_views.run_pdf, name="run_pdf"),
    path("runs/<run:public_id>/file.zpl", run_views.run_zpl, name="run_zpl"),
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
