"""What the server answers when it does not do what was asked: a fixed code, and nothing else.

Neither what was sent nor what went wrong inside is ever repeated to whoever asked; the page
has the text to each code (`ui.error.*` in the catalogue), the terminal has the details.
"""

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, get_args

from starlette.responses import JSONResponse

from siffra.store.errors import primary

log = logging.getLogger("siffra.web.requests")

T = TypeVar("T")
R = TypeVar("R")

Code = Literal[
    "bad_request",
    "forbidden",
    "not_found",
    "method",
    "conflict",
    "too_large",
    "content_type",
    "impossible",
    "not_started_here",
    "out_of_range",
    "no_choice",
    "few_levels",
    "many_levels",
    "many_runs",
    "bad_upload",
    "bad_table",
    "too_much",
    "queue_full",
    "data_gone",
    "worker_lost",
    "no_memory",
    "store_gone",
    "disk_full",
    "busy",
    "server",
]
CODES: tuple[Code, ...] = get_args(Code)

_STATUS: dict[Code, int] = {
    "bad_request": 400,
    "forbidden": 403,
    "not_found": 404,
    "method": 405,
    "conflict": 409,
    "too_large": 413,
    "content_type": 415,
    "impossible": 422,
    "not_started_here": 409,
    "out_of_range": 422,
    "no_choice": 422,
    "few_levels": 422,
    "many_levels": 422,
    "many_runs": 422,
    "bad_upload": 422,
    "bad_table": 422,
    "too_much": 422,
    "queue_full": 409,
    "data_gone": 409,
    "worker_lost": 409,
    "no_memory": 507,
    "store_gone": 409,
    "disk_full": 507,
    "busy": 503,
    "server": 500,
}
_CODE_OF: dict[int, Code] = {status: code for code, status in reversed(_STATUS.items())}


class ApiError(Exception):
    """Raised where a request cannot be done.

    `why` is one line in siffra's own words: about knobs, whose names and values have passed
    `siffra.web.questions.Ask` or are not repeated, so that nothing else of the request can stand in
    it. `about` has what a script can read of the same: `knob`, the field's name, and its limits.
    """

    def __init__(
        self, code: Code, why: str = "", about: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(code)
        self.code: Code = code
        self.why = why
        self.about = about or {}

    @property
    def body(self) -> dict[str, Any]:
        """What the page gets, as JSON."""
        return {"error": self.code} | ({"why": self.why} if self.why else {}) | {**self.about}

    def response(self) -> JSONResponse:
        """The response."""
        return JSONResponse(self.body, _STATUS[self.code])


def code_of(status: int) -> Code:
    """The code for what the framework refuses by itself."""
    return _CODE_OF.get(status, "bad_request" if status < 500 else "server")


def code_of_error(error: BaseException) -> Code:
    """The code for any other error, by its root cause."""
    causes = list(_causes(error))
    if any(isinstance(cause, MemoryError) for cause in causes):
        return "no_memory"
    return "disk_full" if any(map(_says_full, causes)) else "server"


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _says_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        # To grow the index beside a log is the first thing that fails on a full disk.
        name = getattr(error, "sqlite_errorname", "")
        return primary(error) == sqlite3.SQLITE_FULL or name == "SQLITE_IOERR_SHMSIZE"
    return isinstance(error, OSError) and error.errno in _FULL


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def each_readable(
    items: Iterable[T], read: Callable[[T], R], name: Callable[[T], object]
) -> list[R]:
    """What `read` returns for each item; one for which it raises is logged, and left out.

    Anybody's file may be among them, so that this holds for errors of every kind.
    """
    results = []
    for item in items:
        try:
            results.append(read(item))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            log.error("%s is left out: %s: %s", name(item), type(error).__name__, reason)
    return results
