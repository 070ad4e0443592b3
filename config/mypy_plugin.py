"""What django-tenants and django-htmx add to Django's classes at run time, told to mypy (pyproject.toml, "plugins")."""

from collections.abc import Callable

from mypy.nodes import SYMBOL_FUNCBASE_TYPES
from mypy.plugin import ClassDefContext, Plugin
from mypy.plugins.common import add_attribute_to_class
from mypy.types import AnyType, TypeOfAny

ADDED = {
    "django.db.backends.base.base.BaseDatabaseWrapper": (
        "tenant", "schema_name", "set_tenant", "set_schema", "set_schema_to_public", "include_public_schema",
    ),
    "django.http.request.HttpRequest": ("tenant", "urlconf", "csp_nonce", "htmx"),
}  # fmt: skip


class Zhenbiao(Plugin):
    """Adds the attributes, each of type Any."""

    def get_customize_class_mro_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Return the hook of a class of ``ADDED``."""
        return _add if fullname in ADDED else None


def _add(context: ClassDefContext) -> None:
    for name in ADDED[context.cls.fullname]:
        found = context.cls.info.names.get(name)
        if found is None or not isinstance(found.node, SYMBOL_FUNCBASE_TYPES):
            add_attribute_to_class(context.api, context.cls, name, AnyType(TypeOfAny.explicit))


def plugin(_version: str) -> type[Plugin]:
    """Return the plugin's class (mypy's convention)."""
    return Zhenbiao
