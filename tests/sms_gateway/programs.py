"""Running our web stack and the programs of others beside a test."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.core.wsgi import get_wsgi_application
from django.db import connections


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def web() -> Iterator[int]:
    """Serve our web stack from this process, with this test's settings; yield the port."""
    handler = get_wsgi_application()

    def application(environ: dict, start_response: object) -> object:
        try:
            yield from handler(environ, start_response)
        finally:
            connections.close_all()

    server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(*command: str, log: Path, **options: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the block ends; its output is in ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(log: Path, pattern: str, times: int = 1, limit_s: float = 60) -> list[str]:
    """Return what the pattern finds in a log, once there is enough of it."""
    until = time.monotonic() + limit_s
    while len(found := re.findall(pattern, log.read_text(errors="replace"))) < times:
        if time.monotonic() > until:
            raise AssertionError(f"{pattern} is not in {log.name}:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
    return found
