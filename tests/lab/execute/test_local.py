"""The executor that is this process: one job at a time, when it is polled."""

from dataclasses import replace

import small_lab
from small_lab import LoggingEngine, small_dataset, small_plan

from siffra.lab.execute.events import Event
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.plan.plan import PlannedTiming
from siffra.training.run import run_key
from siffra.training.timing import timing_key

DATASET = small_dataset()


def test_a_run_is_made_and_a_round_timed_each_when_polled(tmp_path):
    engine = LoggingEngine(tmp_path / "log")
    executor = LocalExecutor(DATASET, engine)
    run, timing = small_plan().runs[0], PlannedTiming(small_lab.SETTINGS, 1)
    events: list[Event] = []
    executor.prepare([run, timing])

    for job in (run, timing):
        assert executor.capacity == 1
        executor.submit(job)
        assert executor.capacity == 0
        executor.poll(events.append)

    assert [event.kind for event in events] == ["epoch", "epoch", "finished", "timed"]
    assert [event.run for event in events] == [run, run, run, timing]
    *_, finished, timed = events
    assert finished.record
    assert finished.record.key == run_key(run.setting, DATASET, run.seed, engine)
    assert timed.timing
    assert timed.timing.key == timing_key(timing.settings, DATASET, 1, engine)


def test_a_task_is_done_with_the_data_and_the_engine(tmp_path):
    engine = LoggingEngine(tmp_path / "log")
    executor = LocalExecutor(DATASET, engine)
    task = small_lab.CountingTask(small_lab.SETTINGS[0])
    events: list[Event] = []

    executor.submit(task)
    executor.poll(events.append)

    assert events == [Event("done", task, result=(40, "reference", ""))]


def test_times_are_of_the_data_as_it_is_whatever_the_split(tmp_path):
    executor = LocalExecutor(replace(DATASET, split="seed"), LoggingEngine(tmp_path / "log"))
    events: list[Event] = []

    executor.submit(PlannedTiming(small_lab.SETTINGS[:1], 5))
    executor.poll(events.append)

    (timed,) = events
    assert timed.timing
    assert timed.timing.fingerprint == DATASET.fingerprint
