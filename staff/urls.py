"""Sign-in and the own account of staff, under /console/."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.urls import path

from staff import views

urlpatterns = [
    path("sign-in", views.SignInView.as_view(), name="account_login"),
    path("sign-in/code", mfa.authenticate, name="mfa_authenticate"),
    path("sign-out", account.logout, name="account_logout"),
    path("account/inactive", account.account_inactive, name="account_inactive"),
    path("account/password", account.password_change, name="account_change_password"),
    path("account/confirm", account.reauthenticate, name="account_reauthenticate"),
    path("account/confirm-code", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("account/second-factor", mfa.index, name="mfa_index"),
    path("account/second-factor/app", totp.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/off", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/sessions", views.own_sessions, name="own_sessions"),
    path("account/recovery-codes", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("account/recovery-codes/file", codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("staff", views.people, name="staff"),
    path("staff/new", views.person_new, name="staff_new"),
    path("staff/roles", views.roles, name="staff_roles"),
    path("staff/<int:pk>", views.person, name="staff_person"),
    path("staff/<int:pk>/sessions", views.person_sessions, name="staff_sessions"),
    path("staff/<int:pk>/password", views.person_password, name="staff_password"),
    path("keys", views.keys, name="keys"),
    path("keys/new", views.key_new, name="key_new"),
    path("keys/<str:prefix>", views.key, name="key"),
    path("approvals", views.inbox, name="approvals"),
    path("approvals/<int:pk>", views.approval, name="approval"),
    path("approvals/<int:pk>/decide", views.approval_decide, name="approval_decide"),
    path("audit", views.trail, name="audit"),
]
