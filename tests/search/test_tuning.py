"""A search of one's own training: what it finds, and what it says of it, is judged afresh."""

import itertools
import math
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scipy.stats import binom

import siffra
from siffra.api.results import LabResult
from siffra.errors import ConfigError, ExecutorError, SearchError
from siffra.lab.plan.plan import PlannedRun
from siffra.report.render.notebook import NotebookProgress

NOISE = 0.05
SPACE = {"lr": "0.001..1", "width": [16, 32, 64]}
ERRORS = 0.05
"""In at most this share of questions any verdict that is shown is wrong."""


def bowl(lr: float, width: int, seed: int) -> dict[str, float]:
    """Least at a learning rate of 10^-1.5 and a width of 32; every run has noise of its own."""
    chance = random.Random(f"{lr} {width} {seed}").gauss(0, NOISE)
    return {"loss": (math.log10(lr) + 1.5) ** 2 + 0.3 * (width != 32) + chance}


class Calls:
    """A function that trains, and what it was called with."""

    def __init__(self, train: Callable[..., dict[str, float]], most: float = math.inf) -> None:
        self.train, self.most = train, most
        self.made: list[tuple[Any, ...]] = []

    def __call__(self, seed: int, **knobs: Any) -> dict[str, float]:
        if len(self.made) >= self.most:
            raise KeyboardInterrupt
        self.made.append((*knobs.values(), seed))
        return self.train(**knobs, seed=seed)


def tuned(train: Callable[..., dict[str, float]], **more: Any) -> LabResult:
    return siffra.tune(SPACE, train=train, metric="loss:lower", **more)


def question_of(result: LabResult) -> Any:
    (question,) = result._report().questions
    return question


