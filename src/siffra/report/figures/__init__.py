"""A report's figures, drawn from answers."""

import re

from siffra.lab.plan import Figure as Kind
from siffra.lab.verdicts import Answers, QuestionAnswer
from siffra.report.figures import confusion, curves, experiments, heatmap, levels, style
from siffra.report.figures.style import Drawing, for_page
from siffra.report.words import Words

__all__ = ["Drawing", "draw_experiments", "draw_question", "for_page"]

_KINDS = {
    "curves": curves.draw,
    "levels": levels.draw,
    "heatmap": heatmap.draw,
    "confusion": confusion.draw,
}


def draw_question(kind: Kind, answer: QuestionAnswer, words: Words) -> Drawing | None:
    """One of a question's figures; None when there is nothing to draw it from."""
    if not any(level.records for level in answer.levels):
        return None
    if kind == "heatmap" and len(answer.question.vary) != 2:
        return None
    with style.house_style():
        figure = _KINDS[kind](answer, words)
    return style.finish(figure, safe_name(f"{answer.question.id}-{kind}"))


def draw_experiments(answers: Answers, words: Words) -> Drawing | None:
    """All experiments in one figure; None when there is nothing to draw."""
    if not any(e.records for e in answers.experiments):
        return None
    with style.house_style():
        figure = experiments.draw(answers.experiments, words)
    return style.finish(figure, "experiments")


def safe_name(text: str) -> str:
    """`text` as a file stem and an id: letters, digits and hyphens, from a letter on."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return safe if safe[:1].isalpha() else f"q-{safe}"
