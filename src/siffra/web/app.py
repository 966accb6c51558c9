"""The application: routes and static files behind the guard."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from siffra.errors import SiffraError
from siffra.web import pages
from siffra.web.auth import Auth
from siffra.web.errors import ApiError, code_of, code_of_error
from siffra.web.guard import BODY, Guard
from siffra.web.judging import TABLE
from siffra.web.routes import jobs, judging, labs, playground, questions, runs
from siffra.web.state import AppState
from siffra.web.uploads import ARRAYS_FILE, PICTURE, as_json

log = logging.getLogger("siffra.web.requests")

STATIC = Path(__file__).with_name("static")
KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served of the static folder, and as what."""
LARGER: Mapping[str, int] = {
    "/api/datasets": as_json(ARRAYS_FILE),
    "/api/picture": as_json(PICTURE),
    "/api/judge": as_json(TABLE) + BODY,
}
"""The paths whose bodies may be larger than others'."""


def make_app(state: AppState, auth: Auth) -> ASGIApp:
    """The whole application. It opens `state` when it starts, and closes it when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.open()
        try:
            yield
        finally:
            await state.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.siffra = state
    for family in (questions, jobs, labs, runs, judging, playground):
        app.include_router(family.router)
    app.include_router(_static())
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(SiffraError, _explained)
    app.add_exception_handler(Exception, _failed)
    return Guard(app, auth, LARGER)


def _static() -> APIRouter:
    """The page, and the files that it asks for: those there are now, each by its whole name."""
    router = APIRouter()
    files = {
        path.relative_to(STATIC).as_posix(): path
        for path in STATIC.rglob("*")
        if path.is_file() and path.suffix in KINDS
    }

    def answer(name: str) -> Response:
        path = files.get(name)
        if path is None:
            raise ApiError("not_found")
        headers = {"Cache-Control": "no-cache"}
        return FileResponse(path, media_type=KINDS[path.suffix], headers=headers)

    @router.get("/")
    def page() -> Response:
        return answer("index.html")

    @router.get("/favicon.ico")
    def icon() -> Response:
        return answer("icon.svg")  # browsers ask for it beside a report, which names none

    @router.get("/static/{name:path}")
    def file(name: str) -> Response:
        return answer(name)

    return router


def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return pages.error_response(request, error)


def _malformed(request: Request, error: Exception) -> Response:
    return pages.error_response(request, ApiError("bad_request"))


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return pages.error_response(request, ApiError(code_of(error.status_code)))


def _explained(request: Request, error: Exception) -> Response:
    """A store that is locked, a disk that is full: for the terminal to explain."""
    log.error("%s", error)
    return pages.error_response(request, ApiError(code_of_error(error)))


def _failed(request: Request, error: Exception) -> Response:
    # A fault of ours: the traceback goes to the terminal.
    return pages.error_response(request, ApiError(code_of_error(error)))
