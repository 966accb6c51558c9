"""How many runs are made at once, unless it is said."""

import pytest
from conftest import make_digits

from siffra.api.executors import RunOptions
from siffra.errors import ConfigError
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.presets import LabOptions
from siffra.store.store import open_store

DATASET = make_digits(train=2000)


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """`jobs(epochs, seeds=5, cores=4)`: how many runs of two levels are made at once."""

    def sized(epochs, seeds=5, cores=4, **options):
        monkeypatch.setattr("siffra.api.executors.available_cores", lambda: cores)
        # A rate at which an epoch is counted as a second or so, whatever this machine does.
        monkeypatch.setattr("siffra.lab.execute.cost.multiplications_per_second", lambda _: 2e8)
        plan = plan_vary({"neurons": [8, 9]}, {"epochs": epochs}, DATASET, LabOptions(seeds=seeds))
        with open_store(tmp_path / "runs.sqlite") as store:
            return RunOptions(**options).sized(plan, DATASET, store).jobs

    return sized


def test_as_many_as_there_are_cores(jobs):
    assert jobs(epochs=50) == 4
    assert jobs(epochs=50, cores=3) == 3
    assert jobs(epochs=50, cores=1) == 1


def test_no_more_than_there_are_runs(jobs):
    assert jobs(epochs=50, seeds=1) == 2


def test_one_where_all_are_over_before_other_processes_have_started(jobs):
    assert jobs(epochs=1, seeds=1) == 1


def test_threads_that_are_asked_for_take_cores_away(jobs):
    assert jobs(epochs=50, threads=2) == 2
    assert jobs(epochs=50, threads=4) == 1


def test_a_number_that_is_asked_for_is_taken(jobs):
    assert jobs(epochs=1, seeds=1, jobs=3) == 3
    assert jobs(epochs=50, jobs=1) == 1


def test_pytorch_has_one_as_its_bits_depend_on_it(jobs):
    assert jobs(epochs=50, engine="torch") == 1


@pytest.mark.parametrize(("jobs", "threads"), [(None, 4), (1, 4), (2, 2), (3, 1), (8, 1)])
def test_the_cores_are_shared_out(monkeypatch, jobs, threads):
    monkeypatch.setattr("siffra.api.executors.available_cores", lambda: 4)
    monkeypatch.setattr("siffra.api.executors.make_engine", lambda threads, name: threads)

    assert RunOptions(jobs=jobs).make_engine() == (None if threads == 4 else threads)
    assert RunOptions(jobs=jobs, threads=3).make_engine() == 3


def test_none_is_refused():
    with pytest.raises(ConfigError, match="jobs: found 0; it must be 1 or more"):
        RunOptions(jobs=0)
