from datetime import datetime

import pytest
from django.conf import LazySettings
from django.test import Client

from brands.models import Brand
from sms_gateway.services import queue_message

HOST = "brand.localhost"
PHONE = "+8613800138000"


@pytest.fixture
def _two_messages(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "older 111111", purpose="one_time_code", at=at)
    queue_message("+8613900139000", "newer 222222", purpose="one_time_code", at=at)


@pytest.mark.usefixtures("_two_messages")
def test_messages_are_listed_newest_first(client: Client) -> None:
    page = client.get("/dev/phone", headers={"host": HOST})

    text = page.content.decode()
    assert page.status_code == 200
    assert -1 < text.index("newer 222222") < text.index("older 111111")
    assert "no-store" in page["Cache-Control"]


@pytest.mark.usefixtures("_two_messages")
def test_a_script_reads_one_number_as_json(client: Client) -> None:
    answer = client.get("/dev/phone?format=json&to=138 0013 8000", headers={"host": HOST}).json()

    assert [(message["to"], message["body"]) for message in answer["messages"]] == [(PHONE, "older 111111")]


@pytest.mark.usefixtures("_two_messages")
def test_a_bad_number_shows_nothing(client: Client) -> None:
    page = client.get("/dev/phone?to=%00<script>", headers={"host": HOST})

    assert page.status_code == 200
    assert b"111111" not in page.content
    assert b"<script>" not in page.content


@pytest.mark.usefixtures("_two_messages")
def test_the_page_does_not_exist_in_production(client: Client, settings: LazySettings) -> None:
    assert client.get("/dev/phone", headers={"host": HOST}).status_code == 200

    settings.PRODUCTION = True

    assert client.get("/dev/phone", headers={"host": HOST}).status_code == 404


@pytest.mark.usefixtures("_two_messages")
def test_another_brand_sees_none_of_it(client: Client) -> None:
    answer = client.get("/dev/phone?format=json", headers={"host": "stranger.localhost"}).json()

    assert answer == {"messages": []}
