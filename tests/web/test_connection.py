"""A connection costs little and ends, whatever the client does; seen over real sockets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import uvicorn
from raw_http import PATIENCE, exchange

from siffra.web import connection
from siffra.web.connection import CONNECTIONS, HEAD, PIPELINED, Connection

LONG = 3600.0
GET = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


async def app(scope, receive, send):
    """`/small` answers, `/large` answers more than any buffer holds, `/wait` waits for the body."""
    if scope["path"] == "/wait":
        while (await receive()).get("more_body"):
            pass
    body = b"." * (1 << 25 if scope["path"] == "/large" else 2)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Served(uvicorn.Server):
    """A server in a thread of this process, so that what it holds can be looked at."""

    port = 0

    @property
    def held(self) -> int:
        return len(self.server_state.connections)


@contextmanager
def served() -> Iterator[Served]:
    config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_level="error")
    server = Served(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            until(lambda: server.started)
            yield server
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


@pytest.fixture
def patient(monkeypatch) -> Iterator[Served]:
    """One that waits for ever."""
    for name in ("HEAD_PATIENCE", "BODY_PATIENCE", "STALLED", "LINGER"):
        monkeypatch.setattr(connection, name, LONG)
    with served() as server:
        yield server


@pytest.fixture
def hasty(monkeypatch) -> Callable[[str], None]:
    """Leaves all limits of time wide but the one named, which is next to nothing."""

    def make(named: str) -> None:
        for name in ("HEAD_PATIENCE", "BODY_PATIENCE", "STALLED", "LINGER"):
            monkeypatch.setattr(connection, name, 0.05 if name == named else LONG)

    return make


def until(holds: Callable[[], bool]) -> None:
    """Wait for it; a busy machine takes its time."""
    for _ in range(int(PATIENCE / 0.01)):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to hold")


def connect(server: Served, sent: bytes = b"") -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    connected.sendall(sent)
    return connected


def is_closed(connected: socket.socket) -> bool:
    """Whether the server ends it without an answer."""
    try:
        return connected.recv(1) == b""
    except ConnectionResetError:
        return True


def send_until_refused(connected: socket.socket, part: bytes) -> None:
    """Send on and on, until the other end is gone."""
    with suppress(OSError):
        while True:
            connected.sendall(part)
            threading.Event().wait(0.001)


class TestTime:
    @pytest.mark.parametrize(
        "sent", [b"", b"\r\n", b"GET /sm", GET[:-2], b"GET /small HTTP/1.1\r\nX: "]
    )
    def test_a_header_that_is_not_whole_in_time_ends_the_connection(self, hasty, sent):
        hasty("HEAD_PATIENCE")
        with served() as server, closing(connect(server, sent)) as slow:
            assert is_closed(slow)

    def test_more_of_a_header_buys_no_more_time(self, hasty):
        hasty("HEAD_PATIENCE")
        with served() as server, closing(connect(server, b"GET /small HTTP/1.1\r\n")) as slow:
            send_until_refused(slow, b"X: y\r\n")
            until(lambda: server.held == 0)

    def test_the_next_request_of_a_connection_has_no_more_time_than_the_first(self, hasty):
        hasty("HEAD_PATIENCE")
        with served() as server, closing(connect(server, GET + b"GET /sm")) as slow:
            received = b""
            while part := slow.recv(65536):
                received += part
            assert received.startswith(b"HTTP/1.1 200")

    def test_a_body_that_does_not_come_ends_the_connection(self, hasty):
        hasty("BODY_PATIENCE")
        head = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        with served() as server, closing(connect(server, head)) as slow:
            assert is_closed(slow)

    def test_who_does_not_read_the_answer_is_cut_off(self, hasty):
        hasty("STALLED")
        with served() as server, closing(connect(server, GET.replace(b"small", b"large"))):
            until(lambda: server.held == 1)
            until(lambda: server.held == 0)

    def test_what_is_refused_before_it_was_read_ends_soon(self, hasty):
        hasty("LINGER")
        head = b"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        with served() as server, closing(connect(server, head)) as slow:
            received = b""
            while part := slow.recv(65536):
                received += part
            assert received.startswith(b"HTTP/1.1 200")
            until(lambda: server.held == 0)


class TestSize:
    @pytest.mark.parametrize(
        "request_",
        [
            b"GET /small HTTP/1.1\r\nX: " + b"y" * HEAD,
            b"GET /small HTTP/1.1\r\nX: " + b"y" * HEAD + b"\r\n\r\n",
            b"GET /small HTTP/1.1\r\n" + b"X: y\r\n" * HEAD + b"\r\n",
            b"GET /" + b"x" * HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /" + b"x" * HEAD,
        ],
        ids=["unended", "one", "many", "target", "unended target"],
    )
    def test_a_header_block_has_an_end(self, patient, request_):
        answer = exchange(patient.port, request_)
        assert answer.status == 431
        assert answer.json == {"error": "too_large"}
        assert answer.headers["connection"] == "close"

    def test_a_header_just_within_the_limit_is_read(self, patient):
        request = b"GET /small HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (HEAD - 100) + b"\r\n\r\n"
        assert exchange(patient.port, request).status == 200

    def test_trailers_count_as_headers(self, patient):
        head = b"POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        with closing(connect(patient, head + b"X: y\r\n" * HEAD)) as endless:
            assert is_closed(endless)

    def test_a_trailer_without_an_end_counts_as_a_body(self, patient, monkeypatch):
        monkeypatch.setattr(connection, "BODY", 1 << 20)
        head = b"POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
        with closing(connect(patient, head)) as endless:
            send_until_refused(endless, b"y" * (1 << 16))

    def test_what_follows_a_refusal_is_not_parsed(self, patient):
        bad = b"GET /small HTTP/9.9\r\n\r\n"
        with closing(connect(patient, bad + GET)) as connected:
            received = b""
            while part := connected.recv(65536):
                received += part
            assert received.count(b"HTTP/1.1") == 1
            assert received.startswith(b"HTTP/1.1 400")


class TestNumber:
    def test_the_newest_always_finds_room(self, patient):
        silent = [connect(patient) for _ in range(CONNECTIONS + 50)]
        try:
            assert exchange(patient.port, GET).status == 200
            until(lambda: patient.held <= CONNECTIONS)
            assert is_closed(silent[0])
            silent[-1].sendall(GET)
            assert silent[-1].recv(12) == b"HTTP/1.1 200"
        finally:
            for connected in silent:
                connected.close()

    def test_one_that_is_served_is_not_closed_for_one_that_says_nothing(self, patient):
        head = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
        with closing(connect(patient, head)) as served_:
            until(lambda: patient.held == 1)
            silent = [connect(patient) for _ in range(2 * CONNECTIONS)]
            try:
                until(lambda: patient.held >= CONNECTIONS)
                served_.sendall(b"x")
                assert served_.recv(12) == b"HTTP/1.1 200"
            finally:
                for connected in silent:
                    connected.close()

    def test_one_that_does_not_read_goes_before_one_that_is_served(self, patient):
        large = GET.replace(b"small", b"large")
        deaf = [connect(patient, large) for _ in range(CONNECTIONS)]
        try:
            until(lambda: patient.held == CONNECTIONS)
            until(lambda: all(c.flow.write_paused for c in set(patient.server_state.connections)))
            assert exchange(patient.port, GET).status == 200
        finally:
            for connected in deaf:
                connected.close()

    def test_more_pipelined_requests_than_anyone_needs_end_the_connection(self, patient):
        with closing(connect(patient, GET * 1000)) as connected:
            received = b""
            with suppress(ConnectionResetError):
                while part := connected.recv(65536):
                    received += part
        assert received.count(b"HTTP/1.1 200") <= PIPELINED + 1

    def test_pipelined_requests_are_all_answered_in_turn(self, patient):
        post = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        with closing(connect(patient, GET + post)) as connected:
            received = connected.recv(65536)
            connected.sendall(b"ab" + GET.replace(b"Host", b"Connection: close\r\nHost"))
            while part := connected.recv(65536):
                received += part
        assert received.count(b"HTTP/1.1 200") == 3
