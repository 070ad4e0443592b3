"""The members' pages, under /console/."""

from django.urls import path

from members import views

urlpatterns = [
    path("members", views.members),
    path("members/search", views.search),
    path("members/<str:public_id>", views.member),
    path("members/<str:public_id>/export", views.export),
    path("members/<str:public_id>/unlock", views.unlock),
    path("members/<str:public_id>/erase", views.erase),
]
