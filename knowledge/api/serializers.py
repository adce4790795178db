from typing import Any

from rest_framework import serializers

from knowledge.models import Document, DocumentStatus
from knowledge.retrieval import TOP_K
from opencoach.accounts.selectors import coach_for_new_clients
from opencoach.common.http import Choice, StrictSerializer


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """How a document is shown."""

    passages = serializers.IntegerField(
        source="passage_count", help_text="How many can be found; 0 until it has been read."
    )

    class Meta:
        model = Document
        fields = (
            "id", "title", "coach", "status", "progress", "passages", "error", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class _OfCoach(StrictSerializer):
    coach = serializers.UUIDField(
        required=False,
        help_text="A coach of the workspace. Left away: the caller, else the workspace's first.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = "coach" in attrs
        caller = self.context["caller"]
        coach = coach_for_new_clients(
            caller.workspace_id, attrs["coach"] if named else caller.coach_id
        )
        if named and coach is None:
            raise serializers.ValidationError(
                {"coach": "There is no such coach in this workspace."}, code="unknown_coach"
            )
        return attrs | {"coach": coach}


class NewText(_OfCoach):
    title = serializers.CharField(max_length=200)
    text = serializers.CharField(
        trim_whitespace=False, help_text="Plain text or Markdown, two million characters at most."
    )


class NewFile(_OfCoach):
    file = serializers.FileField(
        allow_empty_file=True, help_text="Text or Markdown: UTF-8, UTF-16 or Windows-1252."
    )
    title = serializers.CharField(
        max_length=200, required=False, help_text="Left away: the file's name."
    )


class StatusFilter(serializers.Serializer[Any]):
    status = Choice(choices=DocumentStatus.choices, required=False)


class SearchQuestion(_OfCoach):
    query = serializers.CharField(max_length=2000)
    top_k = serializers.IntegerField(default=TOP_K, min_value=1, max_value=50)
    min_score = serializers.FloatField(
        default=0.7,
        min_value=0,
        max_value=1,
        help_text="Drops what is under it; 0 lets the nearest through, whatever they are about.",
    )


class FoundDocument(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()


class Location(serializers.Serializer[Any]):
    heading = serializers.CharField(help_text="The path of headings, with › between.")
    start = serializers.IntegerField(help_text="Character offset in the document's text.")
    end = serializers.IntegerField()


class FoundPassage(serializers.Serializer[Any]):
    score = serializers.FloatField(
        help_text="0 to 1: how likely a passage this near answers, were it even chances before."
    )
    passage = serializers.UUIDField()
    document = FoundDocument()
    location = Location()
    text = serializers.CharField()


class SearchResults(serializers.Serializer[Any]):
    results = FoundPassage(many=True)
