"""JSON logs with an allow-list of keys: ids only, no text that a person typed."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED_KEYS = frozenset(
    {
        "event", "level", "logger", "timestamp", "request_id", "request", "code", "user_id", "schema", "task", "task_id",
        "job", "outcome", "batch", "count", "duration_ms", "error", "exc_type", "where", "message_id", "queue", "port",
    }
)  # fmt: skip


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


def _place(error: BaseException) -> list[str]:
    places, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return places[-12:]


def configure(options: dict[str, Any]) -> None:
    """Send structlog and the standard library through one JSON formatter."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                keep_allowed,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(options.get("level", "INFO"))
    # A library's debug line may quote what a person typed; its warnings are ours to see.
    for name in ("django.db.backends", "urllib3", "twilio", "PIL", "fontTools"):
        logging.getLogger(name).setLevel(logging.WARNING)
