"""A clock for timeouts that a busy machine does not shorten."""

import time

import pytest


class BegunClock:
    """Stands still until the command says that it is there, which takes as long as it takes."""

    def __init__(self) -> None:
        self._began: float | None = None

    def begin(self, *_: object) -> None:
        """Is called with each line of the command; the first starts the clock."""
        if self._began is None:
            self._began = time.monotonic()

    def monotonic(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began

    sleep = staticmethod(time.sleep)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> BegunClock:
    """The clock of commands; `on_line=begun.begin` starts it."""
    clock = BegunClock()
    monkeypatch.setattr("siffra.engine.command.process.time", clock)
    return clock
