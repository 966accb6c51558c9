"""Captions of the figures that look closer at a lab's experiments."""

from siffra.lab.answers import Answers
from siffra.lab.plan.plan import EXAMINED, Figure
from siffra.report.figures import experiments
from siffra.report.figures.captions_confusion import told_of_confusion
from siffra.report.figures.captions_networks import caption_of_named
from siffra.report.text import numbers
from siffra.report.text.messages import Words
from siffra.report.text.narrative import busy_sentence
from siffra.training.diagnostics import Examined


def caption_of_experiments(
    kind: Figure, answers: Answers, words: Words, examined: Examined | None
) -> str:
    """What such a figure shows of the experiments, and whether of all of them."""
    shown = experiments.shown(kind, answers.experiments)
    if kind in EXAMINED:
        told = caption_of_named(kind, experiments.named(shown, words, examined), words)
    else:
        names = [words.say(e.experiment.name) for e in shown]
        how = numbers.over_seeds(words, f"caption.{kind}", [len(e.trained) for e in shown])
        told = f"{how} {told_of_confusion(shown, names, words)}"
    seen = sum(bool(e.trained) for e in answers.experiments)
    if len(shown) < seen:
        told += f" {words('caption.some_experiments', n=seen)}"
    return told


def caption_of_all(answers: Answers, words: Words) -> str:
    """What the figure shows that compares all experiments: which is the best, and the fastest."""
    seen = [found for found in answers.experiments if found.trained]
    read = words("caption.experiments")
    if busy := busy_sentence(words, [record for found in seen for record in found.records]):
        read += f" {busy}"
    if len(seen) < 2:
        return read
    best = max(seen, key=lambda found: found.accuracy["test"].mean)
    fast = min(seen, key=lambda found: found.seconds.mean)
    told = {
        "best": words.say(best.experiment.name),
        "accuracy": numbers.accuracy(words, best.accuracy["test"]),
        "seconds": numbers.seconds(words, best.seconds),
    }
    if best is fast:
        return f"{words('caption.experiments_both', **told)} {read}"
    told |= {
        "fast": words.say(fast.experiment.name),
        "fast_accuracy": numbers.accuracy(words, fast.accuracy["test"]),
        "fast_seconds": numbers.seconds(words, fast.seconds),
    }
    return f"{words('caption.experiments_seen', **told)} {read}"
