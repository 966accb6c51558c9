"""Captions of the figures that look closer at a lab's experiments."""

from siffra.examination import Examined
from siffra.lab.plan import EXAMINED, Figure
from siffra.lab.verdicts import Answers
from siffra.report import numbers
from siffra.report.captions_confusion import told_of_confusion
from siffra.report.captions_networks import caption_of_named
from siffra.report.figures import experiments
from siffra.report.words import Words


def caption_of_experiments(
    kind: Figure, answers: Answers, words: Words, examined: Examined | None
) -> str:
    """What such a figure shows of the experiments, and whether of all of them."""
    shown = experiments.shown(kind, answers.experiments)
    if kind in EXAMINED:
        told = caption_of_named(kind, experiments.named(shown, words, examined), words)
    else:
        names = [words.say(e.experiment.name) for e in shown]
        seeds = numbers.count_over(words, [len(e.records) for e in shown])
        told = f"{words(f'caption.{kind}', n=seeds)} {told_of_confusion(shown, names, words)}"
    seen = sum(bool(e.records) for e in answers.experiments)
    if len(shown) < seen:
        told += f" {words('caption.some_experiments', n=seen)}"
    return told
