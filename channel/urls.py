"""The partners' pages, under /console/."""

from django.urls import path

from channel import goods_views, line_views, unit_views, views

urlpatterns = [
    path("partners", views.partners),
    path("partners/new", views.new),
    path("partners/<str:public_id>", views.partner),
    path("partners/<str:public_id>/edit", views.edit),
    path("partners/<str:public_id>/state", views.state),
    path("partners/<str:public_id>/territories", goods_views.territories),
    path("partners/<str:public_id>/territories/<int:pk>", line_views.territory),
    path("partners/<str:public_id>/contracts", goods_views.contracts),
    path("partners/<str:public_id>/close", views.close),
    path("partners/<str:public_id>/qr.svg", views.qr),
    path("goods", goods_views.documents),
    path("goods/record", goods_views.record),
    path("goods/pack", unit_views.pack),
    path("goods/packing-list", unit_views.packing_list),
    path("goods/units/<str:sscc>", goods_views.unit),
    path("goods/units/<str:sscc>/open", unit_views.unpack),
    path("goods/units/<str:sscc>/relabel", unit_views.relabel),
    path("goods/<str:public_id>", goods_views.document),
    path("goods/<str:public_id>/decide", goods_views.decide),
    path("product-lines", line_views.lines),
    path("product-lines/new", line_views.new_line),
    path("product-lines/<str:public_id>", line_views.line),
    path("product-lines/<str:public_id>/edit", line_views.edit_line),
    path("regions", goods_views.regions),
]
