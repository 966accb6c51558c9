"""A training is timed on all threads, whatever else the machine does."""

import math
import os

import pytest

from siffra.config import Setting
from siffra.data.load import DataSource, load_dataset
from siffra.engine.native.engine import NativeEngine
from siffra.search import all_threads
from siffra.search.all_threads import AllThreads
from siffra.system.cpu import available_cores
from siffra.system.load import Load
from siffra.training.timing import seconds_alone

SETTING = Setting.from_knobs({"neurons": 256, "layers": 2, "batch_size": 128})

pytestmark = pytest.mark.skipif(
    available_cores() < 2 or os.name != "posix", reason="needs two threads"
)


@pytest.fixture
def dataset(fake_data):
    return load_dataset(DataSource(path=fake_data, moved=0.0, rotated=0.0))


@pytest.fixture
def timer(dataset):
    timer = AllThreads(dataset, NativeEngine(2))
    yield timer
    timer.close()


def on_a_machine(monkeypatch, *, waited: float) -> None:
    load = Load(wall=1.0, cpu=2.0, waited=waited)
    monkeypatch.setattr(all_threads.LoadMeter, "load", lambda meter: load)


def test_an_idle_machine_needs_no_process(timer, monkeypatch):
    on_a_machine(monkeypatch, waited=0.0)
    monkeypatch.setattr(all_threads, "PoolExecutor", lambda *_: pytest.fail("a process"))

    assert 0 < timer.seconds(SETTING, 0.05) < math.inf


def test_on_a_busy_machine_the_work_of_a_thread_is_timed_in_a_process(timer, dataset, monkeypatch):
    on_a_machine(monkeypatch, waited=0.5)
    monkeypatch.setattr(all_threads, "seconds_shared", lambda *_, **__: 1000.0)  # by wall time

    seconds = timer.seconds(SETTING, 0.05)

    alone = seconds_alone(SETTING, dataset, NativeEngine(2), 0.05)
    assert alone
    # It has half of the work, and what all threads together have more to do than one. On a busy
    # machine processor time is longer, too, but by far less than ten times.
    assert alone / 10 < seconds < 10 * alone


def test_a_process_that_is_gone_tells_nothing(timer, monkeypatch):
    on_a_machine(monkeypatch, waited=0.5)
    monkeypatch.setattr(all_threads, "seconds_shared", lambda *_, **__: 1000.0)
    monkeypatch.setattr(all_threads, "_ASLEEP", {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/no"})

    assert timer.seconds(SETTING, 0.05) == 1000.0


def test_one_thread_is_not_timed_again(dataset):
    assert AllThreads(dataset, NativeEngine(1)).seconds(SETTING, 0.05) == math.inf
