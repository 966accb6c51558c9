"""Runs of a program: their keys, the executor that makes them, what they are predicted to take."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from programs import wait_until

from siffra.config import Setting
from siffra.engine.command.metrics import ExternalResult, MetricSource
from siffra.engine.command.run import CommandSpec
from siffra.engine.command.template import CommandTemplate
from siffra.errors import ConfigError
from siffra.lab.execute.commands import CommandExecutor, CommandKeys, CommandRuns
from siffra.lab.execute.cost import MeanCosts
from siffra.lab.execute.events import Event
from siffra.lab.plan.plan import PlannedRun
from siffra.training.external import external_record

SCRIPT = """
echo '{"epoch": 1, "loss": 2, "other": 5}'
test $2 = slow && sleep 1
test $2 = bad && exit 3
test "$3" && echo kept > $3/kept
echo '{"epoch": 2, "loss": 1, "gpu": '${CUDA_VISIBLE_DEVICES:-9}'}'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.sh").write_text(SCRIPT)
    return tmp_path


def spec_in(folder: Path, command: str = "sh train.sh {seed} {mode}") -> CommandSpec:
    return CommandSpec(
        template=CommandTemplate.parse(command), source=MetricSource.parse(["loss"]), cwd=folder
    )


def run_of(mode: str, seed: int = 0) -> PlannedRun:
    return PlannedRun(Setting.external({"mode": mode}, ("sh",)), seed)


def executor_of(spec: CommandSpec, **options) -> CommandExecutor:
    return CommandExecutor(CommandRuns(spec), CommandKeys(spec), **options)


def poll_until(executor: CommandExecutor, holds: Callable[[list[Event]], bool]) -> list[Event]:
    events: list[Event] = []
    deadline = time.monotonic() + 300
    while not holds(events):
        assert time.monotonic() < deadline
        executor.poll(events.append)
    return events


def records(events: list[Event]):
    return [event.record.read() for event in events if event.record]


def finished(count: int) -> Callable[[list[Event]], bool]:
    return lambda events: len(records(events)) == count


