"""The four ways in which nothing was written. Each service adds its own subclass with a stable ``code``.

A refusal that a customer may hear is no error but an `Outcome`; a programmer's mistake is never caught.
`config.api` alone knows which HTTP status each of these becomes.
"""

from typing import Any


class DomainError(Exception):
    """Nothing was written. ``code`` is stable, ``detail`` a sentence that says what to do, ``extra`` facts for it."""

    code = "error"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.__doc__ or self.code)
        self.detail = detail or (self.__doc__ or self.code)
        self.extra = extra


class NotFound(DomainError):
    """There is no such thing here."""

    code = "not_found"


class Conflict(DomainError):
    """That does not fit what is already there."""

    code = "conflict"


class Invalid(DomainError):
    """The input is not valid."""

    code = "invalid"


class Forbidden(DomainError):
    """You may not do that."""

    code = "forbidden"
