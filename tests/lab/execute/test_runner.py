"""Running a plan: each run once, whatever dies, and a truthful account on the way."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_lab
from made_runs import make_claim, make_level, make_plan, make_question
from small_lab import SETTINGS, LoggingEngine, line_of, results, small_dataset, small_plan

from siffra.config import Setting
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError
from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.runner import Event, run_plan
from siffra.store.store import open_store
from siffra.training.run import run_key

DATASET = small_dataset()
TESTS = Path(small_lab.__file__).parent


def parts(event: Event) -> tuple[Any, ...]:
    """An event's kind, its run, and the epoch or record in it."""
    return event.kind, event.run, event.scores or event.record


@contextmanager
def program(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python program that has said that it has begun; killed at the end if it still runs."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    with subprocess.Popen(
        [sys.executable, *args], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            yield process
        finally:
            process.kill()


class TestRuns:
    def test_each_planned_run_is_made_once_in_the_plans_order(self, engine, store):
        records = run_plan(small_plan(), DATASET, engine, store).records

        assert engine.trained() == [line_of(run) for run in small_plan().runs]
        assert list(records) == [(run.setting, run.seed) for run in small_plan().runs]
        for (setting, seed), record in records.items():
            assert (record.setting, record.seed) == (setting, seed)
            assert store.get(record.key) == record

    def test_stored_runs_are_reused(self, engine, store):
        first = run_plan(small_plan((0, 1)), DATASET, engine, store).records
        made = len(engine.trained())

        again = run_plan(small_plan((0, 1, 2)), DATASET, engine, store).records

        assert engine.trained()[made:] == [line_of(run) for run in small_plan((2,)).runs]
        assert {which: again[which] for which in first} == first

    def test_records_are_what_is_stored_whatever_their_plan_averages(self, store):
        long = Setting.from_knobs({"neurons": 4, "epochs": 20, "learning_rate": 2})
        question = make_question([make_level({"neurons": 4}, long)], [])
        plan = replace(make_plan(question, seeds=(0, 1)), averages=True)
        made = run_plan(plan, DATASET, NativeEngine(), store).records
        again = run_plan(plan, DATASET, NativeEngine(), store).records

        assert made == again
        assert all(store.get(record.key) == record for record in made.values())
        assert any(record.accuracy != record.late for record in made.values())

    def test_a_split_that_follows_the_seed_is_another_data_set_for_each_seed(self, engine, store):
        dataset = replace(DATASET, split="seed")

        records = run_plan(small_plan((0, 1)), dataset, engine, store).records

        by_seed = {seed: record.fingerprint for (_, seed), record in records.items()}
        assert by_seed == {seed: dataset.split_for(seed).fingerprint for seed in (0, 1)}

    def test_a_fresh_run_makes_its_runs_again_and_others_stay(self, engine, store):
        run_plan(small_plan((0, 1)), DATASET, engine, store)
        made, before = len(engine.trained()), store.records()

        fresh = run_plan(small_plan((0,)), DATASET, engine, store, fresh=True).records

        assert engine.trained()[made:] == [line_of(run) for run in small_plan((0,)).runs]
        kept = [record for record in before if record.seed == 1]
        assert store.records() == kept + sorted(fresh.values(), key=lambda run: run.finished)

    def test_a_fresh_run_that_is_stopped_has_lost_nothing(self, engine, store):
        run_plan(small_plan((0,)), DATASET, engine, store)
        before = store.records()

        def stop(event: Event) -> None:
            if event.kind == "epoch" and event.progress.done == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_plan(small_plan((0,)), DATASET, engine, store, stop, fresh=True)

        after = store.records()
        assert {record.key for record in after} == {record.key for record in before}
        assert sum(record not in before for record in after) == 1


class TestLooks:
    """A lab that adds seeds until it is decided, at 2, 4 and 8."""

    LEVELS = tuple(make_level({"learning_rate": s.training.learning_rate}, s) for s in SETTINGS)
    # About two of three rates, so that the third gets no more seeds; with a margin out of sight, so
    # that small networks on few images leave it open.
    CLAIM = make_claim(margin=1e-9)
    PLAN = replace(make_plan(make_question(LEVELS, [CLAIM]), seeds=(0, 1)), looks=(2, 4, 8))

    def test_what_is_open_goes_on_and_is_counted(self, engine, store):
        seen: list[Event] = []
        records = run_plan(self.PLAN, DATASET, engine, store, seen.append).records

        by_setting = {s: sorted(seed for at, seed in records if at == s) for s in SETTINGS}
        assert by_setting[SETTINGS[2]] == [0, 1]
        assert by_setting[SETTINGS[0]] == by_setting[SETTINGS[1]]
        assert len(by_setting[SETTINGS[0]]) in (4, 8)
        assert len(engine.trained()) == len(records)
        done = [event.progress.done for event in seen]
        assert done == sorted(done)
        assert seen[-1].progress.done == seen[-1].progress.total == len(records)
        cost = estimate(self.PLAN, DATASET, engine, store)
        assert (cost.runs, cost.have, cost.seconds) == (len(records), len(records), 0.0)

    @pytest.mark.parametrize("runs", [1, 5, 7, 9])
    def test_stopped_and_asked_again_it_goes_on_where_it_was(self, engine, store, tmp_path, runs):
        def stop(event: Event) -> None:
            if event.kind == "finished" and event.progress.done == runs:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_plan(self.PLAN, DATASET, engine, store, stop)
        assert len(engine.trained()) == runs
        went_on = run_plan(self.PLAN, DATASET, engine, store).records

        assert len(engine.trained()) == len(set(engine.trained())) == len(went_on)
        with open_store(tmp_path / "other.sqlite") as other:
            whole = run_plan(self.PLAN, DATASET, engine, other).records
        assert results(went_on) == results(whole)


class TestInterrupts:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, ConfigError])
    @pytest.mark.parametrize("when", ["started", "epoch"])
    def test_what_ends_a_lab_leaves_its_run_to_be_claimed(
        self, engine, store, tmp_path, error, when
    ):
        seen: list[Event] = []

        def stop(event: Event) -> None:
            seen.append(event)
            if event.kind == when and event.progress.done == 2:
                raise error

        with pytest.raises(error):
            run_plan(small_plan(), DATASET, engine, store, stop)

        third = small_plan().runs[2]
        with open_store(tmp_path / "runs.sqlite") as other:
            assert len(other.records()) == 2
            assert other.claim(run_key(third.setting, DATASET, third.seed, engine))

    def test_killed_at_any_moment_it_loses_no_finished_run_and_goes_on_with_the_missing(
        self, engine, tmp_path
    ):
        path = tmp_path / "runs.sqlite"
        moments = random.Random(3)
        finished: set[str] = set()
        for _ in range(4):
            before = len(engine.trained())
            with program(TESTS / "small_lab.py", path, engine.log) as process:
                time.sleep(moments.uniform(0.0, 0.15))
                process.send_signal(signal.SIGKILL)
                process.wait()
            with open_store(path) as store:
                now = {f"{r.training.learning_rate} {r.seed}" for r in store.records()}
            assert finished <= now
            # A lab makes only runs that were missing, and none of them twice.
            trained = engine.trained()[before:]
            assert not finished & set(trained)
            assert len(set(trained)) == len(trained)
            finished = now
        missing = [line_of(run) for run in small_plan().runs if line_of(run) not in finished]
        before = len(engine.trained())

        with open_store(path) as store:
            resumed = run_plan(small_plan(), DATASET, engine, store).records

        assert engine.trained()[before:] == missing
        with open_store(tmp_path / "other.sqlite") as store:
            uninterrupted = run_plan(small_plan(), DATASET, engine, store).records
        assert results(resumed) == results(uninterrupted)
        assert not path.with_name("runs.sqlite.locks").exists()


