from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from opencoach.accounts import services
from opencoach.accounts.access import Caller
from opencoach.accounts.api.serializers import (
    ClientChange,
    ClientSerializer,
    ClientToken,
    NewClient,
    Nothing,
)
from opencoach.accounts.models import Client
from opencoach.accounts.scopes import Scope
from opencoach.accounts.secrets import sign_client_token
from opencoach.accounts.selectors import coach_for_new_clients
from opencoach.common.problems import Conflict
from opencoach.common.schema import refusal


class _ClientView(GenericAPIView[Client]):
    serializer_class = ClientSerializer
    queryset = Client.objects.none()  # for the schema, which has no caller

    @property
    def caller(self) -> Caller:
        caller = self.request.auth
        assert isinstance(caller, Caller)  # `Allowed` has let nobody else in
        return caller

    def client(self, client_id: UUID) -> Client:
        return get_object_or_404(Client, workspace_id=self.caller.workspace_id, id=client_id)

    def body(self, serializer: type[Any], request: Request, **options: Any) -> dict[str, Any]:
        checked = serializer(
            data=request.data, context={"workspace_id": self.caller.workspace_id}, **options
        )
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)


class ClientList(_ClientView):
    scopes: ClassVar = {"GET": Scope.CLIENTS_READ, "POST": Scope.CLIENTS_WRITE}

    @extend_schema(
        operation_id="clients_list",
        parameters=[
            OpenApiParameter("external_id", str, description="Only the client of this id of yours.")
        ],
        responses=ClientSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The workspace's clients, the newest first."""
        clients = Client.objects.filter(workspace_id=self.caller.workspace_id)
        if external_id := request.query_params.get("external_id"):
            # PostgreSQL cannot hold a NUL, so nobody has one in their id.
            clients = clients.filter(external_id=external_id.replace("\x00", "\ufffd"))
        page = self.paginate_queryset(clients)
        return self.get_paginated_response(ClientSerializer(page, many=True).data)

    @extend_schema(
        operation_id="clients_create",
        request=NewClient,
        responses={
            201: ClientSerializer,
            200: OpenApiResponse(
                ClientSerializer, "There is a client of this `external_id`: it is left as it is."
            ),
        }
        | refusal(409, "The workspace has no coach yet."),
    )
    def post(self, request: Request) -> Response:
        """Makes a client, once for each `external_id`."""
        details = self.body(NewClient, request)
        coach = details.pop("coach", None) or coach_for_new_clients(
            self.caller.workspace_id, self.caller.coach_id
        )
        if coach is None:
            raise Conflict("This workspace has no coach yet, who every client needs.")
        client, created = services.create_client(coach=coach, **details)
        return Response(
            ClientSerializer(client).data,
            status.HTTP_201_CREATED if created else status.HTTP_200_OK,
        )


class ClientDetail(_ClientView):
    scopes: ClassVar = {
        "GET": Scope.CLIENTS_READ,
        "PATCH": Scope.CLIENTS_WRITE,
        "DELETE": Scope.CLIENTS_WRITE,
    }

    @extend_schema(operation_id="clients_read", responses=ClientSerializer)
    def get(self, request: Request, client_id: UUID) -> Response:
        """One client of the workspace."""
        return Response(ClientSerializer(self.client(client_id)).data)

    @extend_schema(operation_id="clients_change", request=ClientChange, responses=ClientSerializer)
    def patch(self, request: Request, client_id: UUID) -> Response:
        """Changes the fields that the body names."""
        client = self.client(client_id)
        changes = self.body(ClientChange, request)
        return Response(
            ClientSerializer(services.change_client(client=client, changes=changes)).data
        )

    @extend_schema(operation_id="clients_delete", responses={204: None})
    def delete(self, request: Request, client_id: UUID) -> Response:
        """Erases the client with every conversation. The ledger keeps counts, without text."""
        services.erase_client(client=self.client(client_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ClientTokens(_ClientView):
    scopes: ClassVar = {"POST": Scope.CLIENTS_WRITE}

    @extend_schema(operation_id="clients_mint_token", request=Nothing, responses={201: ClientToken})
    def post(self, request: Request, client_id: UUID) -> Response:
        """A short-lived token that sees this client's conversations and nothing else."""
        client = self.client(client_id)
        self.body(Nothing, request)
        expires_at = now() + timedelta(seconds=settings.CLIENT_TOKEN_SECONDS)
        token = sign_client_token(client.workspace_id, client.id)
        return Response(
            ClientToken({"token": token, "expires_at": expires_at}).data,
            status.HTTP_201_CREATED,
        )
