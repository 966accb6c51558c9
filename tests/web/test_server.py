"""How the server ends, and what of it a terminal is told."""

import asyncio
import logging
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from siffra.web.server import _Server


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise ZeroDivisionError


@pytest.fixture
def began() -> threading.Event:
    return threading.Event()


@pytest.fixture
def never(began):
    """An application that begins to answer and never does."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        began.set()
        await asyncio.sleep(3600)

    return application


def lines_of(application: Any, began: threading.Event | None, caplog: Any) -> list[str]:
    """What is logged while a server of `application` is asked, and ended once it has begun."""
    config = uvicorn.Config(
        application, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = _Server(config, cast(Any, SimpleNamespace(end_streams=lambda: None)))
    with caplog.at_level(logging.ERROR), socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with socket.create_connection(listening.getsockname()) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            if began:
                assert began.wait(300)
            else:
                line.recv(1)
            server.should_exit = True
            thread.join(300)
    return [record.getMessage() for record in caplog.records]


def test_an_answer_that_the_end_cuts_short_is_no_error(never, began, caplog):
    assert lines_of(never, began, caplog) == []


def test_an_application_that_fails_is(caplog):
    (line,) = lines_of(fails, None, caplog)
    assert line.startswith("Exception in ASGI application")
