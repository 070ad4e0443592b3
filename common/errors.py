"""The four ways in which nothing was written. Each service adds its own subclass with a stable ``code``.

A refusal that a customer may hear is no error but an `Outcome`; a programmer's mistake is never caught.
`config.api` alone knows which HTTP status each of these becomes.
"""

from typing import Any

from django.utils.translation import gettext


class DomainError(Exception):
    """Nothing was written. ``code`` is stable, ``detail`` a sentence that says what to do, ``extra`` facts for it.

    Where no ``detail`` is given, the first paragraph of the class's docstring is the sentence, in the reader's language:
    `make messages` collects these docstrings too.
    """

    code = "error"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        self.detail = detail or gettext(sentence_of(self.__doc__ or self.code))
        self.extra = extra
        super().__init__(self.detail)


def sentence_of(docstring: str) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(docstring.partition("\n\n")[0].split())


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
