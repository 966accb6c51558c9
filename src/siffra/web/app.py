"""The application: routes and the page's files behind the guard."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
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
from siffra.web.static_files import StaticFiles
from siffra.web.uploads import ARRAYS_FILE, PICTURE, as_json

log = logging.getLogger("siffra.web.requests")

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
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(SiffraError, _explained)
    app.add_exception_handler(Exception, _failed)
    return Guard(StaticFiles(app), auth, LARGER)


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
