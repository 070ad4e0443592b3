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
    drawing: str

    @property
    def logo_svg(self) -> str:
        """The logo: white lines on the brand's colour."""
        return (
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40'>"
            f"<rect width='40' height='40' rx='9' fill='{self.colour}'/>"
            "<g fill='none' stroke='#fff' stroke-width='2.2' stroke-linecap='round' stroke-linejoin='round'>"
            f"{self.drawing}</g></svg>"
        )


BRANDS = (
    DemoBrand(
        "demo", "localhost", "Xilan Tea", "溪岚茶业", "400 800 1688", "#1d5b4f",
        "<path d='M20 31V17c0-6 4-9 10-9 0 7-4 10-10 10m0 5c-5 0-9-3-9-9 6 0 9 3 9 9'/><path d='M12 31h16'/>",
    ),
    DemoBrand(
        "second", "second.localhost", "Suyan Cosmetics", "素妍美妆", "400 820 5566", "#8a2f52",
        "<circle cx='20' cy='20' r='3'/><path d='M20 17c-4-5-3-9 0-10 3 1 4 5 0 10m3 3c5-4 9-3 10 0-1 3-5 4-10 0m-3 3c4 5 3"
        " 9 0 10-3-1-4-5 0-10m-3-3c-5 4-9 3-10 0 1-3 5-4 10 0'/>",
    ),
)  # fmt: skip


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
