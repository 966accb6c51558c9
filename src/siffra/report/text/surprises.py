"""Which verdicts surprise most."""

import math
from dataclasses import dataclass

from siffra.lab.answers import Answers, ClaimAnswer, QuestionAnswer
from siffra.lab.stats.estimates import margin_of

MOST_SURPRISES = 3


@dataclass(frozen=True, slots=True)
class Surprise:
    """A refuted claim: with its whole interval so many margins on the other side, or more."""

    question: QuestionAnswer
    claim: ClaimAnswer
    margins: float


def surprises(answers: Answers, most: int = MOST_SURPRISES) -> list[Surprise]:
    """The refuted claims of the lab's author that are farthest off, the farthest first.

    A claim that is only likely refuted is none. How far is counted in margins, so that accuracies
    and times can be set side by side, and from the near end of the interval, so that what is
    uncertain does not come first for being uncertain. A question gives one at most: its claims
    often have one cause.
    """
    farthest = []
    for question in answers.questions:
        refuted = [
            Surprise(question, claim, _margins(claim))
            for claim in question.claims
            if claim.verdict == "refuted" and claim.grade != "likely"
            # How far off a share of runs is, no interval of a difference says.
            if claim.estimate is not None and claim.basis != "collapse"
            if not question.question.author_of(claim.claim)
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
