"""Signed statements: each line leads to a public seal, and the program that says so needs nothing of ours."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from brands.queries import brand_date
from common.canonical import canonical
from ledger import statements, verify_statement
from ledger.models import Account, Seal
from ledger.seals import seal_json
from ledger.services import seal
from ledger.verify_statement import Broken, verify
from staff.keys import sign_key
from tests.ledger.test_verify import Books


@pytest.fixture
def books(real_commits, at):
    return Books(at)


@pytest.fixture
def papers(books, at):
    """Return a statement, and the file of the day's seals."""
    key = sign_key(at=at)
    seal(key=key, at=at)
    books.world.award(books.world.consumer, 3, cause_id=77)
    seal(key=key, at=at + timedelta(minutes=5))
    account = Account.objects.get(pk=books.world.consumer)
    data = statements.signed_statement(account, key=key, at=at)
    return data, statements.day_file(brand_date(at), key=key)


def changed(data: bytes, change, tag: str, key: bytes) -> bytes:
    """Return a file whose content was changed and that is signed anew, as a dishonest brand would."""
    content = json.loads(data)["content"]
    change(content)
    return statements._signed(content, tag, key)


def test_a_statement_is_proved_by_the_seals_of_its_days(papers):
    data, day = papers

    report = verify(data, [("day", day)])

    assert report.short == []
    content = json.loads(data)["content"]
    assert len(content["proofs"]) > 1
    assert len(content["seals"]) == 2


def test_the_program_stands_alone(papers, tmp_path):
    data, day = papers
    (tmp_path / "statement.json").write_bytes(data)
    (tmp_path / "day.json").write_bytes(day)
    (tmp_path / "verify_statement.py").write_bytes(Path(verify_statement.__file__).read_bytes())

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-I", "verify_statement.py", "statement.json", *more]
        return subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)

    alone, whole, wrong = run(), run("--seals", "day.json"), run("--key", "00" * 32)

    assert (alone.returncode, whole.returncode, wrong.returncode) == (3, 0, 1), whole.stdout + whole.stderr
    assert "not shown" in alone.stdout
    (tmp_path / "statement.json").write_bytes(b"{}")
    assert run().returncode == 2


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda content: content.update(balance=content["balance"] + 1), "balance"),
        (lambda content: content["proofs"].pop(), "balance"),
        (lambda content: content["proofs"].append(content["proofs"][0]), "twice"),
        (lambda content: content["proofs"][0].update(row=content["proofs"][0]["row"].replace('"amount":', '"amount":1')), "root"),
        (lambda content: content["proofs"][0].update(index=content["proofs"][0]["index"] + 1), "root"),
        (lambda content: content["seals"].pop(), "missing"),
        (lambda content: content["seals"][0]["header"].update(transfers=9), "hash"),
        (lambda content: content.update(account_id=content["account_id"] + 1000), "not of this account"),
    ],
    ids=["balance", "left-out", "twice", "amount", "place", "no-seal", "seal", "account"],
)  # fmt: skip
def test_what_was_changed_is_named_even_if_the_brand_signs_it(papers, at, change, word):
    data, day = papers
    verify(data, [("day", day)])

    with pytest.raises(Broken, match=word):
        verify(changed(data, change, statements.TAG, sign_key(at=at)), [("day", day)])


def test_a_ledger_that_was_rewritten_has_other_seals_than_were_published(papers, at):
    data, day = papers
    key = sign_key(at=at)

    def another(content):
        header = content["seals"][0]["header"]
        header["root"] = "00" * 32
        text = canonical(header)
        content["seals"][0]["hash"] = verify_statement.sha256(text).hex()
        content["seals"][0]["signature"] = verify_statement_sign(key, text)
        content["seals"] = content["seals"][:1]

    rewritten = changed(day, another, statements.DAY_TAG, key)

    with pytest.raises(Broken, match="another one was published"):
        verify(data, [("day", rewritten)])


def verify_statement_sign(key: bytes, text: bytes) -> str:
    from common.signing import sign

    return sign(key, verify_statement.SEAL_TAG, text).hex()


def test_any_changed_byte_of_a_signed_file_is_noticed(papers):
    data, day = papers
    for place in range(0, len(data), 97):
        broken = bytearray(data)
        broken[place] ^= 1
        with pytest.raises((Broken, verify_statement.Unreadable)):
            verify(bytes(broken), [("day", day)])


def test_days_are_listed_with_their_last_seals(papers, books, at):
    tomorrow = at + timedelta(days=1)
    books.world.award(books.world.consumer, 3, cause_id=78)
    last = seal(key=sign_key(at=at), at=tomorrow)

    found = statements.days(at=tomorrow)

    assert [(day.first, day.last, day.over) for day in found] == [(3, 3, False), (1, 2, True)]
    assert found[0].hash == bytes(last.hash).hex()
    assert statements.day_file(brand_date(at) - timedelta(days=1), key=sign_key(at=at)) is None
    one = json.loads(statements.day_file(brand_date(tomorrow), key=sign_key(at=at)))["content"]
    assert one["seals"] == [seal_json(Seal.objects.get(n=3))]
