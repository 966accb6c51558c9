"""Several processes on one machine: the same runs, shared out, whatever becomes of a process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import small_lab
from small_lab import (
    LoggingEngine,
    line_of,
    make_failing_engine,
    make_slow_engine,
    results,
    small_dataset,
    small_plan,
)

from siffra.config import Setting
from siffra.errors import ConfigError, ExecutorError
from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.pool import PoolExecutor
from siffra.lab.execute.runner import Event, run_plan
from siffra.lab.plan.plan import PlannedRun, PlannedTiming
from siffra.store.store import open_store
from siffra.training.timing import timing_key

DATASET = small_dataset()
TESTS = Path(small_lab.__file__).parent


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the tests' folder can be imported by the processes too."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))


@pytest.fixture
def two(engine: LoggingEngine) -> Iterator[PoolExecutor]:
    with PoolExecutor(2, DATASET, partial(make_slow_engine, engine.log)) as pool:
        yield pool


def test_each_run_is_made_once_with_the_bits_it_has_here(engine, two, tmp_path):
    seen: list[Event] = []
    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(small_plan(), DATASET, engine, store, seen.append, executor=two).records
        assert store.records() == sorted(made.values(), key=lambda run: (run.finished, run.key))

    assert sorted(engine.trained()) == sorted(line_of(run) for run in small_plan().runs)
    with open_store(tmp_path / "other.sqlite") as store:
        alone = run_plan(small_plan(), DATASET, engine, store).records
    assert results(made) == results(alone)
    assert list(made) == list(alone)
    assert {record.machine.jobs for record in made.values()} == {2}
    assert {record.machine.jobs for record in alone.values()} == {1}
    assert [sum(e.kind == kind for e in seen) for kind in ("started", "epoch", "finished")] == [
        12, 24, 12
    ]  # fmt: skip
    assert [e.progress.done for e in seen if e.kind == "finished"] == list(range(1, 13))
    assert max(event.progress.at_once for event in seen) == 2
    assert seen[-1].progress.seconds_left == 0


def test_rounds_of_times_are_timed_beside_runs(engine, two):
    timing = PlannedTiming(small_lab.SETTINGS[:2], 3)
    run = small_plan().runs[0]
    events: list[Event] = []

    two.submit(timing)
    two.submit(run)
    while {event.kind for event in events} != {"epoch", "finished", "timed"}:
        two.poll(events.append)

    (timed,) = [event for event in events if event.kind == "timed"]
    assert timed.run == timing
    assert timed.planned_timing == timing
    assert timed.timing
    assert timed.timing.key == timing_key(timing.settings, DATASET, 3, engine)
    assert len(timed.timing.seconds) == 2
    assert timed.timing.machine.jobs == 2
    (finished,) = [event for event in events if event.kind == "finished"]
    assert (finished.run, finished.timing) == (run, None)


def test_tasks_are_done_in_a_process_with_its_environment(engine):
    make = partial(make_slow_engine, engine.log)
    task = small_lab.CountingTask(small_lab.SETTINGS[0])
    events: list[Event] = []

    with PoolExecutor(1, DATASET, make, environment={"COUNTED": "there"}) as pool:
        pool.submit(task)
        while not events:
            pool.poll(events.append)

    assert events == [Event("done", task, result=(40, "reference", "there"))]


def test_what_a_lab_costs_is_shared_out(engine, two, tmp_path):
    with open_store(tmp_path / "runs.sqlite") as store:
        run_plan(small_plan((0,)), DATASET, engine, store, executor=two)

        one_run = estimate(
            small_plan((1,), small_lab.SETTINGS[:1]), DATASET, engine, store, executor=two
        )
        four = estimate(
            small_plan((1, 2, 3, 4), small_lab.SETTINGS[:1]), DATASET, engine, store, executor=two
        )

    assert four.seconds == pytest.approx(2 * one_run.seconds)


def test_runs_that_are_held_wait_at_the_end_of_their_epochs(engine, two):
    knobs = {"batch_size": 8, "neurons": 4, "epochs": 40}
    runs = [PlannedRun(Setting.from_knobs(knobs | {"learning_rate": rate}), 0) for rate in (0.1, 1)]
    seen: list[Event] = []

    def poll_for(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            two.poll(seen.append)

    for run in runs:
        two.submit(run)
    two.hold(True)
    while len({event.run for event in seen}) < 2:
        two.poll(seen.append)
    before = 0
    while before < len(seen):  # until both have heard of it
        before = len(seen)
        poll_for(1.0)  # an epoch takes 0.05 s
    held = list(seen)
    two.hold(False)
    while sum(event.kind == "finished" for event in seen) < 2:
        two.poll(seen.append)

    assert {event.kind for event in held} == {"epoch"}
    assert max(event.epoch for event in held) < max(event.epoch for event in seen)


def test_a_run_is_made_again_when_its_process_dies(engine, two, tmp_path):
    killed: list[Event] = []
    restarted: list[Event] = []

    def kill_one(event: Event) -> None:
        if event.kind == "epoch" and not killed:
            killed.append(event)
            (child, *_) = children()
            os.kill(child, signal.SIGKILL)
        if event.kind == "lost":
            restarted.append(event)

    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(small_plan(), DATASET, engine, store, kill_one, executor=two).records

    assert len(made) == 12
    (again,) = restarted
    assert (again.losses, again.reason) == (1, "its process ended (signal 9)")
    # The run that was lost was begun twice, if it had been begun at all, and no other was.
    lines = [line_of(run) for run in small_plan().runs]
    begun = engine.trained()
    assert sorted(begun) in (sorted(lines), sorted([*lines, line_of(again.planned_run)]))


def test_a_run_that_takes_its_process_down_again_and_again_ends_the_lab(engine, tmp_path):
    with (
        open_store(tmp_path / "runs.sqlite") as store,
        PoolExecutor(2, DATASET, partial(make_failing_engine, engine.log, True)) as pool,
    ):
        with pytest.raises(ExecutorError, match=r"lost 3 times.*signal 9.*rerun the same command"):
            run_plan(small_plan((0, 1)), DATASET, engine, store, executor=pool)
        assert len(store.records()) >= 3


def test_a_runs_own_error_is_raised_here_and_the_run_not_made_again(engine, tmp_path):
    with open_store(tmp_path / "runs.sqlite") as store:
        with (
            PoolExecutor(2, DATASET, partial(make_failing_engine, engine.log, False)) as pool,
            pytest.raises(ConfigError, match=r"learning_rate: not this one\."),
        ):
            run_plan(small_plan(), DATASET, engine, store, executor=pool)

        # What was at work is there to be claimed, and what is finished stays.
        assert not {r.seed for r in store.records()} & {2, 3}
        run_plan(small_plan(), DATASET, engine, store)
    assert engine.trained().count("0.5 1") == 2  # once there, and once here


def test_the_processes_end_with_the_one_that_ordered_them(engine, tmp_path):
    program = (
        "import sys\n"
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from small_lab import LoggingEngine, make_slow_engine, small_dataset, small_plan\n"
        "from siffra.lab.execute.runner import run_plan\n"
        "from siffra.lab.execute.pool import PoolExecutor\n"
        "from siffra.store.store import open_store\n"
        "dataset, log = small_dataset(), Path(sys.argv[2])\n"
        "pool = PoolExecutor(2, dataset, partial(make_slow_engine, log))\n"
        "show = lambda event: print(event.kind, flush=True)\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    run_plan(small_plan(), dataset, LoggingEngine(log), store, show, executor=pool)\n"
    )
    path = tmp_path / "runs.sqlite"
    command = [sys.executable, "-c", program, path, engine.log]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        while process.stdout.readline() != "finished\n":
            pass
        workers = children(process.pid)
        assert len(workers) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()

    deadline = time.monotonic() + 300
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with open_store(path) as store:
        finished = {f"{r.training.learning_rate} {r.seed}" for r in store.records()}
        before = len(engine.trained())
        run_plan(small_plan(), DATASET, engine, store)
    assert finished
    assert not finished & set(engine.trained()[before:])


def children(of: int | None = None) -> list[int]:
    """The processes that make runs for this one."""
    parent = of or os.getpid()
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text("utf-8").split()
    return [
        n
        for n in map(int, listed)
        if b"execute.pool_worker" in Path(f"/proc/{n}/cmdline").read_bytes()
    ]


def alive(process: int) -> bool:
    """Whether a process is there, and is not only waited for."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text("utf-8")
    except FileNotFoundError:
        return False


def test_a_worker_whose_parent_is_gone_ends_without_a_word():
    told = (
        "import os; from siffra.lab.execute.pool_worker import _send; "
        "from siffra.lab.execute.trainer import Reply\n"
        "read, write = os.pipe(); os.close(read)\n"
        "_send(os.fdopen(write, 'wb'), Reply(record='x' * 100_000))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
