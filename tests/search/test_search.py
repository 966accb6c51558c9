"""A whole search: what it tries, keeps, answers and refuses."""

import contextlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from siffra.config import Setting
from siffra.config.recipes import Recipe, find_recipe
from siffra.data.load import DataSource, load_dataset
from siffra.engine.network import build_network
from siffra.engine.schedule import total_steps
from siffra.errors import SearchError
from siffra.search.race import FIRST_SEED
from siffra.search.result import SearchResult
from siffra.search.search import search
from siffra.search.space import Space
from siffra.search.spec import SearchSpec
from siffra.search.study import SearchStudy
from siffra.search.throughput import with_steps
from siffra.search.validation import chosen_sets
from siffra.store.store import open_store
from siffra.training.run import this_machine
from siffra.training.test_time_averaging import Averaged

START = Recipe("start", "start.toml", {"neurons": 32, "learning_rate": 0.7}, 10.0, None)


@pytest.fixture
def look(clock, engine, fake_data, tmp_path):
    """`look(budget=10, seconds=300)`: a search of the fake engine's."""

    def look(
        budget: float = 10.0,
        seconds: float = 300.0,
        *,
        sets: Sequence[str] | None = ("test", "moved", "rotated"),
        fixed: Mapping[str, Any] = MappingProxyType({}),
        source: DataSource | None = None,
        **others: Any,
    ) -> SearchResult:
        source = source or DataSource(path=fake_data, moved=0.0, rotated=0.0)
        dataset = load_dataset(source)
        spec = SearchSpec(budget, seconds, chosen_sets(sets, dataset), dict(fixed))
        asked = {"source": source, "clock": clock, "recipes": [START]}
        return search(spec, dataset, engine, tmp_path / "runs.sqlite", **(asked | others))

    return look


class Killed(BaseException):
    """A search was ended from outside."""


def kill_after(look, seconds):
    """A search that is killed when it has taken so many seconds."""

    def kill(event):
        if event.spent > seconds:
            raise Killed

    with pytest.raises(Killed):
        look(on_event=kill)


def test_it_finds_better_than_where_it_started(look):
    result = look()

    assert result.candidates > 5
    assert result.winner.score.mean > result.rivals[0].score.mean
    assert result.rivals[0].origin == "start"
    assert result.ahead
    assert result.ahead.low > 0
    assert result.lead_in_race
    assert result.lead_in_race.over == result.rivals[0].candidate == 0
    assert result.lead_in_race.mean > 0
    assert result.lead_over_first == result.lead_in_race.mean
    assert result.rivals_unscored == ()


def test_it_keeps_to_its_time_and_its_budget(look, clock):
    result = look(10.0, 300.0)

    assert clock.now <= 300
    assert result.spent == pytest.approx(clock.now, abs=0.01)
    assert all(point.seconds <= 10.0 for point in result.points)
    assert result.winner.seconds.high <= 10.0


def raced(engine) -> Counter[tuple[str, int]]:
    """How often each candidate was trained with each seed of the race, however long."""
    runs = [run for run in engine.trained if run[2] >= FIRST_SEED]
    return Counter((re.sub("epochs=[^ ,]+", "", who), seed) for who, _, seed in runs)


def test_runs_that_take_a_little_longer_than_the_budget_undo_none(look, engine):
    rng = np.random.default_rng(1)
    long = []

    def slowness(seconds: float, seed: int) -> float:
        factor = rng.uniform(0.95, 1.1)
        long.append(seed >= FIRST_SEED and factor * seconds > 10)
        return factor

    engine.slowness = slowness

    result = look(seconds=400.0)

    # The first seed is that of the short round too, which may be run once more.
    counts = raced(engine)
    assert max(counts[run] for run in counts if run[1] > FIRST_SEED) == 1
    assert max(counts[run] for run in counts if run[1] == FIRST_SEED) <= 3
    assert any(long)
    home = [point for point in result.points if point.candidate == 0 and point.is_whole]
    assert max(point.seeds for point in home) >= 3
    assert result.winner.seconds.mean <= 10.0


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0])
def test_a_machine_that_is_busy_all_the_time_shortens_no_run(look, stepping, clock, factor):
    stepping.slowness = lambda seconds, seed: factor

    result = look(10.0, 400.0)

    assert clock.now <= 400
    undisturbed = [point.seconds / factor for point in result.points if point.is_whole]
    undisturbed.append(result.winner.seconds.mean / factor)
    # Runs may take 1.05 times as long as their steps do alone, and aim at 0.97 of the budget.
    assert min(undisturbed) > 0.97 / 1.05 * 10 * 0.99
    assert max(undisturbed) <= 10


