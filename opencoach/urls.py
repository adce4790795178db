from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from opencoach.common.health import healthz, readyz
from opencoach.common.metrics import metrics

api = [
    path("", include("opencoach.accounts.api.urls")),
    path("", include("conversations.api.urls")),
    path("", include("knowledge.api.urls")),
    path("", include("usage.api.urls")),
]

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