@pytest.fixture
def a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run says that it takes a second, as a clock does that ticks when it is read."""
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)
    monkeypatch.setattr("siffra.lab.execute.functions.time", clock)


@pytest.fixture(scope="module")
def result() -> LabResult:
    return tuned(bowl, baseline={"lr": 0.1, "width": 16})


class TestAnswer:
    def test_it_finds_the_place(self, result):
        found = question_of(result).levels[0].knobs

        assert result.chosen == found
        assert found["width"] == 32
        # There, the loss is 0.25 above the least: five standard deviations of a run.
        assert abs(math.log10(found["lr"]) + 1.5) < 0.5

    def test_what_was_found_is_judged_by_runs_that_decided_nothing(self, result):
        question = question_of(result)
        found, second, baseline = question.levels

        for level in (found, second, baseline):
            by_hand = [bowl(**level.knobs, seed=seed)["loss"] for seed in range(5)]
            assert level.metrics["loss"].values == pytest.approx(by_hand)
        assert baseline.knobs == {"lr": 0.1, "width": 16}
        sides = [(claim.level, claim.against, claim.direction) for claim in question.claims]
        assert sides == [((0,), (1,), "better"), ((0,), (2,), "better")]
        assert [claim.verdict for claim in question.claims][1] == "supported"

    def test_the_luck_is_what_the_best_run_promised_less_what_fresh_seeds_keep(self, result):
        question = question_of(result)
        search, fresh = question.search, question.levels[0].metrics["loss"]

        assert (search.runs, search.failed, search.space) == (30, 0, SPACE)
        assert search.luck == pytest.approx(fresh.mean - search.best)
        low, high = fresh.interval
        assert search.luck_interval == pytest.approx((low - search.best, high - search.best))

    def test_its_words(self, result):
        english, swedish = (result.text(language).split("\n")[0] for language in ("en", "sv"))
        name = "lr {lr:.10g}, width {width}".format(**question_of(result).levels[0].knobs)

        assert english.startswith(f"Found: {name}, with a loss of ")
        assert " over 5 fresh seeds. The best of 30 runs promised " in english
        assert english.endswith(
            " and the baseline (lr 0.1, width 16). "
            "Searched: lr 0.001..1 (logarithmic); width 16, 32, 64; 30 runs."
        )
        assert swedish.startswith(f"Funnet: {name.replace('.', ',')}, med loss ")
        assert swedish.endswith("lr 0.001..1 (logaritmiskt); width 16, 32, 64; 30 körningar.")

    def test_a_report_says_how_to_repeat_it_and_how_it_was_chosen(self, result):
        report = result._report()

        assert report.command == (
            f"siffra.tune({SPACE!r}, train=…, metric=['loss:lower'], runs=30, "
            "baseline={'lr': 0.1, 'width': 16}, seeds=5)"
        )
        pairs = next(part for part in report.methods if "Optuna" in " ".join(part.paragraphs))
        assert "with seed 10000. The best 4 were run with seeds 10001, 10002, 10003 and" in (
            " ".join(pairs.paragraphs)
        )


def test_luck_beyond_the_interval_is_said():
    """A thousand settings that differ by noise alone: the best of 60 runs is far from the mean."""

    def noise(x: int, seed: int) -> dict[str, float]:
        return {"score": random.Random(f"{x} {seed}").gauss(0, 1)}

    result = siffra.tune({"x": "0..1000"}, train=noise, metric="score:higher", runs=60)
    search = question_of(result).search

    # Half of all times, the best of 60 normal values is beyond 2.3 and the interval of a mean.
    assert search.luck_interval[0] > 0
    said = f"The best of 60 runs promised {search.best:.4g}: {search.luck:.2g} of that was luck."
    assert said in result.text()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_seeds_that_judge_were_used_for_nothing_else(jobs):
    train = Calls(bowl)
    result = tuned(train, runs=8, seeds=6) if jobs == 1 else tuned(bowl, runs=8, seeds=6, jobs=2)
    levels = result.answers.questions[0].levels

    assert [[record.seed for record in level.records] for level in levels] == [[*range(6)]] * 2
    if jobs == 1:
        seeds = Counter(seed for *_, seed in train.made)
        assert seeds == {10_000: 8, **dict.fromkeys(range(10_001, 10_005), 4)} | dict.fromkeys(
            range(6), 2
        )
        assert len(set(train.made)) == len(train.made)  # nothing twice


def test_what_is_stopped_goes_on_and_makes_nothing_twice(tmp_path):
    whole = tuned(bowl, runs=8, store=tmp_path / "whole.sqlite")
    store = tmp_path / "runs.sqlite"
    made: list[tuple[Any, ...]] = []
    for most in (3, 6, 9):  # in the search, and twice among the finalists
        calls = Calls(bowl, most)
        with pytest.raises(KeyboardInterrupt):
            tuned_named(calls, runs=8, store=store)
        made += calls.made
    calls = Calls(bowl)
    result = tuned_named(calls, runs=8, store=store)
    made += calls.made

    assert len(set(made)) == len(made) == 8 + 4 * 4 + 2 * 5
    levels, others = (question_of(each).levels for each in (result, whole))
    assert [each.knobs for each in levels] == [each.knobs for each in others]
    assert [each.metrics for each in levels] == [each.metrics for each in others]
    assert tuned_named(Calls(bowl, 0), runs=8, store=store).text() == result.text()


CURRENT: list[Calls] = []


def named(lr: float, width: int, seed: int) -> dict[str, float]:
    """A function with a source, as one has whose runs are kept."""
    return CURRENT[-1](lr=lr, width=width, seed=seed)


def tuned_named(calls: Calls, **more: Any) -> LabResult:
    CURRENT.append(calls)
    return tuned(named, **more)


def test_more_runs_go_on_from_those_that_are_there(tmp_path):
    store = tmp_path / "runs.sqlite"
    tuned_named(first := Calls(bowl), runs=6, store=store)
    tuned_named(second := Calls(bowl), runs=9, store=store)

    searched = [run for run in first.made + second.made if run[-1] == 10_000]
    assert len(set(searched)) == len(searched) == 9


def test_fewer_runs_choose_among_the_first_alone(tmp_path, a_second_each):
    store = tmp_path / "runs.sqlite"
    few = tuned_named(Calls(bowl), runs=5, store=tmp_path / "few.sqlite")
    tuned_named(Calls(bowl), runs=12, store=store)

    result = tuned_named(Calls(bowl), runs=5, store=store)

    assert result.text() == few.text()
    assert len(tuned_named(Calls(bowl, 0), runs=12, store=store).chosen or {}) == 2


READS = """import json, sys
print(json.dumps({"loss": float(open(sys.argv[1]).read()) + int(sys.argv[2]) % 7 / 100}))
"""


@pytest.mark.parametrize("edited", ["a", "c"])  # the search's name rests on the first alone
def test_a_setting_whose_file_was_edited_is_tried_anew(tmp_path, monkeypatch, edited):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(READS)
    for name, loss in {"a": 2, "b": 3, "c": 4}.items():
        Path(f"{name}.txt").write_text(str(loss))

    def result() -> LabResult:
        command = [sys.executable, "train.py", "{cfg}", "{seed}"]
        space = {"cfg": ["a.txt", "b.txt", "c.txt"]}
        return siffra.tune(space, command=command, metric="loss:lower", store="runs.sqlite")

    assert result().chosen == {"cfg": "a.txt"}
    Path(f"{edited}.txt").write_text("1")
    first = result()
    assert first.chosen == {"cfg": f"{edited}.txt"}
    assert result().text() == first.text()
    assert question_of(first).levels[0].metrics["loss"].mean == pytest.approx(1.02)
    Path(f"{edited}.txt").write_text("9")
    assert result().chosen == {"cfg": "b.txt" if edited == "a" else "a.txt"}


def test_a_notebook_shows_the_runs_of_the_search(monkeypatch):
    told = []

    class Shown(NotebookProgress):
        def __enter__(self):
            return self

        def __call__(self, event):
            told.extend([event.run.seed] if isinstance(event.run, PlannedRun) else [])

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("siffra.api.jobs.NotebookProgress", Shown)
    monkeypatch.setattr(Shown, "is_wanted", staticmethod(lambda: True))

    tuned(bowl, runs=4)

    assert {10_000, 10_001, 0} <= set(told)


def test_a_setting_that_fails_ends_nothing_and_is_not_chosen():
    def fails_above(lr: float, width: int, seed: int) -> dict[str, float]:
        if lr > 0.01:
            raise FloatingPointError("diverged")
        return {"loss": math.nan} if width == 64 else bowl(lr, width, seed)

    result = tuned(fails_above, runs=20)
    question = question_of(result)

    assert 0 < question.search.failed < 20
    assert all(level.knobs["lr"] <= 0.01 for level in question.levels)
    assert all(level.knobs["width"] != 64 for level in question.levels)
    assert f"20 runs, {question.search.failed} of them without a value." in result.text()


def test_where_no_run_has_a_value_the_last_reason_is_said():
    def fails(lr: float, width: int, seed: int) -> dict[str, float]:
        raise OSError("no such file")

    with pytest.raises(SearchError, match=r"loss: none of the 3 runs has a value; .*no such file"):
        tuned(fails, runs=3)


def test_a_search_ends_when_all_settings_were_tried():
    train = Calls(lambda width, seed: bowl(0.03, width, seed))
    result = siffra.tune({"width": [16, 32, 64]}, train=train, metric="loss:lower")

    assert question_of(result).search.runs == 3
    assert Counter(seed for *_, seed in train.made)[10_000] == 3
    assert question_of(result).levels[0].knobs == {"width": 32}


def test_a_time_is_for_all_runs(a_second_each):
    """Of 40 runs, 16 are the finalists', and 10 are judged."""
    result = tuned(bowl, time=40)

    assert question_of(result).search.runs == 40 - 16 - 10


