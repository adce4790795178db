from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from knowledge import services
from knowledge.models import Document
from opencoach.common.admin import ReadOnlyAdmin


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("title", "workspace", "coach", "status", "progress", "passage_count")
    list_filter = ("status",)
    list_select_related = ("workspace", "coach")
    search_fields = ("title", "workspace__slug")
    exclude = ("text", "digest")
    readonly_fields = ("created_at",)
    actions = ("read_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        documents: QuerySet[Document] = super().get_queryset(request)
        return documents.defer("text", "digest")

    @admin.action(description="Read the chosen documents again", permissions=["view"])
    def read_again(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        for document in documents:
            services.reprocess_document(document)
        messages.success(request, "They are queued.")
