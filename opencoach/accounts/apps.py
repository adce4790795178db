from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "opencoach.accounts"
    label = "accounts"

    def ready(self) -> None:
        from opencoach.accounts import checks  # noqa: F401
        from opencoach.accounts.api import schema  # noqa: F401
