"""A report's figures, drawn from answers, and from examinations of the networks behind them."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from siffra.lab.answers import Answers, ExperimentAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.plan.demands import OF_IMAGES
from siffra.lab.plan.plan import EXAMINED, Level
from siffra.lab.plan.plan import Figure as Kind
from siffra.lab.plan.texts import safe_name
from siffra.lab.stats.diagnostics import by_seed
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
from siffra.report.figures.shifts import Named
from siffra.report.figures.style import Drawing, for_page
from siffra.report.text.labels import level_name, short_level_name, varied_name
from siffra.report.text.messages import Words
from siffra.report.text.narrative import capital
from siffra.training.diagnostics import Examined

__all__ = [
    "OF_EXPERIMENTS",
    "Drawing",
    "draw_experiments",
    "draw_of_experiments",
    "draw_question",
    "for_page",
]

_FROM_RECORDS: dict[Kind, Callable[[QuestionAnswer, Words], Figure]] = {
    "curves": curves.draw,
    "levels": levels.draw,
    "heatmap": heatmap.draw,
    "confusion": lambda answer, words: confusion.draw(
        shown := confusion.shown(answer), [level_name(words, level.level) for level in shown], words
    ),
    "classes": classes.draw,
}

OF_EXPERIMENTS: tuple[Kind, ...] = ("shifts", "confusion", "mistakes", "calibration")
"""What is drawn of a lab's experiments, beside the figure that compares them all."""


def draw_question(
    kind: Kind, answer: QuestionAnswer, words: Words, examined: Examined | None = None
) -> Drawing | None:
    """One of a question's figures; None when there is nothing to draw it from."""
    if not any(level.trained for level in answer.levels):
        return None
    if kind == "heatmap" and len(answer.question.vary) != 2:
        return None
    with style.house_style():
        if kind in _FROM_RECORDS:
            figure = _FROM_RECORDS[kind](answer, words)
        else:
            figure = _of_networks(kind, answer, words, examined)
    name = safe_name(f"{answer.question.id}-{kind}")
    return style.finish(figure, name) if figure else None


def _of_networks(
    kind: Kind, answer: QuestionAnswer, words: Words, examined: Examined | None
) -> Figure | None:
    named = _named(answer.levels, words, examined, short_level_name)
    apart = _named(confusion.shown(answer), words, examined, level_name)
    if not named or examined is None:
        return None
    if kind in OF_IMAGES and examined.dataset.features:
        return None
    title = capital(varied_name(words, answer.question))
    match kind:
        case "shifts":
            return shifts.draw(named, words, title)
        case "map":
            return shift_map.draw(apart, words)
        case "mistakes":
            return mistakes.draw(apart, examined.dataset, words)
        case "calibration":
            return calibration.draw(named, words, title)
        case _:
            return weights.draw(apart, words)


def _named(
    seen: Sequence[LevelAnswer],
    words: Words,
    examined: Examined | None,
    name: Callable[[Words, Level], str],
) -> Named:
    """The levels of which networks were examined."""
    found = [(name(words, level.level), by_seed(level.records, examined)) for level in seen]
    return [(called, examinations) for called, examinations in found if examinations]


def draw_experiments(answers: Answers, words: Words) -> Drawing | None:
    """All experiments in one figure; None when there is nothing to draw."""
    if not any(e.trained for e in answers.experiments):
        return None
    with style.house_style():
        figure = experiments.draw(answers.experiments, words)
    return style.finish(figure, "experiments")


def draw_of_experiments(
    kind: Kind, answers: Answers, words: Words, examined: Examined | None
) -> Drawing | None:
    """One of `OF_EXPERIMENTS`; None when there is nothing to draw it from."""
    shown = experiments.shown(kind, answers.experiments)
    if not shown or (kind in OF_IMAGES and examined is not None and examined.dataset.features):
        return None
    with style.house_style():
        if kind in EXAMINED:
            figure = _of_examined(kind, shown, words, examined)
        else:
            figure = confusion.draw(shown, [words.say(e.experiment.name) for e in shown], words)
    return style.finish(figure, f"experiments-{kind}") if figure else None


def _of_examined(
    kind: Kind, shown: Sequence[ExperimentAnswer], words: Words, examined: Examined | None
) -> Figure | None:
    named = experiments.named(shown, words, examined)
    if not named or examined is None:
        return None
    match kind:
        case "mistakes":
            return mistakes.draw(named, examined.dataset, words)
        case "calibration":
            return calibration.draw(named, words, "")
        case _:
            return shifts.draw(named, words, "")
