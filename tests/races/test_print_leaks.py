"""No hidden code is anywhere but in the encrypted files: after a whole print run, every place that keeps text is searched.

The run is a real one: a task through the broker, a worker process with its log at its most talkative, pages that show
what happened, a run whose proof fails. The same search first finds what is planted in each place.
"""

import hashlib
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pypdfium2
import pyrage
import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from brands.models import Brand
from common.models import Job
from labels.codes.forms import N16
from labels.models import Product
from labels.queries import secrets_of
from labels.tasks import push
from printing import building, handover as files, services
from printing.labels import Roll
from printing.models import Handover, PrintJob
from printing.tasks import build
from staff import approvals
from tests.environment import CLUSTER, ROOT, child_environment
from tests.races.test_printing import KEY, approved

pytestmark = pytest.mark.races
PATIENCE_S = 90


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)


class Needles:
    """Codes as they may be written down: bare, in groups, in hex, in base64, and their digests without a key."""

    def __init__(self, codes: Iterable[str]) -> None:
        self._written = {form: code for code in codes for form in self._forms(code)}

    @staticmethod
    def _forms(code: str) -> Iterator[bytes]:
        grouped = N16.grouped(code)
        for text in (code, grouped, grouped.replace(" ", "-")):
            raw = text.encode()
            yield from (raw, raw.hex().encode(), b64encode(raw).rstrip(b"="))
            for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
                yield digest(raw).hexdigest().encode()

    def found_in(self, text: bytes) -> set[str]:
        """Return the codes that are written there."""
        return {code for written, code in self._written.items() if written in text}


def database() -> bytes:
    """Return every row of every table of every schema, as text (bytes in hex)."""
    connection.close()
    rows = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{schema}"."{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows).encode()


def broker() -> bytes:
    """Return all that the broker keeps."""
    server = redis.Redis.from_url(settings.BROKER_URL)
    readers: dict[bytes, Callable[[bytes], object]] = {
        b"list": lambda key: server.lrange(key, 0, -1),
        b"hash": server.hgetall,
        b"set": server.smembers,
        b"zset": lambda key: server.zrange(key, 0, -1),
        b"string": server.get,
    }
    return b"\n".join(key + repr(readers[server.type(key)](key)).encode() for key in server.scan_iter())


def pages(row: PrintJob) -> bytes:
    """Return the pages that tell of a print, its job and its files, and one that does not exist."""
    browser = Client(HTTP_HOST="brand.localhost", raise_request_exception=False)
    browser.force_login(row.requester)
    paths = [
        f"/console/prints/{row.public_id}",
        "/console/prints",
        "/console/jobs",
        "/console/nothing",
        "/console/audit",
    ]
    paths += [
        f"/console/handovers/{one.public_id}{end}" for one in row.handovers.all() for end in ("", "/manifest.json")
    ]
    paths += [f"/console/jobs/{row.job.public_id}" if row.job else "/console/today"]
    return b"\n".join(browser.get(path).content for path in paths)


def run_worker(row: PrintJob, log: Path, var: Path) -> None:
    """Let a Celery worker of its own take the print from the broker; return once the job has ended."""
    environment = {**os.environ, **child_environment(CLUSTER, settings.DATABASES["default"]["NAME"])}
    environment |= {"VAR": str(var), "LOG_LEVEL": "DEBUG", "STATEMENT_TIMEOUT_MS": "600000"}
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--queues", "long", "--pool", "solo"]
    command += ["--loglevel", "DEBUG", "--without-gossip", "--without-mingle"]
    with log.open("wb") as file:
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    try:
        until = time.monotonic() + PATIENCE_S
        while not Job.objects.get(pk=row.job_id).ended:
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def test_no_code_is_anywhere_but_in_the_encrypted_files(
    real_commits: Brand, at: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.Redis.from_url(settings.BROKER_URL).flushdb()
    row = services.start(approved(real_commits, at, rolls=2, size=60).pk, at=at)
    sent = broker()
    log = tmp_path / "worker.log"
    run_worker(row, log, tmp_path)
    done = list(Handover.objects.order_by("roll__number"))
    assert [one.state for one in done] == ["ready", "ready"]
    opened = bytes(pyrage.decrypt(files.path_of(done[0].public_id).read_bytes(), [KEY]))
    assert Needles(secrets_of(range(1, 61))).found_in(_texts(opened)) == set(secrets_of(range(1, 61)))
    kept = b"".join(path.read_bytes() for path in files.folder().iterdir())
    assert b"printing.tasks.build" in sent
    assert b"printing.tasks.build" in log.read_bytes()

    # a run whose proof fails, and says so in job, hand-over, log and pages
    services.expire(at=done[-1].expires_at)
    again = services.start(_approved_again(row, at).pk, at=at)
    whole = Roll.columns
    monkeypatch.setattr(Roll, "columns", lambda made, codes: whole(made, codes._replace(codes=codes.codes[::-1])))
    with pytest.raises(files.NotProved):
        building.build(again.pk, clock=lambda: at)
    monkeypatch.undo()
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    assert Job.objects.get(pk=again.job_id).error

    strips = [n for one in Handover.objects.all() for n in range(one.canary_range.lower, one.canary_range.upper)]
    needles = Needles(secrets_of([*range(1, 121), *strips]))
    sinks = {
        "broker": sent + broker(),
        "log": log.read_bytes(),
        "database": database(),
        "pages": pages(row) + pages(again),
        "folder": kept,
    }
    assert {name: needles.found_in(text) for name, text in sinks.items()} == {name: set() for name in sinks}
    assert all(len(text) > 500 for text in sinks.values())

    # what is planted in any of these places is found
    code = secrets_of([7])[0]
    push(build, code)
    Job.objects.filter(pk=row.job_id).update(error=N16.grouped(code))
    Product.objects.update(name=hashlib.sha256(code.encode()).hexdigest())
    worker_says = subprocess.run(
        [sys.executable, "-c", f"import structlog; structlog.get_logger().warning('read', count={code!r})"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    planted = {"broker": broker(), "log": worker_says, "database": database(), "pages": pages(row)}
    for name, text in planted.items():
        assert needles.found_in(text) >= {code}, name


def _approved_again(row: PrintJob, at: datetime) -> PrintJob:
    new = services.NewPrint(row.batch, 1, 2, row.press, output=row.output, version=row.version)
    again = services.request(new, by=row.requester, at=at)
    assert row.approver is not None
    with transaction.atomic():
        approvals.decide(again.approval_id, approved=True, by=row.approver, at=at)
    return again


def _texts(data: bytes) -> bytes:
    return b"\n".join(page.get_textpage().get_text_range().encode() for page in pypdfium2.PdfDocument(data))
