"""A search's page, from an answer that is made up here."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_record
from report.fake_search import make_search

from siffra.config import Setting
from siffra.config.recipes import find_recipe, read_recipe
from siffra.config.setting import override
from siffra.data.load import DataSource
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.summaries import summarise
from siffra.report.render.search_page import search_text, write_search
from siffra.search.importance import Importance
from siffra.search.references import Reference
from siffra.search.result import Average, Finalist, Point, RaceLead, SearchResult
from siffra.training.test_time_averaging import Averaged

SETS = ("test", "moved", "rotated")


def finalist(number: int, origin: str, base: float) -> Finalist:
    setting = Setting.from_knobs({**find_recipe("digits-5s").knobs, "epochs": 1})
    records = [
        make_record(setting, seed, accuracy=base + 0.001 * seed, epoch_seconds=4.8)
        for seed in range(4)
    ]
    return Finalist(
        candidate=number,
        origin=origin,
        setting=setting,
        records=tuple(records),
        accuracy={
            s: summarise([r.accuracy[s] or 0.0 for r in records]) for s in ("train", "val", *SETS)
        },
        score=summarise([r.accuracy["test"] or 0.0 for r in records]),
        seconds=summarise([r.seconds for r in records], "ratio"),
    )


def point(number: int, seconds: float, score: float, *, is_whole: bool) -> Point:
    return Point(number, "", {}, 10, 1, seconds, dict.fromkeys(SETS, score), score, is_whole)


@pytest.fixture
def answer(tmp_path) -> SearchResult:
    points = [point(n, 1 + n / 9, 0.9 + n / 200, is_whole=False) for n in range(9)]
    points += [point(n, 4.5 + n / 9, 0.95 + n / 200, is_whole=True) for n in range(3)]
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"weights")
    return make_search(
        points,
        replace(finalist(3, "", 0.97), model=model),
        SETS,
        rivals=(finalist(0, "digits-5s", 0.96),),
        importance=Importance(
            shares={"dropout": 0.6, "filters_2": 0.3, "learning_rate_muon": 0.1},
            candidates=17,
            within={"model": "conv", "optimizer": "muon"},
            unjudged=("layers_after", "filters_3", "filters_4", "strides_4"),
        ),
    )


@pytest.mark.parametrize("language", ["en", "sv"])
def test_the_page_says_who_won_by_what_and_how_to_repeat_it(answer, tmp_path, language):
    page, *others = write_search(answer, tmp_path / "out", language)

    text = page.read_text("utf-8")
    assert page.name == "search.html"
    assert f"siffra train --recipe {tmp_path}/out/winner.toml</pre>" in text
    assert "<svg" in text
    assert {"en": "97.15", "sv": "97,15"}[language] in text
    assert {"en": "picks the luckiest of them", "sv": "haft mest tur"}[language] in text
    assert {"en": "filters, layer 2", "sv": "filter, lager 2"}[language] in text.lower()
    assert {path.name for path in others} == {
        "search.json", "winner.toml", "winner.safetensors", "front.svg",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", ("and therefore skipped: digits-1s and digits-5s.",
             "digits-15s was skipped: according to its timings, fewer than 24 of its steps fit 5 s",
             "digits-a and digits-b were skipped: there was no time to train them")),
     ("sv", ("och därför överhoppade: digits-1s och digits-5s.",
             "digits-15s hoppades över: enligt tidtagningarna ryms färre än 24 av dess steg i 5 s",
             "digits-a och digits-b hoppades över: det fanns ingen tid att träna dem"))],
)  # fmt: skip
def test_recipes_that_took_no_part_are_named_with_the_reason(answer, tmp_path, language, told):
    answer = replace(
        answer,
        unfit=("digits-1s", "digits-5s"),
        slow=("digits-15s",),
        untried=("digits-a", "digits-b"),
    )

    page, *_ = write_search(answer, tmp_path / "out", language)

    for text in told:
        assert text in page.read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
        assert text in search_text(answer, language)
    kept = json.loads((tmp_path / "out" / "search.json").read_text("utf-8"))
    assert kept["unfit_recipes"] == ["digits-1s", "digits-5s"]
    assert kept["slow_recipes"] == ["digits-15s"]
    assert kept["untried_recipes"] == ["digits-a", "digits-b"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": DataSource(path=Path("own.npz"), moved=3.0)}, " --data own.npz --moved 3.0"),
        ({"source": DataSource(moved=None, rotated=None, noisy=0.1)}, " --shifts noise=0.1"),
        ({"engine": "torch"}, " --engine torch --threads 2"),
        ({"engine": "torch-cuda"}, " --engine torch --threads 2"),
    ],
)
def test_the_command_names_the_data_and_the_engine_that_were_searched_with(
    answer, tmp_path, changes, told
):
    page, *_ = write_search(replace(answer, **changes), tmp_path)

    text = page.read_text("utf-8")
    assert f"winner.toml{told}</pre>" in text
    assert "Pass the same data" not in text
    assert ("version of PyTorch" in text) is ("engine" in changes)


@pytest.mark.parametrize("source", [None, DataSource(seed=1)])
def test_data_that_no_option_can_give_are_asked_for_in_words(answer, tmp_path, source):
    page, *_ = write_search(replace(answer, source=source), tmp_path)

    assert "Pass the same data options" in page.read_text("utf-8")


def test_the_winner_is_a_recipe_with_what_was_measured(answer, tmp_path):
    write_search(answer, tmp_path)

    recipe = read_recipe(tmp_path / "winner.toml")

    assert Setting.from_knobs(recipe.knobs) == answer.winner.setting
    assert recipe.budget == 5
    assert recipe.measured is not None
    assert recipe.measured.seeds == 4
    assert recipe.measured.seconds.mean == pytest.approx(4.8)
    # One epoch of 48,000 images.
    assert recipe.measured.images_per_second == pytest.approx(10_000)
    assert recipe.measured.accuracy["moved"].mean == pytest.approx(0.9715)
    assert tomllib.loads((tmp_path / "winner.toml").read_text("utf-8"))["knobs"]["model"] == "conv"


def test_the_json_is_valid_and_whole(answer, tmp_path):
    write_search(answer, tmp_path)

    told = json.loads((tmp_path / "search.json").read_text("utf-8"))

    assert told["asked"]["budget"] == 5
    assert len(told["points"]) == 12
    assert told["winner"]["seeds"] == [0, 1, 2, 3]


def test_the_study_stands_in_the_table_where_it_was_run(answer, tmp_path):
    other = answer.rivals[0]
    study = Reference({"en": "Experiment 5"}, 50, other.accuracy, other.seconds)

    told = search_text(replace(answer, references=(study,)))

    assert "Experiment 5, 50 epochs" in told


def test_averages_over_views_have_rows_of_their_own(answer, tmp_path):
    averaged = [Averaged(dict.fromkeys(SETS, 0.9 + n / 1000), 1.6, 0.2) for n in range(3)]
    winner = replace(answer.winner, average=Average.of(averaged))
    both = replace(answer, winner=winner)

    told = search_text(both)
    pages = {
        language: write_search(both, tmp_path / language, language)[0].read_text("utf-8")
        for language in ("en", "sv")
    }

    rows = {line.split("  ")[0]: line.split() for line in told.splitlines()}
    plain, also = "Winner: candidate 3", "Winner: candidate 3, test-time averaging over 7 views"
    assert {"97.15", "4"} <= set(rows[plain])  # as without it
    assert {"90.10", "3"} <= set(rows[also])
    assert "the test images take 1.60 ± 0.00 s instead of 0.20 ± 0.00 s, 8.0 times as long" in told
    assert "test-time averaging over 7 views" in pages["en"]
    assert "testtidsmedelvärde över 7 vyer" in pages["sv"]
    assert "1,6" in pages["sv"]
    assert "averaged over" not in search_text(answer)


def test_averages_stand_in_the_json_and_the_recipe_beside_the_plain_figures(answer, tmp_path):
    averaged = [Averaged(dict.fromkeys(SETS, 0.9 + n / 1000), 1.6, 0.2) for n in range(3)]
    winner = replace(answer.winner, average=Average.of(averaged))
    write_search(replace(answer, winner=winner), tmp_path)

    told = json.loads((tmp_path / "search.json").read_text("utf-8"))
    measured = read_recipe(tmp_path / "winner.toml").measured

    assert told["winner"]["averaged"]["accuracy"]["test"]["values"] == [0.9, 0.901, 0.902]
    assert told["winner"]["averaged"]["views"][1] == {"dx": 1, "dy": 0, "degrees": 0}
    assert told["rivals"][0]["averaged"] is None
    assert measured is not None
    assert measured.accuracy["test"].mean == pytest.approx(0.9715)
    assert measured.averaged is not None
    assert (measured.averaged.views, measured.averaged.seeds) == (7, 3)
    assert measured.averaged.times_as_long == pytest.approx(8)
    assert measured.averaged.accuracy["test"].mean == pytest.approx(0.901)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("Based on the 17 candidates with the convolutional model and optimizer Muon:",
                "hidden layers; filters, layers 3 and 4; strides, layer 4.")),
        ("sv", ("Baserat på de 17 kandidaterna med faltningsmodellen och optimerare Muon:",
                "dolda lager; filter, lager 3 och 4; steglängd, lager 4.")),
    ],
)  # fmt: skip
def test_what_mattered_is_told_with_whom_it_rests_on_and_what_is_not_known(
    answer, tmp_path, language, told
):
    page, *_ = write_search(answer, tmp_path, language)

    assert all(text in page.read_text("utf-8") for text in told)
    found = json.loads((tmp_path / "search.json").read_text("utf-8"))
    assert found["importance"]["dropout"] == 0.6
    assert found["importance_of"] == {
        "candidates": 17,
        "within": {"model": "conv", "optimizer": "muon"},
        "unjudged": ["layers_after", "filters_3", "filters_4", "strides_4"],
    }
    several = replace(answer.importance, within={})
    page, *_ = write_search(replace(answer, importance=several), tmp_path)
    assert "Based on all 17 candidates, of every kind:" in page.read_text("utf-8")


@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_search_without_time_for_a_race_says_so(answer, tmp_path, language):
    unknown = Importance({}, 1, {}, ())
    nothing = replace(answer, points=(), importance=unknown, candidates=1, runs=0, rivals=())

    page, *_ = write_search(nothing, tmp_path, language)

    told = {"en": "There was no time for a race", "sv": "Det fanns ingen tid för en tävling"}
    assert told[language] in page.read_text("utf-8")
    assert told["en"] not in search_text(answer)


@pytest.mark.parametrize(
    ("language", "single", "no_race", "no_other"),
    [
        ("en", "a single candidate was tried", "no time for a race", "no other candidate"),
        ("sv", "provades en enda kandidat", "ingen tid för en tävling", "ingen annan kandidat"),
    ],
)
def test_one_candidate_that_ran_is_no_race_either(answer, language, single, no_race, no_other):
    alone = replace(answer, points=answer.points[:1], candidates=1, runs=1, rivals=())

    hurried = search_text(alone, language)
    at_leisure = search_text(replace(alone, is_exhausted=True), language)

    assert single in hurried
    assert no_race in hurried
    assert no_other not in hurried
    assert no_other in at_leisure
    assert no_race not in at_leisure
    assert single not in search_text(answer, language)


@pytest.mark.parametrize(
    ("language", "compared", "timed"),
    [
        ("en", "Of 9 candidates tried in", ["One more candidate was only timed",
                                             "4 more candidates were only timed"]),
        ("sv", "Av 9 kandidater provade på", ["Ytterligare en kandidat tidtogs bara",
                                               "Ytterligare 4 kandidater tidtogs bara"]),
    ],
)  # fmt: skip
def test_candidates_that_were_timed_only_are_told_apart_from_those_that_were_compared(
    answer, tmp_path, language, compared, timed
):
    for more, told in zip((1, 4), timed, strict=True):
        both = replace(answer, candidates=9 + more)
        page, *_ = write_search(both, tmp_path / str(more), language)
        found = json.loads((tmp_path / str(more) / "search.json").read_text("utf-8"))

        assert compared in search_text(both, language)
        assert told in search_text(both, language)
        assert told in page.read_text("utf-8")
        assert (found["candidates"], found["raced"]) == (9 + more, 9)
        assert found["timed_only"] == more
    assert timed[1][2:] not in search_text(answer, language)


def test_one_candidate_that_ran_beside_others_that_were_timed_was_not_the_best_of_all(answer):
    alone = replace(answer, points=answer.points[3:4], candidates=4, runs=1, rivals=())

    told = search_text(alone)

    assert "a single candidate was tried" in told
    assert "3 more candidates were only timed" in told


def test_a_winner_that_is_no_longer_the_recipe_is_not_called_it(answer):
    def told(**changes):
        knobs = {**find_recipe("digits-5s").knobs, "epochs": 1, **changes}
        setting = Setting.from_knobs(knobs)
        return search_text(
            replace(answer, winner=replace(answer.rivals[0], setting=setting), rivals=())
        )

    assert "It is the recipe digits-5s, with as many steps" in told()
    assert "It is the recipe digits-5s, changed where the fixed knobs" in told(batch_size=77)


def with_rival(answer, **changes):
    """`answer` with its rival, the recipe digits-5s, at other knobs."""
    knobs = override({**find_recipe("digits-5s").knobs, "epochs": 1}, changes)
    rival = replace(answer.rivals[0], setting=Setting.from_knobs(knobs))
    ahead = Comparison((0.01, 0.012, 0.011), "difference").estimate(0.05)
    return replace(answer, rivals=(rival,), ahead=ahead)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "the recipe digits-5s"),
        ({"batch_size": 77}, "the recipe digits-5s (changed: batch size 77)"),
        # What is as usual is told as well, where the recipe has it otherwise.
        ({"label_smoothing": 0.0}, "the recipe digits-5s (changed: label smoothing 0)"),
        (
            {"optimizer": "sgd", "learning_rate": 0.3},
            "the recipe digits-5s (changed: learning rate 0.3; optimizer SGD)",
        ),
    ],
)
def test_a_rival_that_is_no_longer_the_recipe_says_what_was_changed(answer, changes, told):
    text = search_text(with_rival(answer, **changes))
    row = next(line for line in text.splitlines() if line.startswith("The recipe"))

    assert row.partition("  ")[0] == told[0].upper() + told[1:]
    assert f"it leads {told} by +1.10 percentage points" in text


def test_what_was_changed_of_a_rival_is_said_in_swedish(answer):
    text = search_text(with_rival(answer, batch_size=77), "sv")

    assert "Receptet digits-5s (ändrat: batchstorlek 77)" in text


def test_a_rival_of_another_model_is_told_by_that_models_knobs(answer):
    row = next(
        line
        for line in search_text(with_rival(answer, model="dense")).splitlines()
        if line.startswith("The recipe")
    )

    assert "(changed: the dense model; 1 hidden layer; 32 neurons)" in row
    assert "filter" not in row


@pytest.mark.parametrize(("language", "part"), [("en", "30 % of the"), ("sv", "30 % av trän")])
def test_a_winner_that_saw_but_a_part_of_the_images_says_so(answer, language, part):
    knobs = {**find_recipe("digits-5s").knobs, "epochs": 0.3}
    winner = replace(answer.winner, setting=Setting.from_knobs(knobs))

    assert part in search_text(replace(answer, winner=winner), language)
    assert part not in search_text(answer, language)


@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_winner_that_took_longer_than_the_budget_is_told_of(answer, tmp_path, language):
    told = {"en": "longer than the budget of 4.7\xa0s", "sv": "längre tid än budgeten på 4,7\xa0s"}
    over = replace(answer, spec=replace(answer.spec, budget=4.7))  # its runs take 4.8 s

    page, *_ = write_search(over, tmp_path / "over", language)
    write_search(answer, tmp_path / "within")

    assert told[language] in page.read_text("utf-8")
    assert told[language].replace("\xa0", " ") in search_text(over, language)
    assert "the budget of" not in search_text(answer)
    for folder, is_over in (("over", True), ("within", False)):
        found = json.loads((tmp_path / folder / "search.json").read_text("utf-8"))
        assert found["over_budget"] is is_over


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "the training of the recipe digits-5s took 5.60 ± 0.25 s, more than the budget"),
        ("sv", "träningen av receptet digits-5s 5,60 ± 0,25 s, mer än budgeten"),
    ],
)
def test_a_rival_that_took_longer_than_the_budget_is_told_of(answer, language, told):
    near = with_rival(answer)
    slow = replace(near.rivals[0], seconds=summarise([5.5, 5.6, 5.7], "ratio"))

    text = search_text(replace(near, rivals=(slow,)), language)

    assert told in text
    assert told not in search_text(near, language)


@pytest.mark.parametrize(
    ("language", "unscored", "lead"),
    [
        ("en", "There was no time to score the recipe digits-5s on the test sets",
         "lead over the recipe digits-5s was +0.12 percentage points, over 3 shared seeds"),
        ("sv", "Det fanns ingen tid att utvärdera receptet digits-5s på testmängderna",
         "vinnarens medelledning över receptet digits-5s +0,12 procentenheter, över 3 gemensamma"),
    ],
)  # fmt: skip
def test_a_rival_without_a_run_on_the_test_sets_is_told_of_with_the_lead_in_the_race(
    answer, tmp_path, language, unscored, lead
):
    (rival,) = answer.rivals
    without = replace(answer, rivals=(), rivals_unscored=(replace(rival, records=()),))
    known = replace(without, lead_in_race=RaceLead(0, 0.0012, 3))
    single = Comparison((0.01,), "difference").estimate(0.05)

    page, *_ = write_search(known, tmp_path, language)
    found = json.loads((tmp_path / "search.json").read_text("utf-8"))

    assert unscored in page.read_text("utf-8")
    assert lead in page.read_text("utf-8")
    assert found["lead_in_race"] == {"over": 0, "mean": 0.0012, "seeds": 3}
    assert unscored in search_text(without, language)
    assert "+0" not in search_text(without, language)
    one = replace(answer, ahead=single, lead_in_race=RaceLead(0, 0.0012, 3))
    assert lead in search_text(one, language)
    assert unscored not in search_text(one, language)


def reference(name: str, *, is_reported: bool) -> Reference:
    accuracy = {each: summarise([0.9]) for each in SETS}
    return Reference({"en": name}, 50, accuracy, summarise([200.0], "ratio"), is_reported)


@pytest.mark.parametrize(
    ("reported", "filled", "hollow"),
    [
        ((), False, False),
        ((False,), True, False),
        ((True,), False, True),
        ((False, True), True, True),
    ],
)
def test_the_page_says_which_of_the_studys_experiments_were_run_here(
    answer, tmp_path, reported, filled, hollow
):
    study = tuple(reference(f"Experiment {n}", is_reported=r) for n, r in enumerate(reported))
    both = replace(answer, references=study)

    text = write_search(both, tmp_path)[0].read_text("utf-8")
    table = search_text(both)

    assert ("Filled squares are" in text) is ("experiments, run here" in text) is filled
    assert ("Hollow squares are" in text) is ("experiments, as reported" in text) is hollow
    assert ("siffra lab --only experiments --preset full" in text) is hollow
    assert table.count(", as reported") == sum(reported)
    assert table.count(", 50 epochs") == len(reported) - sum(reported)
    told = json.loads((tmp_path / "search.json").read_text("utf-8"))["study"]
    assert tuple(each["reported"] for each in told) == reported


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "no time for test-time averaging of candidate 3 and the recipe digits-5s"),
        ("sv", "ingen tid för testtidsmedelvärden för kandidat 3 och receptet"),
    ],
)
def test_averages_that_there_was_no_time_for_are_told(answer, language, told):
    assert told in search_text(answer, language)
    assert told not in search_text(replace(answer, has_views=False), language)


@pytest.mark.parametrize(
    ("differences", "en", "sv"),
    [
        ((0.01, 0.012, 0.011), "it leads the recipe digits-5s by +1.10", "leder den över receptet"),
        ((-0.01, 0.012, 0.001), "no clear winner over", "är den ingen klar vinnare över"),
        (
            (-0.01, -0.012, -0.011),
            "it is behind the recipe digits-5s: −1.10",
            "ligger den efter",
        ),
    ],
)
def test_the_lead_over_the_rival_is_called_what_it_is(answer, differences, en, sv):
    ahead = Comparison(differences, "difference").estimate(0.05)

    told = {lang: search_text(replace(answer, ahead=ahead), lang) for lang in ("en", "sv")}

    assert en in told["en"]
    assert sv in told["sv"]
