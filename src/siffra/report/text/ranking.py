"""Which levels an answer calls better, or slower, than which; which verdicts surprise most.

Where a claim is about the accuracy of the two, its verdict decides: the answer must say no more
than that, nor less. Which others to compare is seen from the results, so that all pairs of a
question's levels share an error.
"""

import math
from dataclasses import dataclass

from siffra.config.metrics import MetricName
from siffra.lab.answers import Answers, ClaimAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.stats.estimates import (
    Estimate,
    compare_accuracy,
    compare_seconds,
    margin_of,
    summarise,
)

ERROR = 0.05
"""The share of answers that may call some level better than another where nothing differs."""
MOST_SURPRISES = 3
ABOUT_AS_LONG = 1.1
"""Training times within this factor are called about as long."""


def seen(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels that have runs which did not diverge."""
    return [level for level in answer.levels if level.trained]


def above_best(answer: QuestionAnswer, on: str) -> list[LevelAnswer]:
    """The levels that are more accurate on the set `on` than the best on validation."""
    chosen = answer.levels[answer.best]
    return [level for level in seen(answer) if above(answer, level, chosen, on)]


def below_best(answer: QuestionAnswer, on: str) -> list[LevelAnswer]:
    """The levels that the best on validation is more accurate than, on the set `on`.

    The lowest need not be among them: where some runs collapse it may be the least certain.
    """
    chosen = answer.levels[answer.best]
    return [level for level in seen(answer) if above(answer, chosen, level, on)]


def timed(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels that have runs of an undisturbed machine, by their time, the fastest first."""

    def mean(level: LevelAnswer) -> float:
        quiet = [record.seconds for record in level.records if not record.is_busy]
        return summarise(quiet, "ratio").mean

    return sorted((v for v in seen(answer) if v.busy < len(v.records)), key=mean)


def times_as_long(answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer) -> Estimate | None:
    """How many times as long `a` took as `b`, if by enough to matter and more than chance explains.

    None if it did not; the interval is at the error that all pairs of the levels share.
    """
    comparison = compare_seconds(a.records, b.records)
    if not comparison.mean >= math.log(ABOUT_AS_LONG) or comparison.p_outside() > _error(answer):
        return None
    return comparison.estimate(_error(answer))


def slower(answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer) -> bool:
    """Whether `a` took longer than `b`, by enough to matter and more than chance explains."""
    return times_as_long(answer, a, b) is not None


def longer(answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer) -> bool:
    """Whether `a` took longer than `b`, as a claim about the two decides, or else if `slower`."""
    claimed = _by_claims(answer, a, b, "seconds")
    return slower(answer, a, b) if claimed is None else claimed > 0


def above(answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer, on: str) -> bool:
    """Whether `a` is more accurate than `b`, by their difference seed by seed."""
    if a is b:
        return False
    claimed = _by_claims(answer, a, b, "accuracy", on)
    if claimed is not None:
        return claimed > 0
    gap = compare_accuracy(a.records, b.records, on)
    return gap.mean > 0 and gap.p_outside() <= _error(answer)


def _error(answer: QuestionAnswer) -> float:
    return ERROR / max(1, math.comb(len(seen(answer)), 2))


def _by_claims(
    answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer, metric: MetricName, on: str = ""
) -> int | None:
    """Which of two levels claims about them show to have more of `metric`: 1 for `a`, -1 for `b`.

    0 if they show neither, None if there is no such claim that was tested. Without `on`, the
    metric is the same for all sets.
    """
    ours, theirs = (answer.levels.index(a),), (answer.levels.index(b),)
    sign = None
    for claimed in answer.claims:
        claim = claimed.claim
        if (claim.metric, on or claim.on) != (metric, claim.on) or claimed.verdict == "not tested":
            continue
        if (claim.level, claim.against) == (ours, theirs):
            sign = sign or _sign(claimed)
        elif (claim.level, claim.against) == (theirs, ours):
            sign = sign or -_sign(claimed)
    return sign


def _sign(answer: ClaimAnswer) -> int:
    """Whether a claim's first side is shown to have more (1), or less (-1), or neither (0)."""
    differs = {"refuted"} if answer.claim.direction == "same" else {"supported", "refuted"}
    if answer.estimate is None or answer.verdict not in differs:
        return 0
    alike = 1.0 if answer.estimate.scale == "ratio" else 0.0
    return 1 if answer.estimate.value > alike else -1


@dataclass(frozen=True, slots=True)
class Surprise:
    """A refuted claim: with its whole interval so many margins on the other side, or more."""

    question: QuestionAnswer
    claim: ClaimAnswer
    margins: float


def surprises(answers: Answers, most: int = MOST_SURPRISES) -> list[Surprise]:
    """The refuted claims of the lab's author that are farthest off, the farthest first.

    How far is counted in margins, so that accuracies and times can be set side by side, and from
    the near end of the interval, so that what is uncertain does not come first for being
    uncertain. A question gives one at most: its claims often have one cause.
    """
    farthest = []
    for question in answers.questions:
        if question.question.by:
            continue
        refuted = [
            Surprise(question, claim, _margins(claim))
            for claim in question.claims
            if claim.verdict == "refuted" and claim.estimate is not None
        ]
        if refuted:
            farthest.append(max(refuted, key=lambda s: s.margins))
    return sorted(farthest, key=lambda s: -s.margins)[:most]


def _margins(answer: ClaimAnswer) -> float:
    estimate = answer.estimate
    assert estimate is not None
    ends = estimate.low, estimate.high
    if estimate.scale == "ratio":
        # An end may be 0 or infinity; the near one is neither.
        ends = tuple(math.log(end) if 0 < end < math.inf else math.inf for end in ends)
    return min(map(abs, ends)) / max(margin_of(answer.claim), 1e-9)
