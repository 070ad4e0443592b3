"""Seals: closed ranges of what was written, chained and signed; what is changed behind one is named."""

import json
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from common.canonical import canonical
from common.signing import is_signed, public_of
from ledger import copies, seals
from ledger.models import Anchor, Seal, SealCopy, Transfer
from ledger.services import anchor, seal
from ledger.tasks import seal as seal_task
from staff.keys import public_sign_keys, sign_key
from tests.environment import BRAND, CLUSTER
from tests.ledger.test_verify import Books

DIGEST = sha256(b"a draw's entries").digest()


@pytest.fixture
def books(real_commits, at):
    return Books(at)


@pytest.fixture
def key(books, at):
    return sign_key(at=at)


def write_anchor(at, subject="draw 1"):
    with transaction.atomic():
        return anchor(kind="draw_root", subject=subject, digest=DIGEST, at=at)


def faults():
    return [(fault.check, fault.table, fault.row) for fault in seals.verify(public_sign_keys())]


def test_a_seal_covers_all_that_was_written(books, key, at):
    write_anchor(at)

    first = seal(key=key, at=at)

    assert (first.n, first.transfers, first.anchors) == (1, Transfer.objects.count(), 1)
    assert bytes(first.previous) == bytes(32)
    assert is_signed(public_of(key), seals.TAG, canonical(seals.header(first)), bytes(first.signature))
    assert faults() == []


def test_seals_are_chained_and_an_idle_one_is_not_made(books, key, at):
    first = seal(key=key, at=at)
    assert seal(key=key, at=at) is None
    books.world.award(books.world.consumer, 3, cause_id=77)

    second = seal(key=key, at=at)

    assert (second.n, second.transfers, bytes(second.previous)) == (2, 1, bytes(first.hash))
    assert faults() == []


def test_what_a_running_transaction_wrote_waits_for_the_next_seal(books, key, at):
    """Even where its ids lie below those that are sealed."""
    name = settings.DATABASES["default"]["NAME"]
    with psycopg.connect(CLUSTER.url("postgres", name)) as other:
        other.execute(f"SET search_path TO {BRAND}")
        other.execute(
            "INSERT INTO ledger_transfer (debit_id, credit_id, amount, cause_id, posted_at, kind, cause_kind, linked,"
            f" recorded_by) VALUES ({books.world.issuance}, {books.world.consumer}, 1, 900, now(), 1, 11, 1, '')"
        )
        books.world.award(books.world.consumer, 3, cause_id=77)
        before = Transfer.objects.count()
        first = seal(key=key, at=at)
        assert first.transfers < before
        other.commit()

    second = seal(key=key, at=at)

    assert first.transfers + second.transfers == Transfer.objects.count() == before + 1
    assert faults() == []


def test_an_anchor_is_written_once(books, at):
    first, again = write_anchor(at), write_anchor(at + timedelta(days=1))

    assert first.pk == again.pk
    assert again.at == at


