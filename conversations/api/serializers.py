from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from conversations.live.frames import message_json
from conversations.models import Conversation, Message, Mode, Source, Turn, TurnStatus
from conversations.turns.accept import Accepted
from knowledge.api.serializers import Location
from knowledge.selectors import passages_by_id
from opencoach.common.http import Choice, StrictSerializer


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class CoachSerializer(PersonSerializer):
    clone_name = serializers.CharField()


class ConversationSerializer(serializers.Serializer[Conversation]):
    id = serializers.UUIDField()
    client = serializers.SerializerMethodField()
    coach = CoachSerializer()
    mode = serializers.ChoiceField(choices=Mode.choices)
    needs_human = serializers.BooleanField()
    holder = PersonSerializer(allow_null=True)
    last_seq = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    last_message_at = serializers.DateTimeField()

    @extend_schema_field(PersonSerializer)
    def get_client(self, conversation: Conversation) -> dict[str, str]:
        client = conversation.client
        return {"id": str(client.id), "name": client.display_name}


class CitationSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    passage = serializers.UUIDField()
    document = serializers.UUIDField()
    title = serializers.CharField()
    location = Location()
    text = serializers.CharField()


class MessageSerializer(serializers.Serializer[Message]):
    """As sockets send it, too."""

    id = serializers.UUIDField()
    seq = serializers.IntegerField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    content = serializers.CharField()
    client_message_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    citations = CitationSerializer(many=True)
    metadata = serializers.DictField()
    author_name = serializers.CharField(allow_blank=True)
    turn = serializers.UUIDField(allow_null=True)

    def to_representation(self, message: Message) -> dict[str, Any]:
        return message_json(message)


class TurnSerializer(serializers.Serializer[Turn]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=TurnStatus.choices)


class NewConversationSerializer(StrictSerializer):
    client = serializers.UUIDField(required=False, help_text="Needed unless a client calls.")
    coach = serializers.UUIDField(required=False, help_text="Default: the client's own coach.")


class NewMessageSerializer(StrictSerializer):
    # The limits are the service's, which socket and command go through as well.
    content = serializers.CharField(
        trim_whitespace=False,
        allow_blank=True,
        help_text=f"1 to {settings.MESSAGE_MAX_CHARACTERS:,} characters besides outer space.",
    )
    client_message_id = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Your own id of it, 100 characters at most: the same again is the same message.",
    )


class SentSerializer(serializers.Serializer[Any]):
    message = MessageSerializer()
    turn = TurnSerializer(allow_null=True, help_text="Null while a human holds it.")


class AnsweredSerializer(serializers.Serializer[Any]):
    message = MessageSerializer()
    turn = TurnSerializer()
    reply = MessageSerializer()


class HandbackSerializer(StrictSerializer):
    mode = Choice(choices=["answer_pending", "only_new"])
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class EventSerializer(serializers.Serializer[Any]):
    """A stored frame, as the socket sends it: with these fields, and those of its `type`."""

    type = serializers.CharField()
    conversation = serializers.UUIDField()
    seq = serializers.IntegerField()
    at = serializers.DateTimeField()


class EventsSerializer(serializers.Serializer[Any]):
    results = EventSerializer(many=True)


class UsedPassageSerializer(serializers.Serializer[Any]):
    passage = serializers.UUIDField()
    title = serializers.CharField()
    score = serializers.FloatField()
    text = serializers.CharField(required=False, help_text="Left away when it is gone.")
    location = Location(required=False)


class WhySerializer(serializers.Serializer[Any]):
    """The why-record of a turn."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=TurnStatus.choices)
    attempt = serializers.IntegerField()
    epoch = serializers.IntegerField()
    trace_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    provider = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    attempts = serializers.IntegerField(required=False)
    prompt_version = serializers.CharField(required=False)
    passages = UsedPassageSerializer(many=True, required=False)
    faults = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Why no model answered."
    )
    timings = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text="Milliseconds by stage."
    )
    ttft_ms = serializers.IntegerField(required=False, allow_null=True)
    cost_usd = serializers.DecimalField(max_digits=14, decimal_places=8, allow_null=True)


def why_json(turn: Turn, cost_usd: Any) -> dict[str, Any]:
    took = turn.finished_at - turn.created_at if turn.finished_at else None
    return {
        "id": str(turn.id),
        "status": turn.status,
        "attempt": turn.attempt,
        "epoch": turn.epoch,
        "trace_id": turn.trace_id,
        "created_at": turn.created_at,
        "finished_at": turn.finished_at,
        "latency_ms": round(took.total_seconds() * 1000) if took else None,
        "error": turn.error,
        "cost_usd": None if cost_usd is None else f"{cost_usd:.8f}",  # JSON has no decimals
        **turn.record,
        "passages": _with_their_text(turn.record.get("passages", [])),
    }


def _with_their_text(recorded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The record names passages and scores; their text is read where it stands."""
    found = passages_by_id(each["passage"] for each in recorded)
    return [
        each
        | (
            {
                "text": passage.text,
                "location": {
                    "heading": passage.heading,
                    "start": passage.start,
                    "end": passage.end,
                },
            }
            if (passage := found.get(each["passage"]))
            else {}
        )
        for each in recorded
    ]


def sent_json(accepted: Accepted) -> dict[str, Any]:
    """A message as it was taken, and the turn that answers it."""
    turn = {"id": str(accepted.turn_id), "status": accepted.turn_status}
    return {
        "message": message_json(accepted.message),
        "turn": turn if accepted.turn_id else None,
    }
