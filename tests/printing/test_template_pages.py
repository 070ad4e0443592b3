"""The pages of templates take any input: what cannot be read is said, nothing fails."""

from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from printing import designs, starters
from printing.models import Template
from staff.models import User
from tests.printing.test_art import picture


@pytest.fixture
def design(brand: Brand, at: datetime) -> Template:
    return designs.create_template(name="Tea", kind="unit", layout=starters.layout("unit"), at=at).template


def client(role: str = "owner") -> Client:
    user, _new = User.objects.get_or_create(username=role, defaults={"role": role})
    found = Client(HTTP_HOST="brand.localhost", HTTP_ACCEPT_LANGUAGE="en")
    found.force_login(user)
    return found


FORM = {
    **dict.fromkeys(("width", "height"), "50"), "bleed": "0", "dpi": "300", "rows": "1", "columns": "1", "gap_x": "0", "gap_y": "0",
    "margin": "0", "e0-type": "text", "e0-x": "2", "e0-y": "9", "e0-size": "8", "e0-text": "A", "e0-color": "#000000", "e0-align": "left",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"width": "nan"}, "too large"),
        ({"width": "1e999"}, "too large"),
        ({"dpi": "300.5"}, "not a whole number"),
        ({"dpi": ""}, "not a whole number"),
        ({"e0-x": "\x00"}, "not a number"),
        ({"e0-x": "400"}, "lies outside"),
        ({"e0-color": "red;}</style>"}, "colour"),
        ({"e0-align": "middle"}, "cannot be drawn"),
        ({"e0-type": "image", "e0-width": "9", "e0-height": "9", "e0-data": "aGVsbG8="}, "Choose a picture"),
        ({"rows": "0"}, "cannot be drawn"),
        ({"rows": "900"}, "too large"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_not_kept(design: Template, changed: dict[str, str], said: str) -> None:
    address = f"/console/templates/{design.public_id}"
    assert "No warnings" in client().post(f"{address}/preview", FORM).content.decode()

    shown = client().post(f"{address}/preview", FORM | changed)
    kept = client().post(address, FORM | changed | {"act": "save"})

    assert (shown.status_code, kept.status_code) == (200, 422)
    assert said in shown.content.decode()
    assert design.versions.count() == 1


@pytest.mark.parametrize("act", ["add:", "add:hologram", "add:name", "drop:99", "up:-1", "copy:x", "\x00", "down:²"])
def test_a_button_that_means_nothing_does_nothing(design: Template, act: str) -> None:
    page = client().post(f"/console/templates/{design.public_id}", FORM | {"act": act})

    assert page.status_code == 200
    assert page.content.decode().count('name="e0-type"') == 1
    assert "e1-type" not in page.content.decode()


def test_marks_and_nuls_in_a_text_are_text(design: Template) -> None:
    text = "<script>alert(1)</script>\x00&amp;"

    kept = client().post(f"/console/templates/{design.public_id}", FORM | {"e0-text": text, "act": "save"})

    assert kept.status_code == 302
    assert design.newest.layout["elements"][0]["text"] == "<script>alert(1)</script>&amp;"
    assert b"<script>alert" not in client().get(f"/console/templates/{design.public_id}").content


def test_who_may_only_read_keeps_nothing(design: Template) -> None:
    auditor = client("auditor")

    kept = auditor.post(f"/console/templates/{design.public_id}", FORM | {"act": "save"})

    assert auditor.get(f"/console/templates/{design.public_id}").status_code == 200
    assert kept.status_code == 422
    assert design.versions.count() == 1
    assert auditor.post("/console/templates/art", {}).status_code == 403


def test_a_picture_is_sent_kept_and_sent_back(design: Template, at: datetime) -> None:
    art = designs.add_art(picture("JPEG"), name="a.jpg", at=at)

    found = client().get(f"/console/templates/art/{art.sha256}")

    assert found.content == bytes(art.data)
    assert found["X-Content-Type-Options"] == "nosniff"
    assert client().get("/console/templates/art/none%00").status_code == 404
    assert client().post("/console/templates/art", {}).status_code == 422
