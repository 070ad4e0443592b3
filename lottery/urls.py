"""The pages of campaigns, under /console/campaigns."""

from django.urls import path

from lottery import claim_views, draw_views, value_views, views

app_name = "lottery"
urlpatterns = [
    path("campaigns", views.campaign_list, name="campaigns"),
    path("draws", draw_views.draw_list, name="draws"),
    path("draws/value", value_views.value_type, name="value_type"),
    path("draws/<str:public_id>/signature", value_views.value_paste, name="value_paste"),
    path("draws/<str:public_id>/value", value_views.value_page, name="value"),
    path("draws/<str:public_id>/value/<int:n>.jpg", value_views.value_picture, name="value_picture"),
    path("draws/<str:public_id>", draw_views.draw_record, name="draw"),
    path("campaigns/new", views.campaign_new, name="campaign_new"),
    path("campaigns/preview", views.campaign_preview, name="campaign_preview"),
    path("campaigns/<str:public_id>", views.campaign_detail, name="campaign"),
    path("campaigns/<str:public_id>/edit", views.campaign_edit, name="campaign_edit"),
    path("campaigns/<str:public_id>/open", views.campaign_open, name="campaign_open"),
    path("campaigns/<str:public_id>/close", views.campaign_close, name="campaign_close"),
    path("campaigns/<str:public_id>/halt", views.campaign_halt, name="campaign_halt"),
    path("campaigns/<str:public_id>/top-up", views.campaign_top_up, name="campaign_top_up"),
    path("claims", claim_views.claim_list, name="claims"),
    path("claims/parcels", claim_views.parcel_list, name="parcels"),
    path("claims/document", claim_views.document_add, name="claim_document_add"),
    path("claims/<str:public_id>", claim_views.claim_detail, name="claim"),
    path("claims/<str:public_id>/told", claim_views.claim_told, name="claim_told"),
    path("claims/<str:public_id>/register", claim_views.claim_register, name="claim_register"),
    path("claims/<str:public_id>/check", claim_views.claim_check, name="claim_check"),
    path("claims/<str:public_id>/approve", claim_views.claim_approve, name="claim_approve"),
    path("claims/<str:public_id>/send", claim_views.claim_send, name="claim_send"),
    path("claims/<str:public_id>/received", claim_views.claim_received, name="claim_received"),
    path("claims/<str:public_id>/paid", claim_views.claim_paid, name="claim_paid"),
    path("claims/<str:public_id>/pay-again", claim_views.claim_pay_again, name="claim_pay_again"),
    path("claims/<str:public_id>/lose", claim_views.claim_lose, name="claim_lose"),
    path("claims/<str:public_id>/documents/<int:pk>", claim_views.document_look, name="claim_document"),
    path("prize-codes", claim_views.stock_list, name="stock"),
    path("prize-codes/add", claim_views.stock_add, name="stock_add"),
]
