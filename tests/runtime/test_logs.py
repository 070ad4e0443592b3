"""A line of the log names the row that it is about, and nothing that a person typed."""

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path

from common.db import schema_name
from config import logs

ROOT = Path(__file__).parents[2]


def line(extra: dict[str, object]) -> dict[str, object]:
    """Return what is written of a record with these extras."""
    record = logging.getLogger("lottery").makeRecord(
        "lottery", logging.CRITICAL, __file__, 1, "a draw stands still", (), None, extra=extra
    )
    written: dict[str, object] = json.loads(logs.formatter().format(record))
    return written


def test_the_row_and_its_brand_are_named(brand: object) -> None:
    written = line({"draw": "drw_01", "count": 3})

    assert (written["event"], written["draw"], written["count"]) == ("a draw stands still", "drw_01", 3)
    assert written["schema"] == schema_name() != "public"


def test_what_is_not_allowed_is_dropped() -> None:
    assert "phone" not in line({"phone": "+8613800138000"})


def named() -> list[tuple[str, str]]:
    """Return each key of an `extra` in the sources, with its file."""
    found = []
    for path in sorted(ROOT.glob("*/**/*.py")):
        top = path.relative_to(ROOT).parts[0]
        if top in {"tests", "node_modules", "var"} or top.startswith("."):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                found += [(str(path.relative_to(ROOT)), ast.literal_eval(key)) for key in node.value.keys if key]
    return found


def test_every_key_that_a_line_gives_is_written() -> None:
    keys = named()

    assert ("lottery/services/drawing.py", "draw") in keys
    assert [one for one in keys if one[1] not in logs.NAMED] == []


def test_an_error_leaves_its_type_and_place_without_its_text() -> None:
    try:
        raise ValueError("8613800138000")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())

    text = logs.formatter().format(record)

    assert "ValueError" in text
    assert "test_logs.py" in text
    assert "8613800138000" not in text


def test_a_task_that_failed_is_named_without_the_text_of_its_error() -> None:
    told = {"name": "lottery.tasks.go_on", "id": "7f", "exc": "ValueError('8613800138000')"}
    try:
        raise ValueError("8613800138000")
    except ValueError:
        record = logging.getLogger("celery.app.trace").makeRecord(
            "celery.app.trace", logging.ERROR, __file__, 1, "Task %(name)s: %(exc)s", (told,), sys.exc_info(),
            extra={"data": told},
        )  # fmt: skip

    text = logs.formatter().format(record)

    assert json.loads(text)["task"] == "lottery.tasks.go_on"
    assert "8613800138000" not in text


def test_a_worker_writes_the_same_lines() -> None:
    script = """
import logging
from config.celery import app
app.log.setup_logging_subsystem(loglevel="WARNING")
import django
django.setup()
app.log.setup_logging_subsystem(loglevel="WARNING")
logging.getLogger("lottery").critical("a draw stands still", extra={"draw": "drw_01", "phone": "13800138000"})
"""
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)

    [written] = [json.loads(text) for text in said.stderr.splitlines() if "a draw stands still" in text]
    assert written["draw"] == "drw_01"
    assert "phone" not in written
