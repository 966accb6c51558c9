"""A real browser before a real `siffra ui`, on a store of its own.

The browser is Debian's Chromium, or what `SIFFRA_CHROMIUM` names; without one the tests are
skipped and say what installs it. Nothing is downloaded.
"""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    StorageStateCookie,
    expect,
    sync_playwright,
)

from siffra.data.load import load_dataset

INSTALL = "apt-get install -y --no-install-recommends chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120_000  # ms; a busy machine compiles for as long when it does so for the first time
COMPLAINTS = ("error", "warning")

# Chromium drops what is typed before a page's first frame is on the screen.
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


# Every control that can be reached, without a name that a screen reader can say.
UNNAMED = """() => [...document.querySelectorAll(
    'a[href], button, input, select, summary, [tabindex="0"]')]
  .filter(e => e.checkVisibility())
  .filter(e => !(e.getAttribute('aria-label') || e.innerText.trim()
    || e.closest('label')?.innerText.trim() || e.title))
  .map(e => e.outerHTML.slice(0, 120))"""


# A module as the page itself has it, for a test's script: `await load("jobs.js")`.
LOAD = "window.load = name => import(document.scripts[1].src.replace('main.js', name));"


class Bench:
    """A `siffra ui` that can be killed and started again, on the same port and store."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "runs.sqlite"
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None
        self.base = ""
        self._cookie = ""
        self.cookies: StorageState = {}

    def start(self) -> str:
        """Start it; returns the address, which lets one browser in."""
        command = [sys.executable, "-m", "siffra", "ui", "--no-browser", "--port", self._port]
        self._process = subprocess.Popen(
            [*command, "--store", str(self.store)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/\S+", line):
                self._port = found[1]
                self.base = f"http://127.0.0.1:{found[1]}"
                return found[0]
        raise AssertionError("siffra ui ended before it told its address")

    def let_in(self, address: str) -> None:
        """Go through the door once, and keep the cookie for every browser that is to come."""
        door = HTTPConnection("127.0.0.1", int(self._port))
        door.request("GET", address.removeprefix(self.base))
        given = door.getresponse().headers["Set-Cookie"]
        door.close()
        self._cookie = given.partition(";")[0]
        name, _, value = self._cookie.partition("=")
        cookie: StorageStateCookie = {
            "name": name, "value": value, "domain": "127.0.0.1", "path": "/",
            "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Strict",
        }  # fmt: skip
        self.cookies = {"cookies": [cookie], "origins": []}

    def warm_up(self) -> None:
        """Have it train and predict once: on a new machine, that is when it compiles."""
        asked = {"vary": {"neurons": [2, 3]}, "fixed": {"epochs": 1}, "seeds": 1}
        lab = self.call("POST", "/api/ask", asked)["id"]
        everyone = {"models": ["dense", "recipe"], "digit": 0, "response": True}
        self.call("POST", "/api/predict", everyone)
        while self.call("GET", f"/api/labs/{lab}")["state"] != "done":
            time.sleep(0.2)

    def call(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the server without a browser."""
        line = HTTPConnection("127.0.0.1", int(self._port), timeout=300)
        headers = {
            "Content-Type": "application/json",
            "Origin": self.base,
            "Cookie": self._cookie,
        }
        line.request(verb, path, json.dumps(body or {}) if verb == "POST" else None, headers)
        told = json.loads(line.getresponse().read())
        line.close()
        return told

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=300)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def kill_worker(self) -> None:
        """End the process that trains, as a system does that has run out of memory."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        for child in " ".join(file.read_text() for file in children).split():
            if b"siffra.web.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
                return
        raise AssertionError("nothing trains")


def chromium() -> str | None:
    """Where the browser is."""
    named = os.environ.get("SIFFRA_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


# A file's and not the session's: while Playwright runs, its event loop is in other tests' way
# (without an `__init__.py` a folder's scope is the session's). The server is a file's too, so that
# no test counts the runs that another file has left.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(f"no Chromium here; this installs it: {INSTALL}")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium's own sandbox does not start.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if root else []
        )
        expect.set_options(timeout=PATIENCE)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[Bench]:
    if chromium() is None:
        pytest.skip(f"no Chromium here; this installs it: {INSTALL}")
    started = Bench(tmp_path_factory.mktemp("bench"))
    try:
        started.let_in(started.start())
        started.warm_up()
        yield started
    finally:
        started.end()


@pytest.fixture
def fresh(browser, tmp_path) -> Iterator[Bench]:
    """A server that nobody has been let into, and that is not started yet."""
    bench = Bench(tmp_path)
    try:
        yield bench
    finally:
        bench.end()


@pytest.fixture
def visit(browser, bench) -> Iterator[Callable[..., Page]]:
    """`visit("#/ask")` opens a page; whatever it complains about in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(address: str = "", *, beside: Page | None = None, **options) -> Page:
        if beside is None:
            context = browser.new_context(
                storage_state=bench.cookies, **({"locale": "en-GB"} | options)
            )
            contexts.append(context)
        else:
            context = beside.context
        page = context.new_page()
        page.add_init_script(LOAD)
        page.on("console", lambda m: complaints.append(m.text) if m.type in COMPLAINTS else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{bench.base}/{address}")
        page.evaluate(PAINTED)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def nameless() -> Callable[[Page], list[str]]:
    """`nameless(page)` has the controls of which a screen reader says no name."""
    return lambda page: page.evaluate(UNNAMED)


@pytest.fixture
def sheets(tmp_path) -> Callable[[Page], int]:
    """`sheets(page)` is how many a printer would use."""

    def count(page: Page) -> int:
        paper = page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
        return len(re.findall(rb"/Type /Page\b", paper))

    return count


@pytest.fixture(scope="module")
def tiny(bench) -> str:
    """The id of a data set so small that a run takes no time, uploaded as a user would."""
    full = load_dataset()
    file = io.BytesIO()
    np.savez(
        file,
        x_train=full.train.x[:300, :, :, 0],
        y_train=full.train.y[:300],
        x_test=full.test.x[:60, :, :, 0],
        y_test=full.test.y[:60],
    )
    content = base64.b64encode(file.getvalue()).decode()
    return bench.call("POST", "/api/datasets", {"name": "tiny", "npz": content})["id"]


@pytest.fixture
def idle(bench) -> Iterator[None]:
    """Afterwards nothing waits or is being trained, whatever a test has left there."""
    yield
    deadline = time.monotonic() + 300
    while left := bench.call("GET", "/api/jobs")["queue"]:
        assert time.monotonic() < deadline, left
        for item in left:
            bench.call("POST", f"/api/labs/{item['id']}/cancel")
        time.sleep(0.1)
    bench.call("POST", "/api/jobs/resume")
