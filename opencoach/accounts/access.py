"""Who is calling: one `Caller`, whichever way they came in.

Session, API key and client token all end in the same small value; views and consumers decide by
it alone. Resolving a caller also names their workspace to the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest, HttpResponse
from rest_framework import authentication, permissions
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from opencoach.accounts.models import ApiKey, Client, Membership, Role, User
from opencoach.accounts.scopes import ALL_SCOPES, CLIENT_SCOPES, COACH_SCOPES
from opencoach.accounts.secrets import (
    API_KEY_PREFIX,
    CLIENT_TOKEN_PREFIX,
    TokenRefused,
    digest_of,
    read_client_token,
)
from opencoach.common.problems import unavailable, unavailable_response
from opencoach.common.rls import enter_workspace, every_workspace, no_workspace

if TYPE_CHECKING:  # DRF's views read the settings as they are imported, and those name this module
    from rest_framework.views import APIView


@dataclass(frozen=True, slots=True)
class Caller:
    kind: Literal["coach", "client", "key"]
    workspace_id: UUID
    scopes: frozenset[str]
    person_id: UUID
    """The user, client or API key: whom the ledger and the audit name."""
    name: str
    client_id: UUID | None = None
    """Set for a client: they see this client's conversations and nothing else."""
    coach_id: UUID | None = None
    """Set for a person who coaches, who can hold a conversation."""
    is_owner: bool = False

    @property
    def speaks_as_client(self) -> bool:
        """A client, and an integrator that passes on what a client wrote on its own pages."""
        return self.kind in ("client", "key")

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class CallerRefused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def caller_from_bearer(token: str) -> Caller:
    """Raises `CallerRefused`, which says what to do about it."""
    if token.startswith(API_KEY_PREFIX):
        return _caller_from_api_key(token)
    if token.startswith(CLIENT_TOKEN_PREFIX):
        return _caller_from_client_token(token)
    raise CallerRefused(
        "unknown_token", "Send an API key (ock_…) or a client token (oct_…) as the bearer token."
    )


def _caller_from_api_key(token: str) -> Caller:
    with every_workspace("the key names the workspace, so it is looked up before there is one"):
        key = ApiKey.objects.filter(digest=digest_of(token), revoked_at=None).first()
    if key is None:
        raise CallerRefused("unknown_key", "This API key does not exist or was revoked.")
    enter_workspace(key.workspace_id)
    return Caller("key", key.workspace_id, frozenset(key.scopes), key.id, key.name)


def _caller_from_client_token(token: str) -> Caller:
    try:
        claims = read_client_token(token)
    except TokenRefused as refused:
        if refused.expired:
            raise CallerRefused(
                "expired_token", "This client token has expired: mint a new one."
            ) from None
        raise CallerRefused("unknown_token", "This is not a client token we signed.") from None
    enter_workspace(claims.workspace_id)
    client = Client.objects.filter(workspace=claims.workspace_id, id=claims.client_id).first()
    if client is None:
        raise CallerRefused("unknown_client", "The client this token was made for is gone.")
    return client_caller(client)


def client_caller(client: Client) -> Caller:
    return Caller(
        "client",
        client.workspace_id,
        CLIENT_SCOPES,
        client.id,
        client.display_name,
        client_id=client.id,
    )


def member_caller(membership: Membership) -> Caller:
    """Expects `user` and, where there is one, `coach` to be selected with the membership."""
    owner = membership.role == Role.OWNER
    coach = getattr(membership, "coach", None)
    return Caller(
        "coach",
        membership.workspace_id,
        ALL_SCOPES if owner else COACH_SCOPES,
        membership.user_id,
        coach.name if coach else membership.user.display_name,
        coach_id=coach.id if coach else None,
        is_owner=owner,
    )


def caller_from_user(user: Any) -> Caller | None:
    """The person's first practice: as a member where they are one, else as a client.

    `None` for nobody and for a person of no workspace (a platform admin, say).
    """
    if not isinstance(user, User) or not user.is_active:
        return None
    with every_workspace("a log-in names a person; which workspaces they have is the question"):
        membership = (
            Membership.objects.filter(user=user)
            .select_related("user", "coach")
            .order_by("created_at")
            .first()
        )
        client = None
        if membership is None:
            client = Client.objects.filter(user=user).order_by("created_at").first()
    if membership is None and client is None:
        return None
    caller = member_caller(membership) if membership else client_caller(client)  # type: ignore[arg-type]
    enter_workspace(caller.workspace_id)
    return caller


class EmailBackend(ModelBackend):
    """Log-in by e-mail, in any case."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        # PostgreSQL cannot hold a NUL, so no user has one in their address.
        if username is None or "\x00" in username:
            return None
        user = super().authenticate(request, username=username.strip(), password=password)
        return user if isinstance(user, User) else None


class WorkspaceMiddleware:
    """Gives a signed-in person's request its `caller` and its workspace, and takes both back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with no_workspace():
            try:
                request.caller = caller_from_user(request.user)  # type: ignore[attr-defined]
            except unavailable() as error:
                return unavailable_response(error)
            return self.get_response(request)


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session; 401 rather than 403 for nobody, as RFC 9110 has it."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        caller = caller_from_user(found[0])
        return (found[0], caller) if caller else None


class BearerAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        try:
            caller = caller_from_bearer(token.strip())
        except CallerRefused as refused:
            raise AuthenticationFailed(refused.detail, code=refused.code) from None
        return (_BearerUser(), caller)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="OpenCoach"'


class _BearerUser:
    """DRF wants a user; for a bearer the `Caller` in `request.auth` is what counts."""

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    pk: ClassVar[None] = None


class Allowed(permissions.BasePermission):
    """The view names the scope each method needs, in `scopes = {"GET": Scope.CLIENTS_READ, …}`."""

    message = "This needs a scope that the caller does not have."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        caller = request.auth
        if not isinstance(caller, Caller):
            return False
        needed = view.scopes.get(request.method)  # type: ignore[attr-defined]
        if needed is None:  # an unknown method; DRF answers 405 by itself
            return True
        self.message = f"This needs the scope {needed}."
        return caller.may(needed)
