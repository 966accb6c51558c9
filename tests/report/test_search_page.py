"""A search's page, from an answer that is made up here."""

import json
import tomllib
from dataclasses import replace

import pytest
from made_runs import MACHINE, make_record

from siffra.config import Setting
from siffra.lab.statistics import summarise
from siffra.recipes import find_recipe, read_recipe
from siffra.report.search_page import search_text, write_search
from siffra.search.answer import Finalist, Point, Reference, SearchAnswer, front
from siffra.search.search import Asked

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
        accuracy={s: summarise([r.accuracy[s] for r in records]) for s in ("train", "val", *SETS)},
        score=summarise([r.accuracy["test"] for r in records]),
        seconds=summarise([r.seconds for r in records], "ratio"),
    )


def point(number: int, seconds: float, score: float, *, is_whole: bool) -> Point:
    return Point(number, "", {}, 10, 1, seconds, dict.fromkeys(SETS, score), score, is_whole)


@pytest.fixture
def answer() -> SearchAnswer:
    points = [point(n, 1 + n / 9, 0.9 + n / 200, is_whole=False) for n in range(9)]
    points += [point(n, 4.5 + n / 9, 0.95 + n / 200, is_whole=True) for n in range(3)]
    return SearchAnswer(
        asked=Asked(5.0, 600.0, SETS, {}),
        dataset="mnist",
        images=48_000,
        held_out=5_000,
        machine=MACHINE,
        engine="native 2",
        spent=590.0,
        candidates=9,
        runs=12,
        winner=finalist(3, "", 0.97),
        rivals=(finalist(0, "digits-5s", 0.96),),
        ahead=None,
        points=tuple(points),
        front=front([(p.seconds, p.score) for p in points]),
        importance={"optimizer": 0.6, "filters_2": 0.3, "learning_rate_muon": 0.1},
        study=(),
    )


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize("language", ["en", "sv"])
def test_the_page_says_who_won_by_what_and_how_to_repeat_it(answer, model, tmp_path, language):
    page, *others = write_search(answer, model, tmp_path / "out", language)

    text = page.read_text("utf-8")
    assert page.name == "search.html"
    assert "siffra train --recipe winner.toml" in text
    assert "<svg" in text
    assert {"en": "97.15", "sv": "97,15"}[language] in text
    assert {"en": "filters, layer 2", "sv": "filter, lager 2"}[language] in text.lower()
    assert {path.name for path in others} == {
        "search.json", "winner.toml", "winner.safetensors", "front.svg",
    }  # fmt: skip


def test_the_winner_is_a_recipe_with_what_was_measured(answer, model, tmp_path):
    write_search(answer, model, tmp_path)

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


def test_the_json_is_valid_and_whole(answer, model, tmp_path):
    write_search(answer, model, tmp_path)

    told = json.loads((tmp_path / "search.json").read_text("utf-8"))

    assert told["asked"]["budget"] == 5
    assert len(told["points"]) == 12
    assert told["winner"]["seeds"] == [0, 1, 2, 3]


def test_the_study_stands_in_the_table_where_it_was_run(answer, model, tmp_path):
    other = answer.rivals[0]
    study = Reference({"en": "Experiment 5"}, 50, other.accuracy, other.seconds)

    told = search_text(replace(answer, study=(study,)))

    assert "Experiment 5, 50 epochs" in told


def test_without_the_study_the_page_says_how_to_get_it(answer, model, tmp_path):
    page, *_ = write_search(answer, model, tmp_path)

    assert "siffra lab --only experiments --preset full" in page.read_text("utf-8")
