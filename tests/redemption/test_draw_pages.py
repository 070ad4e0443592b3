"""The public pages of draws: how far each is, its files byte for byte, and whether an entry is in it."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest
from django.test import Client

from common.canonical import canonical
from lottery import bundles, keys, verify_draw
from lottery.models import Bundle, Draw, Entry, Pick
from lottery.services import advance, cancel
from staff.keys import sign_key
from tests.conftest import NOW
from tests.lottery import world


@pytest.fixture
def client(brand):
    keys.forget()
    return Client(HTTP_HOST="brand.localhost", headers={"accept-language": "en"})


@pytest.fixture
def draw(client):
    tiers = [world.tier(1, 1, use="draw", alternates=2), world.tier(2, 2, use="draw", alternates=2)]
    return world.open_draws(*tiers, terms={"enter": world.ENTER_ALL})[1][0]


def text(client, draw, **query):
    answer = client.get(f"/draws/{draw.public_id}", query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_each_state_has_its_words(client, draw):
    world.fill(draw, 4)
    open_page = text(client, draw)
    advance(draw.pk, at=world.LISTED)
    listed = text(client, draw)
    done = world.drawn_on(draw)
    published = text(client, done)

    assert "Takes entries" in open_page
    assert "root.json" not in open_page
    assert "bundle.zip&quot;" not in open_page
    assert f"Waiting for round {done.round}" in listed
    assert "has not reached us yet" in listed  # the clock of this test runs years after the world's
    assert bytes(done.root).hex() in published
    assert "Drawn, proof published" in published
    assert all(f"Entry {pick.entry_id}<" in published for pick in Pick.objects.filter(role="winner"))
    assert "138****" in published
    assert "+86138" not in published


def test_the_proof_is_sent_byte_for_byte(client, draw):
    world.fill(draw, 3)
    done = world.drawn(draw)
    kept = bytes(Bundle.objects.get().data)

    answer = client.get(f"/draws/{done.public_id}/bundle.zip")

    assert answer.getvalue() == kept
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Length"] == str(len(kept))
    assert answer["Repr-Digest"] == f"sha-256=:{b64encode(sha256(kept).digest()).decode()}:"
    assert answer["Content-Disposition"] == f'attachment; filename="bundle-{done.public_id}-1.zip"'
    again = client.get(f"/draws/{done.public_id}/bundle.zip", headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304
    assert "immutable" in client.get(f"/draws/{done.public_id}/1/bundle.zip")["Cache-Control"]
    assert client.get(f"/draws/{done.public_id}/2/bundle.zip").status_code == 404


def test_a_proof_longer_than_a_slice_is_whole(client, draw, monkeypatch):
    from lottery import proofs

    world.fill(draw, 3)
    done = world.drawn(draw)
    monkeypatch.setattr(proofs, "SLICE_BYTES", 1000)

    sent = client.get(f"/draws/{done.public_id}/bundle.zip").getvalue()

    assert verify_draw.unpack(sent) == verify_draw.unpack(bytes(Bundle.objects.get().data))


def test_signed_files_are_sent_as_signed(client, draw):
    assert client.get(f"/draws/{draw.public_id}/rules.json").content == bytes(draw.rules)
    assert client.get(f"/draws/{draw.public_id}/root.json").status_code == 404
    assert client.get(f"/draws/{draw.public_id}/bundle.zip").status_code == 404

    advance(draw.pk, at=world.LISTED)

    assert client.get(f"/draws/{draw.public_id}/root.json").content == bytes(Draw.objects.get().root_json)


def test_is_my_entry_in_it(client, draw):
    people = world.fill(draw, 3)
    mine = Entry.objects.filter(account_id=people[1].account_id, source="label").get()
    points = Entry.objects.filter(account_id=people[1].account_id, source="points").get()
    early = text(client, draw, entry=mine.pk)
    cancel(points.pk, account_id=people[1].account_id, at=world.OPENS)
    receipt = bundles.entry_receipt(mine, key=sign_key(at=NOW))
    done = world.drawn(draw)
    other = {**receipt, "content": {**receipt["content"], "leaf": "00" * 32}}

    assert "not signed yet" in early
    assert f"Yes: entry {mine.pk} took part, with weight 1." in text(client, done, entry=mine.pk)
    assert f"Yes: entry {mine.pk} took part" in text(client, done, entry=canonical(receipt).decode())
    assert f"Entry {points.pk} is void: taken back by who entered." in text(client, done, entry=points.pk)
    assert "There is no such entry" in text(client, done, entry=points.pk + 10_000)
    assert "There is no such entry" in text(client, done, entry=json.dumps(other))
    for nonsense in ("x", "{", '{"content": 1}', "9" * 30, "[" * 5000, '{"content": {"draw": []}}'):
        assert "neither the number of an entry nor a receipt" in text(client, done, entry=nonsense)


def test_drafts_and_strange_names_are_not_there(client, draw):
    hidden = world.draws(world.tier(1, 1, use="draw"), terms={"enter": world.ENTER_ALL}).draws.get()

    assert draw.public_id in client.get("/draws").content.decode()
    assert hidden.public_id not in client.get("/draws").content.decode()
    for name in (hidden.public_id, "drw_x", "cmp_x"):
        for path in ("", "/rules.json", "/root.json", "/bundle.zip", "/commitments.json"):
            assert client.get(f"/draws/{name}{path}").status_code == 404
