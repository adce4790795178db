"""Who holds a conversation, changed over REST."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import takeover
from conversations.api.serializers import ConversationSerializer, HandbackSerializer
from conversations.api.views import ConversationView
from conversations.home import call_home
from opencoach.accounts.api.serializers import Nothing
from opencoach.accounts.scopes import Scope
from opencoach.common.schema import refusal

Post = TypeVar("Post", bound=Callable[..., Response])


def _changes(
    operation_id: str, body: type[serializers.Serializer[Any]] = Nothing
) -> Callable[[Post], Post]:
    why = "Whoever holds the conversation now, this cannot be done: the detail says why."
    return extend_schema(
        operation_id=operation_id,
        tags=["takeover"],
        request=body,
        responses={200: ConversationSerializer} | refusal(409, why),
    )


class InterventionView(ConversationView):
    """A `POST` that calls one function of `takeover` and answers with the conversation."""

    scopes = {"POST": Scope.CONVERSATIONS_COACH}

    def intervene(
        self,
        operation: Any,
        *arguments: Any,
        body: type[serializers.Serializer[Any]] = Nothing,
    ) -> Response:
        conversation = self.conversation()
        given = self.body(body)
        call_home(
            takeover.intervene(operation, conversation.id, self.caller, *arguments, *given.values())
        )
        return Response(ConversationSerializer(self.conversation()).data)


class Takeover(InterventionView):
    @_changes("conversations_takeover")
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The caller answers from now on; a reply in flight is discarded."""
        return self.intervene(takeover.take_over)


class Handback(InterventionView):
    @_changes("conversations_handback", HandbackSerializer)
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The clone's again: it answers what is pending, or only what comes."""
        return self.intervene(takeover.hand_back, body=HandbackSerializer)


class Pause(InterventionView):
    @_changes("conversations_pause")
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Nobody answers for now; what the client writes is kept."""
        return self.intervene(takeover.pause)


class Resume(InterventionView):
    @_changes("conversations_resume")
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The clone's again after a pause."""
        return self.intervene(takeover.resume)


class Complete(InterventionView):
    @_changes("conversations_complete")
    def post(self, request: Request, **kwargs: Any) -> Response:
        """The end of this conversation: no more messages are taken."""
        return self.intervene(takeover.complete)


class Retry(InterventionView):
    @_changes("turns_retry")
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Runs a failed turn again."""
        return self.intervene(takeover.retry, kwargs["turn_id"])
