from django.urls import path

from knowledge.api import views

urlpatterns = [
    path("documents/", views.DocumentList.as_view(), name="documents"),
    path("documents/<uuid:document_id>/", views.DocumentDetail.as_view(), name="document"),
    path(
        "documents/<uuid:document_id>/reprocess/",
        views.DocumentReprocess.as_view(),
        name="document-reprocess",
    ),
    path("knowledge/search/", views.KnowledgeSearch.as_view(), name="knowledge-search"),
]
