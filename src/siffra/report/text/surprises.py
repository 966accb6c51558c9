"""Which verdicts surprise most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from siffra.lab.answers import Answers, ClaimAnswer, QuestionAnswer
from siffra.lab.stats.estimates import margin_of
from siffra.report.text.messages import Words
from siffra.report.text.verdicts import comparison, estimate_texts

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


def most_wrong(words: Words, farthest: Sequence[Surprise]) -> str:
    """Which one or two claims are farthest off, with what was seen instead; "" if none is."""
    quotes = [_quoted(words, surprise) for surprise in farthest[:2]]
    if len(quotes) < 2:
        return words("summary.most_wrong.one", first=quotes[0]) if quotes else ""
    return words("summary.most_wrong.other", first=quotes[0], second=quotes[1])


def _quoted(words: Words, surprise: Surprise) -> str:
    """A claim with what was seen; one that is part of a sentence also with what it is about."""
    answer = surprise.claim
    say = words.say(answer.claim.say).removesuffix(".")
    seen, _ = estimate_texts(words, answer)
    if say.startswith("…") or say[:1].islower():
        about = comparison(words, answer.claim, surprise.question.question)
        seen = f"{about}: {seen}"
    return words("summary.quoted", say=say, value=seen)


def _margins(answer: ClaimAnswer) -> float:
    estimate = answer.estimate
    assert estimate is not None
    ends = estimate.low, estimate.high
    if estimate.scale == "ratio":
        # An end may be 0 or infinity; the near one is neither.
        ends = tuple(math.log(end) if 0 < end < math.inf else math.inf for end in ends)
    return min(map(abs, ends)) / max(margin_of(answer.claim), 1e-9)
