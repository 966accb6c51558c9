"""Recipes found, measured and put into a table, on a few images and for parts of a second."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks import recipes
from benchmarks.recipes_page import BEGIN, END, keep_study, kept_study, with_table
from siffra.config import Setting
from siffra.config.recipes import Interval, Measured, MeasuredAverage, read_recipe
from siffra.errors import BenchError

SHIFTS = {"moved": 10.0, "rotated": 36.0}
KNOBS = "budget = 0.05\n[knobs]\nneurons = 8\nlearning_rate = 0.5\nbatch_size = 32\nepochs = 1\n"


@pytest.fixture
def toy(tmp_path, monkeypatch, digits):
    """A recipe's file, and a machine on which there are few images."""
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setattr(recipes, "load_dataset", lambda: replace(digits(400), strengths=SHIFTS))
    monkeypatch.setattr(recipes, "DOCS", tmp_path)
    path = tmp_path / "toy.toml"
    path.write_text(KNOBS)
    return path


def figures(mean: float, averaged: float | None = None) -> Measured:
    also = MeasuredAverage(
        views=7, seeds=3, times_as_long=8.1, accuracy={"test": Interval(mean=averaged)}
    ) if averaged else None  # fmt: skip
    return Measured(
        machine="a CPU",
        threads=2,
        engine="native 3",
        data="mnist",
        images=48_000,
        images_per_second=1.0,
        seeds=3,
        seconds=Interval(mean=4.8, low=4.7, high=4.9),
        accuracy={"test": Interval(mean=mean, low=mean - 0.001, high=mean + 0.001)},
        averaged=also,
    )


def test_what_is_measured_is_written_with_the_average_beside(toy, capsys):
    recipes.main([str(toy), "--seeds", "2", "--threads", "1", "--write"])

    recipe = read_recipe(toy)
    assert recipe.budget == 0.05
    assert recipe.knobs["epochs"] == 1
    assert recipe.measured is not None
    assert recipe.measured.seeds == 2
    averaged = recipe.measured.averaged
    assert averaged is not None
    assert averaged.accuracy.keys() == recipe.measured.accuracy.keys() >= {"test", "moved"}
    assert averaged.times_as_long > 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{toy}: test {recipe.measured.accuracy['test'].mean:.2%}")
    assert printed[1].startswith(f"{toy}, averaged over views: test")


def test_without_write_the_file_stays_as_it_was(toy):
    recipes.main([str(toy), "--seeds", "1", "--threads", "1"])

    assert toy.read_text() == KNOBS


def test_what_is_found_is_fitted_to_the_budget(toy):
    recipes.main([str(toy), "--find", "1s", "--seeds", "2", "--threads", "1", "--write"])

    recipe = read_recipe(toy)
    assert recipe.knobs["epochs"] != 1
    assert recipe.measured is not None
    assert recipe.measured.seconds.mean < 0.5  # ten times the budget: tests share their machine


@pytest.mark.parametrize(
    ("origin", "lead", "neurons"),
    [("", 0.01, 4), ("digits-1s", 0.0, 4), ("", -0.001, 8), ("", None, 8), ("toy", None, 8)],
)
def test_a_recipe_gives_way_only_to_what_was_no_worse_on_the_same_seeds(
    toy, monkeypatch, capsys, origin, lead, neurons
):
    setting = Setting.from_knobs({"neurons": 4, "epochs": 1, "batch_size": 32})
    winner = SimpleNamespace(candidate=3, origin=origin, setting=setting)
    starts = []

    def search(*_, recipes, **__):
        starts.extend(recipe.name for recipe in recipes)
        return SimpleNamespace(winner=winner, lead_over_first=lead)

    monkeypatch.setattr(recipes, "search", search)

    recipes.main([str(toy), "--find", "1s", "--seeds", "1", "--threads", "1", "--write"])

    recipe = read_recipe(toy)
    assert starts[0] == recipe.name
    assert recipe.knobs["neurons"] == neurons
    assert recipe.knobs["epochs"] != 1  # fitted either way
    assert ("kept" in capsys.readouterr().out) is (neurons == 8)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--find", "soon"), "error: find: found 'soon'; use a duration"),
        (("--find", "0.1s"), "error: time: 0.1s is too short: a budget of 0.05s"),
    ],
)
def test_what_cannot_be_found_is_one_clear_line(toy, options, told):
    with pytest.raises(SystemExit) as caught:
        recipes.main([str(toy), *options])

    assert str(caught.value).startswith(told)


def test_the_study_is_measured_and_kept(toy, tmp_path, monkeypatch):
    short = Setting.from_knobs({"neurons": 4, "epochs": 1, "batch_size": 64})
    asked = []

    def quick(setting, bench):
        asked.append(setting)
        return measured(short, bench)

    measured = recipes.measured
    monkeypatch.setattr(recipes, "measured", quick)

    recipes.main(["study", "--seeds", "1", "--threads", "1", "--write"])

    kept = kept_study(tmp_path / recipes.KEPT)
    assert [name.partition(":")[0] for name in kept] == [f"Experiment {n}" for n in range(1, 6)]
    assert {setting.training.epochs for setting in asked} == {50}
    assert all(each.averaged for each in kept.values())


class TestTheTable:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    def test_has_a_row_for_each_recipe_and_one_beside_it_for_its_average(self):
        written = with_table(self.page, {"`a`": figures(0.98, 0.985), "`b`": None})

        lines = written.splitlines()
        assert lines[0] == "before"
        assert lines[-1] == "after"
        assert "| `a` | 98.00 ± 0.10 | 4.80 ± 0.10 | 3 |" in lines
        assert "| `a`, averaged over 7 views | 98.50 | 4.80 ± 0.10 | 3 |" in lines
        assert "makes prediction 8.1 times as slow" in written
        assert "Measured on a CPU, 2 threads, native 3." in lines
        assert "old" not in written
        assert "`b`" not in written

    def test_is_written_again_in_its_place(self):
        rows = {"`a`": figures(0.98)}

        assert with_table(with_table(self.page, rows), rows) == with_table(self.page, rows)

    def test_says_which_row_is_of_which_machine(self):
        other = figures(0.9).model_copy(update={"machine": "another"})

        written = with_table(self.page, {"`a`": figures(0.98), "Experiment 1": other})

        assert "Measured on another, 2 threads, native 3 (Experiment 1)." in written

    def test_needs_marks_and_something_measured(self):
        with pytest.raises(BenchError, match="no lines"):
            with_table("a page", {"`a`": figures(0.98)})
        with pytest.raises(BenchError, match="no recipe has been measured"):
            with_table(self.page, {"`a`": None})

    def test_keeps_the_study_from_one_time_to_the_next(self, tmp_path):
        path = tmp_path / "study.json"
        assert kept_study(path) == {}

        keep_study(path, {"Experiment 1": figures(0.9, 0.91)})

        assert kept_study(path) == {"Experiment 1": figures(0.9, 0.91)}
        path.write_text("[]")
        with pytest.raises(BenchError, match=re.escape(str(path))):
            kept_study(path)

    def test_the_docs_have_its_place(self):
        page = (recipes.DOCS / recipes.PAGE).read_text("utf-8")

        assert "| `a` |" in with_table(page, {"`a`": figures(0.98)})
