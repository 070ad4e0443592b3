"""Faults of webhooks and of the outbox, planted: the tests of tests/sms_gateway must fail."""

from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from tests.faults import plants
from tests.sms_gateway import test_queue_message, test_webhooks
from tests.sms_gateway.conftest import _fresh_gateway

__all__ = ["_fresh_gateway"]


def test_unsigned_webhooks(brand: Brand, at: datetime, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.unsigned_webhooks_are_believed(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="== 403"):
        test_webhooks.test_no_signature_or_a_wrong_one_is_refused(brand, at, client, "")


def test_webhooks_signed_for_another_address(
    brand: Brand, at: datetime, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants.unsigned_webhooks_are_believed(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="== 403"):
        test_webhooks.test_a_signature_for_anything_else_is_refused_and_nothing_written(
            brand, at, client, "/webhooks/twilio/sms", "http://labels.example", " hello "
        )


def test_an_outbox_after_the_commit(real_commits: Brand, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.messages_are_written_after_the_commit(monkeypatch.setattr)

    with pytest.raises(AssertionError, match="written with the work"):
        test_queue_message.test_a_message_is_there_once_its_callers_work_is(real_commits, at)