def test_a_first_timing_that_was_far_off_is_mended_by_another_short_round(look, engine):
    """Timings have seed 0; here they are made while the machine is busy."""
    engine.slowness = lambda seconds, seed: 2.0 if seed == 0 and seconds < 2 else 1.0

    result = look(seconds=100.0)

    short = [point for point in result.points if not point.is_whole and point.candidate == 0]
    assert len(short) == 1  # what it took the place of is no point
    assert short[0].seconds == pytest.approx(0.97 * 10 / 4, rel=0.01)


def test_a_short_round_that_was_run_once_more_is_not_on_the_front_either(look, engine):
    """Cut short by a timing on a busy machine, it would be the quickest of all."""
    engine.slowness = lambda seconds, seed: 2.0 if seed == 0 and seconds < 2 else 1.0

    result = look(seconds=100.0)

    home = [steps for who, steps, seed in engine.trained if seed == FIRST_SEED][:2]
    assert home[0] < 0.6 * home[1]  # it took half of a quarter of the budget
    assert min(result.points[i].seconds for i in result.front) > 2
    assert home[0] not in {point.steps for point in result.points if point.candidate == 0}


def test_a_winner_whose_runs_turn_out_too_long_is_given_fewer_steps_once(look, engine):
    """Finals have seeds below the race's, and are longer than a timing."""
    engine.slowness = lambda seconds, seed: 1.2 if seed < 10 and seconds > 2 else 1.0

    result = look()
    before = len(engine.trained)
    again = look()

    assert result.winner.seconds.mean == pytest.approx(9.7, rel=0.01)
    assert not result.is_over_budget
    assert len(engine.trained) == before
    assert again.winner.setting == result.winner.setting


def slow_in_the_end(engine, factor, least_seed=0):
    """The recipe's runs for the test sets take longer than those of the race, by `factor`."""
    fit = engine.fit

    def slowly(model, training, dataset, seed, on_epoch):
        is_meant = training.learning_rate == START.knobs["learning_rate"]
        is_meant = is_meant and least_seed <= seed < FIRST_SEED
        engine.slowness = lambda seconds, seed: factor if is_meant and seconds > 2 else 1.0
        return fit(model, training, dataset, seed, on_epoch)

    engine.fit = slowly


def test_a_rival_whose_runs_turn_out_too_long_is_given_fewer_steps_too(look, engine):
    slow_in_the_end(engine, 1.3)

    result = look()
    before = len(engine.trained)
    again = look()

    (rival,) = result.rivals
    (raced,) = {p.steps for p in result.points if p.candidate == rival.candidate and p.is_whole}
    steps = total_steps(rival.setting.training, result.images)
    assert rival.origin == "start"
    assert steps == pytest.approx(raced / 1.3, rel=0.01)
    assert rival.seconds.mean == pytest.approx(9.7, rel=0.01)
    assert len(rival.records) >= 2
    assert result.rivals_over_budget == ()
    assert len(engine.trained) == before
    assert again.rivals[0].setting == rival.setting


def test_a_rival_that_takes_longer_than_the_budget_after_that_is_told_of(look, engine):
    slow_in_the_end(engine, 2.0, least_seed=2)

    result = look()

    assert not result.is_over_budget
    assert result.rivals[0].seconds.mean > 10
    assert result.rivals_over_budget == result.rivals
    payload = result.as_json()
    assert (payload["over_budget"], payload["rivals_over_budget"]) == (False, [0])


@pytest.mark.parametrize("seconds", [230.0, 250.0, 270.0])
def test_what_beats_the_recipes_has_the_best_of_them_beside_it(look, engine, clock, seconds):
    engine.seconds_per_image = 0.0002  # six finals take 96 s, far more than is kept anyway

    result = look(seconds=seconds)

    assert result.winner.origin == ""
    assert result.rivals[0].origin == "start"
    assert min(len(each.records) for each in (result.winner, *result.rivals)) >= 3
    assert clock.now <= seconds


