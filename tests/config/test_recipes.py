"""Recipes: those that siffra brings, and what is said of files that are none."""

import pytest

from siffra.config import Setting
from siffra.config.recipes import find_recipe, read_recipe, shipped_names
from siffra.errors import RecipeError

GOOD = """
budget = 5
[knobs]
neurons = 8
"""
MEASURED = """
[measured]
machine = "a CPU"
threads = 2
engine = "native 3"
data = "mnist"
images = 48000
images_per_second = 10000
seeds = 3
seconds = { mean = 4.8 }

[measured.accuracy]
test = { mean = 0.97 }

[measured.averaged]
views = 7
seeds = 3
times_as_long = 8.1

[measured.averaged.accuracy]
test = { mean = 0.98 }
"""


def test_the_shipped_ones_are_named_by_their_budget_the_quickest_first():
    assert shipped_names() == ("digits-1s", "digits-5s", "digits-15s", "digits-60s")
    budgets = [find_recipe(name).budget for name in shipped_names()]
    assert budgets == [1, 5, 15, 60]


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_ones_are_settings_whose_length_is_said(name):
    recipe = find_recipe(name)

    assert Setting.from_knobs(recipe.knobs).training.schedule == "one_cycle"
    assert "epochs" in recipe.knobs


@pytest.mark.parametrize("name", shipped_names())
def test_what_was_measured_of_the_shipped_ones_holds_together(name):
    measured = find_recipe(name).measured
    if measured is None:
        return
    for interval in (measured.seconds, *measured.accuracy.values()):
        if interval.low is not None and interval.high is not None:
            assert interval.low <= interval.mean <= interval.high
    assert set(measured.accuracy) == {"test", "moved", "rotated"}


@pytest.mark.parametrize(
    ("name", "test", "rotated", "moved"),
    [
        ("digits-1s", 0.975, 0.95, 0.92),
        ("digits-5s", 0.9885, 0.982, 0.975),
        ("digits-15s", 0.993, 0.9885, 0.98),
        ("digits-60s", 0.9947, 0.991, 0.9865),
    ],
)
def test_the_shipped_ones_reach_what_they_are_for_within_their_budget(name, test, rotated, moved):
    recipe = find_recipe(name)
    measured = recipe.measured

    assert measured is not None
    assert recipe.budget is not None
    reached = {key: interval.mean for key, interval in measured.accuracy.items()}
    assert reached["test"] >= test
    assert reached["rotated"] >= rotated
    assert reached["moved"] >= moved
    assert measured.seconds.mean <= recipe.budget
    assert measured.seeds >= 10
    assert (measured.threads, measured.engine.split()[0]) == (2, "native")


def test_a_file_is_a_recipe_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)

    recipe = find_recipe(path)

    assert (recipe.name, recipe.budget, recipe.knobs) == ("mine", 5.0, {"neurons": 8})
    assert recipe.measured is None


def test_averages_stand_beside_what_was_measured(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + MEASURED)

    measured = read_recipe(path).measured

    assert measured is not None
    assert measured.accuracy["test"].mean == 0.97
    assert measured.averaged is not None
    assert measured.averaged.accuracy["test"].mean == 0.98


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("budget = 5", "knobs: it is missing."),
        ("[knobs]", "knobs: found an empty table; it needs one entry at least."),
        (GOOD.replace("budget", "bugdet"), "bugdet: no such key; did you mean `budget`?"),
        (GOOD.replace("= 5", "= '5s'"), "budget: found '5s'; it must be a number."),
        (GOOD.replace("= 5", "= -5"), "budget: found -5; it must be above 0."),
        (GOOD + "[measured]\nseed = 1", "measured.machine: it is missing."),
        (GOOD + MEASURED.replace("views", "vistas"), "measured.averaged.views: it is missing."),
        (GOOD + MEASURED + "low = 0.9", "measured.averaged.accuracy.low: "),
        (
            GOOD + MEASURED.replace("views", "veiws = 7\nviews"),
            "measured.averaged.veiws: no such key; did you mean `views`?",
        ),
        ("[knobs", "not TOML: "),
        ("budget = '\udcff'", "line 1 is not UTF-8 text."),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path, content, told):
    path = tmp_path / "mine.toml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(RecipeError) as caught:
        read_recipe(path)

    assert str(caught.value).startswith(f"{path}: {told}")
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_told_with_the_nearest():
    with pytest.raises(RecipeError) as caught:
        find_recipe("digit-5s")

    assert str(caught.value) == (
        "digit-5s: no such recipe, and no such file; did you mean `digits-5s`?"
    )


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.toml: cannot be read: No such file"):
        find_recipe(tmp_path / "none.toml")
