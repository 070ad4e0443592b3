"""The pages that see several apps, under /console/."""

from django.urls import path

from console import activation_views, block_views, call_views, order_views, print_views, range_views, roll_views, views

app_name = "console"
urlpatterns = [
    path("", views.today, name="today"),
    path("search", views.find, name="search"),
    path("labels", views.label_find, name="label_find"),
    path("labels/<str:serial>", views.label, name="label"),
    path("labels/<str:serial>/reverse", views.label_reverse, name="label_reverse"),
    path("receipts", views.receipts, name="receipts"),
    path("receipts/<str:number>", views.receipt, name="receipt"),
    path("reports", views.reports, name="reports"),
    path("calls", call_views.call_list, name="calls"),
    path("calls/now", call_views.current, name="calls_now"),
    path("calls/<uuid:uuid>", call_views.call, name="call"),
    path("calls/<uuid:uuid>/note", call_views.note, name="call_note"),
    path("calls/<uuid:uuid>/dismiss", call_views.dismiss, name="call_dismiss"),
    path("jobs", views.jobs, name="jobs"),
    path("jobs/indicator", views.job_indicator, name="job_indicator"),
    path("jobs/<uuid:public_id>", views.job, name="job"),
    path("jobs/<uuid:public_id>/progress", views.job_progress, name="job_progress"),
    path("jobs/<uuid:public_id>/cancel", views.job_cancel, name="job_cancel"),
    path("batches/new", order_views.batch_new, name="batch_new"),
    path("batches/preview", order_views.batch_preview, name="batch_preview"),
    path("activations/new", activation_views.activation_new, name="activation_new"),
    path("activations/preview", activation_views.activation_preview, name="activation_preview"),
    path("blocks/new", block_views.block_new, name="block_new"),
    path("blocks/preview", block_views.block_preview, name="block_preview"),
    path("recalls", range_views.recall_list, name="recalls"),
    path("recalls/new", range_views.recall_new, name="recall_new"),
    path("recalls/<int:pk>", range_views.recall, name="recall"),
    path("recalls/<int:pk>/holders", range_views.recall_holders, name="recall_holders"),
    path("rolls", roll_views.rolls, name="rolls"),
    path("recalls/<int:pk>/lift", range_views.recall_lift, name="recall_lift"),
    path("batches/<slug:public_id>/void", range_views.batch_end, {"act": "void"}, name="batch_void"),
    path("batches/<slug:public_id>/close", range_views.batch_end, {"act": "close"}, name="batch_close"),
    path("activations/rebind", range_views.rebind, name="rebind"),
    path("runs/talkers", print_views.talkers_new, name="talkers_new"),
    path("runs/cards", print_views.cards_new, name="cards_new"),
    path("prints-of-people/<slug:public_id>.pdf", print_views.people_pdf, name="people_pdf"),
    path("brand", views.brand, name="brand"),
]