def test_a_rival_that_there_was_no_time_to_score_is_told_of_with_the_lead_in_the_race(
    look, engine, tmp_path
):
    """The winner's first two runs, which are made in any case, take all the time that was kept."""
    engine.slowness = lambda seconds, seed: 6.0 if seed < FIRST_SEED and seconds > 2 else 1.0

    result = look()

    assert (result.winner.origin, result.rivals, result.ahead) == ("", (), None)
    assert [rival.origin for rival in result.rivals_unscored] == ["start"]
    (folder,) = tmp_path.glob("runs.sqlite.searches/*")
    with SearchStudy(folder, Space(0.0, 0.0)) as study:
        home, best = (
            {run.seed: run.score for run in study.candidates[number].whole_runs}
            for number in (0, result.winner.candidate)
        )
    both = sorted(home.keys() & best.keys())
    lead = result.lead_in_race
    assert lead
    assert (lead.over, lead.seeds) == (0, len(both))
    assert len(both) >= 3
    assert lead.mean == pytest.approx(np.mean([best[seed] - home[seed] for seed in both]))
    payload = result.as_json()
    assert payload["lead_in_race"] == {"over": 0, "mean": lead.mean, "seeds": lead.seeds}
    assert (payload["rivals"], payload["rivals_unscored"]) == ([], [0])


def test_the_winner_is_scored_on_seeds_that_did_not_choose_it(look, engine):
    result = look()

    assert [record.seed for record in result.winner.records] == list(
        range(len(result.winner.records))
    )
    assert len(result.winner.records) >= 2
    assert all(seed >= FIRST_SEED or seed < 10 for _, _, seed in engine.trained)


def test_test_images_are_touched_by_the_finalists_alone(look, fake_data, engine):
    images = []
    scored = type(engine).fit

    def fit(model, training, dataset, seed, on_epoch):
        fitted = scored(engine, model, training, dataset, seed, on_epoch)
        predict = fitted.predict

        def counted(x):
            images.append((seed, len(x)))
            return predict(x)

        fitted.predict = counted
        return fitted

    engine.fit = fit

    look()

    # There are 200 test images and 120 validation images.
    assert {seed for seed, count in images if count == 200} <= set(range(10))
    assert {count for seed, count in images if seed >= FIRST_SEED} == {120}


def test_a_killed_search_goes_on_and_trains_nothing_twice(look, engine):
    kill_after(look, 150)
    before = len(engine.trained)
    result = look()

    assert before > 10
    timed = [run for run in engine.trained if run[2] == 0]
    raced = [run for run in engine.trained if run[2] >= FIRST_SEED]
    assert len(set(raced)) == len(raced) > 0
    assert result.spent <= 300
    assert timed


def test_a_search_of_an_earlier_version_goes_on_where_it_was(look, engine, tmp_path):
    """Its journal is of a search of 300 s that was killed after 60."""
    kill_after(look, 1)
    (log,) = tmp_path.rglob("study.log")
    log.unlink()
    earlier = Path(__file__).parent / "earlier-journal.jsonl"
    shutil.copy(earlier, log.with_name("journal.jsonl"))
    entries = [json.loads(line) for line in earlier.read_text("utf-8").splitlines()]
    settings = [Setting.from_knobs(e["knobs"]) for e in entries if e["what"] == "candidate"]
    runs = [e for e in entries if e["what"] == "run"]
    engine.trained.clear()

    result = look()

    raced = {run for run in engine.trained if run[2] >= FIRST_SEED}
    for run in runs:
        setting = with_steps(settings[run["candidate"]], run["steps"], result.images)
        assert (str((setting.model, setting.training)), run["steps"], run["seed"]) not in raced
    assert len(runs) >= 4
    assert result.runs == len(runs) + len(raced)
    assert result.candidates > len(settings) > 1
    assert result.spent <= 300


def test_a_search_that_was_stopped_answers_at_once_with_a_time_that_is_over(look, engine, clock):
    kill_after(look, 150)
    before = raced(engine)
    stopped = clock.now
    early = look(seconds=60.0)

    assert raced(engine) == before
    assert len(early.winner.records) == 2
    assert clock.now < stopped + 2.5 * 10
    assert early.spent > 150

    later = look(seconds=300.0)

    assert later.runs > early.runs
    assert raced(engine) > before


@pytest.mark.parametrize("doing", ["confirming", "averaging"])
def test_finals_are_made_once_wherever_a_search_is_killed(look, engine, doing):
    def kill(event):
        seen.append(event.doing)
        if seen.count(doing) == 2:
            kills.append(event)
            raise Killed

    kills = []

    for _ in range(2):
        seen = []
        with contextlib.suppress(Killed):
            look(seconds=100.0, on_event=kill)
    result = look(seconds=100.0)

    assert kills
    # Those with seed 0 are timings, but for the long ones.
    finals = [run for run in engine.trained if run[2] < FIRST_SEED and run[1] > 100]
    assert len(set(finals)) == len(finals) >= 3
    assert len(result.winner.records) >= 3
    assert result.winner.average is not None
    assert 0 in [record.seed for record in result.winner.records]


def test_time_is_kept_for_scoring_the_finals_too(look, engine, clock):
    engine.seconds_per_image = 0.0002  # 0.07 s in the race; in the end, after 40 epochs, 6 s

    result = look(10.0, 70.0)

    assert clock.now <= 70
    assert len(result.winner.records) >= 3


