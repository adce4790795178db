from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from opencoach.accounts import services
from opencoach.accounts.models import (
    ApiKey,
    Client,
    Coach,
    Membership,
    ProviderKey,
    User,
    Workspace,
)
from opencoach.common.admin import ModelAdmin, ReadOnlyAdmin

admin.site.unregister(Group)  # what a person may do follows from memberships


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_staff", "is_active", "created_at")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "name")
    ordering = ("-id",)  # type: ignore[misc]
    filter_horizontal = ()
    readonly_fields = ("last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "password", "name", "timezone")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "password1", "password2")}),
    )


@admin.register(Workspace)
class WorkspaceAdmin(ModelAdmin):
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    readonly_fields = ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the ledger names it, and the ledger stays


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "workspace")
    search_fields = ("user__email", "workspace__slug")
    autocomplete_fields = ("user", "workspace")
    readonly_fields = ("created_at",)


@admin.register(Coach)
class CoachAdmin(ModelAdmin):
    list_display = ("name", "clone_name", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name", "workspace__slug")
    autocomplete_fields = ("membership",)
    readonly_fields = ("workspace",)

    def get_readonly_fields(self, request: HttpRequest, obj: Coach | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "membership") if obj else fields

    def save_model(self, request: HttpRequest, obj: Coach, form: Any, change: bool) -> None:
        obj.workspace_id = obj.membership.workspace_id
        super().save_model(request, obj, form, change)


class ClientForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_coach(self) -> Coach:
        coach: Coach = self.cleaned_data["coach"]
        if not self.instance._state.adding and coach.workspace_id != self.instance.workspace_id:
            raise ValidationError("This coach belongs to another workspace.")
        return coach


@admin.register(Client)
class ClientAdmin(ModelAdmin):
    form = ClientForm
    list_display = ("display_name", "external_id", "workspace", "coach", "created_at")
    list_select_related = ("workspace", "coach")
    search_fields = ("name", "email", "external_id", "workspace__slug")
    autocomplete_fields = ("coach", "user")
    readonly_fields = ("workspace", "created_at")

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        obj.workspace_id = obj.coach.workspace_id
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Client) -> None:
        services.erase_client(client=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        for client in queryset:
            services.erase_client(client=client)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "hint", "workspace", "created_by", "created_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("workspace", "created_by")
    search_fields = ("name", "hint", "workspace__slug")
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    @admin.action(description="Revoke", permissions=("revoke",))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        assert request.user.pk  # the site lets platform admins in and nobody else
        revoked = [key for key in queryset if services.revoke_api_key(key=key)]
        LogEntry.objects.log_actions(
            user_id=request.user.pk,
            queryset=revoked,
            action_flag=CHANGE,
            change_message="Revoked.",
        )
        messages.success(request, f"Revoked: {len(revoked)}.")


@admin.register(ProviderKey)
class ProviderKeyAdmin(ReadOnlyAdmin):
    list_display = ("provider", "hint", "workspace", "created_at")
    list_filter = ("provider",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__slug",)
    fields = ("workspace", "provider", "hint", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.delete_providerkey")
