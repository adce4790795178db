"""The log-in page, and where each person goes from there."""

from typing import Any

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.urls import reverse

from opencoach.accounts.access import caller_from_user
from opencoach.accounts.attempts import WINDOW_SECONDS, forget_attempts, take_attempt
from opencoach.accounts.models import User, Workspace

DEMO_WORKSPACE = "demo"
DEMO_PEOPLE = {
    "admin@example.com": "platform admin",
    "coach@example.com": "coach",
    "client@example.com": "client",
}


class LoginForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "This email and password do not go together. Check both and try again.",
        "too_many": f"Too many attempts. Wait {WINDOW_SECONDS // 60} minutes, then try again.",
    }

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username", "")
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        if not take_attempt(email, address):
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        cleaned: dict[str, Any] = super().clean()
        forget_attempts(email, address)
        return cleaned


class LoginView(auth_views.LoginView):
    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, "too_many"):
            response.status_code = 429
            response["Retry-After"] = str(WINDOW_SECONDS)
        return response

    def get_default_redirect_url(self) -> str:
        return home_of(self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"demo_logins": demo_logins()}


def home_of(user: Any) -> str:
    """A platform admin's desk is the admin, a coach's the inbox, a client's the chat."""
    if getattr(user, "is_staff", False):
        return reverse("admin:index")
    caller = caller_from_user(user)
    return "/coach/" if caller and caller.kind == "coach" else resolve_url("/")


def demo_logins() -> list[dict[str, str]]:
    """The demo people, where there is a demo practice: their addresses, never a password."""
    if not Workspace.objects.filter(slug=DEMO_WORKSPACE).exists():
        return []
    here = set(User.objects.filter(email__in=DEMO_PEOPLE).values_list("email", flat=True))
    return [{"email": email, "role": role} for email, role in DEMO_PEOPLE.items() if email in here]