@pytest.mark.parametrize(("beside", "scoring"), [(0.05, 1e-6), (0.2, 0.0)])
def test_small_data_has_a_race_as_well(look, engine, clock, beside, scoring):
    """Of hundreds of epochs, each of which is scored in the end: some parts only grow with that."""

    def prepare(*_):
        clock.now += beside

    engine.multiplications_per_second = 4e8
    engine.seconds_per_image = scoring
    engine.prepare = prepare

    result = look(2.0, 120.0)

    assert result.winner.setting.training.epochs > 90
    assert result.candidates > 8
    assert result.runs > 16
    assert not result.is_exhausted
    assert len(result.winner.records) >= 3
    assert 60 < clock.now <= 120


def test_averages_over_views_wait_until_all_seeds_are_trained(look, clock, monkeypatch):
    def averaged(fitted, dataset):
        clock.now += 3
        return Averaged({"test": 0.5}, seconds=8.0, plain_seconds=1.0)

    monkeypatch.setattr("siffra.search.confirmation.try_averaging", averaged)
    seen = []

    result = look(seconds=110.0, on_event=lambda event: seen.append(event.doing))

    assert seen.index("averaging") > len(seen) - 1 - seen[::-1].index("confirming")
    assert seen[-1] == "averaging"
    assert len(result.winner.records) >= 3
    assert clock.now <= 110 + 3


def test_a_finished_search_is_told_again_without_training(look, engine):
    first = look()
    before = len(engine.trained)

    again = look()

    assert len(engine.trained) == before
    assert again.winner.setting == first.winner.setting
    assert again.winner.score == first.winner.score
    assert again.points == first.points


@pytest.mark.parametrize("is_told_of", [True, False])
@pytest.mark.parametrize(
    ("seconds", "scoring"), [(100.0, 0.0005), (130.0, 0.0002), (200.0, 0.0005), (300.0, 0.001)]
)
def test_the_same_again_trains_nothing_and_takes_no_time_more(
    look, engine, clock, tmp_path, seconds, scoring, is_told_of
):
    """Nor where the search was killed right at its end, before it could tell of that."""
    engine.seconds_per_image = scoring
    first = look(seconds=seconds)
    before, spent = len(engine.trained), clock.now
    (log,) = tmp_path.rglob("study.log")
    *lines, end = log.read_text("utf-8").splitlines(keepends=True)
    if not is_told_of:
        log.write_text("".join(lines), "utf-8")

    again = look(seconds=seconds)

    assert f'"ended":{seconds}' in end
    assert len(engine.trained) == before
    assert (clock.now == spent) or not is_told_of
    assert again.spent == pytest.approx(first.spent, abs=0.001 if is_told_of else 1.0)
    assert again.winner.score == first.winner.score
    assert again.points == first.points


@pytest.mark.parametrize("last", range(4, 44, 4))
def test_what_is_gone_on_with_keeps_to_its_time(look, engine, clock, last):
    """What runs take beside their training is known from before it was killed."""

    def kill(event):
        if len(engine.trained) >= last:
            raise Killed

    engine.seconds_per_image = 0.0005  # a final takes 16 s of it

    with contextlib.suppress(Killed):
        look(seconds=200.0, on_event=kill)
    result = look(seconds=200.0)

    assert len(result.winner.records) >= 2
    assert max(clock.now, result.spent) <= 200


def test_another_space_or_a_rewritten_recipe_begins_anew(look, engine, monkeypatch):
    first = look(seconds=60.0)
    rewritten = replace(START, knobs={**START.knobs, "neurons": 64})

    other = look(seconds=60.0, recipes=[rewritten])
    monkeypatch.setattr("siffra.search.search.SPACE", 0)
    before = len(engine.trained)
    anew = look(seconds=60.0)

    homes = [
        next(point.knobs["neurons"] for point in each.points if point.candidate == 0)
        for each in (first, other, anew)
    ]
    assert homes == [32, 64, 32]
    assert len(engine.trained) > before


def test_a_search_from_when_the_cpu_had_a_bare_name_goes_on(look, engine, monkeypatch):
    def named(cpu):
        here = this_machine(1).model_copy(update={"cpu": cpu})
        for module in ("search", "references"):
            monkeypatch.setattr(f"siffra.search.{module}.this_machine", lambda threads: here)
        monkeypatch.setattr("siffra.training.run.this_machine", lambda threads: here)

    named("AMD EPYC")
    first = look(seconds=60.0)
    before = len(engine.trained)
    named("AMD EPYC (family 26, model 2)")
    again = look(seconds=60.0)

    assert len(engine.trained) == before
    assert again.winner.score == first.winner.score