class TestSeveralProcesses:
    def test_on_one_store_they_share_the_runs(self, engine, tmp_path):
        path = tmp_path / "runs.sqlite"
        lab = (TESTS / "small_lab.py", path, engine.log)

        with program(*lab) as first, program(*lab) as second:
            assert first.wait(timeout=300) == 0
            assert second.wait(timeout=300) == 0

        assert sorted(engine.trained()) == sorted(line_of(run) for run in small_plan().runs)
        with open_store(path) as store:
            shared = run_plan(small_plan(), DATASET, engine, store).records
        with open_store(tmp_path / "other.sqlite") as store:
            alone = run_plan(small_plan(), DATASET, engine, store).records
        assert results(shared) == results(alone)

    @pytest.fixture
    def claimed_elsewhere(
        self, engine: LoggingEngine, tmp_path: Path
    ) -> Iterator[subprocess.Popen[str]]:
        """A process that has claimed the plan's first run, and does nothing about it."""
        first = small_plan().runs[0]
        claim = (
            "import sys, time\n"
            "from siffra.store.store import open_store\n"
            "with open_store(sys.argv[1]) as store:\n"
            "    assert store.claim(sys.argv[2])\n"
            "    print('begun', flush=True)\n"
            "    time.sleep(60)\n"
        )
        key = run_key(first.setting, DATASET, first.seed, engine)
        with program("-c", claim, tmp_path / "runs.sqlite", key) as process:
            yield process

    def test_a_run_is_taken_over_when_its_process_dies(self, engine, store, claimed_elsewhere):
        events: list[Event] = []

        def kill_when_waited_for(event: Event) -> None:
            events.append(event)
            if event.kind == "waiting":
                claimed_elsewhere.send_signal(signal.SIGKILL)
                claimed_elsewhere.wait()

        records = run_plan(small_plan(), DATASET, engine, store, kill_when_waited_for).records

        first, *others = [line_of(run) for run in small_plan().runs]
        assert engine.trained() == [*others, first]
        assert next(iter(records)) == (small_plan().runs[0].setting, small_plan().runs[0].seed)
        waits = [event for event in events if event.kind == "waiting"]
        assert [event.progress.done for event in waits] == [len(others)]

    def test_a_run_that_another_finishes_is_reused(
        self, engine, store, tmp_path, claimed_elsewhere
    ):
        first = small_plan().runs[0]
        with open_store(tmp_path / "elsewhere.sqlite") as elsewhere:
            made = run_plan(small_plan(), DATASET, engine, elsewhere).records[
                first.setting, first.seed
            ]
        before = len(engine.trained())
        events: list[Event] = []

        def finish_when_waited_for(event: Event) -> None:
            events.append(event)
            if event.kind == "waiting":
                with open_store(tmp_path / "runs.sqlite") as other:
                    other.add(made)

        run_plan(small_plan(), DATASET, engine, store, finish_when_waited_for)

        assert line_of(first) not in engine.trained()[before:]
        assert events[-1].kind == "reused"
        assert events[-1].record == made


