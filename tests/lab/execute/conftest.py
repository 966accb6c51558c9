"""An engine that notes what it trains, and a store for its runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_lab import LoggingEngine

from siffra.store.store import Store, open_store


@pytest.fixture
def engine(tmp_path: Path) -> LoggingEngine:
    return LoggingEngine(tmp_path / "log")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.sqlite") as opened:
        yield opened
