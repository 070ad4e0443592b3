"""Errors as JSON (RFC 9457, `application/problem+json`), and the HTTP status of each kind."""

import json
import secrets
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from common.errors import Conflict, DomainError, Forbidden, Invalid, NotFound

PROBLEM = "application/problem+json"


class BadRequest(DomainError):
    """The request cannot be read."""

    code = "bad_request"


class Unauthorized(DomainError):
    """Send an API key in the header Authorization, as a Bearer token."""

    code = "unauthorized"


class UnknownFilter(Invalid):
    """There is no such filter."""

    code = "unknown_filter"


class Unavailable(DomainError):
    """We cannot answer now. Nothing was written. Please send the same again in a moment."""

    code = "try_later"


def refuse_unknown(request: HttpRequest, known: Iterable[str]) -> None:
    """Raise `UnknownFilter` for parameters of the query that no list knows: a misspelt filter would filter nothing."""
    if unknown := sorted(set(request.GET).difference(known)):
        raise UnknownFilter(errors=[{"at": ["query", name], "message": "unknown"} for name in unknown])


_STATUSES: Sequence[tuple[type[DomainError], int]] = (
    (BadRequest, 400),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (Unavailable, 503),
)


def status_of(error: DomainError) -> int:
    """Return the HTTP status that an error becomes."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def problem_fields(status: int, *, code: str, detail: str, errors: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the members of a problem; ``request_id`` names this answer in the logs."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
        "request_id": secrets.token_hex(8),
    }


def fields_of(error: DomainError) -> dict[str, Any]:
    """Return an error's members; ``errors`` in its extra facts are the places in the request."""
    return problem_fields(status_of(error), code=error.code, detail=error.detail, errors=error.extra.get("errors", ()))


def problem(status: int, *, code: str, detail: str, errors: Sequence[dict[str, Any]] = ()) -> HttpResponse:
    """Return a problem as a response."""
    return response_of(problem_fields(status, code=code, detail=detail, errors=errors))


def problem_of(error: DomainError) -> HttpResponse:
    """Return an error as a response."""
    return response_of(fields_of(error))


def response_of(fields: dict[str, Any]) -> HttpResponse:
    """Return the response of a problem's members, with the headers that its status asks for."""
    status = fields["status"]
    response = HttpResponse(json.dumps(fields, ensure_ascii=False), status=status, content_type=PROBLEM)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response
