"""The mistakes that networks are surest of, as pictures: a block a level, a row a set."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siffra.data.dataset import Dataset, class_labels
from siffra.lab.stats.diagnostics import BySeed
from siffra.report.figures import style
from siffra.report.figures.networks import Named, clauses, examined_sets, how_to_read, joined
from siffra.report.text.messages import Words, capital

MOST = 8
"""Pictures in a row."""
_NAME = 6
"""Characters of a class's name that there is room for."""
_SPACE, _TEXT = 0.16, 0.42
"""Between pictures and for what stands under each, as shares of a picture's side."""


@dataclass(frozen=True, slots=True)
class SharedMistake:
    """A wrong answer to an image that `runs` of a level's runs are among the surest of.

    `confidence` is the mean probability that they gave it.
    """

    image: int
    true: int
    predicted: int
    confidence: float
    runs: int


def surest(examinations: BySeed, name: str) -> list[SharedMistake]:
    """The mistakes on the set `name` that most runs are surest of; ties by their confidence."""
    by_answer: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for examination in examinations.values():
        for mistake in examination.mistakes[name]:
            answer = mistake.image, mistake.true, mistake.predicted
            by_answer[answer].append(mistake.confidence)
    shared = [SharedMistake(*which, float(np.mean(c)), len(c)) for which, c in by_answer.items()]
    return sorted(shared, key=lambda m: (-m.runs, -m.confidence, m.image))[:MOST]


def draw(levels: Named, dataset: Dataset, words: Words) -> Figure:
    """Under each picture: true class, the one that was said, and how sure of it."""
    side = 1 + _SPACE, 1 + _TEXT
    sets = examined_sets(levels)
    width, height = MOST * side[0], len(sets) * side[1]
    inches = 0.35 + len(levels) * (0.3 + (style.WIDTH - 0.9) * height / width)
    figure, axes = style.panels(len(levels), 1, height=inches)
    for axis, (name, examinations) in zip(axes, levels, strict=True):
        axis.set_xlim(0, width)
        axis.set_ylim(height, 0)
        axis.set_aspect("equal")
        axis.grid(False)
        axis.set_xticks([])
        rows = [side[1] * i + 0.5 for i in range(len(sets))]
        axis.set_yticks(rows, [capital(words(f"set.{s}")) for s in sets])
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_title(capital(name))
        for row, set_name in enumerate(sets):
            _row(axis, dataset, set_name, surest(examinations, set_name), row * side[1], words)
    return figure


def caption(levels: Named, words: Words) -> str:
    """On the test set: mistakes that every run is sure of, and those that two levels share."""
    every_run = []
    images: list[set[int]] = []
    runs: set[int] = set()
    for name, examinations in levels:
        shown = surest(examinations, "test")
        images.append({mistake.image for mistake in shown})
        if shown and len(examinations) > 1:
            n = sum(mistake.runs == len(examinations) for mistake in shown)
            every_run.append(words("caption.everywhere_of", level=name, n=n, of=len(shown)))
            runs.add(len(examinations))
    sentences = []
    if len(runs) == 1:
        each = words.listing(every_run)
        sentences.append(words("caption.everywhere", each=each, runs=runs.pop()))
    if len(levels) == 2:
        sentences.append(words.count("caption.shared", len(images[0] & images[1])))
    return joined(how_to_read("mistakes", levels, words), clauses(*sentences))


def _row(
    axis: Axes,
    dataset: Dataset,
    set_name: str,
    mistakes: Sequence[SharedMistake],
    top: float,
    words: Words,
) -> None:
    images = dataset.sets[set_name].x
    names = [str(label) for label in class_labels(dataset.class_names, dataset.classes)]
    for column, mistake in enumerate(mistakes):
        left = column * (1 + _SPACE)
        style.picture(axis, images[mistake.image], (left, left + 1, top + 1, top))
        said = f"{names[mistake.true][:_NAME]} → {names[mistake.predicted][:_NAME]}"
        sure = words.number(100 * mistake.confidence, 0)
        text = axis.text(
            left + 0.5, top + 1.06, f"{said}, {sure} %", ha="center", va="top", fontsize=7
        )
        text.set_in_layout(False)