def test_what_was_found_may_be_the_baseline():
    space = {"width": [16, 32]}
    result = siffra.tune(
        space,
        train=lambda width, seed: bowl(0.03, width, seed),
        metric="loss:lower",
        baseline={"width": 32},
    )

    assert [level.knobs for level in question_of(result).levels] == [{"width": 32}, {"width": 16}]
    assert "What was found is the baseline itself." in result.text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"runs": 1}, "runs: found 1; a search has two or more."),
        ({"baseline": {"lr": 0.1}}, "baseline: found no width; it has a value of each knob"),
        ({"baseline": {"rate": 0.1}}, "baseline: rate is not searched; known: lr, width."),
        ({"seeds": 0}, "seeds: found 0; it must be from 1 to"),
        ({"command": "python train.py {seed}"}, "train: give either a function, or the command"),
        ({"timeout": "10m"}, "timeout: it is for a command; leave it out."),
        ({"gpus": ["0"]}, "gpus: it is for a command; leave it out."),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(more, message):
    with pytest.raises(ConfigError) as refused:
        tuned(bowl, **more)

    assert str(refused.value).startswith(message)


def test_what_wins_by_luck_is_not_shown_to_be_better():
    """A/A: the metric is noise, so that nothing is better than anything."""
    searches, shown, luck = 100, 0, 0
    for number in range(searches):

        def noise(x: int, seed: int, number: int = number) -> dict[str, float]:
            return {"loss": random.Random(f"{number} {x} {seed}").gauss(0, 1)}

        space = {"x": "0..1000"}
        question = question_of(
            siffra.tune(space, train=noise, metric="loss:lower", runs=6, baseline={"x": -1})
        )
        shown += any(
            claim.grade == "shown" and claim.verdict == "supported" for claim in question.claims
        )
        luck += question.search.luck > 0

    # What promises would show: the best of six normal values is 1.27 below their mean, which is
    # beyond that of five fresh ones (standard error 0.45) in nine of ten searches.
    assert luck > 0.8 * searches
    assert shown <= binom.ppf(0.999, searches, ERRORS)


def test_where_the_first_ten_runs_fail_alike_there_are_no_more():
    train = Calls(lambda lr, width, seed: {"loss": float(["a"][width])})

    with pytest.raises(ExecutorError, match=r"all of the first 10 runs failed \(IndexError"):
        tuned(train)
    assert len(train.made) == 10


def test_a_metric_that_is_not_there_ends_it_at_the_first_run():
    train = Calls(lambda lr, width, seed: {"los": 0.1})

    with pytest.raises(ExecutorError, match="no metric `loss`"):
        tuned(train)
    assert len(train.made) == 1
