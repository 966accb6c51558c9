"""The guard before the routes: every request passes it, whatever it asks for, or gets no further.

The server may start trainings and show what is on this machine, and any page that the user
visits can send requests to it. What keeps them out (see `tests/web/test_guard.py`):

- a `Host` that is not exactly ours means a name that was rebound to this address: refused, on
  every path, static files and event streams included;
- a cookie that only a browser with the printed token has; `SameSite=Strict`, so that other
  sites' requests go without it, and `HttpOnly`. Who clicks on the address in another site's page
  is such a request, too: the door answers it with a page that goes on as our own;
- `Origin` must be ours wherever it is sent, and must be sent with whatever changes something:
  ports do not part sites, so that another server on this machine has our cookie with it; where
  the browser says by `Sec-Fetch-Site` who asks, reading is for our own page alone, too;
- `POST` bodies must say that they are JSON, which no form can, must be UTF-8, and are capped;
  those that may be large are read and handled one at a time.

There are two verbs and no CORS headers. Everything is refused with a fixed text. What a request
may cost before it is one, `siffra.web.connection` bounds.
"""

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siffra.web import pages
from siffra.web.auth import Auth
from siffra.web.errors import ApiError

VERBS = ("GET", "POST")
BODY = 64 * 1024
"""The most bytes of a request's body, unless its path is among the guard's `larger` ones."""
PATIENCE = 60.0
"""Seconds that a body may take to arrive."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer; a route may set its own in their place."""


class Guard:
    """An ASGI application around another one, `app`."""

    def __init__(self, app: ASGIApp, auth: Auth, larger: Mapping[str, int]) -> None:
        self._app, self._auth, self._larger = app, auth, larger
        self._turn = asyncio.Lock()  # for large bodies, which cost memory and time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and refuse the rest."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        try:
            answer = self._answer(request)
        except ApiError as error:
            answer = pages.error_response(request, error)
        if answer:
            await answer(scope, receive, send_hardened)
        elif scope["method"] == "POST" and scope["path"] in self._larger:
            async with self._turn:
                await self._pass_on(request, receive, send_hardened)
        else:
            await self._pass_on(request, receive, send_hardened)

    async def _pass_on(self, request: Request, receive: Receive, send: Send) -> None:
        app = self._app
        if request.method == "POST":
            try:
                body = await self._body(request.scope["path"], request.headers, receive)
                receive = _replay(body, receive)
            except ApiError as error:
                app = error.response()
        await app(request.scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """What is to be said at the door; None for who may pass."""
        headers, door = request.headers, request.scope["path"] == "/"
        self._check_host(headers)
        if request.method not in VERBS:
            raise ApiError("method")
        self._check_origin(request.method, headers, door)
        known = self._auth.knows("; ".join(headers.getlist("cookie")))
        tokens = parse_qs(request.scope["query_string"].decode("latin-1")).get("token", [])
        if door and request.method == "GET" and (tokens or not known):
            return self._at_the_door(request, tokens, known)
        if not known:
            raise ApiError("forbidden")
        if request.method == "POST":
            _check_is_json(headers)
        return None

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._auth.hosts:
            raise ApiError("forbidden")

    def _check_origin(self, method: str, headers: Headers, door: bool) -> None:
        origins = headers.getlist("origin")
        if origins or method == "POST":
            ours = f"http://{headers['host'].lower()}"
            if origins != [ours] or ours not in self._auth.origins:
                raise ApiError("forbidden")
        # The address may be clicked on in another page, a chat say; nothing but the door may.
        asked_by = headers.get("sec-fetch-site", "none")
        if asked_by not in ("same-origin", "none") and not door:
            raise ApiError("forbidden")

    def _at_the_door(self, request: Request, tokens: list[str], known: bool) -> Response:
        headers = request.headers
        # A token that is shown in a frame, or fetched ahead, is not used up by that: no cookie
        # would be kept.
        opened = headers.get("sec-fetch-dest", "document") == "document"
        if opened and len(tokens) == 1 and (cookie := self._auth.swap(tokens[0])):
            answer = pages.going_on(200)
            answer.headers["Set-Cookie"] = cookie
            return answer
        if known:
            return pages.going_on(200)
        # This browser may be in all the same: coming from another site, it does not say so.
        site = headers.get("sec-fetch-site", "unknown" if tokens else "none")
        if opened and site not in ("same-origin", "none"):
            return pages.going_on(403)
        return pages.closed(request)

    async def _body(self, path: str, headers: Headers, receive: Receive) -> bytes:
        most = self._larger.get(path, BODY)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise ApiError("bad_request")
        if int(length) > most:
            raise ApiError("too_large")
        body = bytearray()
        try:
            async with asyncio.timeout(PATIENCE):
                more = True
                while more:
                    message = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > most:
                        raise ApiError("too_large")
        except TimeoutError:
            raise ApiError("bad_request") from None
        if body and json.detect_encoding(bytes(body[:4])) != "utf-8":
            raise ApiError("content_type")
        return bytes(body)


def _check_is_json(headers: Headers) -> None:
    kinds = headers.getlist("content-type")
    kind, _, parameter = kinds[0].partition(";") if len(kinds) == 1 else ("", "", "")
    plain = parameter.strip().lower() in ("", "charset=utf-8")
    if kind.strip().lower() != "application/json" or not plain or "content-encoding" in headers:
        raise ApiError("content_type")


def _replay(body: bytes, receive: Receive) -> Receive:
    """What hands out `body`, and then what `receive` does: that the client has left."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
