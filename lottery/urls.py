"""The pages of campaigns, under /console/campaigns."""

from django.urls import path

from lottery import views

app_name = "lottery"
urlpatterns = [
    path("campaigns", views.campaign_list, name="campaigns"),
    path("campaigns/new", views.campaign_new, name="campaign_new"),
    path("campaigns/preview", views.campaign_preview, name="campaign_preview"),
    path("campaigns/<str:public_id>", views.campaign_detail, name="campaign"),
    path("campaigns/<str:public_id>/edit", views.campaign_edit, name="campaign_edit"),
    path("campaigns/<str:public_id>/open", views.campaign_open, name="campaign_open"),
    path("campaigns/<str:public_id>/close", views.campaign_close, name="campaign_close"),
    path("campaigns/<str:public_id>/halt", views.campaign_halt, name="campaign_halt"),
    path("campaigns/<str:public_id>/top-up", views.campaign_top_up, name="campaign_top_up"),
]
