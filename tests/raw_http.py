"""HTTP by hand over a raw socket, to a `siffra ui` of the test's own: what no client would send."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 300.0


@dataclass(frozen=True)
class Answer:
    """What a server sent; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def exchange(port: int, request: bytes, *, whole: bool = True) -> Answer:
    """Send `request` as it stands, and read the answer: its body too, unless not `whole`."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            part = connection.recv(65536)
            if not part:
                break
            received += part
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", 0))
        while whole and len(body) < length:
            body += connection.recv(65536)
    return Answer(int(status.split()[1]), headers, body)


@dataclass
class Ui:
    """A server that runs, and the cookie of a browser that it has let in."""

    process: subprocess.Popen[bytes]
    port: int
    token: str
    log: Path
    cookie: str = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def head(self, **changes: str | None) -> dict[str, str]:
        """The headers of the page's own requests, with changes; None leaves one out."""
        usual = {"Host": self.host, "Cookie": self.cookie, "Origin": f"http://{self.host}",
                 "Content-Type": "application/json"}  # fmt: skip
        given = {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in (usual | given).items() if value is not None}

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        verb: str = "",
        raw: bytes | None = None,
        whole: bool = True,
        **changes: str | None,
    ) -> Answer:
        """A request of the page's, changed as wanted: GET, or POST if there is a `body`."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        verb = verb or ("GET" if body is None and raw is None else "POST")
        headers = self.head(**changes)
        if verb == "GET":
            headers = {k: v for k, v in headers.items() if k in ("Host", "Cookie") or k in {
                name.replace("_", "-") for name in changes}}  # fmt: skip
        if verb == "POST":
            headers.setdefault("Content-Length", str(len(content)))
        lines = [f"{verb} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        request = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
        return exchange(self.port, request + content, whole=whole)

    def events(self, lang: str = "en") -> Iterator[tuple[str, Any]]:
        """What the event stream tells, message by message, until the server ends."""
        request = f"GET /api/events?lang={lang} HTTP/1.1\r\n"
        request += f"Host: {self.host}\r\nCookie: {self.cookie}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode())
            name = ""
            for line in connection.makefile("r", encoding="utf-8"):
                if line.startswith("event: "):
                    name = line.removeprefix("event: ").strip()
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

    def kill(self) -> None:
        """End the server without a warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start(command: Sequence[object], store: Path, cwd: Path, host: str = "127.0.0.1") -> Ui:
    """Start `siffra ui` by `command`, and read the address that it prints."""
    log = cwd / f"ui-{time.monotonic_ns()}.log"
    arguments = [*command, "ui", "--no-browser", "--port", "0", "--store", store, "--host", host]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    deadline = time.monotonic() + PATIENCE
    while not (printed := re.search(r":(\d+)/\?token=(\S+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return Ui(process, int(printed[1]), printed[2], log)


def go_in(ui: Ui) -> Answer:
    """Swap the token for the cookie."""
    answer = exchange(
        ui.port, f"GET /?token={ui.token} HTTP/1.1\r\nHost: {ui.host}\r\n\r\n".encode()
    )
    ui.cookie = answer.headers["set-cookie"].partition(";")[0]
    return answer


@contextmanager
def running(store: Path, cwd: Path, command: Sequence[object] | None = None) -> Iterator[Ui]:
    """A server that has let us in, until the end of the block."""
    ui = start(command or (sys.executable, "-m", "siffra"), store, cwd)
    try:
        go_in(ui)
        yield ui
    finally:
        ui.kill()
