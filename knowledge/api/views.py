from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.serializers import (
    DocumentSerializer,
    NewFile,
    NewText,
    SearchQuestion,
    SearchResults,
    StatusFilter,
)
from knowledge.exceptions import DocumentRefused, TooMuchText
from knowledge.models import Document, DocumentStatus
from knowledge.retrieval import Found, search
from knowledge.selectors import documents_in
from knowledge.texts import MAX_CHARACTERS, decode, title_from
from opencoach.accounts.access import Caller
from opencoach.accounts.models import Coach
from opencoach.accounts.scopes import Scope
from opencoach.common.http import StrictJSONParser
from opencoach.common.problems import Conflict, TooLarge
from opencoach.common.schema import refusal

# A character takes six bytes at most, as `\uXXXX` in JSON.
MAX_BODY_BYTES = 6 * MAX_CHARACTERS + 100_000


class _KnowledgeView(GenericAPIView[Document]):
    serializer_class = DocumentSerializer
    queryset = Document.objects.none()  # for the schema, which has no caller

    @property
    def caller(self) -> Caller:
        caller = self.request.auth
        assert isinstance(caller, Caller)  # `Allowed` has let nobody else in
        return caller

    def document(self, document_id: UUID) -> Document:
        document = documents_in(self.caller.workspace_id).filter(id=document_id).first()
        if document is None:
            raise Http404
        return document

    def checked(self, serializer: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
        checked = serializer(data=data, context={"caller": self.caller})
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)


class DocumentList(_KnowledgeView):
    scopes: ClassVar = {"GET": Scope.KNOWLEDGE_READ, "POST": Scope.KNOWLEDGE_WRITE}
    parser_classes = (StrictJSONParser, MultiPartParser)

    @extend_schema(
        operation_id="documents_list",
        parameters=[OpenApiParameter("status", str, enum=DocumentStatus.values)],
        responses=DocumentSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The workspace's documents, the newest first."""
        documents = documents_in(self.caller.workspace_id)
        wanted = StatusFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        page = self.paginate_queryset(documents.filter(**wanted.validated_data))
        return self.get_paginated_response(DocumentSerializer(page, many=True).data)

    @extend_schema(
        operation_id="documents_create",
        request={"application/json": NewText, "multipart/form-data": NewFile},
        responses={
            201: DocumentSerializer,
            200: OpenApiResponse(DocumentSerializer, "The coach has a document of this text."),
        }
        | refusal(409, "The workspace has no coach yet.")
        | refusal(413, "The text is too long: the detail says how long it may be."),
    )
    def post(self, request: Request) -> Response:
        """Takes a text or a file and begins to read it: follow `status` and `progress`."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
            raise TooLarge(f"A document may have {MAX_CHARACTERS:,} characters: split it.")
        is_file = str(request.content_type).startswith("multipart/")
        asked = self.checked(NewFile if is_file else NewText, request.data)
        if asked["coach"] is None:
            raise Conflict("This workspace has no coach yet whose knowledge it could be.")
        document, created = _stored("file" if is_file else "text", **asked)
        return Response(
            DocumentSerializer(document).data,
            status=status.HTTP_201_CREATED if created else status.HTTP_200_OK,
        )


def _stored(
    field: str, *, coach: Coach, title: str = "", text: str = "", file: Any = None
) -> tuple[Document, bool]:
    try:
        if file is not None:
            title = title or title_from(file.name)
            text = decode(file.read())
        return services.add_document(coach=coach, title=title, text=text)
    except TooMuchText as refused:
        raise TooLarge(str(refused)) from None
    except DocumentRefused as refused:
        raise serializers.ValidationError({field: str(refused)}) from None


class DocumentDetail(_KnowledgeView):
    scopes: ClassVar = {"GET": Scope.KNOWLEDGE_READ, "DELETE": Scope.KNOWLEDGE_WRITE}

    @extend_schema(operation_id="documents_read", responses=DocumentSerializer)
    def get(self, request: Request, document_id: UUID) -> Response:
        """How far its reading is."""
        return Response(DocumentSerializer(self.document(document_id)).data)

    @extend_schema(operation_id="documents_delete", responses={204: None})
    def delete(self, request: Request, document_id: UUID) -> Response:
        """Deletes it with all its passages: from now on nothing of it is found."""
        services.delete_document(self.document(document_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DocumentReprocess(_KnowledgeView):
    scopes: ClassVar = {"POST": Scope.KNOWLEDGE_WRITE}

    @extend_schema(
        operation_id="documents_reprocess", request=None, responses={202: DocumentSerializer}
    )
    def post(self, request: Request, document_id: UUID) -> Response:
        """Reads it again; what it has now is found until that is done."""
        document = self.document(document_id)
        services.reprocess_document(document)
        return Response(DocumentSerializer(document).data, status=status.HTTP_202_ACCEPTED)


class KnowledgeSearch(_KnowledgeView):
    scopes: ClassVar = {"POST": Scope.KNOWLEDGE_READ}

    @extend_schema(
        operation_id="knowledge_search", request=SearchQuestion, responses={200: SearchResults}
    )
    def post(self, request: Request) -> Response:
        """What the clone would find for this question, the best first."""
        asked = self.checked(SearchQuestion, request.data)
        coach = asked.pop("coach")
        found = (
            search(workspace_id=self.caller.workspace_id, coach_id=coach.id, **asked)
            if coach
            else []
        )
        return Response({"results": [_as_result(passage) for passage in found]})


def _as_result(found: Found) -> dict[str, Any]:
    return {
        "score": round(found.score, 4),
        "passage": found.passage_id,
        "document": {"id": found.document_id, "title": found.title},
        "location": {"heading": found.heading, "start": found.start, "end": found.end},
        "text": found.text,
    }
