"""The demo's brands, sign-ins and labels, and where `make run` keeps what they need: ``$VAR/demo.json``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError


@dataclass(frozen=True)
class DemoBrand:
    """One brand of the demo."""

    schema: str
    host: str
    name: str
    name_zh: str
    hotline: str
    colour: str


BRANDS = (
    DemoBrand("demo", "localhost", "Xilan Tea", "溪岚茶业", "400 800 1688", "#1d5b4f"),
    DemoBrand("second", "second.localhost", "Suyan Cosmetics", "素妍美妆", "400 820 5566", "#8a2f52"),
)


def require_demo() -> None:
    """Raise `CommandError` in production: these commands print passwords and codes."""
    if settings.PRODUCTION:
        raise CommandError("This command is for demonstration only, and refused in production.")


def _file() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"


def read() -> dict[str, Any]:
    """Return what `seed_demo` left: per schema the sign-ins, the API key, the ranges of labels to hand out."""
    try:
        return json.loads(_file().read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def write(values: dict[str, Any]) -> None:
    """Keep ``values``, readable by this user alone."""
    temporary = _file().with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False))
    temporary.replace(_file())
