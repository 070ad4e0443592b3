"""The consumer's web door."""

from django.urls import path, re_path

from redemption import care_views, draw_entries, resolver, rules_views, views, wallet_views, words_views

app_name = "consumer"
urlpatterns = [
    path("", views.home, name="home"),
    path("01/<path:rest>", resolver.answer, name="label"),
    path(".well-known/gs1resolver", resolver.describe, name="resolver"),
    path("claim", views.claim, name="claim"),
    path("work", views.prove, name="work"),
    path("r/<str:receipt_no>", views.receipt, name="receipt"),
    path("r/<str:receipt_no>/play.json", views.play_receipt, name="play_receipt"),
    path("report", care_views.report, name="report"),
    path("rules", care_views.rules, name="rules"),
    path("rules/<str:campaign>", care_views.rules_of, name="campaign_rules"),
    path("rules/<str:campaign>/v<int:n>", rules_views.rules_version, name="rules_version"),
    path("rules/<str:campaign>/v<int:n>.json", rules_views.rules_json, name="rules_json"),
    path("privacy", care_views.privacy, name="privacy"),
    path("p/forget", care_views.forget_partner, name="forget_partner"),
    path("p/<str:number>", care_views.partner, name="partner"),
    path("recordings/<uuid:public_id>", words_views.play, name="recording"),
    path("me", wallet_views.wallet, name="wallet"),
    path("me/sign-in", wallet_views.sign_in, name="sign_in"),
    path("me/sign-out", wallet_views.sign_out, name="sign_out"),
    path("me/entries", wallet_views.entries, name="entries"),
    path("me/draws", draw_entries.draws, name="draws"),
    path("me/draws/entries/<int:entry_id>.json", draw_entries.entry_receipt, name="entry_receipt"),
    path("me/draws/entries/<int:entry_id>/cancel", draw_entries.cancel, name="cancel_entry"),
    path("draws/<str:public_id>/enter", draw_entries.enter_free, name="enter_free"),
    path("me/receipts", wallet_views.receipts, name="receipts"),
    path("me/data", wallet_views.data, name="data"),
    path("me/language", wallet_views.language, name="language"),
    path("me/consent", wallet_views.consent, name="consent"),
    path("me/export", wallet_views.export, name="export"),
    path("me/delete", wallet_views.delete, name="delete"),
    # Any other Digital Link: a key that is not ours, one without a value, or the compressed form.
    re_path(r"^(?P<rest>[0-9]{2,4}(?:/.*)?|[A-Z][A-Za-z0-9_-]{9,}/?)$", resolver.answer, name="digital_link"),
]
