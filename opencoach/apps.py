from django.apps import AppConfig


class OpenCoachConfig(AppConfig):
    name = "opencoach"
    label = "opencoach"

    def ready(self) -> None:
        # Tasks are sent through our Celery app in every process, also in management commands.
        from opencoach import celery  # noqa: F401
