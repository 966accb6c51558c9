"""The table of a search's front, from points that are written down here."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_runs import make_record
from report.fake_search import make_search

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.lab.stats.summaries import summarise
from siffra.report.figures.front import draw
from siffra.report.render.search_page import write_search
from siffra.report.text.messages import words_in
from siffra.report.text.search_front import front_table
from siffra.search.result import Finalist, Point, SearchResult

SETS = ("test", "moved")
HOME = dict(find_recipe("digits-5s").knobs)


def point(
    number: int, seconds: float, score: float, seeds: int = 1, origin: str = "", **changed
) -> Point:
    """Of the whole budget, if it took more than 4 s; test images are 0.02 above moved ones."""
    accuracy = {"test": score + 0.01, "moved": score - 0.01}
    knobs = {**HOME, **changed}
    return Point(number, origin, knobs, 10, seeds, seconds, accuracy, score, seconds > 4)


def answered(*points: Point, winner: int = 2, sets: tuple[str, ...] = SETS) -> SearchResult:
    knobs = next((p.knobs for p in points if p.candidate == winner), HOME)
    setting = Setting.from_knobs({**knobs, "epochs": 1})
    records = (make_record(setting, 0, accuracy=0.97), make_record(setting, 1, accuracy=0.98))
    won = Finalist(
        candidate=winner,
        origin=next((p.origin for p in points if p.candidate == winner), ""),
        setting=setting,
        records=records,
        accuracy={name: summarise([r.accuracy["test"] or 0.0 for r in records]) for name in SETS},
        score=summarise([0.97, 0.98]),
        seconds=summarise([4.8, 4.8], "ratio"),
    )
    return make_search(points, won, sets)


POINTS = (
    point(0, 1.21, 0.95, origin="digits-5s"),
    point(0, 4.81, 0.981, 3, origin="digits-5s"),
    point(1, 1.30, 0.94),  # beaten
    point(2, 1.22, 0.951, learning_rate=0.2),
    point(2, 4.79, 0.98456, 6, learning_rate=0.2),
    point(3, 4.85, 0.99, filters=[16, 32, 64, 64, 256], batch_norm=False, ema=0.9),
)


def rows(answer: SearchResult, language: str = "en") -> list[list[str]]:
    table = front_table(words_in(language), answer)
    assert table is not None
    return [[cell.text for cell in row] for row in table.rows]


def notes(answer: SearchResult, language: str = "en") -> list[str]:
    table = front_table(words_in(language), answer)
    assert table is not None
    return [row[-1].note for row in table.rows]


def test_it_has_seconds_accuracy_seeds_and_what_was_changed():
    answer = answered(*POINTS)

    assert rows(answer) == [
        ["1.21", "95.00", "1", "The recipe digits-5s, part of the budget"],
        ["1.22", "95.10", "1", "Winner: candidate 2, part of the budget"],
        ["4.79", "98.46", "6", "Winner: candidate 2"],
        ["4.85", "99.00", "1", "Candidate 3"],
    ]
    assert notes(answer) == [
        "",
        "learning rate 0.2",
        "learning rate 0.2",
        "batch normalisation off; 256 filters in layer 5; EMA of weights 0.9",
    ]


def test_a_recipe_that_was_changed_from_the_start_is_not_called_by_its_name_alone():
    start, other = (point(n, 4.5 + n / 10, 0.9 + n / 100, ema=0.9) for n in (0, 1))
    start = replace(start, origin="digits-5s")
    table = front_table(words_in("en"), answered(start, other, winner=1))

    assert table is not None
    name = "he recipe digits-5s (changed: EMA of weights 0.9)"
    assert table.rows[0][-1].text == f"T{name}"
    assert table.head[-1].text == f"Candidate (changes from t{name})"


def test_it_says_so_in_swedish():
    answer = answered(*POINTS)

    assert rows(answer, "sv")[2] == ["4,79", "98,46", "6", "Vinnare: kandidat 2"]
    assert "256 filter i lager 5" in notes(answer, "sv")[3]
    table = front_table(words_in("sv"), answer)
    assert table is not None
    assert table.head[-1].text == "Kandidat (ändringar från receptet digits-5s)"


@pytest.mark.parametrize(("sets", "told"), [(SETS, "Mean (%)"), (("moved",), "Moved (%)")])
def test_the_head_says_of_what_the_accuracy_is(sets, told):
    table = front_table(words_in("en"), answered(*POINTS, sets=sets))

    assert table is not None
    assert [cell.text for cell in table.head[:3]] == ["Time (s)", told, "n"]


def test_what_leaves_less_to_tell_is_what_all_are_set_against():
    far: dict[str, Any] = {
        "learning_rate": 0.3,
        "ema": 0.9,
        "momentum": 0.5,
        "label_smoothing": 0.2,
    }
    points = [point(0, 4.5, 0.9, origin="digits-5s")]
    points += [point(n, 4.5 + n / 10, 0.95 + n / 100, **far) for n in (1, 2)]

    table = front_table(words_in("en"), answered(*points))

    assert table is not None
    assert table.head[-1].text == "Candidate (changes from the winner)"
    assert [row[-1].note for row in table.rows][1:] == ["", ""]
    assert "learning rate 0.12; momentum 0.6" in table.rows[0][-1].note


def test_a_search_that_started_from_no_recipe_is_told_beside_its_winner():
    answer = answered(point(1, 4.6, 0.9, ema=0.9), point(2, 4.7, 0.95))

    assert notes(answer) == ["EMA of weights 0.9", ""]


def test_of_many_changes_the_first_are_named_and_the_others_counted():
    many: dict[str, Any] = {
        "batch_norm": False, "activation": "tanh", "dropout": 0.2, "space_to_depth": 2,
        "padding": "valid", "learning_rate": 0.3, "batch_size": 64,
    }  # fmt: skip
    home = point(0, 4.5, 0.9, origin="digits-5s")

    (_, seven) = notes(answered(home, point(1, 4.6, 0.95, **many), winner=0))
    del many["batch_size"]
    (_, six) = notes(answered(home, point(1, 4.6, 0.95, **many), winner=0))

    assert seven.endswith("; and 2 more")
    assert seven.count(";") == 5
    assert "more" not in six  # to name one takes no more room than to count it
    assert six.count(";") == 5


def test_without_points_there_is_no_table(tmp_path):
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"weights")
    nothing, some = (
        replace(each, winner=replace(each.winner, model=model))
        for each in (answered(), answered(*POINTS))
    )

    without = write_search(nothing, tmp_path / "a")[0].read_text("utf-8")
    with_one = write_search(some, tmp_path / "b")[0].read_text("utf-8")

    assert front_table(words_in("en"), nothing) is None
    assert "<h3>Pareto front</h3>" not in without
    assert "<h3>Pareto front</h3>" in with_one
    assert "learning rate 0.2" in with_one


def test_a_single_run_is_hollow_and_several_seeds_are_filled():
    figure = draw(answered(*POINTS), words_in("en"))

    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    seen = {
        (x, line.get_markerfacecolor() == "none", line.get_markersize())
        for line in dots
        for x in np.asarray(line.get_xdata())
    }
    hollow = {x for x, is_hollow, _ in seen if is_hollow}
    assert hollow == {p.seconds for p in POINTS if p.seeds == 1}
    assert {x for x, is_hollow, _ in seen if not is_hollow} == {4.81, 4.79}
    sizes = {x: size for x, _, size in seen}
    assert max(sizes[x] for x in (1.21, 1.22, 1.30)) < sizes[4.85]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_legend_has_what_is_in_the_picture(seeds):
    points = [replace(p, seeds=seeds) if p.is_whole else p for p in POINTS]

    figure = draw(answered(*points), words_in("en"))

    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("whole budget, single run" in told) is (seeds == 1)
    assert ("whole budget, several seeds" in told) is (seeds == 3)
