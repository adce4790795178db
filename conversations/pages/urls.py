from django.urls import path

from conversations.pages import chat, clients, inbox, knowledge, offline, settings, usage

app_name = "pages"

urlpatterns = [
    path("", chat.chat, name="chat"),
    path("c/<uuid:conversation_id>/", chat.chat, name="chat_conversation"),
    path("c/new/", chat.new_conversation, name="new_conversation"),
    path("coach/", inbox.inbox, name="inbox"),
    path("coach/rows/", inbox.inbox_rows, name="inbox_rows"),
    path("coach/conversations/<uuid:conversation_id>/", inbox.inbox, name="inbox_conversation"),
    path("coach/clients/", clients.clients, name="clients"),
    path("coach/clients/new/", clients.create, name="create_client"),
    path(
        "coach/clients/<uuid:client_id>/open/", clients.open_conversation, name="open_conversation"
    ),
    path("coach/knowledge/", knowledge.knowledge, name="knowledge"),
    path("coach/knowledge/documents/", knowledge.documents, name="documents"),
    path("coach/usage/", usage.usage, name="usage"),
    path("coach/settings/", settings.settings, name="settings"),
    path("coach/settings/profile/", settings.save_profile, name="save_profile"),
    path("coach/settings/workspace/", settings.save_workspace, name="save_workspace"),
    path("coach/settings/keys/new/", settings.create_api_key, name="create_api_key"),
    path(
        "coach/settings/keys/<uuid:key_id>/revoke/", settings.revoke_api_key, name="revoke_api_key"
    ),
    path(
        "coach/settings/providers/<slug:provider>/",
        settings.set_provider_key,
        name="set_provider_key",
    ),
    path(
        "coach/settings/providers/<slug:provider>/remove/",
        settings.remove_provider_key,
        name="remove_provider_key",
    ),
    path("offline/", offline.offline, name="offline"),
    path("sw.js", offline.service_worker, name="service_worker"),
]
