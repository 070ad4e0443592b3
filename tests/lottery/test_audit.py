"""The audit ties each entry to what earned it, and names the one that is not."""

import json

import pytest
from django.core.management import CommandError, call_command

from common.canonical import canonical
from common.signing import is_signed
from lottery.audit import TAG, audit
from lottery.errors import DrawState
from lottery.models import Bundle, Draw
from tests.lottery import world
from tests.lottery.test_draws import draw, drawn, fill  # noqa: F401 - a fixture


def test_entries_are_tied_to_what_earned_them(draw, at):  # noqa: F811 - the fixture
    fill(draw)
    with pytest.raises(DrawState):
        audit(draw.public_id, redeemed=set, at=at, by="auditor")
    drawn(draw)

    found = audit(draw.public_id, redeemed=set, at=at, by="auditor")

    content = found["content"]
    assert content["findings"] == []
    assert content["sources"] == {"label": 8, "points": 3, "free": 1, "carry": 0}
    assert is_signed(bytes.fromhex(found["key"]), TAG, canonical(content), bytes.fromhex(found["signature"]))


def test_an_entry_by_a_label_that_was_not_redeemed_is_named(draw, at):  # noqa: F811 - the fixture
    fill(draw)
    drawn(draw)

    found = audit(draw.public_id, redeemed=lambda labels: set(labels) - {100}, at=at, by="auditor")

    [finding] = found["content"]["findings"]
    assert finding["entry"] == draw.entries.get(source_id=100, source="label").pk
    assert "not redeemed" in finding["what"]


def test_the_command_needs_an_auditor_and_writes_beside_the_bundle(draw, tmp_path):  # noqa: F811 - the fixture
    from tests.environment import BRAND

    fill(draw)
    drawn(draw)
    world.user("the-marketer", "marketer")
    world.user("the-auditor", "auditor")
    with pytest.raises(CommandError, match="no auditor"):
        call_command("audit_draw", BRAND, draw.public_id, "--by", "the-marketer", "--to", str(tmp_path))

    with pytest.raises(CommandError, match="8 findings"):  # the labels of this test were never redeemed
        call_command("audit_draw", BRAND, draw.public_id, "--by", "the-auditor", "--to", str(tmp_path))

    assert json.loads((tmp_path / "audit.json").read_bytes())["content"]["draw"] == Draw.objects.get().uuid.hex
    assert (tmp_path / "bundle.zip").read_bytes() == bytes(Bundle.objects.get().data)
