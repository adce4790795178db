from django.urls import path

from conversations.api import interventions, views

_ONE = "conversations/<uuid:conversation_id>/"

urlpatterns = [
    path("conversations/", views.ConversationList.as_view()),
    path(_ONE, views.ConversationDetail.as_view()),
    path(f"{_ONE}messages/", views.MessageList.as_view()),
    path(f"{_ONE}events/", views.EventList.as_view()),
    path(f"{_ONE}turns/<uuid:turn_id>/", views.TurnDetail.as_view()),
    path(f"{_ONE}turns/<uuid:turn_id>/retry/", interventions.Retry.as_view()),
    path(f"{_ONE}takeover/", interventions.Takeover.as_view()),
    path(f"{_ONE}handback/", interventions.Handback.as_view()),
    path(f"{_ONE}pause/", interventions.Pause.as_view()),
    path(f"{_ONE}resume/", interventions.Resume.as_view()),
    path(f"{_ONE}complete/", interventions.Complete.as_view()),
]
