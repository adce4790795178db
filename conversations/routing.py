from django.urls import path, re_path

from conversations.live.consumers import ConversationConsumer, InboxConsumer, NowhereConsumer

websocket_urlpatterns = [
    path("ws/conversations/<uuid:conversation_id>/", ConversationConsumer.as_asgi()),
    path("ws/inbox/", InboxConsumer.as_asgi()),
    re_path(r"", NowhereConsumer.as_asgi()),
]
