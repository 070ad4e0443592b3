"""JSON logs with an allow-list of keys: ids only, no text that a person typed."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from common.db import schema_name

# What a line of ours may name by `extra`: public ids of rows, tiers by number, and how many.
NAMED = frozenset({"draw", "campaign", "tier", "claim", "count"})
ALLOWED_KEYS = NAMED | {
    "event", "level", "logger", "timestamp", "request_id", "request", "code", "user_id", "schema", "task", "task_id",
    "job", "outcome", "batch", "duration_ms", "error", "exc_type", "where", "message_id", "queue", "port",
}  # fmt: skip


def keep_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not on the allow-list; of an exception keep its type and place, never its text."""
    exc_info = event.get("exc_info")
    if exc_info:
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        if isinstance(error, BaseException):
            event["exc_type"] = type(error).__name__
            event["where"] = _place(error)
    if "request" in event:  # what people look for may stand in the query
        event["request"] = str(event["request"]).partition("?")[0]
    return {key: value for key, value in event.items() if key in ALLOWED_KEYS}


def name_the_brand(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say for which brand a line of ours is, whoever writes it: a door, a task or a command."""
    if not NAMED.isdisjoint(event):
        event.setdefault("schema", schema_name())
    return event


def hush_failures(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a task that failed keep its name and number: Celery's own line quotes the text of the error."""
    record = event.get("_record")
    if record is not None and record.name == "celery.app.trace" and record.exc_info:
        told = getattr(record, "data", {})
        event.update(event="a task failed", task=told.get("name"), task_id=told.get("id"))
    return event


def _place(error: BaseException) -> list[str]:
    places, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return places[-12:]


def _shared() -> list[structlog.types.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def formatter() -> logging.Formatter:
    """Return what makes one line of JSON of a record, structlog's or the standard library's."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder(allow=NAMED), name_the_brand, hush_failures],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
    )


def configure(options: dict[str, Any]) -> None:
    """Send structlog and the standard library through one JSON formatter."""
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options.get("level", "INFO"))
    # A library's debug line may quote what a person typed; its warnings are ours to see.
    for name in ("django.db.backends", "urllib3", "twilio", "PIL", "fontTools"):
        logging.getLogger(name).setLevel(logging.WARNING)
