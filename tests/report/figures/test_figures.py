import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.fake_answers import make_answers, make_question, study

from siffra.config import Setting
from siffra.lab.plan.plan import Experiment
from siffra.lab.stats.summaries import Summary, summarise, summarise_accuracy
from siffra.report.drawing import Drawing
from siffra.report.figures import confusion, figure_of, figures_of_experiments, for_page, style
from siffra.report.figures.levels import beside, lowest_shown
from siffra.report.figures.style import colours, house_style, spread
from siffra.report.text.labels import level_name, on_a_scale
from siffra.report.text.messages import GAP, words_in
from siffra.report.text.numbers import accuracy_number
from siffra.system.load import Load

WORDS = words_in("en")


def draw(kind, levels, **about):
    seeds, epochs = about.pop("seeds", 3), about.pop("epochs", 2)
    question = make_question("a", levels, [kind], epochs=epochs, **about)
    drawing = draw_question(kind, make_answers([question], seeds=seeds).questions[0])
    assert drawing is not None
    return drawing


def draw_question(kind, answer):
    sketch = figure_of(kind, answer, WORDS, None)
    return sketch and sketch.drawing()


def draw_experiments(answers):
    return figures_of_experiments(answers, WORDS, None)[0].drawing()


def texts(drawing):
    return texts_of(drawing.content)


def texts_of(svg):
    root = ET.fromstring(svg)
    return ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]


RATES = [{"learning_rate": r} for r in (0.02, 0.7)]
NEURONS = [{"neurons": 2**i} for i in range(1, 13)]


def rates(*values):
    return [{"learning_rate": value} for value in values]


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        (rates(0.1, 0.2, 0.3), "Learning rate"),
        (rates(0.01, 0.1, 1.0), "Learning rate (log scale)"),
        (rates(0.02, 0.7, 1.0, 1.5, 2.0, 4.0), "Learning rate (not to scale)"),
        ([{"model": "dense"}, {"model": "conv"}], "Model"),
    ],
    ids=["linear", "logarithmic", "crowded", "no numbers"],
)
def test_an_axis_says_whether_numbers_stand_at_their_distances(levels, name):
    assert name in texts(draw("levels", levels))


@pytest.mark.parametrize("kind", ["curves", "levels"])
def test_one_level_of_several_shows_nothing_of_their_question(kind):
    (answer,) = make_answers([make_question("a", RATES, [kind])], seeds=2).questions
    first, second = answer.levels
    unseen = replace(second, records=(), tried=())

    assert draw_question(kind, answer) is not None
    assert draw_question(kind, replace(answer, levels=(first, unseen))) is None


@pytest.mark.parametrize("levels", [RATES, NEURONS, RATES[:1]], ids=["2", "12", "1"])
@pytest.mark.parametrize("kind", ["curves", "levels"])
def test_any_number_of_levels_can_be_drawn(kind, levels):
    assert ET.fromstring(draw(kind, levels).content).tag.endswith("svg")


def test_a_figure_that_would_make_a_large_svg_is_a_png(monkeypatch):
    monkeypatch.setattr(style, "_LARGE", 100_000)
    drawing = draw("confusion", NEURONS)

    assert drawing.kind == "png"
    assert drawing.content.startswith(b"\x89PNG")
    assert for_page(drawing).startswith('<img src="data:image/png;base64,')


def test_of_many_levels_a_caption_says_how_many_are_shown():
    (answer,) = make_answers([make_question("a", NEURONS, ["confusion"])], seeds=2).questions
    sketch = figure_of("confusion", answer, WORDS, None)

    assert sketch
    shown = len(confusion.shown(answer))
    assert (
        f"f {len(NEURONS)} levels, the first {shown - 1} and the best are shown" in sketch.caption
    )


def test_runs_near_chance_stand_below_an_axis_that_follows_those_that_train():
    (answer,) = make_answers([make_question("a", RATES, ["levels"])], seeds=3).questions
    low, high = answer.levels
    runs = [
        run.model_copy(update={"accuracy": run.accuracy | {"test": 0.1}}) for run in low.records
    ]
    near_chance = replace(answer, levels=(replace(low, records=tuple(runs)), high))
    bottom = lowest_shown(near_chance, "test")
    legend = "runs near chance, below the axis, with their number"

    assert lowest_shown(answer, "test") is None
    assert bottom is not None
    assert 0.1 < bottom < min(high.accuracy["test"].values)
    assert {legend, "3"} <= set(texts(draw_question("levels", near_chance)))
    assert legend not in texts(draw_question("levels", answer))


