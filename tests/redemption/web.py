"""A person with a telephone at the web door: a client that keeps cookies, fills in forms and reads one-time codes."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

from sms_gateway.queries import messages_to
from tests.makers import CONSUMER

HOST = "brand.localhost"


class _Fields(HTMLParser):
    """The forms of a page: for each, its address and what its fields hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.forms.append((values, {}))
        elif tag == "input" and self.forms and values.get("type") not in {"radio", "checkbox"}:
            self.forms[-1][1][values.get("name") or ""] = values.get("value") or ""


class Person(Client):
    """Speaks to the brand's host as a browser would."""

    def __init__(self, *, language: str = "en", phone: str = CONSUMER, **more: Any) -> None:
        super().__init__(HTTP_HOST=HOST, HTTP_ACCEPT_LANGUAGE=language, **more)
        self.phone = phone

    def press(
        self, page: HttpResponse, form: str, step: str = "", *, as_script: bool = False, **typed: str
    ) -> HttpResponse:
        """Press a button of the form whose fields or id include ``form``, after typing into its fields."""
        attributes, fields = next(
            found
            for found in _Fields(page.content.decode()).forms
            if form in found[1] or found[0].get("id") == form or found[0].get("action") == form
        )
        headers = {"Accept": "application/json"} if as_script else None
        data = fields | typed | ({"step": step} if step else {})
        return self.post(attributes.get("action") or page.wsgi_request.path, data, headers=headers)

    def last_code(self) -> str:
        """Return the newest one-time code on the person's telephone."""
        found = re.search(r"(?<!\d)(\d{6})(?!\d)", messages_to(self.phone)[-1].body)
        assert found
        return found[1]

    def claim(self, page: HttpResponse, secret: str, **typed: str) -> HttpResponse:
        """Fill in the claim form to the end; the one-time code comes by telephone unless signed in."""
        if 'name="one_time_code"' in page.content.decode():
            page = self.press(page, "claim", "send", code=secret, phone=self.phone, **typed)
            typed |= {"phone": self.phone, "one_time_code": self.last_code()}
        return self.press(page, "claim", "redeem", code=secret, **typed)


def words(page: HttpResponse) -> str:
    """Return what a page says, without style, script and marks."""
    html = re.sub(r"<(style|script)\b.*?</\1>", " ", page.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
