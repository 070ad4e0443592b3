"""The ledger's pages, under /console/."""

from django.urls import path

from ledger import views

urlpatterns = [
    path("ledger", views.ledger),
    path("ledger/accounts", views.accounts),
    path("ledger/accounts/<str:public_id>", views.account),
    path("ledger/accounts/<str:public_id>/statement", views.account_statement),
    path("ledger/transfers/<int:transfer_id>", views.transfer),
    path("ledger/transfers/<int:transfer_id>/reverse", views.reverse),
]
