"""Ending a group of processes where there is no /proc; `test_child` has the rest."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from siffra.engine.command import keeper

STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_PROCESSES", "/none")


@pytest.fixture
def leader(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen]:
    """Runs the script that is its parameter, in a group of its own, and is waited for."""
    process = subprocess.Popen(
        ["sh", "-c", request.param], start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    waiting = threading.Thread(target=process.wait)
    waiting.start()
    yield process
    waiting.join(300)
    process.stdout.close()
    assert not waiting.is_alive()


@pytest.mark.parametrize("leader", ["sleep 60 & echo ready; sleep 60"], indirect=True)
def test_a_group_ends_by_sigterm(leader):
    keeper.end_processes(leader.pid, b"", grace=60)

    assert not keeper.has_processes(leader.pid)
    assert leader.wait(300) == -signal.SIGTERM


@pytest.mark.parametrize(
    "leader", [f"trap '' TERM; ({STUBBORN}) & echo ready; {STUBBORN}"], indirect=True
)
def test_a_stubborn_group_is_killed_after_its_grace(leader):
    began = time.monotonic()
    keeper.end_processes(leader.pid, b"", grace=0.2)

    assert time.monotonic() - began >= 0.2
    assert not keeper.has_processes(leader.pid)
    assert leader.wait(300) == -signal.SIGKILL


def test_without_a_group_nothing_is_ended():
    assert keeper.targets(0, b"") == []
    keeper.end_processes(0, b"", grace=60)


def test_the_group_of_a_process_that_is_gone_is_empty():
    process = subprocess.Popen(["true"], process_group=0)
    process.wait()

    assert not keeper.has_processes(process.pid)
    assert keeper.has_processes(os.getpgrp())
