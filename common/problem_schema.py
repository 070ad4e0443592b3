"""The shape of an error in the JSON API; `common.problems` makes them."""

from ninja import Schema
from pydantic import Field


class ProblemDetail(Schema):
    at: list[str | int] = Field(description="where in the request")
    message: str


class Problem(Schema):
    """An error: nothing was written (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemDetail]
    request_id: str
