from django.apps import AppConfig


class OpenCoachConfig(AppConfig):
    name = "opencoach"
    label = "opencoach"
