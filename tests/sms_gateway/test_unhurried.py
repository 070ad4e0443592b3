"""Messages that are dealt with together wait for the disk once, and nothing is told before (decision 0012)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connections

from brands.models import Brand
from common.db import Rows, ask, commit_unhurried
from sms_gateway import answering
from sms_gateway.doors import Line
from sms_gateway.inbound import New
from sms_gateway.models import InboundMessage
from tests.sms_gateway.world import OURS, PHONE

ANSWERED, FAILED = "good", "poison"
CLOSED = "+79161234567"  # a country that is not written to


@pytest.fixture
def waited(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Of each commit of this connection, whether it waited for the disk."""
    database: Any = connections["default"]
    waited: list[bool] = []
    asked: list[Rows] = []
    commit_unhurried()
    commit_behind = database.sender.commit

    def look_behind() -> None:
        asked.append(ask("SELECT current_setting('synchronous_commit')", []))
        commit_behind()

    def look() -> None:
        database.sender.send()
        if asked:
            [(setting,)] = asked.pop()()
        else:
            (setting,) = database.connection.execute("SHOW synchronous_commit").fetchone()
        waited.append(setting == "on")
        database.connection.commit()

    monkeypatch.setattr(database, "_commit", look)
    monkeypatch.setattr(database.sender, "commit", look_behind)
    yield waited
    monkeypatch.undo()
    database.close()


@pytest.mark.parametrize(
    ("body", "sender", "inline", "commits", "stands"),
    [
        (ANSWERED, PHONE, True, [False, True], ("decided", "inline")),
        (ANSWERED, PHONE, False, [True, True], ("decided", "outbox")),
        (ANSWERED, CLOSED, True, [True], ("parked", "silent")),
        (FAILED, PHONE, True, [False, True, True], ("new", "outbox")),
        (FAILED, PHONE, False, [True, True, True], ("new", "outbox")),
    ],
    ids=["answered", "answered later", "not paid for", "failed", "failed, later"],
)
def test_what_is_told_has_waited_for_the_disk(
    waited: list[bool], at: datetime, body: str, sender: str, inline: bool, commits: list[bool], stands: tuple[str, str]
) -> None:
    new = New(
        carrier="twilio", message_id="SM1", number=OURS, sender=sender, body=body, received_at=at, at=at, inline=inline
    )

    answering.answer(new, Line(e164=OURS, languages=("en",)), wait_s=1, clock=lambda: at)

    row = InboundMessage.objects.get()
    assert (waited, (row.state, row.reply_state)) == (commits, stands)
