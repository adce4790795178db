from django.apps import AppConfig


class AIConfig(AppConfig):
    name = "opencoach.ai"
    label = "ai"