@pytest.mark.parametrize(
    "changes", [{"cpu": "another"}, {"cores": 999}, {"threads": 7}, {"jobs": 2}]
)
def test_a_stored_run_by_another_clock_is_made_again_for_its_seconds(
    look, engine, tmp_path, changes
):
    first = look(seconds=60.0)
    with open_store(tmp_path / "runs.sqlite") as store:
        for record in store.records():
            machine = record.machine.model_copy(update=changes)
            store.add(record.model_copy(update={"machine": machine, "seconds": 1e6}), replace=True)

    again = look(seconds=60.0)
    before = len(engine.trained)
    once_more = look(seconds=60.0)

    assert again.winner.setting == first.winner.setting
    assert len(again.winner.records) >= 2
    assert again.winner.seconds.high <= 10.0
    assert len(engine.trained) == before  # the new runs are the stored ones now
    assert once_more.winner.seconds == again.winner.seconds


def test_averages_over_views_stand_beside_the_plain_figures(look):
    result = look(seconds=60.0)

    for finalist in (result.winner, *result.rivals):
        assert finalist.average is not None
        assert finalist.average.seeds == len(finalist.records)
        assert finalist.average.accuracy.keys() == {"test", "moved", "rotated"}
        assert finalist.average.times_as_long > 0
    again = look(seconds=60.0)
    assert again.winner.average == result.winner.average  # told again, not tried again


def test_where_time_is_short_the_first_seed_alone_is_averaged(look, clock, monkeypatch):
    def slowly(fitted, dataset):
        clock.now += 1000
        return Averaged({"test": 0.5}, seconds=8.0, plain_seconds=1.0)

    monkeypatch.setattr("siffra.search.confirmation.try_averaging", slowly)

    result = look(seconds=60.0)

    assert result.winner.average is not None
    assert (result.winner.average.seeds, len(result.winner.records)) == (1, 3)
    assert result.winner.average.times_as_long == pytest.approx(8)


def test_averages_that_time_does_not_allow_are_left_out_and_the_answer_says_so(
    look, clock, monkeypatch
):
    def slowly(fitted, images):
        clock.now += 0.02 * len(images)  # 600 test images: 12 s and more

    tried = []
    monkeypatch.setattr("siffra.search.confirmation.predict_averaged", slowly)
    monkeypatch.setattr("siffra.search.confirmation.try_averaging", lambda *_: tried.append(1))

    result = look(seconds=60.0)

    assert len(result.winner.records) >= 3
    assert (result.winner.average, tried) == (None, [])
    assert result.not_averaged == (result.winner, *result.rivals)
    assert clock.now <= 60


def test_a_table_without_shifts_is_searched_among_dense_networks(look, tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4)).round(3)
    path = tmp_path / "flowers.csv"
    lines = [",".join(map(str, [*row, "ab"[int(row[0] > 0)]])) for row in rows]
    path.write_text("\n".join(["w,x,y,z,kind", *lines]) + "\n")

    result = look(source=DataSource(path=path, label="kind"), sets=None, seconds=60.0)

    assert result.spec.sets == ("test",)
    assert {point.knobs["model"] for point in result.points} == {"dense"}
    assert {point.knobs.get("augment", "none") for point in result.points} == {"none"}
    assert len(result.winner.records) >= 2
    assert result.winner.average is None
    assert result.not_averaged == ()


def test_other_shifted_sets_count_as_moved_and_rotated_ones_do(look, fake_data):
    source = DataSource(path=fake_data, moved=None, rotated=None, noisy=0.1, scaled=0.2, faded=0.5)

    every = look(source=source, sets=None, seconds=60.0)
    some = look(source=source, sets=("noisy", "test"), seconds=60.0)

    assert every.spec.sets == ("test", "scaled", "noisy", "faded")
    assert some.spec.sets == ("test", "noisy")
    assert some.winner.score.values == pytest.approx(
        [np.mean([r.accuracy["test"], r.accuracy["noisy"]]) for r in some.winner.records]
    )
    assert every.winner.average is not None
    assert every.winner.average.accuracy.keys() == {"test", "scaled", "noisy", "faded"}


def test_where_each_seed_has_its_own_split_the_finalists_have_it_too(look, fake_data):
    source = DataSource(path=fake_data, moved=0.0, rotated=0.0, split="seed")

    result = look(source=source, seconds=60.0)

    dataset = load_dataset(source)
    expected = [dataset.split_for(record.seed).fingerprint for record in result.winner.records]
    assert [record.fingerprint for record in result.winner.records] == expected
    assert len(set(expected)) == len(expected) >= 2