def test_a_dark_page_turns_images_of_diagrams_but_not_those_of_pictures():
    of_pictures, of_a_diagram = (
        for_page(Drawing(name, "png", b"")) for name in ("a-mistakes", "a-confusion")
    )

    assert 'class="pictures"' in of_pictures
    assert "class" not in of_a_diagram


@pytest.mark.parametrize(("kind", "epochs"), [("curves", 2), ("levels", 1)])
def test_one_seed_can_be_drawn(kind, epochs):
    assert draw(kind, RATES, seeds=1, epochs=epochs).kind == "svg"


def test_one_epoch_is_no_curve():
    question = make_question("a", RATES, ["curves"], epochs=1)

    assert draw_question("curves", make_answers([question], seeds=2).questions[0]) is None


def test_axes_have_units_and_curves_their_names_at_their_ends():
    shown = texts(draw("curves", RATES))

    assert {"Accuracy (%)", "Epochs", "Test", "Moved", "Rotated"} <= set(shown)
    panels = len({"test", "moved", "rotated"})
    assert [shown.count(name) for name in ("0.02", "0.7")] == [panels, panels]
    assert "Learning rate" not in shown


def test_curves_that_are_many_or_have_long_names_have_a_legend():
    grid = [{"batch_size": b, "learning_rate": 0.5} for b in (27, 135)]

    assert [
        texts(draw("curves", grid)).count(f"batch size {b}, learning rate 0.5") for b in (27, 135)
    ] == [1, 1]
    assert "Neurons" in texts(draw("curves", NEURONS))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.floats(0.01, 0.2))
def test_names_at_ends_stand_apart_in_the_order_of_their_curves(heights, least):
    placed = spread(heights, least)

    order = sorted(range(len(heights)), key=heights.__getitem__)
    gaps = np.diff([placed[i] for i in order])
    assert (gaps >= least - 1e-9).all()
    assert np.mean(placed) == pytest.approx(np.mean(heights))


@given(st.lists(st.floats(0, 5), max_size=40))
def test_no_point_of_a_panel_hides_another(heights):
    slots = beside(heights)

    places = list(zip(slots, heights, strict=True))
    for i, (slot, height) in enumerate(places):
        assert all(abs(height - y) >= 1 for x, y in places[:i] if x == slot)
        # Nor is one farther out than it must be.
        assert all(any(abs(height - y) < 1 for x, y in places[:i] if x == k) for k in range(slot))


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("heatmap", {"Accuracy (%)": 3, "Training time (s)": 1}),
        ("confusion", {"Share of the true class (%)": 1, "Percentage points": 1}),
    ],
)
def test_colours_are_explained_by_bars_with_titles(kind, titles):
    grid = [{"kernel_size": k, "strides": 1} for k in (3, 5)]

    shown = texts(draw(kind, grid, base={"model": "conv"}))

    assert {title: shown.count(title) for title in titles} == titles


def test_reported_figures_stand_in_the_legend_where_there_are_any():
    with_reported = draw("levels", RATES, reported=[{"test": 0.93}])

    assert "reported by the lab's author" in texts(with_reported)
    assert "reported by the lab's author" not in texts(draw("levels", RATES))


def test_words_stand_on_the_axis_where_levels_are_no_numbers():
    shown = texts(draw("levels", [{"model": "dense"}, {"model": "conv"}]))

    assert {"dense", "conv", "Model"} <= set(shown)


def test_long_names_of_levels_are_numbered_on_the_axis():
    levels = [{"model": "dense", "batch_size": b, "learning_rate": 0.5} for b in (27, 135)]

    shown = texts(draw("levels", levels))

    assert {"1", "2", "Level"} <= set(shown)


@pytest.mark.parametrize(
    ("values", "fit"),
    [
        ((8, 16, 1024), True),
        ((139, 140, 8), False),
        ((5,), True),
        ((2, 70, 100, 150, 200, 400), False),  # whose names would not all fit below the axis
    ],
)
def test_levels_that_would_crowd_each_other_are_set_apart_evenly(values, fit):
    assert on_a_scale(make_question("a", [{"batch_size": v} for v in values])) is fit


def test_a_heat_map_shows_each_cell_and_leaves_gaps_empty():
    grid = [{"kernel_size": k, "strides": s} for k, s in ((3, 1), (5, 1), (3, 2))]
    drawing = draw("heatmap", grid, base={"model": "conv"})

    # Cells and the names below them; those beside rows and colour bars are set to one side.
    middle = [
        text
        for e in ET.fromstring(drawing.content).iter("{http://www.w3.org/2000/svg}text")
        if "middle" in e.get("style", "")
        and (text := "".join(e.itertext())).replace(".", "").isdigit()
    ]
    assert len(middle) == 4 * (len(grid) + len({"3", "5"}))