PLANTED = {
    "an amount changed": (
        "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = {transfer}",
        ("seal_root", "ledger_seal", "1"),
    ),
    "who recorded it changed": (
        "UPDATE ledger_transfer SET recorded_by = 'somebody' WHERE id = {transfer}",
        ("seal_root", "ledger_seal", "1"),
    ),
    "a transfer deleted": (
        "DELETE FROM ledger_transfer WHERE id = {transfer}",
        ("seal_covers", "ledger_seal", "1"),
    ),
    "an anchor changed": (
        "UPDATE ledger_anchor SET hash = decode(repeat('ab', 32), 'hex')",
        ("seal_root", "ledger_seal", "2"),
    ),
    "an anchor slipped in": (
        "INSERT INTO ledger_anchor (id, kind, subject, hash, at, xact)"
        " SELECT id - 1, kind, 'early', hash, at, xact::text::bigint::text::xid8 FROM ledger_anchor",
        ("seal_leaves_out", "ledger_anchor", "{early}"),
    ),
    "a seal's root changed": (
        "UPDATE ledger_seal SET root = decode(repeat('ab', 32), 'hex') WHERE n = 1",
        ("seal_chain", "ledger_seal", "1"),
    ),
    "a seal signed by another": (
        "UPDATE ledger_seal SET signature = decode(repeat('00', 64), 'hex') WHERE n = 2",
        ("seal_chain", "ledger_seal", "2"),
    ),
    "a seal taken out": ("DELETE FROM ledger_seal WHERE n = 1", ("seal_chain", "ledger_seal", "2")),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_change_is_named(books, key, at, name):
    statement, (check, table, row) = PLANTED[name]
    seal(key=key, at=at)
    write_anchor(at)
    seal(key=key, at=at)
    early = Anchor.objects.get().pk - 1
    assert faults() == []

    books.plant(statement.format(transfer=books.group[2].pk))

    assert (check, table, row.format(early=early)) in faults()


def test_a_seal_by_a_key_of_no_brand_is_named(books, key, at):
    seal(key=bytes(range(32)), at=at)

    assert ("seal_chain", "ledger_seal", "1") in faults()


def test_the_command_checks_seals(books, key, at, capsys):
    seal(key=key, at=at)
    call_command("verify_ledger", schema=BRAND)
    assert "every promise holds" in capsys.readouterr().out

    books.plant("UPDATE ledger_seal SET signature = decode(repeat('00', 64), 'hex')")

    with pytest.raises(CommandError):
        call_command("verify_ledger", schema=BRAND)
    assert "seal_chain: ledger_seal 1 is not signed by the brand" in capsys.readouterr().err


def test_after_a_restore_into_a_new_cluster_all_is_sealed_at_once_and_counting_begins_again(books, key, at):
    """Simulated from the other side: what was sealed claims transactions that this cluster has yet to reach."""
    first = seal(key=key, at=at)
    books.world.award(books.world.consumer, 3, cause_id=77)
    ahead = first.xact_to + 1_000_000
    books.plant(
        f"UPDATE ledger_seal SET xact_to = {ahead}, upcoming = {ahead}",
        f"UPDATE ledger_transfer SET xact = '{ahead + 5}' WHERE cause_id = 77",
    )

    closing = seal(key=key, at=at)
    books.world.award(books.world.consumer, 4, cause_id=78)
    third = seal(key=key, at=at)

    assert (closing.era, closing.transfers) == (1, 1)
    assert (third.era, third.transfers) == (2, 1)
    assert [fault for fault in faults() if fault[0] != "seal_chain"] == []  # the first seal's header was changed above


def test_a_statement_proves_each_transfer(books, key, at):
    from ledger.models import Account

    account = Account.objects.get(pk=books.world.consumer)
    seal(key=key, at=at)

    found = seals.statement(account)

    by_number = {one["header"]["n"]: one for one in found["seals"]}
    assert len(found["proofs"]) == 3
    for proof in found["proofs"]:
        assert seals.proven(proof, by_number[proof["seal"]])
        changed = {**proof, "row": proof["row"].replace('"amount":', '"amount":1')}
        assert not seals.proven(changed, by_number[proof["seal"]])


def test_the_days_last_seal_is_copied_once_with_every_erasure(books, key, at, settings, tmp_path):
    settings.SEALS_FOLDER = str(tmp_path)
    with transaction.atomic():
        anchor(kind="erasure", subject="mem_x", digest=DIGEST, at=at)
    seal(key=key, at=at)

    day = at.date()
    copies.publish(day, at=at)
    copies.publish(day, at=at)

    [file] = tmp_path.iterdir()
    copy = json.loads(file.read_text())
    assert is_signed(public_of(key), copies.TAG, canonical(copy["content"]), bytes.fromhex(copy["signature"]))
    assert copy["content"]["seal"]["header"]["n"] == 1
    assert [row["subject"] for row in copies.erasures_in(file.read_bytes())] == ["mem_x"]
    assert SealCopy.objects.count() == 1


def test_the_task_seals_with_the_brands_own_key(books, at):
    seal_task()

    assert Seal.objects.count() == 1
    assert faults() == []


def test_even_the_owner_cannot_change_a_seal(books, key, at):
    from config import embedded

    write_anchor(at)
    seal(key=key, at=at)
    url = CLUSTER.url(embedded.OWNER_ROLE, settings.DATABASES["default"]["NAME"])
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"SET search_path TO {BRAND}")
        for table in ("ledger_seal", "ledger_anchor", "ledger_sealcopy"):
            for statement in (f"TRUNCATE {table} CASCADE", f"UPDATE {table} SET id = 1", f"DELETE FROM {table}"):
                if table == "ledger_sealcopy" and not statement.startswith("TRUNCATE"):
                    continue
                with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                    owner.execute(statement.replace("SET id", "SET n") if table == "ledger_seal" else statement)
    assert Seal.objects.count() == Anchor.objects.count() == 1
