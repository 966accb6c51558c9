"""Starts the server: one for each store, on a port of its own."""

import asyncio
import logging
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout

from siffra.api import make_engine
from siffra.errors import ConfigError, StoreError
from siffra.store.schema import make_private
from siffra.web.app import make_app
from siffra.web.auth import Auth, names_of
from siffra.web.connection import Connection
from siffra.web.jobs import JobQueue
from siffra.web.paths import Paths
from siffra.web.state import AppState

PORT = 7373
_NEWS = 600.0
"""Seconds after which a line that was told already is told again."""
_AFTER = 20
"""How many ports after the usual one are tried, when none was asked for."""


def serve(
    store: Path,
    *,
    host: str,
    port: int | None,
    threads: int | None,
    on_start: Callable[[Callable[[], str]], None],
) -> None:
    """Serve the page for `store` until the process is interrupted.

    `on_start` is called once the server listens, with a function that gives an address that
    lets one browser in; every address it gives is another one.

    Raises:
        ConfigError: It cannot listen on that host and port.
        StoreError: The store cannot be used, or another server is at work on it.
    """
    host = "127.0.0.1" if host == "localhost" else host  # which may be ::1 as well, or only
    paths = Paths(store)
    engine = make_engine(threads)
    with closing(_listening(host, port)) as listening, _alone(paths):
        bound = listening.getsockname()[1]
        auth = Auth(names_of(host), bound)
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        base = f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        state = AppState(paths, engine, threads)
        config = uvicorn.Config(
            make_app(state, auth),
            http=Connection,
            ws="none",
            lifespan="on",
            access_log=False,  # addresses may hold tokens
            log_level="error",  # warnings are about what anybody may send
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config, state.jobs)
        logging.getLogger("siffra").setLevel(logging.INFO)
        logging.getLogger("siffra.web.requests").addFilter(_NewsOnly())
        # Pillow warns of what anybody's picture may hold, with the path of a file of ours.
        warnings.filterwarnings("ignore", module=r"PIL\.")

        def address() -> str:
            return f"{base}/?token={auth.new_token()}"

        asyncio.run(_run(server, listening, address, on_start))


class _NewsOnly(logging.Filter):
    """Lets a line through, and then not for a while: a page asks for the same again and again."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is news."""
        line, now = record.getMessage(), time.monotonic()
        self._last = {known: moment for known, moment in self._last.items() if now - moment < _NEWS}
        is_news = line not in self._last
        if is_news:
            self._last[line] = now
        return is_news


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's tells of a fault: that the end cuts answers short is none."""
    is_cut_short = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not is_cut_short and not record.getMessage().startswith("Cancel ")


class _Server(uvicorn.Server):
    """Ends event streams before it waits for all answers to be sent: those never are."""

    def __init__(self, config: uvicorn.Config, jobs: JobQueue) -> None:
        super().__init__(config)
        self._jobs = jobs
        logging.getLogger("uvicorn.error").addFilter(_is_fault)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn, which does not know of terminals that are closed."""
        hang_up = getattr(signal, "SIGHUP", None)
        is_main = threading.current_thread() is threading.main_thread()
        with super().capture_signals():
            if hang_up is None or not is_main or signal.getsignal(hang_up) == signal.SIG_IGN:
                yield
                return
            before = signal.signal(hang_up, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(hang_up, before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._jobs.end_streams()
        await super().shutdown(sockets)


async def _run(
    server: uvicorn.Server,
    listening: socket.socket,
    address: Callable[[], str],
    on_start: Callable[[Callable[[], str]], None],
) -> None:
    async def tell() -> None:
        while not server.started:
            await asyncio.sleep(0.01)
        on_start(address)

    telling = asyncio.create_task(tell())
    try:
        await server.serve([listening])
    finally:
        telling.cancel()


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens on `port`, or, if none was asked for, on the usual one or near it."""
    ports = [port] if port is not None else [*range(PORT, PORT + _AFTER), 0]
    for candidate in ports:
        try:
            family = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0][0]
            listening = socket.create_server((host, candidate), family=family)
            # asyncio does so only for sockets that say that they are TCP. Without it each answer
            # waits 40 ms, for the acknowledgement of its headers.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listening
        except OSError as error:
            if candidate == ports[-1]:
                raise ConfigError(
                    f"{host}, port {candidate}: cannot be listened on: {error.strerror or error}; "
                    "choose others with --host and --port."
                ) from error
    raise AssertionError


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Held while this server is at work on the store.

    Raises:
        StoreError: Another one is.
    """
    lock = FileLock(paths.lock)
    try:
        make_private(paths.folder)
        lock.acquire(blocking=False)
    except Timeout:
        raise StoreError(
            f"{paths.store}: another `siffra ui` is at work on this store; use its page, end it, "
            "or name another store with --store."
        ) from None
    except OSError as error:
        raise StoreError(f"{paths.folder}: cannot be used: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
