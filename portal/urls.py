"""The portal of distributors, retailers and promoters, under /portal/."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.urls import path

from portal import account_views, reply_views, scan_views, views

urlpatterns = [
    path("", views.home),
    path("ship", scan_views.ship),
    path("receive", scan_views.receive),
    path("return", scan_views.give_back),
    path("scan", scan_views.look),
    path("session", scan_views.session),
    path("stock", views.holdings),
    path("documents", views.documents),
    path("documents/<str:public_id>", views.document),
    path("documents/<str:public_id>/receipt", views.confirm),
    path("documents/<str:public_id>/decision", views.decide),
    path("documents/<str:public_id>/undo", views.undo),
    path("points", views.my_points),
    path("report", views.my_report),
    path("questions", reply_views.questions),
    path("questions/<str:public_id>", reply_views.question),
    path("questions/<str:public_id>/files/<str:photo>", reply_views.picture),
    path("questions/<str:public_id>/appeal", reply_views.appeal),
    path("answers", reply_views.answer),  # no id in it: `settings.LARGER_BODIES` goes by the whole address
    path("sign-in", account_views.PartnerSignInView.as_view()),
    path("sign-in/code", account_views.PartnerCodeView.as_view()),
    path("sign-out", account_views.sign_out),
    path("join", account_views.join),
    path("account", account_views.account),
    # The same tails as below /console/: `staff.middleware` leads partners' people here.
    path("account/password", account.password_change),
    path("account/confirm", account.reauthenticate),
    path("account/confirm-code", mfa.reauthenticate),
    path("account/second-factor", mfa.index),
    path("account/second-factor/app", totp.activate_totp),
    path("account/second-factor/app/off", totp.deactivate_totp),
    path("account/recovery-codes", codes.view_recovery_codes),
    path("account/recovery-codes/new", codes.generate_recovery_codes),
    path("account/recovery-codes/file", codes.download_recovery_codes),
    path("manifest.json", views.manifest),
    path("sw.js", views.service_worker),
]