class TestEvents:
    def test_they_tell_each_run_epoch_by_epoch(self, engine, store):
        events: list[Event] = []

        records = run_plan(small_plan((0,)), DATASET, engine, store, events.append).records

        expected: list[tuple[Any, ...]] = [("preparing", None, None)]
        for run in small_plan((0,)).runs:
            record = records[run.setting, run.seed]
            expected.append(("started", run, None))
            expected.extend(("epoch", run, epoch) for epoch in record.epochs)
            expected.append(("finished", run, record))
        assert [parts(event) for event in events] == expected

    def test_progress_counts_what_is_done_and_ends_with_nothing_left(self, engine, store):
        run_plan(small_plan((0,)), DATASET, engine, store)
        events: list[Event] = []

        run_plan(small_plan((0, 1)), DATASET, engine, store, events.append)

        total = len(small_plan((0, 1)).runs)
        reused = len(small_plan((0,)).runs)
        assert [event.kind for event in events[:reused]] == ["reused"] * reused
        assert [e.progress.done for e in events if e.kind == "finished"] == [4, 5, 6]
        assert {event.progress.total for event in events} == {total}
        assert events[-1].progress.done == total
        assert events[-1].progress.seconds_left == 0

    def test_time_left_shrinks_epoch_by_epoch(self, engine, store):
        run_plan(small_plan((0,)), DATASET, engine, store)
        left = []

        def note(event: Event) -> None:
            if event.kind in ("started", "epoch") and event.progress.done == 3:
                left.append(event.progress.seconds_left)

        run_plan(small_plan((0, 1)), DATASET, engine, store, note)

        assert left == sorted(left, reverse=True)
        assert len(set(left)) == 3
