from django.urls import path

from opencoach.accounts.api import views

urlpatterns = [
    path("clients/", views.ClientList.as_view(), name="clients"),
    path("clients/<uuid:client_id>/", views.ClientDetail.as_view(), name="client"),
    path("clients/<uuid:client_id>/tokens/", views.ClientTokens.as_view(), name="client-tokens"),
]
