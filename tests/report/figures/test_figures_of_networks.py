"""Figures that look into networks, and what their captions say is to be seen."""

import base64
import dataclasses
import io
import itertools
import re
import xml.etree.ElementTree as ET
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from report.fake_answers import make_answers, make_question, study
from report.fake_examinations import make_examined

from siffra.config import Setting
from siffra.lab.plan.plan import EXAMINED, Experiment, Figure
from siffra.lab.stats.diagnostics import by_seed
from siffra.lab.stats.summaries import summarise
from siffra.report.figures import (
    OF_EXPERIMENTS,
    calibration,
    experiments,
    figure_of,
    figures_of_experiments,
)
from siffra.report.figures.mistakes import surest
from siffra.report.text.messages import words_in

WORDS = words_in("en")
MODELS = [{"model": "dense"}, {"model": "conv"}]
RATES = [{"learning_rate": rate} for rate in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)]


def asked(levels=MODELS, seeds=3, kinds=tuple(EXAMINED)):
    answers = make_answers([make_question("a", levels, kinds, epochs=2)], seeds=seeds)
    return answers.questions[0], make_examined(answers)


def draw(kind, answer, examined):
    sketch = figure_of(kind, answer, WORDS, examined)
    return sketch and sketch.drawing()


def caption(kind, answer, examined, words=WORDS):
    sketch = figure_of(kind, answer, words, examined)
    assert sketch is not None
    return sketch.caption


def of_experiments(answers, examined=None):
    """The figures that look closer at experiments, by kind."""
    sketches = figures_of_experiments(answers, WORDS, examined)
    return {sketch.name.removeprefix("experiments-"): sketch for sketch in sketches[1:]}


def texts(drawing):
    root = ET.fromstring(drawing.content)
    return ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("levels", [MODELS, RATES, RATES[:1]], ids=["2", "6", "1"])
@pytest.mark.parametrize("kind", sorted(EXAMINED))
def test_any_number_of_levels_can_be_drawn_and_told_of(kind, levels):
    answer, examined = asked(levels)

    drawing = draw(kind, answer, examined)

    assert drawing is not None
    assert len(drawing.content) > 1000
    assert caption(kind, answer, examined).endswith(".")
    assert len(re.findall(r"\.(?= [A-Z]|$)", caption(kind, answer, examined))) <= 2


@pytest.mark.parametrize("language", ["en", "sv"])
@pytest.mark.parametrize("kind", sorted({*get_args(Figure)} - {"heatmap"}))
def test_of_one_seed_no_caption_tells_of_means_and_intervals(kind, language):
    answer, examined = asked(seeds=1, kinds=(kind,))

    told = caption(kind, answer, examined, words_in(language))

    assert not re.search(r"\b1 (seed|frö)|\b(means? over|medelvärden|95\s% int|95-procent)", told)


@pytest.mark.parametrize("kind", sorted(EXAMINED))
def test_one_seed_is_enough_to_draw(kind):
    answer, examined = asked(seeds=1)

    assert draw(kind, answer, examined)
    assert caption(kind, answer, examined)


@pytest.mark.parametrize("kind", sorted(EXAMINED))
def test_without_examinations_there_is_no_figure(kind):
    answer, examined = asked()

    assert draw(kind, answer, None) is None
    none = dataclasses.replace(examined, by_key={})
    assert draw(kind, answer, none) is None


def test_every_kind_of_figure_can_be_drawn():
    levels = [{"neurons": n, "batch_size": b} for n in (3, 5) for b in (10, 20)]
    answer, examined = asked(levels, seeds=2)

    for kind in get_args(Figure):
        assert draw(kind, answer, examined), kind


def test_shift_curves_have_units_and_name_their_levels():
    answer, examined = asked()
    shown = texts(draw("shifts", answer, examined))

    assert {"Moved horizontally", "Moved vertically", "Moved in any direction", "Rotated"} <= set(
        shown
    )
    assert {"Moved by (pixels)", "Rotated by (degrees, counter-clockwise)"} <= set(shown)
    assert {"dense", "conv"} <= set(shown)


@pytest.mark.parametrize("kind", ["levels", "shifts"])
def test_the_caption_says_so_where_some_levels_have_more_seeds(kind):
    answer, examined = asked(kinds=("levels", "shifts"))
    first, second = answer.levels
    fewer = dataclasses.replace(first, records=first.records[:2])
    some = dataclasses.replace(answer, levels=(fewer, second))

    for language, three, two_or_three in (
        ("en", "over 3 seeds", "over 2 to 3 seeds"),
        ("sv", "över 3 frön", "över 2 till 3 frön"),
    ):
        words = words_in(language)
        assert three in caption(kind, answer, examined, words)
        assert two_or_three in caption(kind, some, examined, words)


def test_the_experiments_captions_say_so_as_well():
    answers = study(seeds=3, epochs=2)
    one, *others = answers.experiments
    fewer = dataclasses.replace(one, records=one.records[:2])
    some = dataclasses.replace(answers, experiments=(fewer, *others))

    assert "3 seeds pooled" in of_experiments(answers)["confusion"].caption
    assert "2 to 3 seeds pooled" in of_experiments(some)["confusion"].caption


def test_the_caption_says_where_half_is_lost_and_which_curve_lies_above():
    """Made-up accuracies fall off as exp(-(size / reach)²), reach 3 for dense and 4 for conv."""
    answer, examined = asked(seeds=5)
    told = caption("shifts", answer, examined)

    assert "the convolutional model is ahead " in told
    halves = []
    for level in answer.levels:
        alone = dataclasses.replace(answer, levels=(level,))
        found = re.search(r"from ([\d.]+) pixels with the ", caption("shifts", alone, examined))
        assert found
        halves.append(float(found[1]))
    dense, conv = halves
    assert 2.0 < dense < 3.0
    assert conv == pytest.approx(dense * 4 / 3, abs=0.3)


