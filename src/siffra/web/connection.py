"""A connection with limits: what it may cost before anyone has been let in, and how long it lasts.

uvicorn's own protocol bounds neither how long a request's header may take nor how large it may
grow, and counts a connection that says nothing as one that is served. Here

- a header has `HEAD_PATIENCE` seconds and `HEAD` bytes, a body `BODY_PATIENCE` and `BODY`;
- where there are more than `CONNECTIONS`, the one that has been idle the longest is closed, so
  that a new one always finds room;
- a client that does not read what it is sent is cut off after `STALLED` seconds;
- what is answered before it was read whole is not parsed any further;
- a request line must name a path, in HTTP/1.0 or 1.1: an address in it would outrank `Host`.
"""

import asyncio
import http
from typing import Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from siffra.web.errors import ApiError, Code
from siffra.web.guard import HEADERS

CONNECTIONS = 100
HEAD, HEAD_PATIENCE = 64 * 1024, 10.0
BODY, BODY_PATIENCE = 64 * 2**20, 75.0
"""Above what the guard grants any path: it refuses in words, this only cuts off."""
PIPELINED = 16
"""Requests that may wait for the answer to another: browsers send none so, and thousands fit into
one packet."""
STALLED = 30.0
LINGER = 5.0
"""Seconds in which a refused client may finish sending: a reset would take the answer with it."""


class Connection(HttpToolsProtocol):
    """One client's connection; uvicorn makes one for each that it accepts."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for a header, and make room for this one."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._left = False  # answered for the last time: what still comes is thrown away
        self._idle_since = self.loop.time()
        self._begin()
        # Those that were just closed are still in the list until the loop comes to them.
        open_ = [c for c in self.connections if isinstance(c, Connection) and c._is_open()]
        if len(open_) > CONNECTIONS:
            idle = [each for each in open_ if each is not self and each._does_nothing()]
            min(idle, key=lambda each: each._idle_since, default=self).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._allow(None)
        self.resume_writing()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it running after a reset

    def data_received(self, data: bytes) -> None:
        """Parse what came, within the limits."""
        if self._left or not self._is_open():
            return
        if self._part is None:
            self._begin()
        self._bytes += len(data)
        super().data_received(data)
        if self._left or not self._is_open():
            return
        if self._part == "head" and self._bytes > HEAD:
            self._refuse(431, "too_large")
        elif self._part == "body" and self._bytes > HEAD + BODY:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Another request, perhaps in the same packet as the last one."""
        super().on_message_begin()
        if self._part is None:
            self._begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after the body."""
        self._grow(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The header is whole: from here on it is a request, which is answered."""
        assert self.parser is not None
        version = self.parser.get_http_version()
        if not self.url.startswith(b"/") or version not in ("1.0", "1.1"):
            raise ValueError("no path, or another version")
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("too many requests before the first is answered")
        super().on_headers_complete()
        self._part = "body"
        self._allow(BODY_PATIENCE)

    def on_message_complete(self) -> None:
        """The request is read to its end."""
        super().on_message_complete()
        self._part = None
        self._allow(None)

    def on_response_complete(self) -> None:
        """The answer is sent."""
        super().on_response_complete()
        self._idle_since = self.loop.time()
        # Of pipelined requests, another one may be the one that is being read.
        if self._part == "body" and self.cycle.response_complete:
            self._leave()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or more than is read, in a fixed text and without a log."""
        if self._head > HEAD:
            self._refuse(431, "too_large")
        else:
            self._refuse(400, "bad_request")

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def _begin(self) -> None:
        self._part: Literal["head", "body"] | None = "head"
        self._bytes = self._head = 0
        self._allow(HEAD_PATIENCE)

    def _grow(self, by: int) -> None:
        self._head += by
        if self._head > HEAD:
            raise ValueError("too many headers")

    def _is_open(self) -> bool:
        return not self.transport.is_closing()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _does_nothing(self) -> bool:
        """Whether it can go: it asks for nothing, or does not read what it asked for."""
        return self._is_idle() or self._stalled is not None

    def _allow(self, seconds: float | None) -> None:
        """Close the connection in this many seconds, unless something comes before."""
        if self._deadline:
            self._deadline.cancel()
        ends = self.transport.abort
        self._deadline = self.loop.call_later(seconds, ends) if seconds is not None else None

    def _refuse(self, status: int, code: Code) -> None:
        if not self._is_idle():  # an answer is being sent, into which this must not fall
            self.transport.abort()
            return
        self.transport.write(_answer(status, code))
        self._leave()

    def _leave(self) -> None:
        self._left = True
        self._unset_keepalive_if_required()
        if self._is_open():
            self.transport.write_eof()
            self._allow(LINGER)


def _answer(status: int, code: Code) -> bytes:
    body = bytes(ApiError(code).response().body)
    headers = {
        **HEADERS,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
