"""Epochs beside a busy process: which ends for sure, and what is told of the epochs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.load import LOADS, LoadTime, busy_process, measure_load
from benchmarks.report import load_lines, missed_load
from siffra.errors import BenchError

ROOT = Path(__file__).parents[2]


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(number: int) -> bool:
    until = time.monotonic() + 60
    while is_alive(number) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_alive(number)


class TestTheBusyProcess:
    def test_uses_the_processor(self):
        with busy_process() as number:
            before = os.times()
            time.sleep(0.5)
            assert is_alive(number)
        after = os.times()  # its own are added when it has ended
        assert after.children_user > before.children_user

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_ends_after_an_error_too(self, error):
        with pytest.raises(error), busy_process() as number:
            raise error
        assert not is_alive(number)

    def test_ends_when_whoever_started_it_is_killed(self):
        script = (
            "import time\n"
            "from benchmarks.load import busy_process\n"
            "with busy_process() as number:\n"
            "    print(number, flush=True)\n"
            "    time.sleep(60)\n"
        )
        command = [sys.executable, "-c", script]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            number = int(parent.stdout.readline())
            parent.send_signal(signal.SIGKILL)
        assert wait_until_gone(number)

    def test_that_ended_early_is_an_error(self):
        with pytest.raises(BenchError, match="ended before"), busy_process(0.01) as number:
            wait_until_gone_or_dead(number)


def wait_until_gone_or_dead(number: int) -> None:
    """Wait for a child that nobody has waited for yet: it stays as a zombie."""
    os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)


def test_what_is_told_is_as_many_times_one_idle_thread():
    time_of = LoadTime("load dense", 100, 2, "a CPU", [2.0], [1.0, 1.0, 9.0], [2.2], [2.0, 6.0])

    assert list(load_lines([time_of])) == [
        f"{LOADS['load dense'][0]}: one thread idle 2 s; 2 threads idle 0.50×, "
        "with a busy core 2.00×; one thread with a busy core 1.10×"
    ]
    assert list(missed_load([time_of])) == [
        f"{LOADS['load dense'][0]}: 2.00×; the aim is at most 1.6×."
    ]


def test_every_kind_of_epoch_is_timed(digits, monkeypatch):
    monkeypatch.setattr("benchmarks.load._SECONDS", 0.0)
    (found,) = measure_load(["load dense"], digits(300), 2, lambda doing: None)

    assert (found.images, found.threads) == (300, 2)
    for kind in ("one_idle", "all_idle", "one_busy", "all_busy"):
        seconds = getattr(found, kind)
        assert len(seconds) == 3
        assert min(seconds) > 0
