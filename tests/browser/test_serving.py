"""The server under the browser tests itself."""

import threading
import time
from collections.abc import Callable, Iterable
from urllib.request import urlopen

from tests.browser.conftest import serving


def test_no_request_outlives_the_server() -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow(_environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        begun.set()
        time.sleep(0.5)
        ended.set()
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    with serving(slow) as port:
        client = threading.Thread(target=lambda: urlopen(f"http://127.0.0.1:{port}/").close())
        client.start()
        assert begun.wait(10)

    assert ended.is_set()
    client.join()
