"""The console's page that lets a partner's people and programs in, under /console/."""

from django.urls import path

from portal import access_views

urlpatterns = [
    path("partners/<str:public_id>/access", access_views.access),
    path("partners/<str:public_id>/access/new", access_views.invite),
    path("partners/<str:public_id>/access/invitations/<str:invitation>", access_views.withdraw),
    path("partners/<str:public_id>/access/people/<int:pk>", access_views.person),
    path("partners/<str:public_id>/access/keys/new", access_views.key_new),
]
