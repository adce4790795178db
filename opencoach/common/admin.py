"""The platform's admin: one site that sees every workspace, and the bases its pages share."""

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from typing import Any

import unfold.admin
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from opencoach.common.rls import every_workspace

View = Callable[..., Any]


class PlatformSite(UnfoldAdminSite):  # type: ignore[misc]
    """Each page sees every workspace, from its permission check on until it is rendered."""

    site_title = site_header = "OpenCoach"

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        @wraps(view)
        def across_workspaces(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with every_workspace("a platform admin works across workspaces"):
                response: HttpResponse = view(request, *args, **kwargs)
                # A template response queries while it renders, which Django does after the view.
                if isinstance(response, SimpleTemplateResponse):
                    response.render()
                return response

        # The site's own wrapper checks the permission first and only then calls ours.
        wrapped: View = super().admin_view(across_workspaces, cacheable)
        return wrapped

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one log-in page, and one limit on guesses at it."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied("This page is for platform admins.")
        target = request.GET.get("next") or reverse("admin:index")
        return redirect_to_login(target, settings.LOGIN_URL)


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts to `most` and no further: an exact count would read a whole table for one number.

    A list shows its first `most` rows; a filter or the search finds what lies beyond.
    """

    most = 5_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[: self.most].count() if hasattr(rows, "order_by") else len(rows)


class ModelAdmin(unfold.admin.ModelAdmin):  # type: ignore[misc]
    """What every admin page here starts from."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    ordering: Sequence[str] = ("-pk",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A row never moves to another workspace: what hangs on it would stay behind."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "workspace") if hasattr(obj, "workspace_id") else fields


class ReadOnlyAdmin(ModelAdmin):
    """For what only services write: an admin looks, and acts through named actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
