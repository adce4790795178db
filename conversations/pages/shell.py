"""Who may open a page, and what every page of the coach's area shows around its content."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from conversations.models import Mode
from conversations.selectors import conversations_for
from opencoach.accounts.access import Caller
from opencoach.accounts.models import User, Workspace
from opencoach.accounts.scopes import Scope

Page = Callable[..., HttpResponse]
NEEDS_HUMAN = Q(needs_human=True) | Q(mode=Mode.WAITING)


def client_page(view: Page) -> Page:
    """For a signed-in client; a coach is taken to their inbox."""
    return _page_for("client", view, elsewhere="pages:inbox")


def coach_page(view: Page) -> Page:
    """For a coach of the practice; a client has no business there."""
    return _page_for("coach", view, elsewhere=None)


def owner_page(view: Page) -> Page:
    """For who may change the practice itself: its name and its keys."""

    def for_owner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not caller_of(request).may(Scope.SETTINGS_WRITE):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return coach_page(wraps(view)(for_owner))


def _page_for(kind: Literal["client", "coach"], view: Page, *, elsewhere: str | None) -> Page:
    @never_cache
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        caller: Caller | None = getattr(request, "caller", None)
        if caller is None:
            return _without_workspace(request)
        if caller.kind == kind:
            return view(request, *args, **kwargs)
        if elsewhere is None or caller.kind == "key":
            raise PermissionDenied
        return redirect(elsewhere)

    return page


def _without_workspace(request: HttpRequest) -> HttpResponse:
    """Nobody signs in; a platform admin has a desk of their own; anyone else has no place here."""
    if not request.user.is_authenticated:
        # A part of a page that htmx asks for must not become the log-in form.
        return HttpResponse(status=401) if is_part(request) else redirect_to_login(request.path)
    if request.user.is_staff:
        return redirect(reverse("admin:index"))
    raise PermissionDenied


def caller_of(request: HttpRequest) -> Caller:
    """Only inside a page: its decorator has seen to it that there is one."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller


def is_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part to swap in, rather than a browser for the page."""
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


def workspace_of(caller: Caller) -> Workspace:
    return Workspace.objects.get(id=caller.workspace_id)


def shell(request: HttpRequest, section: str) -> dict[str, Any]:
    """The navigation's context; `section` is the entry that is current."""
    caller = caller_of(request)
    assert isinstance(request.user, User)
    return {
        "active": section,
        "workspace_name": workspace_of(caller).name,
        "me_name": caller.name,
        "me_email": request.user.email,
        "me_initials": initials(caller.name),
        "needs_count": conversations_for(caller).filter(NEEDS_HUMAN).count(),
    }


def initials(name: str) -> str:
    words = name.split()
    ends = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in ends) or "?"


def asked(request: HttpRequest, name: str, *, limit: int = 100) -> str:
    """A query parameter to search by. PostgreSQL has no NUL, so nothing it holds can match one."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:limit]
