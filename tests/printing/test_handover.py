"""A roll's file: asked by one, approved by another, built encrypted, downloaded once, acknowledged with its hash."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from django.test import Client

from brands.models import Brand
from common import jobs
from common.clock import now
from common.models import Job
from common.signing import public_of
from console.today import alarms, today
from labels import rolls
from labels.models import Batch, Roll
from labels.queries import Status, secrets_of, serials_of, states
from printing import building, handover as files, services
from printing.models import Handover, Press, PrintJob
from printing.proof import Passing
from printing.rows import Rows
from printing.source import BulkSource
from redemption.rules import Outcome
from redemption.services import redeem, verify
from staff import approvals
from staff.keys import sign_key
from staff.models import Audit, User
from tests.makers import make_attempt, make_batch, make_check

KEY = pyrage.x25519.Identity.generate()
OTHER_KEY = pyrage.x25519.Identity.generate()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def batch(brand: Brand, at: datetime) -> Batch:
    return make_batch(count=50, roll_labels=20, at=at)


@pytest.fixture
def press(brand: Brand, at: datetime) -> Press:
    made = services.create_press(name="Red Press", recipient=str(KEY.to_public()), at=at)
    return services.check_key(made, read_out=made.fingerprint.upper(), at=at, asked_by="pia")


@pytest.fixture
def pia(brand: Brand) -> User:
    return User.objects.create_user("pia", password="x", role="production")


@pytest.fixture
def ola(brand: Brand) -> User:
    return User.objects.create_user("ola", role="owner")


def asked(batch: Batch, press: Press, by: User, at: datetime, first: int = 1, last: int = 3, **more: Any) -> PrintJob:
    return services.request(services.NewPrint(batch, first, last, press, **more), by=by, at=at)


def approve(row: PrintJob, by: User, at: datetime) -> PrintJob:
    with transaction.atomic():
        approvals.decide(row.approval_id, approved=True, by=by, at=at)
    return row


@pytest.fixture
def built(batch: Batch, press: Press, pia: User, ola: User, at: datetime) -> list[Handover]:
    row = services.start(approve(asked(batch, press, pia, at), ola, at).pk, at=at)
    building.build(row.pk, clock=lambda: at)
    return list(row.handovers.order_by("roll__number"))


def plain(one: Handover) -> bytes:
    return bytes(pyrage.decrypt(files.path_of(one.public_id).read_bytes(), [KEY]))


def client(user: User) -> Client:
    found = Client(HTTP_HOST="brand.localhost")
    found.force_login(user)
    return found


def refusals() -> list[str]:
    return [row.after["refused"] for row in Audit.objects.filter(act="refused").order_by("id")]


# --- building ------------------------------------------------------------------------------------------------------


def test_a_file_holds_the_roll_between_its_own_strips(built: list[Handover], batch: Batch) -> None:
    second = built[1]
    lines = plain(second).decode().splitlines()
    serials = [line.split(",")[2] for line in lines[1:]]
    codes = [line.split(",")[4] for line in lines[1:]]
    first, end = second.canary_range.lower, second.canary_range.upper
    label_nos = [*range(first, first + 6), *range(21, 41), *range(first + 6, end)]

    assert (serials, codes) == (serials_of(label_nos), secrets_of(label_nos))
    assert (second.state, second.lines, end - first) == ("ready", 32, 12)
    assert batch.canary_range.lower <= first < end <= batch.canary_range.upper
    assert hashlib.sha256(plain(second)).hexdigest() == second.plain_hash
    assert hashlib.sha256(files.path_of(second.public_id).read_bytes()).hexdigest() == second.cipher_hash
    assert len({one.canary_range.lower for one in built}) == 3
    assert all("http" in line.lower() for line in lines[1:])


def test_a_file_can_be_json_lines(batch: Batch, press: Press, pia: User, ola: User, at: datetime) -> None:
    row = services.start(approve(asked(batch, press, pia, at, 3, 3, output="jsonl"), ola, at).pk, at=at)
    building.build(row.pk, clock=lambda: at)

    first = json.loads(plain(row.handovers.get()).splitlines()[6])
    assert (first["seq"], first["roll"], first["serial"]) == (7, f"{batch.number}/3", serials_of([41])[0])


def test_a_second_copy_has_other_strips(built: list[Handover], batch: Batch, press: Press, pia: User, ola: User, at: datetime) -> None:  # fmt: skip
    hand_over(built[0], at)
    again = services.start(approve(asked(batch, press, pia, at, 1, 1), ola, at).pk, at=at)
    building.build(again.pk, clock=lambda: at)

    other = again.handovers.get()
    assert other.canary_range.lower >= built[2].canary_range.upper
    for _copy in range(8):  # there are strips for twelve copies: four of each of three rolls
        hand_over(other, at)
        again = services.start(approve(asked(batch, press, pia, at, 1, 1), ola, at).pk, at=at)
        building.build(again.pk, clock=lambda: at)
        other = again.handovers.get()
    assert other.canary_range.upper == batch.canary_range.upper
    hand_over(other, at)
    last = approve(asked(batch, press, pia, at, 1, 1), ola, at)
    with pytest.raises(services.NoStripsLeft):
        services.start(last.pk, at=at)


def hand_over(one: Handover, at: datetime) -> Handover:
    services.download(one.pk, at=at, asked_by="pia")
    one.refresh_from_db()
    return services.acknowledge(one.pk, plain_hash=one.plain_hash, at=at)


def test_a_cancelled_job_keeps_finished_rolls_and_frees_the_rest(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.start(approve(asked(batch, press, pia, at), ola, at).pk, at=at)
    real = files.build

    def cancel_after_one(*args: Any, **kwargs: Any) -> files.Built:
        jobs.ask_cancel(row.job_id, at=at)
        return real(*args, **kwargs)

    monkeypatch.setattr(files, "build", cancel_after_one)
    building.build(row.pk, clock=lambda: at)

    assert [one.state for one in row.handovers.order_by("roll__number")] == ["ready", "cancelled", "cancelled"]
    assert Job.objects.get(pk=row.job_id).state == "cancelled"
    monkeypatch.undo()
    services.start(approve(asked(batch, press, pia, at, 2, 3), ola, at).pk, at=at)
    with pytest.raises(services.RollIsOut):
        services.start(approve(asked(batch, press, pia, at, 1, 1), ola, at).pk, at=at)


def test_a_file_whose_proof_fails_is_not_handed_over(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.start(approve(asked(batch, press, pia, at), ola, at).pk, at=at)
    whole = Rows.pieces

    def flipped(self: Rows, source: BulkSource) -> Iterator[bytes]:
        for piece in whole(self, source):
            yield bytes(piece).replace(b"9", b"8", 1)

    monkeypatch.setattr(Rows, "pieces", flipped)
    with pytest.raises(files.NotProved):
        building.build(row.pk, clock=lambda: at)

    found = list(row.handovers.order_by("roll__number"))
    assert [one.state for one in found] == ["failed", "cancelled", "cancelled"]
    assert len(found[0].report["failures"]) == 1
    assert (found[0].plain_hash, bytes(found[0].manifest)) == ("", b"")
    assert list(files.folder().iterdir()) == []
    assert Job.objects.get(pk=row.job_id).state == "failed"


def test_what_is_changed_behind_the_proof_is_found(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.start(approve(asked(batch, press, pia, at), ola, at).pk, at=at)
    whole = Passing.__iter__

    def flipped(self: Passing) -> Iterator[bytes]:
        for piece in whole(self):
            yield piece.replace(b"9", b"8", 1)

    monkeypatch.setattr(Passing, "__iter__", flipped)
    with pytest.raises(files.NotProved, match="is not what was encrypted"):
        building.build(row.pk, clock=lambda: at)

    assert row.handovers.filter(state="failed").count() == 1
    assert list(files.folder().iterdir()) == []


# --- two persons ---------------------------------------------------------------------------------------------------


def test_a_lone_approver_is_refused_by_services_pages_and_database(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime
) -> None:
    row = asked(batch, press, pia, at)
    with pytest.raises(approvals.SamePerson), transaction.atomic():
        approvals.decide(row.approval_id, approved=True, by=pia, at=at)
    client(pia).post(f"/console/prints/{row.public_id}/start")
    assert (refusals(), PrintJob.objects.get().job) == (["not_approved"], None)

    services.start(approve(row, ola, at).pk, at=at)
    with pytest.raises(IntegrityError, match="who_asks_for_a_handover"), transaction.atomic():
        Handover.objects.update(approver=pia)
    with pytest.raises(IntegrityError, match="who_asks_for_a_print"), transaction.atomic():
        PrintJob.objects.update(approver=pia)
    with pytest.raises(services.StartedAlready):
        services.start(row.pk, at=at)


def test_another_key_than_the_approved_one_is_refused(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime
) -> None:
    row = approve(asked(batch, press, pia, at), ola, at)
    services.change_key(press, recipient=str(OTHER_KEY.to_public()))
    client(pia).post(f"/console/prints/{row.public_id}/start")
    with pytest.raises(services.PressNotReady):
        asked(batch, press, pia, at)
    services.check_key(press, read_out=press.fingerprint, at=at, asked_by="pia")
    client(pia).post(f"/console/prints/{row.public_id}/start")
    assert refusals() == ["key_changed", "key_changed"]

    services.change_key(press, recipient=str(KEY.to_public()))
    services.check_key(press, read_out=press.fingerprint, at=at, asked_by="pia")
    services.start(row.pk, at=at)


def test_another_presss_key_opens_nothing(built: list[Handover]) -> None:
    cipher = files.path_of(built[0].public_id).read_bytes()
    assert plain(built[0])

    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(cipher, [OTHER_KEY])


def test_a_held_batch_is_not_printed(batch: Batch, press: Press, pia: User, at: datetime) -> None:
    with transaction.atomic():
        rolls.open_hold(batch, "prize plan", at=at)
    with pytest.raises(rolls.OnHold):
        asked(batch, press, pia, at)
    with transaction.atomic():
        rolls.lift_hold(batch, "prize plan", at=at)

    assert asked(batch, press, pia, at).pk


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 4), (3, 2), (4, 4)])
def test_rolls_that_are_not_there_are_refused(
    batch: Batch, press: Press, pia: User, at: datetime, first: int, last: int
) -> None:
    with pytest.raises(services.NotToPrint):
        asked(batch, press, pia, at, first, last)


# --- download and acknowledgement ------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once_and_goes_on_where_it_broke(built: list[Handover], pia: User, ola: User) -> None:
    one, path = built[0], f"/console/handovers/{built[0].public_id}/file"
    cipher = files.path_of(one.public_id).read_bytes()
    downloader = authenticated(pia)

    whole = downloader.get(path)
    assert (whole.status_code, b"".join(whole)) == (200, cipher)
    rest = downloader.get(path, headers={"Range": "bytes=100-"})
    assert (rest.status_code, b"".join(rest)) == (206, cipher[100:])
    assert rest["Content-Range"] == f"bytes 100-{len(cipher) - 1}/{len(cipher)}"

    for again in (downloader.get(path), downloader.get(path, headers={"Range": "bytes=0-"}),
                  downloader.get(path, headers={"Range": f"bytes={len(cipher)}-"}),
                  authenticated(ola).get(path, headers={"Range": "bytes=100-"})):  # fmt: skip
        assert again.status_code == 410
    assert refusals() == ["gone"] * 4
    assert Audit.objects.filter(act="download").count() == 2


def authenticated(user: User) -> Client:
    """Return a client whose password has just been given."""
    found, request = client(user), HttpRequest()
    request.session = found.session
    record_authentication(request, user, "password", reauthenticated=True)
    request.session.save()
    return found


def test_a_link_that_has_ended_sends_nothing_and_the_try_is_kept(
    built: list[Handover], pia: User, at: datetime
) -> None:
    ended, open_one = (f"/console/handovers/{one.public_id}/file" for one in built[:2])
    Handover.objects.filter(pk=built[0].pk).update(ready_at=at - timedelta(hours=72), expires_at=at)

    refused = authenticated(pia).get(ended)

    assert (refused.status_code, refusals()) == (410, ["gone"])
    row = Audit.objects.get(act="refused")
    assert (row.actor, row.row_id, row.after["what"]) == ("pia", str(built[0].pk), "download")
    assert files.path_of(built[0].public_id).exists()  # nobody had to delete it first
    assert authenticated(pia).get(open_one).status_code == 200


def test_a_link_ends_and_takes_its_file_with_it(built: list[Handover], at: datetime) -> None:
    later = at + timedelta(hours=72)
    with pytest.raises(services.Gone):
        services.download(built[0].pk, at=later, asked_by="pia")
    services.download(built[1].pk, at=later - timedelta(seconds=1), asked_by="pia")

    assert services.expire(at=later) == 3
    assert [one.state for one in Handover.objects.all()] == ["expired"] * 3
    assert list(files.folder().iterdir()) == []
    assert services.expire(at=later) == 0


def test_a_resumed_download_ends_after_a_day(built: list[Handover], at: datetime) -> None:
    services.download(built[0].pk, at=at, asked_by="pia")
    services.download(built[0].pk, start=10, at=at + timedelta(hours=23), asked_by="pia")

    with pytest.raises(services.Gone):
        services.download(built[0].pk, start=10, at=at + timedelta(hours=24), asked_by="pia")


def test_the_right_hash_hands_the_roll_over_and_deletes_the_file(
    built: list[Handover], pia: User, at: datetime
) -> None:
    one, path = built[0], f"/console/handovers/{built[0].public_id}/acknowledge"
    with pytest.raises(services.NotDownloaded):
        services.acknowledge(one.pk, plain_hash=one.plain_hash, at=at)
    services.download(one.pk, at=at, asked_by="pia")
    assert client(pia).post(path, {"plain_hash": one.cipher_hash}).status_code == 422
    assert refusals() == ["wrong_hash"]
    assert files.path_of(one.public_id).exists()

    services.acknowledge(one.pk, plain_hash=f" {one.plain_hash.upper()} ", at=at)
    services.tidy()  # this test commits nothing, so that the deletion on commit is not seen

    assert not files.path_of(one.public_id).exists()
    roll = Roll.objects.get(pk=one.roll_id)
    assert (roll.state, roll.lines, roll.batch.state) == ("handed_over", 32, "handed_over")
    assert rolls.receive(roll.pk, good=20, at=at).state == "received"


def test_files_that_nobody_knows_are_deleted(built: list[Handover]) -> None:
    (files.folder() / "stray.age").write_bytes(b"x")
    (files.folder() / "stray.part").write_bytes(b"x")

    assert services.tidy() == 2
    assert len(list(files.folder().iterdir())) == 3


# --- the manifest --------------------------------------------------------------------------------------------------


def test_a_press_tells_a_genuine_manifest_from_a_tampered_one(
    built: list[Handover], pia: User, tmp_path: Path, at: datetime
) -> None:
    one, browser = built[0], client(pia)
    base = f"/console/handovers/{one.public_id}/"
    parts = {"v.py": browser.get("/console/verify_manifest.py").content, "f.age": files.path_of(one.public_id).read_bytes(),
             "m.json": browser.get(base + "manifest.json").content, "m.sig": browser.get(base + "manifest.sig").content,
             "f.csv": plain(one)}  # fmt: skip
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)

    def verdict() -> tuple[int, str]:
        done = subprocess.run(  # noqa: PLW1510 - the code is what is asked for
            [sys.executable, "v.py", "m.json", "m.sig", "f.age", "f.csv"], cwd=tmp_path, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    code, said = verdict()
    assert (code, "GENUINE" in said) == (0, True), said
    assert hashlib.sha256(parts["m.json"]).hexdigest() in said
    for name, old, new in (("m.json", b'"lines":32', b'"lines":31'), ("f.age", b"age", b"agf"), ("f.csv", b"1", b"2")):
        (tmp_path / name).write_bytes(parts[name].replace(old, new, 1))
        assert (verdict()[0], "REFUSED" in verdict()[1]) == (1, True), name
        (tmp_path / name).write_bytes(parts[name])
    facts = json.loads(parts["m.json"])
    assert (facts["lines"], facts["set_up"], facts["first_serial"]) == (32, {"head": 6, "tail": 6}, serials_of([1])[0])
    public = public_of(sign_key(at=at))
    assert files.is_genuine(public, bytes(one.manifest), bytes(one.signature))
    assert not files.is_genuine(public, bytes(one.manifest) + b" ", bytes(one.signature))


def test_an_acknowledgement_that_names_another_manifest_is_refused_and_kept(
    built: list[Handover], pia: User, at: datetime
) -> None:
    one, path = built[0], f"/console/handovers/{built[0].public_id}/acknowledge"
    services.download(one.pk, at=at, asked_by="pia")
    ours = bytes(one.manifest)
    theirs = ours.replace(b'"lines":32', b'"lines":31')

    refused = client(pia).post(
        path, {"plain_hash": one.plain_hash, "manifest_hash": hashlib.sha256(theirs).hexdigest()}
    )

    assert (refused.status_code, refusals()) == (422, ["tampered_manifest"])
    assert "it must not print" in refused.content.decode()
    assert Audit.objects.get(act="refused").actor == "pia"
    assert (Roll.objects.get(pk=one.roll_id).state, files.path_of(one.public_id).exists()) == ("ready", True)
    right = {"plain_hash": one.plain_hash, "manifest_hash": f" {hashlib.sha256(ours).hexdigest().upper()} "}
    assert client(pia).post(path, right).status_code == 302
    assert Roll.objects.get(pk=one.roll_id).state == "handed_over"


# --- canaries and codes ----------------------------------------------------------------------------------------------


def test_a_strip_met_at_any_door_earns_nothing_and_raises_an_alarm(built: list[Handover], at: datetime) -> None:
    strip = int(built[1].canary_range.lower)
    assert states([strip], at)[strip].status is Status.VOID
    assert not any("set-up strip" in one.title for one in alarms(today(at)))

    assert redeem(make_attempt(secrets_of([strip])[0], at=at)).outcome is Outcome.WITHDRAWN
    met = [one for one in alarms(today(at)) if "set-up strip" in one.title]
    assert [one.href for one in met] == [f"/console/handovers/{built[1].public_id}"]

    other = int(built[2].canary_range.upper) - 1
    verify(make_check(serial=serials_of([other])[0], at=at))
    assert len([one for one in alarms(today(at)) if "set-up strip" in one.title]) == 2


def test_no_code_stays_in_the_database_or_the_folder(built: list[Handover], at: datetime) -> None:
    wanted = secrets_of([1, 25, 50, int(built[0].canary_range.lower)])
    assert any(code.encode() in plain(built[0]) for code in wanted)  # the search finds what is there
    kept = b"".join(path.read_bytes() for path in files.folder().iterdir())
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            kept += "\n".join(row[0] for row in cursor.fetchall()).encode()

    assert len(kept) > 10_000
    assert [code for code in wanted if code.encode() in kept] == []


# --- presses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipient",
    ["", "age1", "ssh-ed25519 AAAA", "age1" + "q" * 58, pytest.param(str(KEY.to_public())[:-1], id="a letter lost")],
)
def test_what_is_no_key_is_refused(brand: Brand, at: datetime, recipient: str) -> None:
    with pytest.raises(services.BadRecipient):
        services.create_press(name="P", recipient=recipient, at=at)


def test_a_key_counts_once_its_fingerprint_was_read_out(brand: Brand, at: datetime) -> None:
    made = services.create_press(name="P", recipient=str(KEY.to_public()), at=at)
    with pytest.raises(services.PressExists):
        services.create_press(name="P", recipient=str(KEY.to_public()), at=at)
    with pytest.raises(services.WrongFingerprint):
        services.check_key(made, read_out=files.fingerprint(str(OTHER_KEY.to_public())), at=at, asked_by="pia")

    spoken = " ".join(made.fingerprint[place : place + 4] for place in range(0, 32, 4))
    assert services.check_key(made, read_out=spoken, at=at, asked_by="pia").checked_by == "pia"
    assert services.change_key(made, recipient=str(OTHER_KEY.to_public())).checked_at is None


# --- pages ---------------------------------------------------------------------------------------------------------


def test_from_request_to_acknowledgement_through_the_pages(
    batch: Batch, press: Press, pia: User, ola: User, at: datetime
) -> None:
    browser = client(pia)
    form = f"/console/batches/{batch.public_id}/print"
    assert form in browser.get(f"/console/batches/{batch.public_id}").content.decode()
    assert press.name in browser.get(form).content.decode()
    assert browser.post(form, {"first_roll": 1, "last_roll": 9, "press": press.pk, "output": "csv"}).status_code == 422
    page = browser.post(form, {"first_roll": 1, "last_roll": 1, "press": press.pk, "output": "csv"})["Location"]
    row = PrintJob.objects.get()
    assert f"/console/approvals/{row.approval_id}" in browser.get(page).content.decode()
    approve(row, ola, at)
    assert f"{page}/start" in browser.get(page).content.decode()
    browser.post(f"{page}/start")
    building.build(row.pk)
    one = Handover.objects.get()
    assert one.public_id in browser.get(page).content.decode()
    assert batch.number in browser.get("/console/prints").content.decode()
    shown = browser.get(f"/console/handovers/{one.public_id}").content.decode()
    assert f"/console/handovers/{one.public_id}/file" in shown
    b"".join(authenticated(pia).get(f"/console/handovers/{one.public_id}/file"))
    assert "plain_hash" in browser.get(f"/console/handovers/{one.public_id}").content.decode()

    done = browser.post(f"/console/handovers/{one.public_id}/acknowledge", {"plain_hash": one.plain_hash})

    assert done.status_code == 302
    assert press.name in browser.get("/console/presses").content.decode()
    assert one.public_id in browser.get(f"/console/presses/{press.public_id}").content.decode()


def test_a_download_asks_for_a_fresh_second_factor(built: list[Handover], pia: User) -> None:
    answer = client(pia).get(f"/console/handovers/{built[0].public_id}/file")

    assert (answer.status_code, Handover.objects.filter(state="downloaded").count()) == (302, 0)


def test_presses_are_registered_checked_and_retired_by_the_right_people(brand: Brand, pia: User) -> None:
    browser = client(pia)
    made = browser.post("/console/presses", {"name": "Blue", "recipient": str(KEY.to_public())})
    press = Press.objects.get()
    change = f"{made['Location']}/change"
    browser.post(change, {"read_out": "00"})
    assert Press.objects.get().checked_at is None
    browser.post(change, {"read_out": press.fingerprint})
    assert Press.objects.get().checked_by == "pia"
    browser.post(change, {"use": "no"})
    assert Press.objects.get().is_active is False
    browser.post(change, {"recipient": str(OTHER_KEY.to_public())})
    assert Press.objects.get().fingerprint != press.fingerprint

    warehouse = client(User.objects.create_user("wei", role="warehouse"))
    assert warehouse.post(change, {"use": "yes"}).status_code == 403
    assert warehouse.get("/console/presses").status_code == 200
    assert warehouse.post("/console/presses", {"name": "X", "recipient": str(KEY.to_public())}).status_code == 200
    assert Press.objects.count() == 1
    assert client(User.objects.create_user("mo", role="marketer")).get("/console/presses").status_code == 403