def test_a_heat_map_rounds_as_its_table_does():
    grid = [{"kernel_size": k, "strides": s} for k in (3, 5) for s in (1, 2)]
    question = make_question("a", grid, ["heatmap"], base={"model": "conv"}, epochs=2)
    answer = make_answers([question], seeds=3).questions[0]

    drawing = draw_question("heatmap", answer)

    assert drawing is not None
    for level in answer.levels:
        for name in ("moved", "rotated"):  # which vary so much that one decimal is the most
            assert accuracy_number(WORDS, level.accuracy[name]).split(GAP)[0] in texts(drawing)


def test_a_time_of_a_skewed_interval_is_not_rounded_to_nothing():
    grid = [{"kernel_size": k, "strides": s} for k in (3, 5) for s in (1, 2)]
    question = make_question("a", grid, ["heatmap"], base={"model": "conv"}, epochs=2)
    answer = make_answers([question], seeds=2).questions[0]
    times = Summary(0.31, 0.02, 4.8, (0.25, 0.38))
    levels = tuple(replace(level, seconds=times) for level in answer.levels)

    drawing = draw_question("heatmap", replace(answer, levels=levels))

    assert drawing is not None
    assert texts(drawing).count("0.31") == len(grid)


def test_a_heat_map_has_room_for_words_and_none():
    grid = [{"optimizer": o, "batch_size": b} for b in (10, 20) for o in ("sgd", "momentum")]
    question = make_question("a", grid, ["heatmap"], epochs=2)
    answer = make_answers([question], seeds=2).questions[0]
    levels = tuple(
        replace(seen, level=replace(seen.level, knobs={**seen.level.knobs, "batch_size": depth}))
        for seen, depth in zip(answer.levels, (None, None, 2, 2), strict=True)
    )

    drawing = draw_question("heatmap", replace(answer, levels=levels))

    assert drawing is not None
    assert {"Optimizer", "SGD", "momentum", "None", "2"} <= set(texts(drawing))


def test_a_heat_map_needs_two_knobs():
    answers = make_answers([make_question("a", RATES, ["heatmap"])])

    assert draw_question("heatmap", answers.questions[0]) is None


def test_confusion_is_summed_over_seeds_and_each_true_class_sums_to_one():
    answer = make_answers([make_question("a", RATES)], seeds=3).questions[0]
    records = answer.levels[0].records

    shares = confusion.shares(records, "moved")

    counts = np.sum([record.confusion["moved"] for record in records], axis=0)
    np.testing.assert_allclose(shares, counts / counts.sum(axis=1, keepdims=True))


def test_of_many_levels_the_first_ones_and_the_best_are_shown():
    answer = make_answers([make_question("a", NEURONS)]).questions[0]

    shown = confusion.shown(answer)

    assert len(shown) == confusion.MOST_LEVELS
    assert answer.levels[answer.best] in shown


def test_the_same_answers_give_the_same_bytes():
    assert draw("levels", RATES) == draw("levels", RATES)


def test_experiments_are_drawn_with_what_was_reported():
    drawing = draw_experiments(study(epochs=2))

    assert {"Experiment 1", "hollow: as reported", "Training time (s)"} <= set(texts(drawing))


def test_a_figure_in_a_page_takes_the_pages_colours_and_has_its_own_ids():
    first = for_page(draw("curves", RATES))

    root = ET.fromstring(first)
    ids = [e.get("id", "") for e in root.iter() if "id" in e.attrib]
    assert ids
    assert all(i.startswith("a-curves-") for i in ids)
    assert "var(--ink" in first
    assert "<style" not in first
    assert "width" not in root.attrib


@pytest.mark.parametrize(
    "name",
    [
        '</svg><script>alert("1")</script>',
        "$x^{",
        "学習",
        "'DejaVu Sans', x",
        "#22262b",
        'an id="1" url(#a)',
    ],
)
def test_names_are_shown_as_they_are_whatever_is_in_them(name):
    setting = Setting.from_knobs({"epochs": 1})
    experiment = Experiment("x1", {"en": name}, {}, setting, {})

    drawing = draw_experiments(make_answers([], [experiment], seeds=2))

    assert name in texts(drawing)
    assert "<script" not in for_page(drawing)
    assert name in texts_of(for_page(drawing))


