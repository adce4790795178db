"""Conversations as the platform sees them: to look at, for what went wrong and why.

Hot tables have no index but their keys': lists go by key, and one conversation's rows are found
by its id.
"""

import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from conversations.models import Conversation, ConversationEvent, Message, Turn
from opencoach.common.admin import ReadOnlyAdmin


def pretty(value: Any) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre style="white-space: pre-wrap">{}</pre>', text)


class _OfConversation(ReadOnlyAdmin):
    """The search takes the id of a conversation and nothing else: other words would read it all."""

    search_fields = ("conversation_id",)
    search_help_text = "The id of a conversation."
    list_select_related = ("workspace",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(conversation_id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("id", "workspace", "client", "coach", "mode", "needs_human", "last_message_at")
    list_filter = ("mode", "needs_human")
    list_select_related = ("workspace", "client", "coach")
    search_fields = ("workspace__slug", "client__name", "client__external_id")
    readonly_fields = ("created_at", "log")

    @admin.display(description="Its rows")
    def log(self, conversation: Conversation) -> SafeString:
        pages = [
            format_html(
                '<a href="{}?q={}">{}</a>',
                reverse(f"admin:conversations_{model._meta.model_name}_changelist"),
                conversation.id,
                model._meta.verbose_name_plural,
            )
            for model in (Message, Turn, ConversationEvent)
        ]
        return format_html("{} · {} · {}", *pages)


@admin.register(Turn)
class TurnAdmin(_OfConversation):
    list_display = ("id", "workspace", "status", "attempt", "created_at", "finished_at", "error")
    list_filter = ("status",)
    exclude = ("record",)
    readonly_fields = ("why",)

    @admin.display(description="Why it said that")
    def why(self, turn: Turn) -> SafeString:
        return pretty(turn.record)


@admin.register(Message)
class MessageAdmin(_OfConversation):
    list_display = ("id", "workspace", "seq", "source", "author_name", "created_at")
    exclude = ("citations", "metadata")
    readonly_fields = ("cited", "more")

    @admin.display(description="Citations")
    def cited(self, message: Message) -> SafeString:
        return pretty(message.citations)

    @admin.display(description="Metadata")
    def more(self, message: Message) -> SafeString:
        return pretty(message.metadata)


@admin.register(ConversationEvent)
class ConversationEventAdmin(_OfConversation):
    list_display = ("id", "workspace", "seq", "type", "created_at")
    exclude = ("payload",)
    readonly_fields = ("what",)

    @admin.display(description="Payload")
    def what(self, event: ConversationEvent) -> SafeString:
        return pretty(event.payload)
