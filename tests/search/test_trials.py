"""Runs of the race, one at a time or several at once: the same scores, whatever comes first."""

import time
from collections.abc import Callable

import pytest

from siffra.config import Setting
from siffra.config.recipes import Recipe
from siffra.data.load import DataSource, load_dataset
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ExecutorError
from siffra.lab.execute.events import Event
from siffra.lab.execute.local import LocalExecutor
from siffra.search import search as search_module
from siffra.search.race import FIRST_SEED, Candidate, Run, Turn
from siffra.search.search import search
from siffra.search.spec import SearchSpec
from siffra.search.trials import Trials, runs_at_once
from siffra.search.validation import held_out, try_out

SETS = ("test", "moved", "rotated")
SETTING = Setting.from_knobs({"neurons": 16, "batch_size": 16})


@pytest.fixture
def dataset(fake_data):
    return load_dataset(DataSource(path=fake_data, moved=1.0, rotated=5.0))


@pytest.fixture
def turns():
    candidate = Candidate(0, SETTING, {}, "", 40, 10)
    short = Turn(candidate, 0, FIRST_SEED, 10)
    return [short, *(Turn(candidate, 2, FIRST_SEED + n, 40) for n in range(3))]


class AtOnce(LocalExecutor):
    """Two runs at once, on a clock that runs for both; `order` says which is over first."""

    def __init__(self, dataset, engine, order: Callable) -> None:
        super().__init__(dataset, engine)
        self.clock, self.order, self.waiting = engine.clock, order, []

    @property
    def size(self) -> int:
        return 2

    @property
    def capacity(self) -> int:
        return 2 - len(self.waiting)

    def submit(self, run) -> None:
        self.waiting.append(run)

    def poll(self, on_event) -> None:
        began = end = self.clock.now
        events = []
        for task in self.order(self.waiting):
            self.clock.now = began
            super().submit(task)
            super().poll(events.append)
            end = max(end, self.clock.now)
        self.clock.now, self.waiting = end, []
        for event in events:
            on_event(event)


def test_two_at_once_score_as_one_here_does(dataset, turns):
    judged_by = held_out(dataset, 0, SETS, 100)
    engine = NativeEngine(1)
    trials = Trials(dataset, engine, judged_by, time.monotonic, 2)
    started, runs = [], {}

    try:
        trials.make(
            turns, started.append, lambda turn, run: runs.setdefault(turns.index(turn), run)
        )
    finally:
        trials.close()

    assert started == [*turns[1:], turns[0]]  # the longest first
    for number, turn in enumerate(turns):
        here = try_out(SETTING, turn.steps, turn.seed, dataset, engine, judged_by, time.monotonic)
        there = runs[number]
        assert (there.accuracy, there.steps, there.seed) == (here.accuracy, here.steps, here.seed)
        assert (there.at_once, here.at_once) == (2, 1)


def test_a_single_run_is_made_here(dataset, turns, monkeypatch):
    trials = Trials(dataset, NativeEngine(1), held_out(dataset, 0, SETS, 100), time.monotonic, 2)
    monkeypatch.setattr(trials, "_processes", lambda: pytest.fail("a process"))
    runs = []

    trials.make([], lambda turn: None, lambda turn, run: runs.append(run))
    trials.make(turns[:1], lambda turn: None, lambda turn, run: runs.append(run))

    assert [run.at_once for run in runs] == [1]


class Losing(AtOnce):
    """Loses so many tasks before it does one."""

    losses = 0

    def poll(self, on_event) -> None:
        if self.losses:
            self.losses -= 1
            on_event(Event("lost", self.waiting.pop(), reason="its process ended (signal 9)"))
        else:
            super().poll(on_event)


