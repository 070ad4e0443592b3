#!/usr/bin/env python
"""Django's command line, with the owner's database role where a command changes the schema."""

import os
import sys
from pathlib import Path

# These commands create or alter tables, schemas or grants, which the application's role may not do.
OWNER_COMMANDS = {
    "migrate",
    "migrate_schemas",
    "makemigrations",
    "prepare_database",
    "create_brand",
    "erase_brand",
    "prepare_demo",
}


def main() -> None:
    """Run one command; re-enter the project's own environment if Django is not importable here."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["DB_ROLE"] = "owner"
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        python = Path(__file__).parent / ".venv" / "bin" / "python"
        if not python.exists() or os.environ.get("ZHENBIAO_REENTERED"):
            sys.exit("Django is not installed here: run `make setup` first.")
        os.environ["ZHENBIAO_REENTERED"] = "1"
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own interpreter, no shell
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
