"""Who holds a conversation, changed over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import takeover
from conversations.api.serializers import (
    ConversationSerializer,
    HandbackSerializer,
    NothingSerializer,
)
from conversations.api.views import ConversationView
from conversations.home import call_home
from opencoach.accounts.scopes import Scope


class InterventionView(ConversationView):
    """A `POST` that calls one function of `takeover` and answers with the conversation."""

    scopes = {"POST": Scope.CONVERSATIONS_COACH}

    def intervene(
        self,
        operation: Any,
        *arguments: Any,
        body: type[serializers.Serializer[Any]] = NothingSerializer,
    ) -> Response:
        conversation = self.conversation()
        given = self.body(body)
        call_home(
            takeover.intervene(operation, conversation.id, self.caller, *arguments, *given.values())
        )
        return Response(ConversationSerializer(self.conversation()).data)


class Takeover(InterventionView):
    @extend_schema(request=NothingSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The caller answers from now on; a reply in flight is discarded."""
        return self.intervene(takeover.take_over)


class Handback(InterventionView):
    @extend_schema(request=HandbackSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The clone's again: it answers what is pending, or only what comes."""
        return self.intervene(takeover.hand_back, body=HandbackSerializer)


class Pause(InterventionView):
    @extend_schema(request=NothingSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Nobody answers for now; what the client writes is kept."""
        return self.intervene(takeover.pause)


class Resume(InterventionView):
    @extend_schema(request=NothingSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The clone's again after a pause."""
        return self.intervene(takeover.resume)


class Complete(InterventionView):
    @extend_schema(request=NothingSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The end of this conversation: no more messages are taken."""
        return self.intervene(takeover.complete)


class Retry(InterventionView):
    @extend_schema(request=NothingSerializer, responses=ConversationSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Runs a failed turn again."""
        return self.intervene(takeover.retry, kwargs["turn_id"])
