"""The partners' pages, under /console/."""

from django.urls import path

from channel import goods_views, views

urlpatterns = [
    path("partners", views.partners),
    path("partners/new", views.new),
    path("partners/<str:public_id>", views.partner),
    path("partners/<str:public_id>/edit", views.edit),
    path("partners/<str:public_id>/state", views.state),
    path("partners/<str:public_id>/territories", goods_views.territories),
    path("partners/<str:public_id>/contracts", goods_views.contracts),
    path("partners/<str:public_id>/close", views.close),
    path("partners/<str:public_id>/qr.svg", views.qr),
    path("goods", goods_views.documents),
    path("goods/record", goods_views.record),
    path("goods/units/<str:sscc>", goods_views.unit),
    path("goods/<str:public_id>", goods_views.document),
    path("goods/<str:public_id>/decide", goods_views.decide),
    path("regions", goods_views.regions),
]
