from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from opencoach.common import problems
from opencoach.common.health import healthz, readyz
from opencoach.common.metrics import metrics

api = [
    path("", include("opencoach.accounts.api.urls")),
    path("", include("conversations.api.urls")),
    path("", include("knowledge.api.urls")),
    path("", include("usage.api.urls")),
]

handler404 = "opencoach.urls.not_found"
handler500 = "opencoach.urls.server_error"

urlpatterns = [
    path("", include("conversations.pages.urls")),
    path("accounts/", include("opencoach.accounts.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
]


def _is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A problem document for programs, a page for people."""
    if _is_for_programs(request):
        return problems.not_found(request, exception)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_for_programs(request):
        return problems.server_error(request)
    return defaults.server_error(request)