def test_more_time_goes_on_with_the_same_search(look):
    first = look(seconds=150.0)
    second = look(seconds=300.0)

    assert second.candidates > first.candidates
    # Those for the whole budget are means over more seeds by then.
    short, again = ([p for p in each.points if not p.is_whole] for each in (first, second))
    assert again[: len(short)] == short


def test_the_least_time_still_gives_a_winner(look):
    result = look(10.0, 40.0)

    assert result.winner.origin == "start"
    assert len(result.winner.records) >= 2


def test_a_fixed_knob_is_the_same_in_every_candidate(look):
    result = look(fixed={"batch_size": 32, "optimizer": "sgd"})

    assert {point.knobs["batch_size"] for point in result.points} == {32}
    assert {point.knobs["optimizer"] for point in result.points} == {"sgd"}


@pytest.mark.parametrize(
    "fixed",
    [
        {"model": "conv", "filters": [8, 8], "padding": "valid"},
        {"model": "conv", "pool_size": 2},
        {"neurons": 64},
    ],
    ids=str,
)
def test_under_fixed_knobs_a_search_starts_from_the_shipped_recipes(look, engine, fixed):
    engine.multiplications_per_second = 1e9

    result = look(fixed=fixed, recipes=None, seconds=40.0)

    assert result.unfit == ()
    assert result.winner.origin.startswith("digits-")
    assert {point.knobs["optimizer"] for point in result.points if point.origin} <= {"muon"}


def test_recipes_that_no_network_comes_of_are_named(look, tmp_path):
    path = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(300, 2)).round(3)
    lines = [f"{x},{y},{'ab'[int(x > 0)]}" for x, y in rows]
    path.write_text("\n".join(["x,y,kind", *lines]) + "\n")
    images = Recipe("images", "", {"model": "conv", "augment": "move"}, 10.0, None)
    source = DataSource(path=path, label="kind")

    for _ in range(2):  # a finished search tells it again
        result = look(source=source, sets=None, seconds=60.0, recipes=[START, images])

        assert result.unfit == ("images",)
        assert result.as_json()["unfit_recipes"] == ["images"]


HEAVY = {"model": "conv", "filters": 128, "kernel_size": 7, "padding": "same"}


def test_a_network_that_is_far_too_slow_is_timed_for_steps_of_few_images_and_no_more(look, engine):
    look(seconds=40.0, recipes=[Recipe("heavy", "", HEAVY, 10.0, None), START])

    timed = [(who, steps) for who, steps, seed in engine.trained if seed == 0 and "(128," in who]
    assert {steps for _, steps in timed} == {1}
    assert ["batch_size=1," in who for who, _ in timed] == [True, False, False, False]
    assert ["batch_size=8," in who for who, _ in timed] == [False, True, True, True]


@pytest.fixture
def slow(engine, monkeypatch):
    """The engine is one that this machine's matrix products bound, and they are slow."""
    engine.name = "native"
    monkeypatch.setattr("siffra.search.throughput.multiplications_per_second", lambda threads: 1e7)


def test_what_matrix_products_alone_would_be_too_slow_for_is_not_even_tried(look, engine, slow):
    heavy = {**HEAVY, "filters": 512, "batch_size": 512}

    result = look(seconds=40.0, recipes=[Recipe("heavy", "", heavy, 10.0, None), START])

    assert result.winner.origin == "start"
    assert not [who for who, _, _ in engine.trained if "(512," in who]


def test_knobs_that_are_fixed_and_far_too_slow_are_told_at_once(look, engine, clock, slow):
    fixed = {"model": "conv", "filters": 2048, "kernel_size": 5, "batch_size": 4096}

    for _ in range(2):
        with pytest.raises(SearchError, match=r"no network with .*batch_size = 4096 makes 24"):
            look(fixed=fixed)

    assert (engine.trained, clock.now) == ([], 0.0)


def test_a_network_that_cannot_be_scored_in_the_time_is_one_clear_line(look, engine):
    """Its 26 steps of one image each fit into the budget, but not the scores on hundreds."""
    knobs = {**START.knobs, "model": "dense", "batch_size": 1}
    network = build_network(Setting.from_knobs(knobs).model, (12, 12, 1), 3)
    engine.multiplications_per_second = network.multiplications * 26 / (0.97 * 10)
    fixed = {"model": "dense", "layers": 1, "neurons": 32, "batch_size": 1}

    with pytest.raises(SearchError) as caught:
        look(seconds=40.0, fixed=fixed)

    message = str(caught.value)
    assert message.startswith(
        "time: 40s is too short to train a network with model = dense, layers"
    )
    assert message.endswith("or more; give a longer --time, or fix fewer knobs.")
    assert "\n" not in message
    (least,) = re.findall(r"which takes (\d+)s", message)
    assert look(seconds=float(least) + 2, fixed=fixed).winner.origin == "start"


