"""A report's figures with their captions, drawn from answers and from examined networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from siffra.data.dataset import Dataset
from siffra.lab.answers import Answers, LevelAnswer, QuestionAnswer
from siffra.lab.plan.figures import OF_IMAGES
from siffra.lab.plan.plan import EXAMINED, Level
from siffra.lab.plan.plan import Figure as Kind
from siffra.lab.plan.texts import safe_name
from siffra.lab.stats.diagnostics import by_seed
from siffra.report.drawing import Drawing, for_page
from siffra.report.figures import (
    calibration,
    classes,
    confusion,
    curves,
    experiments,
    heatmap,
    levels,
    mistakes,
    shift_map,
    shifts,
    style,
    weights,
)
from siffra.report.figures.networks import Named, clauses
from siffra.report.text.labels import level_name, short_level_name, varied_heading
from siffra.report.text.messages import Words
from siffra.training.examination import Examined

__all__ = [
    "OF_EXPERIMENTS",
    "Drawing",
    "LabFigures",
    "Sketch",
    "figure_of",
    "figures_of",
    "figures_of_experiments",
    "for_page",
]

_OF_RECORDS = {"curves": curves, "levels": levels, "heatmap": heatmap, "classes": classes}
_OF_NETWORKS = {
    "shifts": shifts,
    "map": shift_map,
    "mistakes": mistakes,
    "calibration": calibration,
    "weights": weights,
}
_FEW_LEVELS = ("map", "mistakes", "weights")
"""Kinds in which a level takes much room, so that of many levels only some are shown."""

_OF_JUDGED = ("confusion", "classes", *EXAMINED)
"""Kinds that show only levels that had a first look: a figure of few runs reads as the rule."""

OF_EXPERIMENTS: tuple[Kind, ...] = ("shifts", "confusion", "mistakes", "calibration")
"""What is drawn of a lab's experiments, beside the figure that compares them all."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A figure that can be drawn, with its name (a safe stem) and its caption."""

    name: str
    caption: str
    draw: Callable[[], Figure]

    def drawing(self) -> Drawing:
        """The figure as a file would hold it."""
        with style.house_style():
            return style.finish(self.draw(), self.name)


@dataclass(frozen=True, slots=True)
class LabFigures:
    """The figures of each question, in the plan's order, and those of the experiments."""

    questions: tuple[tuple[Sketch, ...], ...]
    experiments: tuple[Sketch, ...]

    @property
    def all(self) -> list[Sketch]:
        """Every figure, in the order of the report."""
        return [sketch for question in self.questions for sketch in question] + list(
            self.experiments
        )


def figures_of(answers: Answers, words: Words, examined: Examined | None = None) -> LabFigures:
    """The figures that there is something to draw from."""
    return LabFigures(
        questions=tuple(
            tuple(
                sketch
                for kind in question.question.figures
                if (sketch := figure_of(kind, question, words, examined))
            )
            for question in answers.questions
        ),
        experiments=figures_of_experiments(answers, words, examined),
    )


def figure_of(
    kind: Kind, answer: QuestionAnswer, words: Words, examined: Examined | None
) -> Sketch | None:
    """One of a question's figures; None if there is nothing to draw it from."""
    name = safe_name(f"{answer.question.id}-{kind}")
    trained = sum(bool(level.trained) for level in answer.levels)
    fewest = min(2, len(answer.levels))  # one level of several shows nothing of the question
    if trained < fewest:
        return None
    judged = [level for level in answer.judged if level.trained]
    if kind in _OF_JUDGED and len(judged) < fewest:
        return None
    if kind == "curves" and not curves.has_any(answer):
        return None
    if kind == "heatmap" and len(answer.question.vary) != 2:
        return None
    if kind in EXAMINED:
        shown = confusion.shown(answer) if kind in _FEW_LEVELS else judged
        named = _named(shown, words, examined, level_name)
        short = named if kind in _FEW_LEVELS else _named(shown, words, examined, short_level_name)
        title = varied_heading(words, answer.question)
        return _of_networks(kind, name, (named, short), words, examined, title)
    if kind == "confusion":
        shown = confusion.shown(answer)
        names = [level_name(words, level.level) for level in shown]
        more = _some(words, "caption.some_levels", len(shown), len(judged))
        return _confusion(name, shown, names, words, more)
    module = _OF_RECORDS[kind]
    return Sketch(name, module.caption(answer, words), partial(module.draw, answer, words))


def figures_of_experiments(
    answers: Answers, words: Words, examined: Examined | None
) -> tuple[Sketch, ...]:
    """The figure that compares all experiments, and those that look closer at them."""
    every = answers.experiments
    trained = sum(bool(e.trained) for e in every)
    if not trained:
        return ()
    draw = partial(experiments.draw, every, words)
    sketches = [Sketch("experiments", experiments.caption(every, words), draw)]
    for kind in () if every[0].experiment.metrics else OF_EXPERIMENTS:
        shown, name = experiments.shown(kind, every), f"experiments-{kind}"
        more = _some(words, "caption.some_experiments", len(shown), trained)
        if kind == "confusion":
            names = [words.say(e.experiment.name) for e in shown]
            sketch = _confusion(name, shown, names, words, more)
        else:
            named = experiments.named(shown, words, examined)
            sketch = _of_networks(kind, name, (named, named), words, examined, more=more)
        sketches += [sketch] if sketch else []
    return tuple(sketches)


def _some(words: Words, key: str, shown: int, of: int) -> str:
    """That only the first ones and the best are shown; "" if all are."""
    return words(key, n=of, first=shown - 1) if shown < of else ""


def _confusion(
    name: str, shown: Sequence[confusion.Seen], names: Sequence[str], words: Words, more: str
) -> Sketch:
    caption = confusion.caption(shown, names, words, more)
    return Sketch(name, caption, partial(confusion.draw, shown, names, words))


def _of_networks(
    kind: Kind,
    name: str,
    levels: tuple[Named, Named],
    words: Words,
    examined: Examined | None,
    title: str = "",
    more: str = "",
) -> Sketch | None:
    """A figure of examined networks; `levels` as the caption calls them, and as the legend does."""
    named, short = levels
    if not named or examined is None:
        return None
    if kind in OF_IMAGES and examined.dataset.features:
        return None
    if kind == "weights" and not weights.with_pictures(named):
        return None
    caption = _OF_NETWORKS[kind].caption(named, words)
    if more:  # beside how it is to be read
        how, dot, rest = caption.partition(". ")
        caption = f"{clauses(how, more)} {rest}" if dot else clauses(caption, more)
    return Sketch(name, caption, partial(_draw, kind, short, words, examined.dataset, title))


def _draw(kind: Kind, levels: Named, words: Words, dataset: Dataset, title: str) -> Figure:
    match kind:
        case "shifts":
            return shifts.draw(levels, words, title)
        case "map":
            return shift_map.draw(levels, words)
        case "mistakes":
            return mistakes.draw(levels, dataset, words)
        case "calibration":
            return calibration.draw(levels, words, title)
        case _:
            return weights.draw(levels, words)


def _named(
    levels: Sequence[LevelAnswer],
    words: Words,
    examined: Examined | None,
    name: Callable[[Words, Level], str],
) -> Named:
    """The levels of which networks were examined."""
    pairs = [(name(words, level.level), by_seed(level.records, examined)) for level in levels]
    return [(called, examinations) for called, examinations in pairs if examinations]