@pytest.mark.parametrize(("losses", "is_given_up"), [(2, False), (3, True)])
def test_what_is_lost_is_made_again(
    dataset, engine, clock, turns, monkeypatch, losses, is_given_up
):
    trials = Trials(dataset, engine, held_out(dataset, 0, SETS, 100), clock, 2)
    pool = Losing(trials._dataset, engine, list)
    pool.losses = losses
    monkeypatch.setattr(trials, "_processes", lambda: pool)
    runs: list[Run] = []

    def make() -> None:
        trials.make(turns, lambda turn: None, lambda turn, run: runs.append(run))

    if is_given_up:
        with pytest.raises(ExecutorError, match=r"lost 3 times, last because its process ended"):
            make()
    else:
        make()
        assert len(runs) == len(turns)


@pytest.fixture
def look(clock, engine, fake_data, tmp_path, monkeypatch):
    """`look(order)`: a search of two runs at once, of which the first by `order` is over first."""
    monkeypatch.setattr(search_module, "runs_at_once", lambda *_: 2)

    def look(order: Callable, **others):
        dataset = load_dataset(DataSource(path=fake_data, moved=0.0, rotated=0.0))
        monkeypatch.setattr(
            Trials, "_processes", lambda trials: AtOnce(trials._dataset, engine, order)
        )
        spec = SearchSpec(10.0, 300.0, SETS, {})
        start = Recipe("start", "start.toml", {"neurons": 32, "learning_rate": 0.7}, 10.0, None)
        clock.now = 0.0
        where = tmp_path / order.__name__ / "runs.sqlite"
        return search(spec, dataset, engine, where, recipes=[start], clock=clock, **others)

    return look


def test_a_search_with_two_at_once_makes_more_runs_in_the_same_time(look, engine, clock):
    engine.slowness = lambda seconds, seed: 1.4 if seed >= FIRST_SEED else 1.0  # on one thread

    result = look(list)

    assert clock.now <= 300
    # One after the other there would be no time for so much: 0.3 of it is kept for the end.
    assert sum(point.seeds * point.seconds for point in result.points) > 0.7 * 300
    whole = [point for point in result.points if point.is_whole]
    # They take what was planned for their steps, on the threads that the winner trains with.
    assert {round(point.seconds, 1) for point in whole} == {9.7}
    assert result.winner.seconds.mean == pytest.approx(9.7, rel=0.01)
    assert result.winner.score.mean > result.rivals[0].score.mean


def test_which_run_is_over_first_changes_nothing(look):
    forwards, backwards = look(list), look(reversed)

    assert forwards.points == backwards.points
    assert forwards.winner.setting == backwards.winner.setting


def test_a_killed_search_makes_no_run_twice(look, engine):
    class Killed(BaseException):
        pass

    def kill(event):
        if event.spent > 150:
            raise Killed

    with pytest.raises(Killed):
        look(list, on_event=kill)
    look(list)

    raced = [run for run in engine.trained if run[2] >= FIRST_SEED]
    again = len(raced) - len(set(raced))
    assert again <= 2  # what was in progress when it was killed


def test_only_what_does_not_depend_on_threads_is_made_at_once(engine):
    native = NativeEngine(1)
    native.threads = engine.threads = 4
    long, over_at_once = (SearchSpec(5.0, seconds, SETS, {}) for seconds in (600.0, 20.0))

    assert runs_at_once(native, long, 2.0) == 4
    assert runs_at_once(native, over_at_once, 2.0) == 1
    assert runs_at_once(engine, long, 2.0) == 1


@pytest.mark.parametrize(
    ("budget", "threads", "pace", "at_once"),
    [
        (1.0, 2, 1.5, 1),  # a run of 0.75 s each, and half of the second in which kernels load
        (15.0, 2, 1.75, 2),
        (15.0, 2, 2.0, 1),
        (1.0, 16, 4.0, 16),
        (1.0, 1, 1.0, 1),
    ],
)
def test_runs_are_made_at_once_where_that_takes_less_time(budget, threads, pace, at_once):
    native = NativeEngine(1)
    native.threads = threads

    assert runs_at_once(native, SearchSpec(budget, 600.0, SETS, {}), pace) == at_once
