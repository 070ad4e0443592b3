"""The pages that see several apps, asked as a browser would."""

import re
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import get_resolver

from brands.models import Brand
from brands.theme import contrast
from common.models import Job
from console import navigation
from console.navigation import MENU
from staff.models import Audit, User
from tests.browser.world import populate
from tests.conftest import NOW

BRAND = {
    "name": "Xilan Tea", "name_zh": "溪岚茶业", "short_name": "Xilan", "short_name_zh": "溪岚", "hotline": "400 1",
    "default_language": "en", "time_zone": "Asia/Shanghai", "colour": "#1d5b4f", "on_colour": "#ffffff",
    "activation_requires": "received", "claim_limit": "100000",
}  # fmt: skip
CIRCLE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'


def test_the_menu_leads_somewhere() -> None:
    assert [item.path for group in MENU for item in group.items if not navigation.exists(item.path)] == []


def test_the_menu_shows_what_the_role_may_open(browse: Callable[..., Client]) -> None:
    owner, warehouse = (browse(role).get("/console/").content.decode() for role in ("owner", "warehouse"))

    assert 'href="/console/keys"' in owner
    assert 'href="/console/partners"' in warehouse
    assert 'href="/console/keys"' not in warehouse


@pytest.fixture
def world(real_commits: Brand) -> dict[str, str]:
    return populate()


def owner(host: str = "brand.localhost") -> Client:
    user, _ = User.objects.get_or_create(username="ada", defaults={"role": "owner"})
    client = Client(HTTP_HOST=host)
    client.force_login(user)
    return client


