"""The partners' pages, under /console/."""

from django.urls import path

from channel import views

urlpatterns = [
    path("partners", views.partners),
    path("partners/new", views.new),
    path("partners/<str:public_id>", views.partner),
    path("partners/<str:public_id>/edit", views.edit),
    path("partners/<str:public_id>/state", views.state),
    path("partners/<str:public_id>/close", views.close),
    path("partners/<str:public_id>/qr.svg", views.qr),
]
