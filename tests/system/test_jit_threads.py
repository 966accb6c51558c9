"""How long OpenMP's threads wait in a loop, and that nobody else is told of it."""

import os
import re
import subprocess
import sys
import time

import pytest

from siffra.system import jit_threads
from siffra.system.jit_threads import rounds_for

VARIABLE = "GOMP_SPINCOUNT"


def imported(**environment: str) -> tuple[str, str]:
    """What a new process has in its environment after siffra is imported, and what OpenMP read."""
    script = f"import os, siffra.data.shifts; print(os.environ.get({VARIABLE!r}))"
    ours = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=ours | {"OMP_DISPLAY_ENV": "VERBOSE"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(rf"{VARIABLE} = '(\d+)'", done.stderr)
    if not found:
        pytest.skip("this OpenMP is not GNU's")
    return done.stdout.strip(), found[0]


def test_openmp_is_told_and_the_environment_left_as_it_was():
    environment, read = imported()

    assert environment == "None"
    # 200 us, at 1 to 100 ns a round; GNU's own are 300,000 rounds, or ten milliseconds and more.
    assert 2_000 < int(read) < 200_000


def test_what_the_user_has_set_stays():
    assert imported(**{VARIABLE: "77"}) == ("77", "77")


def test_rounds_are_as_many_as_the_seconds(monkeypatch):
    monkeypatch.setattr(jit_threads, "_seconds_a_round", lambda: 5e-9)

    assert [rounds_for(seconds) for seconds in (1e-4, 1e-2)] == [20_000, 2_000_000]


def test_no_time_is_one_round_and_timing_takes_little():
    started = time.perf_counter()
    assert rounds_for(0) == 1
    assert time.perf_counter() - started < 60