def test_equal_models_cannot_be_told_apart():
    answer, examined = asked(RATES[:2])
    dense = next(iter(examined.by_key.values()))
    same = dataclasses.replace(examined, by_key=dict.fromkeys(examined.by_key, dense))

    told = caption("shifts", answer, same)

    assert "When moved and rotated, no difference is shown." in told


def test_a_map_of_two_levels_has_their_difference():
    answer, examined = asked()

    assert "Difference" in texts(draw("map", answer, examined))
    told = caption("map", answer, examined)
    assert re.search(
        r"moved (\d+ pixels (to the left|to the right|up|down)( and )?)+, where the convolutional "
        r"model is \d+ percentage points above the dense model "
        r"\(the largest of \d+ differences, so probably an overestimate\)",
        told,
    )


def test_mistakes_that_most_runs_share_come_first():
    answer, examined = asked(seeds=3)
    found = surest(by_seed(answer.levels[0].records, examined), "test")

    assert [m.runs for m in found] == sorted((m.runs for m in found), reverse=True)
    for one, other in itertools.pairwise(found):
        assert one.runs > other.runs or one.confidence >= other.confidence


@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnails_are_the_images_pixels(channels):
    """In blue on nothing where they are grey, else in their own colours."""
    answers = make_answers([make_question("a", RATES[:1], ["mistakes"], epochs=1)], seeds=1)
    examined = make_examined(answers, channels)
    drawing = draw("mistakes", answers.questions[0], examined)

    assert drawing is not None
    encoded = re.findall(rb"data:image/png;base64,\s*([\w+/=\s]+)", drawing.content)
    assert len(encoded) == 3 * 8
    picture = Image.open(io.BytesIO(base64.b64decode(encoded[0])))
    assert picture.size == (28, 28)
    first = surest(by_seed(answers.questions[0].levels[0].records, examined), "test")[0]
    image = examined.dataset.test.x[first.image]
    shown = np.asarray(picture.convert("RGBA"))
    if channels == 3:
        np.testing.assert_array_equal(shown[..., :3], image)
    else:
        np.testing.assert_array_equal(shown[..., 3], image[..., 0])


def lab_of_experiments(count, seeds=3):
    found = [
        Experiment(str(i), {"en": f"Experiment {i}"}, {}, Setting.from_knobs(knobs), {})
        for i, knobs in enumerate([*MODELS, *RATES][:count])
    ]
    answers = make_answers([], found, seeds=seeds)
    return answers, make_examined(answers)


def test_experiments_have_shift_curves_of_their_own():
    answers, examined = lab_of_experiments(2)

    sketch = of_experiments(answers, examined)["shifts"]

    assert {"Experiment 0", "Experiment 1"} <= set(texts(sketch.drawing()))
    assert "Experiment 1 is ahead " in sketch.caption


@pytest.mark.parametrize("kind", OF_EXPERIMENTS)
@pytest.mark.parametrize("count", [1, 2, 6])
def test_experiments_are_looked_at_closer_however_many_there_are(kind, count):
    answers, examined = lab_of_experiments(count)

    sketch = of_experiments(answers, examined)[kind]
    drawing = sketch.drawing()

    assert drawing.kind == "png" or "Experiment 0" in "".join(texts(drawing))
    assert sketch.caption.endswith(".")
    assert len(re.findall(r"\.(?= [A-Z]|$)", sketch.caption)) <= 2
    few = count == 6 and kind in ("confusion", "mistakes")
    assert ("of 6 experiments, the first 3 and the best" in sketch.caption) == few


def test_without_examinations_experiments_have_what_their_records_tell():
    answers, _ = lab_of_experiments(2)

    assert of_experiments(answers).keys() == {"confusion"}
    assert "they differ most in how often" in of_experiments(answers)["confusion"].caption


def test_a_lab_without_experiments_has_no_figures_of_them():
    assert figures_of_experiments(make_answers([]), WORDS, None) == ()


def test_the_comparison_of_experiments_names_the_best_and_the_fastest():
    answers = study(epochs=2)
    first, *_ = answers.experiments
    slow = dataclasses.replace(
        first,
        accuracy={**first.accuracy, "test": summarise([0.95, 0.96])},
        seconds=summarise([9.0, 9.0], "ratio"),
    )
    fast = dataclasses.replace(
        first,
        experiment=dataclasses.replace(first.experiment, name={"en": "Quick one"}),
        accuracy={**first.accuracy, "test": summarise([0.90, 0.91])},
        seconds=summarise([2.0, 2.0], "ratio"),
    )

    def told(*seen):
        return experiments.caption(seen, WORDS).replace("\N{NO-BREAK SPACE}", " ")

    name = first.experiment.name["en"]
    assert told(slow, fast).startswith(f"Highest test accuracy: {name}, with 96 ")
    assert "; fastest: Quick one, with 90 " in told(slow, fast)
    best = dataclasses.replace(fast, accuracy={"test": summarise([0.98, 0.98])})
    assert told(slow, best).startswith("Highest test accuracy and fastest: Quick one, with 98")
    assert told(slow).startswith("Up and to the left is better;")


def test_of_many_levels_it_is_told_which_are_told_of():
    answer, examined = asked()
    seen = by_seed(answer.levels[0].records, examined)

    said = calibration.caption([(f"{n}", seen) for n in range(5)], WORDS)

    assert said.endswith("; the first and last of 5 are described.")
    assert "are described" not in calibration.caption([("1", seen)] * 4, WORDS)
