from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.timezone import now

from opencoach.accounts.scopes import Scope
from opencoach.accounts.tenancy import TenantModel
from opencoach.common.ids import uuid7


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in. What they may see follows from memberships, never from this row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("platform admin", default=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            # Held in lower case, `unique` means one user per address in whatever case it is typed.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="email_in_lower_case")
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    @property
    def display_name(self) -> str:
        return self.name or self.email.partition("@")[0]


class Workspace(models.Model):
    """One coaching practice: the tenant."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner"
    COACH = "coach"


class Membership(TenantModel):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Coach(TenantModel):
    """A human coach of the practice, and the face of their clone."""

    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="coach")
    name = models.CharField(max_length=120)
    clone_name = models.CharField(max_length=120)
    greeting = models.TextField(blank=True, max_length=500)
    approach = models.TextField(
        blank=True,
        max_length=4000,
        help_text="How you work and speak, in your own words. The clone reads this every time.",
    )

    class Meta:
        verbose_name_plural = "coaches"

    def __str__(self) -> str:
        return self.name


class Client(TenantModel):
    """A person who is coached. `user` is set where they log in here themselves."""

    external_id = models.CharField(max_length=120)
    coach = models.ForeignKey(Coach, on_delete=models.PROTECT, related_name="clients")
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="clients"
    )
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=now, editable=False)

    coach_id: UUID
    user_id: UUID | None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "external_id"], name="one_external_id")
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return self.name or self.email or self.external_id


class ApiKey(TenantModel):
    """An integrator's key. Only its SHA-256 is stored: the key has 256 random bits of its own."""

    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope))
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class Provider(models.TextChoices):
    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"


class ProviderKey(TenantModel):
    """The workspace's own key to a model provider (BYOK), encrypted at rest."""

    provider = models.CharField(max_length=20, choices=Provider)
    ciphertext = models.BinaryField(editable=False)
    hint = models.CharField(max_length=8, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "provider"], name="one_key_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} …{self.hint}"
