"""The pages of labels, under /console/."""

from django.urls import path

from labels import link_views, range_views, roll_views, slot_views, views

app_name = "labels"
urlpatterns = [
    path("products", views.product_list, name="products"),
    path("products/new", views.product_new, name="product_new"),
    path("products/<slug:public_id>", views.product_detail, name="product"),
    path("products/<slug:public_id>/edit", views.product_edit, name="product_edit"),
    path("products/<slug:public_id>/links/new", link_views.link_new, name="link_new"),
    path("products/<slug:public_id>/links/<int:pk>", link_views.link_edit, name="link_edit"),
    path("products/<slug:public_id>/links/<int:pk>/remove", link_views.link_remove, name="link_remove"),
    path("batches", views.batch_list, name="batches"),
    path("batches/<slug:public_id>", views.batch_detail, name="batch"),
    path("batches/<slug:public_id>/progress", views.batch_progress, name="batch_progress"),
    path("batches/<slug:public_id>/cancel", views.batch_cancel, name="batch_cancel"),
    path("batches/<slug:public_id>/restart", views.batch_restart, name="batch_restart"),
    path("batches/<slug:public_id>/rolls", roll_views.roll_list, name="rolls"),
    path("rolls/<int:pk>/receive", roll_views.roll_receive, name="roll_receive"),
    path("slots", slot_views.slot_list, name="slots"),
    path("slots/<int:pk>", slot_views.slot_detail, name="slot"),
    path("slots/<int:pk>/change", slot_views.slot_change, name="slot_change"),
    path("activations", range_views.activation_list, name="activations"),
    path("activations/<int:pk>/cancel", range_views.activation_cancel, name="activation_cancel"),
    path("blocks", range_views.block_list, name="blocks"),
    path("blocks/<int:pk>/lift", range_views.block_lift, name="block_lift"),
]
