from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The roof: holds commands and checks that span apps."""

    name = "config"
    verbose_name = "Configuration"
