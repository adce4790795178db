from typing import Any

from django.conf import settings
from rest_framework import serializers

from opencoach.accounts.models import Client, Coach
from opencoach.accounts.timezones import is_timezone
from opencoach.common.http import StrictSerializer


class ClientSerializer(serializers.ModelSerializer[Client]):
    """How a client is shown."""

    # Not an `EmailField`, whose schema promises an address.
    email = serializers.CharField(read_only=True, help_text="Empty where none is known.")

    class Meta:
        model = Client
        fields = ("id", "external_id", "name", "email", "timezone", "coach", "created_at")
        read_only_fields = fields


class ClientChange(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    timezone = serializers.CharField(
        max_length=64, required=False, help_text="An IANA name, such as `Europe/Stockholm`."
    )
    coach = serializers.UUIDField(required=False, help_text="The id of a coach of the workspace.")

    def validate_timezone(self, value: str) -> str:
        if not is_timezone(value):
            raise serializers.ValidationError(
                "Name a time zone of the IANA database, such as Europe/Stockholm.",
                code="unknown_timezone",
            )
        return value

    def validate_coach(self, value: Any) -> Coach:
        coach = Coach.objects.filter(workspace_id=self.context["workspace_id"], id=value).first()
        if coach is None:
            raise serializers.ValidationError(
                "There is no such coach in this workspace.", code="unknown_coach"
            )
        return coach


class NewClient(ClientChange):
    external_id = serializers.CharField(
        max_length=120, help_text="Your own id of this person: the same id is the same client."
    )


class Nothing(StrictSerializer):
    """A body without fields; it may be left away."""


class ClientToken(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="`oct_…`: send it as the bearer token.")
    expires_at = serializers.DateTimeField(
        help_text=f"{settings.CLIENT_TOKEN_SECONDS} seconds from now; then mint a new one."
    )
