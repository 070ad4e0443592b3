"""Everything of one brand, asked for as another: every operation of the API and every page with an address of its own.

Each is first asked as its owner, who gets it; then with the same arguments as a stranger, who gets what an id that never
existed gets: the same status, body and number of queries. What the first brand has stays as it was.
"""

import json
import re
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser.world import PHONES
from tests.environment import BRAND
from tests.flows.two_brands import HOST, STRANGER_HOST, Two, arguments, path_of, routes, undone
from tests.lottery.prizes import ADDRESS

OWNED = ("console/", "portal/", "r/", "rules/", "p/", "me")  # what lies below these and takes an argument is a brand's
NOT_OWNED = (
    "r/",  # shown to the visitor who got the receipt: tests/redemption/test_visitor.py
    "console/games/<str:public_id>/sign",  # for the role legal alone: tests/console/test_games.py
    "me/",  # the member's who signed in: tests/redemption/test_prizes.py
    "console/texts/",  # every brand has a text of this name, in words of its own
)


# --- pages --------------------------------------------------------------------------------------------------------------


def owned_routes() -> list[tuple[str, dict[str, Any]]]:
    """Return the routes that name something of a brand's: those that take an argument."""
    return [
        (route, pattern.pattern.converters)
        for route, pattern in routes()
        if pattern.pattern.converters and route.startswith(OWNED)
    ]


# What is posted where a page is for posting only. Default: an empty form.
FORMS: dict[str, dict[str, str]] = {
    "console/handovers/<slug:public_id>/acknowledge": {"plain_hash": "0" * 64},
    "console/press/files/<slug:public_id>/acknowledge": {"plain_hash": "0" * 64},
    "console/presses/<slug:public_id>/accounts/<int:pk>": {"use": "no"},
    "console/calls/<uuid:uuid>/note": {"kind": "other"},
    "portal/questions/<str:public_id>/appeal": {"text": "It was a transfer."},
    "console/members/<str:public_id>/export": {"reason": "asked by letter"},
    "console/members/<str:public_id>/erase": {"reason": "asked by letter", "confirm": "yes"},
    "console/labels/<str:serial>/reverse": {"reason": "scanned by shop staff"},
    "console/ledger/transfers/<int:transfer_id>/reverse": {"reason": "posted by mistake", "confirm": "on"},
    "console/games/<str:public_id>/halt": {"reason": "A mistake in the rules.", "typed": "{public_id}"},
    "console/campaigns/<str:public_id>/halt": {"reason": "A mistake in the rules.", "typed": "{public_id}"},
    "console/campaigns/<str:public_id>/top-up": {"points": "5"},
    "console/claims/<str:public_id>/register": {"seen": "won"} | ADDRESS,
    "console/claims/<str:public_id>/check": {"seen": "claimed"},
    "console/claims/<str:public_id>/lose": {"seen": "claimed", "why": "refused/not_identified"},
    "console/claims/<str:public_id>/approve": {"seen": "checked"},
    "console/claims/<str:public_id>/send": {"seen": "approved", "courier": "SF", "tracking_no": "SF1"},
    "console/claims/<str:public_id>/paid": {"reference": "2026-77"},
    "console/claims/<str:public_id>/received": {"seen": "sent"},
    "console/cases/<str:public_id>/move": {"seen": "new", "to": "watch"},
    "console/cases/<str:public_id>/note": {"text": "seen"},
    "console/cases/<str:public_id>/decide": {"seen": "new", "decision": "rejected", "reason": "a transfer"},
    "console/cases/<str:public_id>/close": {"seen": "rejected"},
    "console/cases/<str:public_id>/appeal": {"text": "not so"},
    "console/cases/<str:public_id>/caution": {"effect": "stop_points", "reason": "clone"},
    "console/cases/<str:public_id>/lift": {"outcome": "released"},
    "console/approvals/<int:pk>/decide": {"decision": "reject", "note": "no"},
    "console/partners/<str:public_id>/state": {"state": "paused"},
    "portal/documents/<str:public_id>/decision": {"decision": "no"},
    "console/partners/<str:public_id>/access/people/<int:pk>": {"use": "no"},
}
MADE_UP = {
    "pk": "987654",
    "transfer_id": "987654",
    "number_id": "987654",
    "budget_id": "987654",
    "prefix": "ak_live_zzzzzz",
    "serial": "5JQ2D4Y8562N",
    "sscc": "395210000123456786",
    "number": "112233445566",
    "receipt_no": "112233445566",
}


def made_up(name: str, value: str, route: str) -> str:
    """Return an id of the same form that never existed."""
    if route.startswith("p/"):
        return "R9993"
    if "-" in value:
        return "0f8fad5b-d9cb-469f-a165-70867728950e"
    return MADE_UP.get(name) or value[:4] + "a" * (len(value) - 4)


def fetch(client: Client, method: str, path: str, form: dict[str, str]) -> HttpResponse:
    return client.get(path) if method == "GET" else client.post(path, form)


