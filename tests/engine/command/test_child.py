"""No process of a command outlives its run, whatever becomes of the command or of siffra."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from siffra.engine.command.process import run_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

PATIENCE = 300.0
GRACE = 0.2
STUBBORN = "trap '' TERM HUP INT; while :; do sleep 0.05; done"
FAMILY = f"""
({STUBBORN}) &
sh -c '(sleep 900 & sleep 900) & sleep 900' > /dev/null 2>&1 &
setsid sleep 900 &
setsid sh -c "{STUBBORN}" &
echo ready
sleep 900
"""
"""A child, grandchildren, some with sessions of their own; some that SIGTERM does not end."""


WORKER = f"""
import os, signal, subprocess, threading, time
from pathlib import Path
from siffra.engine.command.child import guarded
from siffra.engine.command.process import run_command
run = dict(words=["sh", "-c", {FAMILY!r}], cwd=Path.cwd(), env=guarded())
threading.Thread(target=run_command, kwargs=run, daemon=True).start()
input()
children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True)
for child in children.stdout.split():
    try:
        os.kill(int(child), signal.SIGKILL)
    except ProcessLookupError:  # that was `ps` itself
        pass
os.kill(os.getpid(), signal.SIGKILL)
"""
"""It dies as a worker of Ray's, whose direct children are killed with it: keepers, too."""


class Census:
    """Finds processes by a variable that they inherit from this one."""

    def __init__(self) -> None:
        self.value = uuid.uuid4().hex
        self.env = {"CENSUS": self.value}

    def living(self) -> list[int]:
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and self._has(p)]

    def _has(self, process: Path) -> bool:
        try:
            return self.value.encode() in (process / "environ").read_bytes()  # a zombie's is empty
        except OSError:
            return False

    def wait_for(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.living()) < number:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def assert_nobody_lives(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.living():
            assert time.monotonic() < deadline, self.living()
            time.sleep(0.005)


@pytest.fixture
def census() -> Iterator[Census]:
    census = Census()
    yield census
    for process in census.living():
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def run(script: str, census: Census, **options):
    return run_command(["sh", "-c", script], cwd=Path("/"), env=census.env, grace=GRACE, **options)


def test_a_timeout_ends_all_processes(census, begun):
    def wait_for_all(line: str, stream: str) -> None:
        census.wait_for(8)
        begun.begin()

    assert run(FAMILY, census, timeout=0.1, on_line=wait_for_all).timed_out
    assert census.living() == []


def test_an_error_ends_all_processes(census):
    def fail(line: str, stream: str) -> None:
        census.wait_for(8)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(FAMILY, census, on_line=fail)
    assert census.living() == []


def test_ctrl_c_ends_all_processes(census):
    def interrupt(line: str, stream: str) -> None:
        census.wait_for(8)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(FAMILY, census, on_line=interrupt)
    assert census.living() == []


def test_what_a_command_leaves_running_in_its_group_ends_with_it(census):
    finished = run("sleep 900 > /dev/null 2>&1 & exit 5", census)

    assert finished.exit_status == 5
    assert census.living() == []


def test_a_daemon_that_a_command_leaves_is_spared(census, tmp_path):
    there = tmp_path / "there"
    daemon = f"setsid sh -c 'touch {there}; exec sleep 900' > /dev/null 2>&1 &"
    run(f"{daemon} sleep 900 > /dev/null & until test -e {there}; do sleep 0.01; done", census)

    assert len(census.living()) == 1


def test_a_command_does_not_outlast_its_keeper_by_more_than_its_time(census, begun):
    """The keeper is an ordinary process, which somebody may kill."""

    def kill_keeper(line: str, stream: str) -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        for child in children:
            if b"keeper.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
        begun.begin()

    finished = run("echo ready; sleep 900", census, timeout=0.2, on_line=kill_keeper)

    assert finished.timed_out
    assert finished.exit_status == -9
    assert census.living() == []


class Siffra:
    """A process that runs one command after the other, and is killed."""

    def __init__(self, census: Census, script: str) -> None:
        program = (
            "from pathlib import Path\n"
            "from siffra.engine.command.process import run_command\n"
            "print('ready', flush=True)\n"
            f"while True: run_command(['sh', '-c', {script!r}], cwd=Path('/'), grace={GRACE})\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **census.env},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        self._process.stdout.readline()

    def end_by(self, number: int) -> None:
        assert self._process.stdout
        self._process.send_signal(number)
        self._process.wait()
        self._process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_death_of_siffra_ends_all_processes(number, census):
    siffra = Siffra(census, FAMILY)
    census.wait_for(10)  # with siffra and the keeper

    siffra.end_by(number)

    census.assert_nobody_lives()


def test_a_command_that_runs_siffra_ends_with_all_that_it_runs(census):
    """Inner commands have marks and sessions of their own; their keeper outlives their siffra."""
    program = (
        "from pathlib import Path\n"
        "from siffra.engine.command.process import run_command\n"
        f"run_command(['sh', '-c', {FAMILY!r}], cwd=Path('/'), grace={GRACE},"
        " on_line=lambda line, stream: print(line))\n"
    )

    def interrupt(line: str, stream: str) -> None:
        census.wait_for(11)  # with the inner siffra and its keeper
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(
            [sys.executable, "-c", program],
            cwd=Path("/"),
            env={"PYTHONPATH": os.pathsep.join(sys.path), **census.env},
            grace=GRACE,
            on_line=interrupt,
        )
    census.assert_nobody_lives()


def kill_at_random(census: Census, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(kills):
        siffra = Siffra(census, FAMILY if number % 2 else "sleep 0.01 & sleep 0.01")
        time.sleep(draw.uniform(0, 0.1))
        siffra.end_by(signal.SIGKILL)
        census.assert_nobody_lives()


def test_ten_kills_at_random_moments_leave_no_process(census):
    kill_at_random(census, kills=10, seed=0)


@pytest.mark.storm
def test_a_hundred_kills_at_random_moments_leave_no_process(census):
    kill_at_random(census, kills=100, seed=1)


def test_where_keepers_are_killed_as_well_a_guard_ends_what_is_left(census, monkeypatch):
    env = os.environ | census.env | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", WORKER]
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE) as process:
        census.wait_for(10)
        process.communicate(b"\n")
    census.assert_nobody_lives()