@pytest.mark.parametrize("seconds", [60.0, 120.0])
def test_where_the_short_round_finds_all_too_slow_there_is_a_winner_all_the_same(
    look, engine, seconds
):
    """Timings are short, and let 26 steps into the budget; longer runs take twice that."""
    knobs = {**START.knobs, "batch_size": 64}
    network = build_network(Setting.from_knobs(knobs).model, (12, 12, 1), 3)
    engine.multiplications_per_second = network.multiplications * 64 * 26 / (0.97 * 10)
    engine.slowness = lambda took, seed: 2.0 if took > 4 or seed >= FIRST_SEED else 1.0

    result = look(seconds=seconds, recipes=[replace(START, knobs=knobs)])

    assert result.winner.origin == "start"
    assert result.winner.seconds.mean <= 10.0
    assert min(point.steps for point in result.points if point.is_whole) >= 24


ALL_FIXED = {
    "model": "dense", "layers": 1, "neurons": 32, "activation": "relu", "batch_norm": False,
    "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.1, "batch_size": 32,
    "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.0, "ema": 0.0,
    "weight_decay": 0.0, "augment": "none",
}  # fmt: skip


@pytest.mark.parametrize("free", [(), ("batch_norm",)])
def test_where_all_that_there_is_has_been_tried_the_best_of_it_wins(look, clock, free):
    fixed = {name: value for name, value in ALL_FIXED.items() if name not in free}

    result = look(fixed=fixed)

    assert result.candidates == 1 + len(free)
    assert result.is_exhausted
    assert len(result.winner.records) == 10
    assert clock.now < 300


@pytest.mark.parametrize(
    ("fixed", "learning_rate"), [({"optimizer": "adamw"}, 0.03), ({"optimizer": "sgd"}, 2.0)]
)
def test_a_fixed_optimizer_has_learning_rates_of_its_own(look, fixed, learning_rate):
    start = replace(START, knobs={"optimizer": "muon", "learning_rate": 0.14, "momentum": 0.5})

    result = look(fixed=fixed, seconds=120.0, recipes=[start])

    home = next(point for point in result.points if point.candidate == 0)
    assert home.origin == "start"
    assert home.knobs["learning_rate"] != 0.14
    assert max(point.knobs["learning_rate"] for point in result.points) <= learning_rate


@pytest.mark.parametrize(
    "fixed",
    [
        {"model": "dense"},
        {"model": "dense", "layers": 2},
    ],
)
def test_a_shipped_recipe_is_home_under_fixed_knobs_too(look, fixed):
    result = look(fixed=fixed, seconds=60.0, recipes=[find_recipe("digits-5s")])

    home = next(point for point in result.points if point.candidate == 0)
    assert home.origin == "digits-5s"
    assert home.knobs["model"] == fixed["model"]
    assert home.knobs["optimizer"] == "muon"


def test_a_recipe_for_images_with_even_sides_starts_on_odd_ones_too(look, engine, tmp_path):
    engine.multiplications_per_second = 1e8
    path = tmp_path / "odd.npz"
    y = np.arange(600) % 3
    x = np.random.default_rng(0).integers(0, 255, (600, 15, 15)).astype(np.uint8)
    np.savez(path, x_train=x, y_train=y, x_test=x[:90], y_test=y[:90])
    knobs = {"model": "conv", "filters": 8, "kernel_size": 3, "space_to_depth": 2}

    source = DataSource(path=path, moved=0.0, rotated=0.0)
    result = look(
        seconds=45.0, source=source, recipes=[Recipe("even", "even.toml", knobs, 10.0, None)]
    )

    home = next(point for point in result.points if point.candidate == 0)
    assert home.origin == "even"
    assert home.knobs["filters"] in (8, (8,), [8])
    assert home.knobs.get("space_to_depth", 1) == 1


@pytest.fixture
def busy(engine):
    """`busy(timings)`: events for a search whose first so many timings find a busy machine."""

    def busy(timings: int):
        doings = []
        engine.slowness = lambda took, seed: 300.0 if doings.count("timing") <= timings else 1.0
        return lambda event: doings.append(event.doing)

    return busy


