"""A line of the log names the row that it is about, and nothing that a person typed."""

import ast
import json
import logging
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