def test_no_link_of_any_page_is_dead(world: dict[str, str]) -> None:
    """Walk the console from Today over every link that a page shows, and find no dead end."""
    client, seen, waiting = owner(), set(), ["/console/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code in {200, 302}, path
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            links = re.findall(r'href="(/(?:console|01)[^"#]*|\?[^"#]*)"', answer.content.decode())
            links = [link.replace("&amp;", "&") for link in links]
            waiting += [link if link.startswith("/") else path.partition("?")[0] + link for link in links]
    assert len(seen) > 60


def test_the_strangers_owner_finds_nothing_of_ours(world: dict[str, str]) -> None:
    """Every page that names a thing is opened as its owner, then with the same address by the other brand's owner."""
    ours = [path for path in _named_pages(world) if owner().get(path).status_code == 200]
    connection.set_tenant(Brand.objects.get(schema_name="stranger"))

    answers = {path: owner("stranger.localhost").get(path).status_code for path in ours}

    assert len(ours) >= 15
    assert {path: status for path, status in answers.items() if status != 404} == {}


def _named_pages(world: dict[str, str]) -> list[str]:
    values = {
        "serial": world["serial"], "number": world["receipt"], "prefix": world["key"], "public_id": "", "pk": "1",
    }  # fmt: skip
    names = {
        "campaigns": world["campaign"], "jobs": world["job"], "members": world["member"], "partners": world["retailer"],
        "batches": world["batch"], "products": world["product"], "templates": world["template"], "runs": world["run"],
        "prints-of-people": world["run"],
    }  # fmt: skip
    found = []
    for resolver in get_resolver("config.urls").url_patterns:
        if str(resolver.pattern) != "console/":
            continue
        for pattern in resolver.url_patterns:
            route = str(pattern.pattern)
            head = route.partition("/")[0]
            # both brands have a first member of staff, and the usual limits on what messages cost
            if "<" in route and not route.startswith(("staff", "spending")):
                fill = {**values, "public_id": names.get(head, "none")}
                found.append("/console/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m, f=fill: f.get(m[1], "1"), route))
    return found


def test_the_figures_of_today_are_exact(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    populate(NOW)  # late in the brand's morning: at any hour, some of what was done just now may be yesterday's
    monkeypatch.setattr("console.views.now", lambda: NOW)
    cache.clear()
    page = owner().get("/console/")

    found = page.context["found"]
    assert (found.redeemed.now, found.points.now, found.members.now) == (12, 1440, 3)
    assert sum(row.count for row in page.context["answers"]) == found.checks.now == 17
    assert sum(found.hours_now) == 17
    assert [alarm.look for alarm in page.context["alarms"]].count("no") == 3


def test_csv_is_what_is_on_screen(world: dict[str, str]) -> None:
    client = owner()
    everything = client.get("/console/receipts?format=csv").content.decode()
    redeemed = client.get("/console/receipts?outcome=REDEEMED&format=csv").content.decode()

    assert everything.startswith("\ufeffReceipt,Time,Answer")
    assert len(everything.splitlines()) == 1 + int(world["scans"])
    assert len(redeemed.splitlines()) == 13
    assert Audit.objects.filter(act="export").count() == 2


def test_a_running_job_asks_again_and_an_ended_one_does_not(browse: Callable[..., Client]) -> None:
    job = Job.objects.create(kind="x", state="running", done=5, total=10, created_at=NOW, started_at=NOW)
    client = browse()
    running = client.get(f"/console/jobs/{job.public_id}/progress")
    assert 'hx-trigger="every 2s"' in running.content.decode()
    assert "50.0 %" in client.get("/console/jobs/indicator").content.decode()

    Job.objects.filter(pk=job.pk).update(state="done", done=10)
    ended = client.get(f"/console/jobs/{job.public_id}/progress")

    assert "hx-trigger" not in ended.content.decode()
    assert ended["HX-Refresh"] == "true"


def test_only_some_stop_jobs(browse: Callable[..., Client]) -> None:
    job = Job.objects.create(kind="x", state="running", total=10, created_at=NOW)
    assert browse("analyst").post(f"/console/jobs/{job.public_id}/cancel").status_code == 403

    browse("production").post(f"/console/jobs/{job.public_id}/cancel")

    job.refresh_from_db()
    assert job.cancel_asked


def test_the_brand_changes_its_look_and_it_is_noted(real_commits: Brand) -> None:
    answer = owner().post("/console/brand", {**BRAND, "logo_svg": CIRCLE})

    assert answer.status_code == 302
    page = owner().get("/console/brand").content.decode()
    assert "--brand: #1d5b4f" in page
    logo = Client(HTTP_HOST="brand.localhost").get("/brand/logo.svg")
    assert (logo.status_code, logo["Content-Security-Policy"]) == (200, "default-src 'none'; sandbox")
    assert "colour" in Audit.objects.get(act="change_brand").after["changed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("on_colour", "#2d6b5f"),
        ("colour", "red"),
        ("colour", "#1d5b4f;}"),
        ("logo_svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("logo_svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("logo_svg", "<svg xmlns='http://www.w3.org/2000/svg'><use href='https://elsewhere.example/#x'/></svg>"),
        ("logo_svg", "<svg xmlns='http://www.w3.org/2000/svg'><path fill='url(https://elsewhere.example)'/></svg>"),
        ("logo_svg", "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("logo_svg", "<svg xmlns='http://www.w3.org/2000/svg'><foreignObject/></svg>"),
        ("logo_svg", "<html xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("logo_svg", "<svg"),
        ("time_zone", "Mars/Olympus"),
        ("hotline", ""),
    ],
)
def test_a_bad_look_is_refused(browse: Callable[..., Client], field: str, value: str) -> None:
    page = browse().post("/console/brand", {**BRAND, field: value})

    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_contrast_is_that_of_the_guidelines() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert contrast("#1f3f6e", "#ffffff") > 4.5


def test_pages_of_what_went_wrong_say_what_to_do(browse: Callable[..., Client]) -> None:
    inside, outside = browse().get("/console/nowhere"), Client(HTTP_HOST="brand.localhost").get("/nowhere")
    api = Client(HTTP_HOST="brand.localhost").get("/api/nowhere")

    assert (inside.status_code, outside.status_code, api.status_code) == (404, 404, 404)
    assert "Back to Today" in inside.content.decode()
    assert "Back to Today" not in outside.content.decode()
    assert api["Content-Type"] == "application/problem+json"


def test_a_fault_of_ours_shows_no_trace(browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    client = browse()
    client.raise_request_exception = False
    monkeypatch.setattr("console.today.today", lambda at: 1 / 0)

    page = client.get("/console/")

    assert page.status_code == 500
    assert "Try again" in page.content.decode()
    assert "ZeroDivision" not in page.content.decode()


def test_a_form_from_elsewhere_changes_nothing(brand: Brand) -> None:
    user = User.objects.create_user("ada", role="owner", language="en")
    client = Client(HTTP_HOST="brand.localhost", enforce_csrf_checks=True)
    client.force_login(user)

    page = client.post("/console/keys/new", {"name": "x", "scopes": ["read"]})

    assert page.status_code == 403
    assert "open too long" in page.content.decode()