def told(response: HttpResponse, values: dict[str, str]) -> tuple[int, str]:
    """Return status and body, without what differs from one request to the next, and without the ids asked for."""
    body = response.content.decode()
    body = re.sub(r'nonce="[^"]*"|"[A-Za-z0-9]{64}"|\d\d:\d\d:\d\d', "", body)
    for value in values.values():
        body = body.replace(f"/{value}", "/ID") if value.isdigit() else body.replace(value, "ID")
    return response.status_code, body


def difference(one: tuple[int, str], other: tuple[int, str]) -> str:
    """Return where two answers part."""
    at = next((n for n, (a, b) in enumerate(zip(one[1], other[1], strict=False)) if a != b), 0)
    return f"{one[0]} {one[1][max(0, at - 60) : at + 60]!r} and {other[0]} {other[1][max(0, at - 60) : at + 60]!r}"


def state_of(schema: str) -> dict[str, str]:
    """Return a digest of every table of a schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
        tables = [row[0] for row in cursor.fetchall()]
        digests = ", ".join(
            f"(SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM \"{schema}\".\"{table}\" t)"
            for table in tables
        )
        cursor.execute(f"SELECT {digests}")
        return dict(zip(tables, cursor.fetchone(), strict=True))


def test_no_page_shows_a_stranger_what_is_not_theirs(two: Two) -> None:
    before = state_of(BRAND)
    found: list[str] = []
    seen = 0
    for route, converters in owned_routes():
        if route.startswith(NOT_OWNED):
            continue
        values = arguments(two, route)
        assert values.keys() == converters.keys(), route
        nobodys = {name: made_up(name, value, route) for name, value in values.items()}
        form = {name: text.format(**values) for name, text in FORMS.get(route, {}).items()}
        owner = two.press if route.startswith("console/press/") else two.owner
        owner = two.partner if route.startswith("portal/") else owner
        with undone():
            method = "POST" if owner.get(path_of(route, values)).status_code == 405 else "GET"
        with undone():
            mine = fetch(owner, method, path_of(route, values), form)
        elsewhere = mine.headers.get("Location", "")
        if mine.status_code >= 400 or elsewhere.startswith(("/console/sign-in", "/console/account", "/portal/sign-in")):
            found.append(f"{method} {route}: its own owner gets {mine.status_code} {elsewhere}")
            continue
        with undone(), CaptureQueriesContext(connection) as theirs_queries:
            theirs = told(fetch(two.stranger, method, path_of(route, values), form), values)
        with undone(), CaptureQueriesContext(connection) as nobodys_queries:
            nothing = told(fetch(two.stranger, method, path_of(route, nobodys), form), nobodys)
        with undone():
            crossed = fetch(two.crossed, method, path_of(route, values), form)
        if theirs[0] not in {403, 404}:
            found.append(f"{method} {route}: a stranger gets {theirs[0]}")
        if theirs != nothing:
            found.append(
                f"{method} {route}: a stranger sees a difference to an id that never existed: {difference(theirs, nothing)}"
            )
        if len(theirs_queries) != len(nobodys_queries):
            found.append(f"{method} {route}: {len(theirs_queries)} queries, {len(nobodys_queries)} for no such id")
        if crossed.status_code == 200 and route.startswith(("console/", "portal/")):
            found.append(f"{method} {route}: a session of another brand is let in")
        if state_of(BRAND) != before:
            found.append(f"{method} {route}: a stranger changed something")
        seen += 1

    assert seen > 20
    assert found == [], "\n".join(found)


MARKS = ("Mist Ridge", "雾岭", "R1001", "P2002", "Lin Wei", "138****8000", "Spring Tea", "2611-", "bo.the.second")


def test_no_list_shows_a_stranger_what_is_not_theirs(two: Two) -> None:
    shown, found = set(), []
    for route, pattern in routes():
        if pattern.pattern.converters or not route.startswith(("console/", "me", "rules", "privacy")):
            continue
        for query in ("?q=oolong", "?format=csv"):
            with undone():
                mine = two.owner.get(f"/{route}{query}").content.decode()
            with undone():
                theirs = two.stranger.get(f"/{route}{query}")
            shown |= {mark for mark in MARKS if mark in mine}
            found += [f"/{route}{query} shows {mark}" for mark in MARKS if mark in theirs.content.decode()]
            found += [f"/{route}{query}: {theirs.status_code}"] * (theirs.status_code >= 500)

    assert len(shown) >= 5, "the owner's own lists do not show what is searched for"
    assert found == [], "\n".join(found)


# --- the API ------------------------------------------------------------------------------------------------------------


Operation = tuple[str, str]  # method, path


def described() -> dict[Operation, dict[str, Any]]:
    from config.api import api

    return {
        (method.upper(), path): operation
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method, operation in operations.items()
    }


def calls(two: Two) -> dict[Operation, tuple[str, Any]]:
    """Return, for each operation, the path and body of a call that its owner is right to make."""
    redeem = {"code": two.secret, "phone": PHONES[0], "retailer": "R1001"}
    return {
        ("POST", "/api/v1/checks"): ("/api/v1/checks", {"serial": two.serial}),
        ("POST", "/api/v1/redemptions"): ("/api/v1/redemptions", redeem),
        ("POST", "/api/v1/redemptions/bulk"): (
            "/api/v1/redemptions/bulk",
            {"attempts": [{**redeem, "code": two.redeemed, "request_id": "bulk-1"}]},
        ),
        ("GET", "/api/v1/receipts/{number}"): (f"/api/v1/receipts/{two.things['receipt']}", None),
        **of_goods(two),
    }


def of_goods(two: Two) -> dict[Operation, tuple[str, Any]]:
    distributor, case, document = (two.things[name] for name in ("distributor", "case", "document"))
    lines = [{"item": case}]
    cancellation = f"/api/v1/documents/{document}/cancellation"
    return {
        ("POST", "/api/v1/shipments"): ("/api/v1/shipments", {"to_partner": distributor, "lines": lines}),
        ("POST", "/api/v1/deliveries"): ("/api/v1/deliveries", {"at_partner": distributor, "lines": lines}),
        ("POST", "/api/v1/returns"): ("/api/v1/returns", {"from_partner": distributor, "lines": lines}),
        ("POST", "/api/v1/transfers"): (
            "/api/v1/transfers",
            {"from_partner": distributor, "to_partner": "R1001", "lines": lines},
        ),
        ("POST", "/api/v1/packings"): ("/api/v1/packings", {"lines": [{"sscc": case, "item": two.serial}]}),
        ("GET", "/api/v1/documents"): ("/api/v1/documents", None),
        ("GET", "/api/v1/documents/{document_id}"): (f"/api/v1/documents/{document}", None),
        ("POST", "/api/v1/documents/{document_id}/cancellation"): (cancellation, {"reason": "typed wrongly"}),
        ("GET", "/api/v1/units/{sscc}"): (f"/api/v1/units/{case}", None),
    }


def ask(host: str, token: str, operation: Operation, path: str, body: Any) -> HttpResponse:
    client = Client(HTTP_HOST=host, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "the-same"})
    if operation[0] == "GET":
        return client.get(path)
    return client.generic(operation[0], path, json.dumps(body), content_type="application/json")


def test_every_operation_of_the_api_has_a_call_here(two: Two) -> None:
    assert calls(two).keys() == described().keys()


def refuses(response: HttpResponse) -> bool:
    """Whether a stranger was told nothing: an error, or what an invented code is told."""
    body = response.json()
    results = body.get("results", [body])
    return body.get("data") == [] or all(
        one.get("status") in {401, 403, 404, 422, "REJECTED"} or one.get("outcome") == "UNKNOWN" for one in results
    )


def test_no_operation_serves_a_stranger(two: Two) -> None:
    before = state_of(BRAND)
    for operation, (path, body) in calls(two).items():
        with undone():
            mine = ask(HOST, two.token, operation, path, body)
            assert 200 <= mine.status_code < 300, operation
            told = mine.content.decode()
            assert any(mark in told for mark in ("REDEEMED", "GENUINE", '"doc_', '"unt_')), operation
        for host, token in (
            (STRANGER_HOST, two.stranger_token),
            (STRANGER_HOST, two.token),
            (HOST, two.stranger_token),
        ):
            with undone():
                theirs = ask(host, token, operation, path, body)
                assert refuses(theirs), (operation, host, theirs.content)
                assert state_of(BRAND) == before, (operation, host)


def test_a_code_of_another_brand_is_answered_like_an_invented_one(two: Two) -> None:
    """Same answer, same number of queries: nobody learns that the code is somebody's."""
    from redemption.rules import Outcome

    invented = invented_code(two.secret)
    answers = []
    for code in (invented_code(two.secret, skip=1), two.secret, invented):  # the first call fills this process's caches
        with undone(), CaptureQueriesContext(connection) as queries:
            body = {"code": code, "asker": "guest"}
            answer = ask(STRANGER_HOST, two.stranger_token, ("POST", ""), "/api/v1/redemptions", body).json()
            assert answer["outcome"] == Outcome.UNKNOWN
            answers.append(({k: v for k, v in answer.items() if k not in {"receipt", "at", "message"}}, len(queries)))

    assert answers[1] == answers[2]


def invented_code(like: str, *, skip: int = 0) -> str:
    """Return a code with a right check symbol that no label has."""
    from labels.queries import Status, resolve

    for n in range(10_000):
        code = f"{(int(like[:-1]) + n * 7_919) % 10**15:015}"
        for symbol in "0123456789":
            if resolve(code + symbol, purpose="secret").status is Status.UNKNOWN:
                if not skip:
                    return code + symbol
                skip -= 1
    raise LookupError("no invented code found")
