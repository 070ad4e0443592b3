"""Long lists as pages and as CSV: keyset paging (never offsets) and cells that no spreadsheet runs as formulas."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar, cast

from defusedcsv import csv
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

T = TypeVar("T", bound=Model)

PAGE_ROWS = 50
CSV_ROWS = 10_000
Column = tuple[Any, str | Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of rows, with the query strings of its neighbours ("" where there is none)."""

    rows: list[T]
    next_query: str
    previous_query: str
    first_query: str

    @property
    def only(self) -> bool:
        """Whether all rows are on this page."""
        return not (self.next_query or self.previous_query)


def keyset_page(
    queryset: QuerySet[T, Any],
    request: HttpRequest,
    order: Sequence[str] = ("-created_at", "-id"),
    limit: int = PAGE_ROWS,
) -> Page[T]:
    """Return the page that ``?after=`` or ``?before=`` names, in ``order`` (the last field must be unique).

    A cursor holds the order fields of the row it stands at; one that cannot be read starts at the first page.
    """
    after, before = _decode(request.GET.get("after")), _decode(request.GET.get("before"))
    backwards = before is not None and after is None
    wanted = [_turned(field) for field in order] if backwards else list(order)
    cursor = _values(queryset.model, order, before if backwards else after)
    found = queryset.order_by(*wanted)
    if cursor is not None:
        found = found.filter(_beyond(wanted, cursor))
    rows = list(found[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (more or backwards)
    has_previous = bool(rows) and (more if backwards else cursor is not None)
    return Page(
        rows,
        _query(request, after=_encode(order, rows[-1])) if has_next else "",
        _query(request, before=_encode(order, rows[0])) if has_previous else "",
        _query(request),
    )


def wants_csv(request: HttpRequest) -> bool:
    """Return whether this page was asked for as a file."""
    return request.GET.get("format") == "csv"


def csv_response(rows: Iterable[Any], columns: Sequence[Column], filename: str) -> HttpResponse:
    """Return ``rows`` as a CSV file in UTF-8 with a byte-order mark, so that Excel reads Chinese.

    A column is a heading and the name of an attribute or a function of the row. At most `CSV_ROWS` rows. The audit
    row of an export is written by `staff.middleware.StaffMiddleware`, from ``row_count``.
    """
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow([str(heading) for heading, _ in columns])
    count = 0
    for row in rows:
        if count >= CSV_ROWS:
            break
        writer.writerow([_cell(get(row) if callable(get) else getattr(row, get)) for _, get in columns])
        count += 1
    response.row_count = count  # type: ignore[attr-defined]
    return response


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(sep=" ", timespec="seconds") if timezone.is_aware(value) else value
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else value if isinstance(value, int) else str(value)


def _turned(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"


def _beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Return what comes after ``values`` in ``order``: (a > x) or (a = x and b > y), and so on."""
    found, same = Q(), Q()
    for field, value in zip(order, values, strict=True):
        name = field.lstrip("-")
        found |= same & Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        same &= Q(**{name: value})
    return found


def _encode(order: Sequence[str], row: Model) -> str:
    values = [_text(getattr(row, field.lstrip("-"))) for field in order]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _decode(text: str | None) -> list[str] | None:
    if not text or len(text) > 400:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        return None
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else None


def _values(model: type[Model], order: Sequence[str], texts: list[str] | None) -> list[Any] | None:
    if texts is None or len(texts) != len(order):
        return None
    try:
        fields = [cast("Field[Any, Any]", model._meta.get_field(name.lstrip("-"))) for name in order]
        values = [field.to_python(text) for field, text in zip(fields, texts, strict=True)]
    except (ValidationError, FieldDoesNotExist, AttributeError):
        return None
    if any("\x00" in value for value in values if isinstance(value, str)):
        return None
    if any(abs(value) >= 2**63 for value in values if isinstance(value, int)):
        return None
    return values


def _query(request: HttpRequest, **cursor: str) -> str:
    query = request.GET.copy()
    for name in ("after", "before", "format"):
        query.pop(name, None)
    for name, value in cursor.items():
        query[name] = value
    return f"?{query.urlencode()}"
