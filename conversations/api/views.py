from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import takeover
from conversations.api.sending import send_and_stream, send_and_wait, wait_seconds, wants_stream
from conversations.api.serializers import (
    AnsweredSerializer,
    ConversationSerializer,
    EventsSerializer,
    MessageSerializer,
    NewConversationSerializer,
    NewMessageSerializer,
    SentSerializer,
    WhySerializer,
    sent_json,
    why_json,
)
from conversations.exceptions import Invalid, Missing, NotAllowed, Refused
from conversations.home import call_home
from conversations.live.frames import message_json, stored_frames
from conversations.models import Conversation, Message, Mode, Turn
from conversations.selectors import conversation_for, conversations_for, cost_of
from conversations.services import start_conversation
from conversations.turns.accept import checked_client_message_id
from conversations.turns.engine import handle_message
from opencoach.accounts.access import Caller
from opencoach.accounts.models import Client, Coach
from opencoach.accounts.scopes import Scope
from opencoach.common.http import Choice, Pages
from opencoach.common.problems import Conflict
from opencoach.common.schema import refusal

_SEQ = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_AFTER = OpenApiParameter("after", _SEQ, description="The last `seq` that you have.")
_BEFORE = OpenApiParameter("before", _SEQ, description="The first `seq` that you have.")
_PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=30` waits so many seconds for the reply, 60 at most.",
)
_APPLIED = OpenApiParameter(
    "Preference-Applied", str, OpenApiParameter.HEADER, response=[201], description="`wait=30`"
)
_SERVER_SENT_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "description": "The frame's `type`."},
        "data": {"type": "string", "description": "The frame, as JSON."},
        "id": {"type": "string", "description": "The frame's `seq`, where it is stored."},
    },
    "required": ["event", "data"],
}


class ConversationView(GenericAPIView[Conversation]):
    """What every view of a conversation shares: its caller, its row, its errors."""

    serializer_class: type[serializers.BaseSerializer[Any]] = ConversationSerializer
    scopes = {"GET": Scope.CONVERSATIONS_READ, "POST": Scope.CONVERSATIONS_WRITE}

    @property
    def caller(self) -> Caller:
        return self.request.auth  # type: ignore[return-value]

    def conversation(self) -> Conversation:
        return conversation_for(self.caller, self.kwargs["conversation_id"])

    def body(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(_as_problem(exc) if isinstance(exc, Refused) else exc)


def _as_problem(refused: Refused) -> Exception:
    if isinstance(refused, Missing):
        return NotFound(refused.detail)
    if isinstance(refused, NotAllowed):
        return PermissionDenied(refused.detail, code=refused.code)
    if isinstance(refused, Invalid):
        field = refused.detail.split("`")[1] if refused.detail.startswith("`") else "body"
        return ValidationError({field: [ErrorDetail(refused.detail, code=refused.code)]})
    return Conflict(refused.detail, code=refused.code)


class ConversationList(ConversationView):
    @extend_schema(
        operation_id="conversations_list",
        responses=ConversationSerializer(many=True),
        parameters=[
            OpenApiParameter("mode", OpenApiTypes.STR, enum=Mode.values),
            OpenApiParameter("client", OpenApiTypes.UUID),
            OpenApiParameter("needs_human", OpenApiTypes.BOOL),
        ],
    )
    def get(self, request: Request) -> Response:
        """The conversations the caller may see, newest first."""
        pages = Pages()
        found: Any = pages.paginate_queryset(self._filtered(request), request, self)
        return pages.get_paginated_response(ConversationSerializer(found, many=True).data)

    def _filtered(self, request: Request) -> Any:
        filters = _Filters(data=request.query_params.dict())
        filters.is_valid(raise_exception=True)
        return conversations_for(self.caller).filter(**filters.validated_data)

    @extend_schema(
        operation_id="conversations_create",
        request=NewConversationSerializer,
        responses={201: ConversationSerializer},
    )
    def post(self, request: Request) -> Response:
        """A new conversation of a client with their coach's clone."""
        wanted = self.body(NewConversationSerializer)
        client = self._client(wanted.get("client"))
        coach = self._one(Coach, "coach", wanted["coach"]) if "coach" in wanted else None
        conversation = start_conversation(client=client, coach=coach)
        return Response(ConversationSerializer(conversation).data, status=201)

    def _client(self, client_id: UUID | None) -> Client:
        if self.caller.client_id:
            if client_id not in (None, self.caller.client_id):
                raise ValidationError({"client": "You can only start conversations of your own."})
            client_id = self.caller.client_id
        if client_id is None:
            raise ValidationError({"client": "Name the client by id."})
        client: Client = self._one(Client, "client", client_id)
        return client

    def _one(self, model: Any, field: str, pk: UUID) -> Any:
        found = model.objects.filter(workspace_id=self.caller.workspace_id, id=pk).first()
        if found is None:
            raise ValidationError({field: f"There is no such {field} in this workspace."})
        return found


class _Filters(serializers.Serializer[Any]):
    mode = Choice(choices=Mode.choices, required=False)
    client = serializers.UUIDField(required=False)
    needs_human = serializers.BooleanField(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "client" in attrs:
            attrs["client_id"] = attrs.pop("client")
        return {key: value for key, value in attrs.items() if value is not None}


class ConversationDetail(ConversationView):
    @extend_schema(operation_id="conversations_read", responses=ConversationSerializer)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Who holds it, and where its log ends."""
        return Response(ConversationSerializer(self.conversation()).data)


class _BySeq(Pages):
    ordering = "seq"


class MessageList(ConversationView):
    @extend_schema(
        operation_id="messages_list",
        tags=["messages"],
        parameters=[_AFTER, _BEFORE],
        responses=MessageSerializer(many=True),
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """What was said, oldest first; `?after=` goes on from a `seq`, `?before=` goes back."""
        messages = Message.objects.filter(conversation=self.conversation())
        span = _Span(data=request.query_params.dict())
        span.is_valid(raise_exception=True)
        pages = _BySeq()
        if "before" in span.validated_data:
            pages.ordering = "-seq"
            messages = messages.filter(seq__lt=span.validated_data["before"])
        found: Any = pages.paginate_queryset(
            messages.filter(seq__gt=span.validated_data["after"]), request, self
        )
        return pages.get_paginated_response(MessageSerializer(found, many=True).data)

    @extend_schema(
        operation_id="messages_send",
        tags=["messages"],
        parameters=[_PREFER, _APPLIED],
        request=NewMessageSerializer,
        responses={
            201: OpenApiResponse(AnsweredSerializer, "Stored and answered: with `Prefer: wait`."),
            202: OpenApiResponse(SentSerializer, "Stored; the reply is still to come, if any."),
            (200, "text/event-stream"): OpenApiResponse(
                _SERVER_SENT_EVENT,
                "With `Accept: text/event-stream`: the frames of the socket as server-sent events.",
            ),
        }
        | refusal(409, "The conversation is completed: start a new one."),
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponseBase:
        """Says something: as the client, or as the coach, which takes the conversation over.

        Answers 202 when it is stored; `Prefer: wait=30` waits for the reply (201);
        `Accept: text/event-stream` streams the events until the reply is whole.
        """
        conversation = self.conversation()
        sent = self.body(NewMessageSerializer)
        client_message_id = checked_client_message_id(sent.get("client_message_id") or None)
        if not self.caller.speaks_as_client:
            return self._as_coach(conversation, sent["content"], client_message_id)
        message = {
            "conversation_id": conversation.id,
            "content": sent["content"],
            "client_message_id": client_message_id,
            "author_name": conversation.client.display_name,
        }
        if wants_stream(request):
            return send_and_stream(conversation, message)
        if seconds := wait_seconds(request):
            return send_and_wait(conversation, message, seconds)
        accepted = call_home(handle_message(**message))
        return Response(sent_json(accepted), status=202)

    def _as_coach(
        self, conversation: Conversation, content: str, client_message_id: str | None
    ) -> Response:
        change = call_home(
            takeover.intervene(
                takeover.write_as_coach,
                conversation.id,
                self.caller,
                content,
                client_message_id,
            )
        )
        assert change.message  # writing leaves one, or finds the one it left before
        return Response({"message": message_json(change.message), "turn": None}, status=202)


class _Span(serializers.Serializer[Any]):
    after = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    before = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)


class EventList(ConversationView):
    pagination_class = None

    @extend_schema(
        operation_id="events_list",
        tags=["messages"],
        parameters=[_AFTER],
        responses=EventsSerializer,
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """The log after `?after=`: messages and events as sockets get them, at most 500."""
        span = _Span(data=request.query_params.dict())
        span.is_valid(raise_exception=True)
        frames = stored_frames(self.conversation().id, after=span.validated_data["after"])
        return Response({"results": frames})


class TurnDetail(ConversationView):
    scopes = {"GET": Scope.CONVERSATIONS_COACH}

    @extend_schema(operation_id="turns_read", tags=["turns"], responses=WhySerializer)
    def get(self, request: Request, conversation_id: UUID, turn_id: UUID) -> Response:
        """Why the clone said that."""
        turn = Turn.objects.filter(conversation=self.conversation(), id=turn_id).first()
        if turn is None:
            raise NotFound("There is no such turn.")
        return Response(why_json(turn, cost_of(turn)))
