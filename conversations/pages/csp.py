"""The pages' content security policy: nothing runs, and nothing is fetched, but what we serve.

No inline script or style is allowed: data reaches scripts through `json_script` and `data-`
attributes, Alpine is its CSP build, and htmx is told not to evaluate. The admin and the API
documentation are other people's pages with inline scripts of their own and are left out.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
OTHERS = ("/admin/", "/api/")


class ContentSecurityPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(OTHERS):
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