@pytest.mark.parametrize("n", range(1, 21))
def test_no_two_levels_share_a_colour(n):
    assert len(set(colours(n))) == n


def test_two_threads_that_draw_leave_matplotlib_s_style_as_it_was():
    before = dict(mpl.rcParams)
    inside, others = threading.Event(), []

    def stay():
        with house_style():
            inside.set()
            time.sleep(0.2)

    def come_later():
        inside.wait(300)
        with house_style():
            others.append(dict(mpl.rcParams) != before)
            time.sleep(0.4)  # on its own, it would end last, and restore what the first had set

    threads = [threading.Thread(target=target) for target in (stay, come_later)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)

    assert others == [True]
    assert dict(mpl.rcParams) == before


class TestLevelsThatAreNotJudged:
    """Those with fewer runs than a first look: drawn otherwise, with how many, and never named."""

    GRID = tuple({"kernel_size": k, "strides": s} for k in (4, 8) for s in (1, 3))

    def sketch(self, kind, levels=None):
        """The figure of levels of which the best has a single run, and the worst two."""
        varied, base = levels or NEURONS[:4], {"model": "conv"} if levels else {}
        answers = make_answers([make_question("a", varied, [kind], base=base, epochs=3)], seeds=5)
        answer = answers.questions[0]
        order = sorted(range(4), key=lambda i: answer.levels[i].accuracy["test"].mean)
        few = {order[-1]: 1, order[0]: 2}
        parts = [
            replace(
                level,
                records=(kept := level.records[: few.get(i, 5)]),
                accuracy={name: summarise_accuracy(kept, name) for name in level.accuracy},
                seconds=summarise([run.seconds for run in kept], "ratio"),
            )
            for i, level in enumerate(answer.levels)
        ]
        answer = replace(
            answer, levels=tuple(parts), untrained=tuple(sorted(few)), first_runs=5, edge=()
        )
        sketch = figure_of(kind, answer, WORDS, None)
        assert sketch is not None
        names = [level_name(WORDS, answer.levels[i].level) for i in sorted(few)]
        return sketch, names

    @pytest.mark.parametrize(
        ("kind", "mark"),
        [("levels", "hollow"), ("curves", "pale"), ("classes", ""), ("confusion", "")],
    )
    def test_no_caption_names_one(self, kind, mark):
        sketch, names = self.sketch(kind)
        assert not any(name in sketch.caption for name in names)
        assert "5 seeds" in sketch.caption
        assert not mark or f"{mark}: fewer than 5 runs, so not judged" in sketch.caption

    def test_nor_does_that_of_a_grid(self):
        sketch, names = self.sketch("heatmap", self.GRID)
        assert not any(name in sketch.caption for name in names)
        assert "without a colour: fewer than 5 runs, so not judged" in sketch.caption

    @pytest.mark.parametrize("kind", ["levels", "curves"])
    def test_how_many_runs_they_have_stands_by_their_names(self, kind):
        written = " ".join(texts(self.sketch(kind)[0].drawing())).replace(GAP, " ")
        assert {n for n in range(1, 6) if f"n = {n}" in written} == {1, 2}

    def test_or_in_their_cells(self):
        written = " ".join(texts(self.sketch("heatmap", self.GRID)[0].drawing())).replace(GAP, " ")
        assert written.count("n = 1") == written.count("n = 2") == 4  # a panel a set, and time


def test_a_caption_quotes_no_run_times_of_a_busy_machine():
    question = make_question("a", RATES, ["levels"], epochs=2)
    quiet = make_answers([question], seeds=3).questions[0]
    load = Load(wall=9.0, cpu=3.0, waited=6.0)
    levels = [
        replace(
            level, records=tuple(run.model_copy(update={"load": load}) for run in level.records)
        )
        for level in quiet.levels
    ]
    told = figure_of("levels", quiet, WORDS, None)
    busy = figure_of("levels", replace(quiet, levels=tuple(levels)), WORDS, None)
    assert told is not None
    assert busy is not None
    assert "training time from" in told.caption
    assert "training time" not in busy.caption


def test_nor_does_that_of_experiments():
    answers = study(epochs=2)
    load = Load(wall=9.0, cpu=3.0, waited=6.0)
    busy = [
        replace(e, records=tuple(run.model_copy(update={"load": load}) for run in e.records))
        for e in answers.experiments
    ]
    told = figures_of_experiments(answers, WORDS, None)[0].caption
    said = figures_of_experiments(replace(answers, experiments=tuple(busy)), WORDS, None)[0].caption
    assert f"{GAP}s" in told
    assert f"{GAP}s" not in said
