"""What `make run` remembers in its data folder: ports, passwords, mode.

The file ``$VAR/local.json`` (mode 0600) is written once by `config.embedded` and read by the settings, so that every
command run with the same ``VAR`` finds the same servers. Environment variables win over it.
"""

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def var_dir() -> Path:
    """Return the data folder: ``$VAR``, by default ``var`` beside the code."""
    return ROOT / Path(os.environ.get("VAR") or "var").expanduser()


def read() -> dict[str, Any]:
    """Return what is remembered, or an empty dict where nothing was written yet."""
    path = var_dir() / "local.json"
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def write(values: dict[str, Any]) -> None:
    """Remember ``values``, readable by this user alone; replaces the file in one step."""
    path = var_dir() / "local.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(values, indent=2))
    temporary.chmod(0o600)
    temporary.replace(path)
