"""Which verdicts surprise most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from siffra.lab.answers import Answers, ClaimAnswer, QuestionAnswer
from siffra.lab.stats.estimates import margin_of
from siffra.report.text.claimed import claimed, measured, misses_only_size
from siffra.report.text.messages import Words
from siffra.report.text.verdicts import levels_compared, metric_name

MOST_SURPRISES = 3


@dataclass(frozen=True, slots=True)
class Surprise:
    """A refuted claim: its whole interval is this many margins beyond what refutes it, or more."""

    question: QuestionAnswer
    claim: ClaimAnswer
    margins: float


def surprises(answers: Answers) -> list[Surprise]:
    """The refuted claims of the lab's author that are farthest off, the farthest first.

    Those that have the direction right, and only the size wrong, come after all others. A claim
    that is only likely refuted is none. How far is counted in margins, so that accuracies
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
            farthest.append(min(refuted, key=_rank))
    return sorted(farthest, key=_rank)[:MOST_SURPRISES]


def _rank(surprise: Surprise) -> tuple[bool, float]:
    return misses_only_size(surprise.claim), -surprise.margins


def missed(words: Words, answer: ClaimAnswer) -> str:
    """`claimed: −60 %; measured: −84 %`."""
    said, seen = claimed(words, answer.claim), measured(words, answer)
    return words("summary.missed", claimed=said, measured=seen)


def most_wrong(words: Words, farthest: Sequence[Surprise]) -> str:
    """Which one or two claims are farthest off, with what was seen instead; "" if none is."""
    quotes = [_quoted(words, surprise) for surprise in farthest[:2]]
    if not quotes:
        return ""
    key, names = "summary.most_wrong.one", {"first": quotes[0]}
    if len(quotes) > 1:
        key, names = "summary.most_wrong.other", {**names, "second": quotes[1]}
    return words(key, **names)


def _quoted(words: Words, surprise: Surprise) -> str:
    """A claim with what was seen; one that is part of a sentence also with its levels."""
    claim = surprise.claim.claim
    say = words.say(claim.say).removesuffix(".")
    about = metric_name(words, claim)
    if say.startswith("…") or say[:1].islower():
        about = levels_compared(words, claim, surprise.question.question)
    return words("summary.quoted", say=say, about=about, missed=missed(words, surprise.claim))


def _margins(answer: ClaimAnswer) -> float:
    estimate = answer.estimate
    assert estimate is not None
    ends = estimate.low, estimate.high
    if estimate.scale == "ratio":
        # An end may be 0 or infinity; the near one is neither.
        ends = tuple(math.log(end) if 0 < end < math.inf else math.inf for end in ends)
    return min(map(abs, ends)) / max(margin_of(answer.claim), 1e-9)
