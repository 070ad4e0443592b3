from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The roof: holds commands and checks that span apps."""

    name = "config"
    verbose_name = "Configuration"

    def ready(self) -> None:
        """Register the system checks."""
        from config import checks  # noqa: F401 - importing registers them