@pytest.mark.parametrize("bad_timings", [1, 2])
def test_a_bad_timing_costs_no_recipe_its_place(look, busy, bad_timings):
    result = look(on_event=busy(bad_timings))

    home = next(point for point in result.points if point.candidate == 0 and point.is_whole)
    assert home.origin == "start"
    assert home.seconds == pytest.approx(9.7, rel=0.05)
    assert (result.slow, result.untried) == ((), ())


def test_a_recipe_that_is_beside_others_is_timed_again_when_the_race_has_gone_on(look, busy):
    other = Recipe("other", "", {"neurons": 64, "learning_rate": 0.3}, 10.0, None)

    result = look(on_event=busy(3), recipes=[START, other])  # both, and START again

    assert {"start", "other"} <= {point.origin for point in result.points}
    assert result.slow == ()


def test_a_recipe_that_all_timings_fail_is_named_and_timed_again_when_the_search_goes_on(
    look, busy
):
    result = look(on_event=busy(3))
    again = look(seconds=600.0)

    assert result.slow == ("start",)
    assert "start" not in {point.origin for point in result.points}
    assert "start" in {point.origin for point in again.points}
    assert again.slow == ()


def test_recipes_without_time_are_named_but_for_those_that_are_the_same_as_another(look):
    same = Recipe("same", "", START.knobs, 20.0, None)
    other = Recipe("other", "", {"neurons": 64}, 30.0, None)

    result = look(seconds=45.0, recipes=[START, same, other])

    assert (result.slow, result.untried) == ((), ("other",))


def test_a_recipe_that_is_too_slow_is_named_and_timed_three_times_at_most(look, engine):
    slow = Recipe("slow", "", {"neurons": [1024] * 4, "batch_size": 512}, 20.0, None)

    result = look(recipes=[START, slow])

    assert (result.slow, result.untried) == (("slow",), ())
    wide = [who for who, _, _ in engine.trained if "1024" in who]
    assert 0 < len(wide) <= 12  # in each timing a step of one image, and one of 8 three times


def test_a_recipe_of_another_budget_starts_too_and_the_nearest_is_home(look):
    far = Recipe("far", "far.toml", {"neurons": 16, "learning_rate": 0.3}, 1000.0, None)

    result = look(recipes=[far, START])

    origins = {point.candidate: point.origin for point in result.points}
    assert [origins[0], origins[1]] == ["start", "far"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seconds": 30.0}, "time: 30s is too short: a budget of 10s needs at least 40s"),
        ({"budget": 1e-4, "seconds": 10.0}, "budget: in 0.0001s no network makes 24 steps"),
        ({"budget": 1e-4, "seconds": 10.0, "fixed": {"model": "dense", "layers": 3}},
         "no network with model = dense, layers = 3 makes 24 steps on this machine, the least that "
         "a training can be judged by; give a longer --budget, or fix fewer knobs"),
        ({"sets": ("test", "tset")}, "sets: found `tset`; did you mean `test`?"),
        ({"sets": ()}, "sets: found none; name each set once."),
        ({"fixed": {"epochs": 3}}, "epochs: a search derives them"),
        ({"fixed": {"model": "conv", "kernel_size": 11, "conv_layers": 3, "padding": "valid"}},
         "none of 300 proposed networks can be trained on images of 12x12x1; for example: "),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_clear_line(look, asked, message):
    with pytest.raises(SearchError) as caught:
        look(**asked)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_images_to_choose_by(look, tmp_path):
    path = tmp_path / "few.npz"
    y = np.arange(60) % 3
    x = np.zeros((60, 12, 12), np.uint8)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)

    with pytest.raises(SearchError, match="12 validation images are too few for model selection"):
        look(source=DataSource(path=path))


@pytest.mark.parametrize(
    ("count", "message"),
    [(7, "1 validation row is too few for"), (40, "6 validation rows are too few for")],
)
def test_too_few_rows_to_choose_by(look, tmp_path, count, message):
    path = tmp_path / "few.csv"
    rows = [f"{n},{n % 7},{'ab'[n % 2]}" for n in range(count)]
    path.write_text("\n".join(["w,x,kind", *rows]) + "\n")

    with pytest.raises(SearchError, match=message):
        look(source=DataSource(path=path, label="kind", validation=0.2), sets=None)


def test_the_same_search_is_made_once_at_a_time(look):
    def again(event):
        look()

    with pytest.raises(SearchError, match="another process is running this search"):
        look(on_event=again)


def test_the_winners_setting_trains_for_the_steps_it_was_chosen_with(look):
    result = look()

    own = [point for point in result.points if point.candidate == result.winner.candidate]
    (chosen,) = (point.steps for point in own if point.is_whole)
    assert total_steps(result.winner.setting.training, result.images) == chosen
