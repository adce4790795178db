"""Settings. What differs between machines comes from the environment (`.env.example`)."""

from pathlib import Path

import environ
from celery.schedules import schedule

from opencoach.common.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(str(BASE_DIR / ".env"))

# --- what this machine is -------------------------------------------------------------------
OPENCOACH_DATA = Path(env("OPENCOACH_DATA", default=str(BASE_DIR / ".opencoach")))
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
# The first key encrypts, every key decrypts: to rotate, put a new one in front.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_COOKIES = env.bool("SECURE_COOKIES", default=False)

# --- the application ------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "opencoach.common.apps.PlatformAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "waffle",
    "opencoach",
    "opencoach.accounts",
    "opencoach.ai",
    "usage",
    "flags",
    "prompts_admin",
    "knowledge",
    "learning",
    "conversations",
]
MIDDLEWARE = [
    "opencoach.common.http.TraceMiddleware",
    "opencoach.common.metrics.MetricsMiddleware",
    "conversations.pages.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "opencoach.common.http.AvailabilityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "opencoach.accounts.access.WorkspaceMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "opencoach.urls"
ASGI_APPLICATION = "opencoach.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- data -----------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **env.db("DATABASE_URL"),
        "ENGINE": "opencoach.common.postgres",
        "OPTIONS": {
            # Nobody waits for a lock for ever: the request gets a 503 and tries again.
            "options": "-c lock_timeout=10s",
            "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL", default=24), "timeout": 5},
        },
    }
}
DATABASE_HOP_THREADS = env.int("DATABASE_HOP_THREADS", default=6)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

# --- people ---------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["opencoach.accounts.access.EmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator",
                 "CommonPasswordValidator")
]  # fmt: skip
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
SESSION_ENGINE = "opencoach.accounts.sessions"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
CLIENT_TOKEN_SECONDS = 60 * 60

# --- pages and files ------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT", default=None)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0 if DEBUG else 300
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# --- the API --------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "opencoach.accounts.access.BearerAuthentication",
        "opencoach.accounts.access.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["opencoach.accounts.access.Allowed"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["opencoach.common.http.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "opencoach.common.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "opencoach.common.problems.problem_handler",
    "DEFAULT_PAGINATION_CLASS": "opencoach.common.http.Pages",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "opencoach.common.http.JSONAlways",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OpenCoach",
    "DESCRIPTION": "A coach's AI clone: clients talk to it, the coach takes over live.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "opencoach.common.schema.add_shared_components",
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ConversationMode": "conversations.models.Mode",
        "MessageSource": "conversations.models.Source",
        "TurnStatus": "conversations.models.TurnStatus",
        "DocumentStatus": "knowledge.models.DocumentStatus",
    },
}

WAFFLE_FLAG_MODEL = "flags.Flag"

# --- background work ------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "opencoach"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE = {
    "resume-documents": {
        "task": "knowledge.tasks.resume_documents",
        "schedule": schedule(60),
        "options": {"expires": 120},
    },
}

# --- models ---------------------------------------------------------------------------------
OPENAI_API_KEY = env("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env("OPENAI_BASE_URL", default="")
OPENAI_MODEL = env("OPENAI_MODEL", default="gpt-4.1-mini")
ANTHROPIC_API_KEY = env("ANTHROPIC_API_KEY", default="")
ANTHROPIC_BASE_URL = env("ANTHROPIC_BASE_URL", default="")
ANTHROPIC_MODEL = env("ANTHROPIC_MODEL", default="claude-sonnet-4-5")
AWS_REGION = env("AWS_REGION", default="")
BEDROCK_BASE_URL = env("BEDROCK_BASE_URL", default="")
BEDROCK_API_KEY = env("BEDROCK_API_KEY", default="")
BEDROCK_MODEL = env("BEDROCK_MODEL", default="")
MODEL_LIMITS = {
    "first_token_s": env.float("MODEL_FIRST_TOKEN_SECONDS", default=15.0),
    "gap_s": env.float("MODEL_GAP_SECONDS", default=10.0),
    "whole_s": env.float("MODEL_WHOLE_SECONDS", default=90.0),
}

# --- turns ----------------------------------------------------------------------------------
METRICS_TOKEN = env("METRICS_TOKEN", default="")
TURN_SWEEP_SECONDS = 3
TURN_LEASE_SECONDS = env.int("TURN_LEASE_SECONDS", default=12)
MESSAGE_MAX_CHARACTERS = 8_000

LOGGING = logging_config(env("LOG_LEVEL", default="INFO"))
