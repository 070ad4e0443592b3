"""Whatever is typed into an address, a query or a form: no 5xx, and nothing changes that should not."""

import pytest
from django.test import Client

from tests.flows.two_brands import Two, arguments, path_of, routes, undone

NASTY = {
    "long": "9" * 20_000,
    "NUL": "a\x00b",
    "lone surrogate": "\udcff",
    "right to left": "\u202e1234\u202c",
    "cyrillic": "РЕДЕЕМ",
    "full width": "１２３４５６７８９０１２３４５６",
    "markup": "<script>alert(1)</script>{{7*7}}{% debug %}",
    "quote": "' OR 1=1 --",
    "path": "../../../etc/passwd",
    "zero": "0",
    "minus one": "-1",
    "fraction": "1.5",
    "beyond 63 bits": str(2**63),
    "beyond every float": "1e999",
    "not a number": "NaN",
    "blank": " \t\n",
    "empty": "",
    "emoji": "🎁" * 50,
}
FIELDS = (
    *(
        "q",
        "search",
        "code",
        "secret",
        "serial",
        "phone",
        "number",
        "state",
        "page",
        "cursor",
        "after",
        "before",
        "order",
    ),
    *(
        "from",
        "to",
        "at",
        "day",
        "as_of",
        "format",
        "kind",
        "role",
        "name",
        "name_zh",
        "gtin",
        "count",
        "points",
        "budget",
    ),
    *(
        "reason",
        "note",
        "product",
        "party",
        "region",
        "first",
        "last",
        "label_from",
        "label_to",
        "opens_at",
        "closes_at",
    ),
    *("username", "password", "login", "step", "next", "limit", "offset", "sort", "show", "confirm", "typed", "amount"),
    *(
        "consumer",
        "retailer",
        "promoter",
        "daily_cap",
        "total_cap",
        "one_time_code",
        "lat",
        "lon",
        "accuracy_m",
        "language",
    ),
)


def address(two: Two, route: str, text: str = "") -> str:
    """Return the route's address with its right arguments, or with ``text`` for each of them."""
    names = [part.partition(">")[0].rpartition(":")[2] for part in route.split("<")[1:]]
    if not names:
        return path_of(route, {})
    if route.startswith("01/"):
        return path_of(route, dict.fromkeys(names, text or "06901234567892/21/5JQ2D4Y8562N"))
    return path_of(route, dict.fromkeys(names, text) if text else arguments(two, route))


def visible() -> list[str]:
    return [route for route, _pattern in routes() if route != "api/" and "$" not in route]


ALWAYS = {"NUL", "lone surrogate", "long", "full width", "markup", "beyond 63 bits", "empty"}


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.torture) for name in NASTY]
)
def test_no_page_breaks(two: Two, name: str) -> None:
    text = NASTY[name]
    form = dict.fromkeys(FIELDS, text)
    two.owner.raise_request_exception = False
    broken = []
    for route in visible():
        calls = [("post", address(two, route)), ("get", address(two, route, text[:200]))]
        for method, path in calls:
            if method == "post" and "sign-out" in route:
                continue
            with undone():
                try:
                    answer = getattr(two.owner, method)(
                        path, form if len(text) < 1000 or method == "post" else {"q": text}
                    )
                except UnicodeEncodeError:  # cannot be sent at all
                    continue
            if answer.status_code >= 500:
                broken.append(f"{method} {path[:80]}: {answer.status_code}")

    assert len(visible()) > 50
    assert broken == []


@pytest.mark.parametrize("points", ["0", "-1", "1.5", str(2**63), "1e3", "１０", "", "ten"])
def test_points_are_whole_and_above_zero(two: Two, points: str) -> None:
    """Of all these only full-width digits are a number of points."""
    path = path_of("console/campaigns/<str:public_id>/top-up", {"public_id": two.things["campaign"]})

    answer = two.owner.post(path, {"points": points})

    assert answer.status_code == (302 if points == "１０" else 422)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "x" * 300])
def test_strange_methods_are_refused(two: Two, method: str) -> None:
    for path in ("/", "/console/", "/claim", "/api/v1/redemptions", "/healthz"):
        answer = two.owner.generic(method, path)
        assert answer.status_code < 500, (method, path)


@pytest.mark.parametrize(
    "host", ["", "nobody.example", "brand.localhost.", "BRAND.localhost", "[::1]:80", "a" * 300, "b\x00c", "127.0.0.1"]
)
def test_strange_hosts_are_answered(two: Two, host: str) -> None:
    client = Client(HTTP_HOST=host)

    assert client.get("/console/").status_code in {200, 301, 302, 400, 404}
    assert client.get("/healthz").status_code == 200