class TestExecutor:
    def test_a_run_becomes_a_record(self, folder):
        with executor_of(spec_in(folder)) as executor:
            executor.submit(run_of("fast", 7))
            assert executor.capacity == 0
            (record,) = records(poll_until(executor, finished(1)))
            assert executor.capacity == 1

        assert record.metrics["loss"] == 1
        assert record.curves["loss"] == ((1, 2), (2, 1))
        assert (record.seed, record.engine, record.failure) == (7, "command", "")
        assert record.output == ()

    def test_its_epochs_are_reported_by_the_metrics_that_are_wanted(self, folder):
        with executor_of(spec_in(folder)) as executor:
            executor.submit(run_of("slow"))
            events = poll_until(executor, lambda events: bool(events))

        assert (events[0].kind, events[0].epoch) == ("epoch", 1)
        assert events[0].values == {"epoch": 1, "loss": 2}

    def test_one_that_fails_is_a_record_with_its_output(self, folder):
        with executor_of(spec_in(folder)) as executor:
            executor.submit(run_of("bad"))
            (record,) = records(poll_until(executor, finished(1)))

        assert record.failure == "exit 3"
        assert record.output == ('{"epoch": 1, "loss": 2, "other": 5}',)
        assert record.metrics == {}

    def test_each_gpu_has_one_run_at_a_time(self, folder):
        with executor_of(spec_in(folder), gpus=("4", "6")) as executor:
            executor.submit(run_of("slow", 0))
            executor.submit(run_of("slow", 1))
            assert (executor.size, executor.capacity) == (2, 0)
            made = records(poll_until(executor, finished(2)))

        assert {record.metrics["gpu"] for record in made} == {4, 6}

    def test_runs_have_folders_of_their_own_that_are_removed_in_the_end(self, folder, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        spec = spec_in(folder, "sh train.sh {seed} {mode} {out}")
        with executor_of(spec, jobs=2) as executor:
            executor.submit(run_of("fast", 0))
            executor.submit(run_of("fast", 1))
            poll_until(executor, finished(2))
            assert len(list(folder.glob("siffra-*/*/kept"))) == 2

        assert list(folder.glob("siffra-*")) == []

    def test_what_is_whole_is_reported_before_a_mistake_ends_it(self, folder):
        spec = spec_in(folder)
        keys = CommandKeys(spec)
        keys.of(run_of("fast", 1))
        with CommandExecutor(CommandRuns(spec), keys, jobs=2) as executor:
            executor.submit(run_of("fast", 0))
            wait_until(lambda: executor._made.qsize() == 1)
            (folder / "train.sh").write_text("echo 1")
            executor.submit(run_of("fast", 1))
            wait_until(lambda: executor._made.qsize() == 2)
            events: list[Event] = []
            with pytest.raises(ConfigError, match=r"`train\.sh` has changed since the first run"):
                executor.poll(events.append)

        assert len(records(events)) == 1

    def test_closing_ends_what_runs(self, folder):
        started = time.monotonic()
        (folder / "train.sh").write_text("sleep 900")
        with executor_of(spec_in(folder), jobs=2) as executor:
            executor.submit(run_of("fast", 0))
            executor.submit(run_of("fast", 1))

        assert time.monotonic() - started < 300


class TestKeys:
    def test_they_are_those_of_words_knobs_seed_and_files(self, folder):
        run, keys = run_of("fast"), CommandKeys(spec_in(folder))
        key = keys.of(run)
        others = {
            keys.of(run_of("slow")),
            keys.of(run_of("fast", 1)),
            CommandKeys(spec_in(folder, "sh train.sh {seed} {mode} more")).of(run),
        }
        same = CommandKeys(spec_in(folder)).of(run)
        (folder / "train.sh").write_text(f"{SCRIPT}# edited")
        others.add(CommandKeys(spec_in(folder)).of(run))

        assert key == same
        assert len(others | {key}) == 5

    def test_one_that_is_known_stays_and_a_change_is_noticed(self, folder):
        keys, run = CommandKeys(spec_in(folder)), run_of("fast")
        key = keys.of(run)
        keys.expect_unchanged(run)
        (folder / "train.sh").write_text(f"{SCRIPT}# edited")
        os.utime(folder / "train.sh")

        assert keys.of(run) == key
        with pytest.raises(ConfigError, match="What runs write must not be watched"):
            keys.expect_unchanged(run)


class TestCosts:
    @staticmethod
    def record(mode: str, seconds: float, **result):
        found = ExternalResult(metrics={"loss": 1.0}, seconds=seconds, **result)
        setting = run_of(mode).setting
        return setting, external_record("", setting, 0, found, main="loss")

    def test_nothing_is_known_before_the_first_run(self):
        costs, setting = MeanCosts(), run_of("a").setting
        assert (costs.seconds(setting), costs.share(setting, 3)) == (0, 0)

    def test_a_run_takes_what_its_like_took_else_what_all_did(self):
        costs = MeanCosts()
        for mode, seconds in (("a", 1), ("a", 3), ("b", 8)):
            costs.learn(*self.record(mode, seconds))

        assert costs.seconds(run_of("a").setting) == 2
        assert costs.seconds(run_of("c").setting) == 4

    def test_how_much_is_over_is_known_by_the_last_epoch_of_such_runs(self):
        costs = MeanCosts()
        costs.learn(*self.record("a", 1, curves={"loss": ((1, 2.0), (8, 1.0))}))

        assert costs.share(run_of("a").setting, 2) == 0.25
        assert costs.share(run_of("b").setting, 20) == 1

    def test_one_that_failed_says_nothing(self):
        costs = MeanCosts()
        costs.learn(*self.record("a", 100, failure="timeout"))
        assert costs.seconds(run_of("a").setting) == 0


class TestElsewhere:
    """On another machine, where files may differ."""

    def test_a_run_is_made_if_its_files_are_those_of_its_key(self, folder):
        spec, run = spec_in(folder), run_of("fast", 7)
        make = CommandRuns(spec).maker([], 1)

        (record,) = records([make((run, CommandKeys(spec).of(run)))])
        assert (record.metrics["loss"], record.key) == (1, CommandKeys(spec).of(run))

    def test_else_it_is_said_where_they_differ(self, folder):
        spec, run = spec_in(folder), run_of("fast", 7)
        key = CommandKeys(spec).of(run)
        (folder / "train.sh").unlink()
        with pytest.raises(ConfigError, match=r"not those that the lab began with \(found: none\)"):
            CommandRuns(spec).maker([], 1)((run, key))

    def test_so_it_is_where_there_is_no_such_folder(self, folder):
        spec = replace(spec_in(folder), cwd=folder / "nowhere")
        with pytest.raises(ConfigError, match=r"on: machine .*: command: found no folder"):
            CommandRuns(spec).maker([], 1)((run_of("fast"), ""))
