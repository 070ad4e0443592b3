"""A real Chromium against a real server: what every browser test stands on.

`live` is the brand's address, served by this process; `visit` opens pages that fail the test at its end if they broke
the CSP, logged an error, or asked another host for anything. `looked_at` runs axe and the check for sideways scrolling.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from playwright.sync_api import Browser, BrowserContext, Page

from brands.models import Brand
from config.wsgi import application

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright runs a loop in this thread; Django stays synchronous
CHROME = os.environ.get("CHROME_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LANGUAGES = ("en", "zh-CN")
PHONE, DESK = {"width": 360, "height": 780}, {"width": 1280, "height": 900}
SHOTS = os.environ.get("SHOTS", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROME is None and os.environ.get("REQUIRE_BROWSER") != "1":
                item.add_marker(pytest.mark.skip(reason="no chromium: set CHROME_PATH"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    assert CHROME, "REQUIRE_BROWSER=1, and there is no chromium"
    return {"executable_path": CHROME, "args": ARGUMENTS}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # so that closing waits for the requests in hand


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[int]:
    """Serve from this process and yield the port; at the end no request is left running.

    One that outlived its test would write into the database that the tests after it share.
    """
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def live(real_commits: Brand) -> Iterator[str]:
    """The brand's address ("http://brand.localhost:PORT"), on a database of this test's own."""
    with serving(StaticFilesHandler(application)) as port:
        yield f"http://brand.localhost:{port}"


@dataclass
class Watch:
    """What went wrong in the pages of one test."""

    live: str
    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> Page:
        page.on("console", lambda message: message.type == "error" and self._console(message.text))
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", lambda request: self._request(request.url))
        return page

    def _console(self, text: str) -> None:
        if not text.startswith("Failed to load resource"):  # a 422 or 404 that the test itself asks for
            self.faults.append(f"console: {text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.netloc != urlsplit(self.live).netloc:
            self.faults.append(f"another host: {url}")


@pytest.fixture
def watch(live: str) -> Watch:
    """What went wrong so far; a test that asks for a fault takes it out."""
    return Watch(live)


@pytest.fixture
def visit(live: str, browser: Browser, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a new window: language, dark, size, touch, script, cookies of a Django client."""
    contexts: list[BrowserContext] = []

    def open_window(
        *,
        language: str = "en",
        dark: bool = False,
        size: dict[str, int] | None = None,
        script: bool = True,
        client: Any = None,
        **more: Any,
    ) -> Page:
        context: BrowserContext = browser.new_context(
            base_url=live,
            locale=language,
            timezone_id="Asia/Shanghai",
            color_scheme="dark" if dark else "light",
            viewport=size or DESK,
            java_script_enabled=script,
            reduced_motion="reduce",
            **more,
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if client is not None:
            context.add_cookies(
                [{"name": k, "value": morsel.value, "url": live} for k, morsel in client.cookies.items()]
            )
        return watch.over(context.new_page())

    yield open_window
    for context in contexts:
        context.close()
    assert watch.faults == []


def axe_faults(page: Page) -> list[str]:
    """Return what axe finds against WCAG 2.0–2.2 A and AA."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]})
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in found.response["violations"]
        for node in fault["nodes"]
    ]


def overflow_px(page: Page) -> int:
    """Return by how much the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def clipped(page: Page) -> list[str]:
    """Return the texts that a box cuts off at its side, but for those that end in dots."""
    return page.evaluate("""() => {
        const cut = [];
        for (const box of document.querySelectorAll('main *, header *')) {
            if (box.scrollWidth <= box.clientWidth + 2 || box.clientWidth < 40 || box.matches('input')) continue;
            const style = getComputedStyle(box);
            if (!['hidden', 'clip'].includes(style.overflowX) || style.textOverflow === 'ellipsis') continue;
            const edge = box.getBoundingClientRect().right, walk = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
                const range = document.createRange();
                range.selectNodeContents(walk.currentNode);
                const text = walk.currentNode.nodeValue.trim();
                if (text && range.getBoundingClientRect().right > edge + 1) cut.push(text.slice(0, 40));
            }
        }
        return cut;
    }""")


def looked_at(page: Page, name: str = "") -> None:
    """Check the page as it stands: axe, no sideways scrolling, nothing cut off; with ``SHOTS`` set, also take a picture."""
    if SHOTS and name:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    assert axe_faults(page) == []
    assert overflow_px(page) <= 0
    assert clipped(page) == []
