"""What results that are given cannot show: how small a difference, and what was mixed in them."""

import math

from siffra.lab.answers import Answers, ClaimAnswer
from siffra.report.text import numbers
from siffra.report.text.messages import Words, capital

_LOPSIDED = 1.2
"""An interval of which one arm is this many times the other is told to be longer on one side."""


def limits(words: Words, answers: Answers) -> tuple[str, ...]:
    """A sentence for each thing that these runs leave open; none where siffra made the runs."""
    if not answers.plan.given:
        return ()
    claims = [claim for question in answers.questions for claim in question.claims]
    caveats = [_sentence(words.say(note.texts)) for note in answers.plan.caveats]
    few = [claim for claim in claims if claim.reason == "too few seeds"]
    sentences = [words.count("limits.few", len(few), of=len(claims))] if few else []
    sentences += _smallest(words, claims)
    if any(not claim.claim.margin for claim in claims):
        sentences.append(words("limits.no_margin"))
    if not answers.plan.paired and any(map(_is_lopsided, claims)):
        sentences.append(words("limits.skewed"))
    codes = {note.code for note in answers.plan.caveats}
    if not answers.plan.paired and "nothing_shared" not in codes:
        sentences.append(words("limits.unpaired"))
    return (*caveats, *sentences, words("limits.chosen"))


def _sentence(text: str) -> str:
    return capital(text) if text.endswith("?") else f"{capital(text)}."


def _smallest(words: Words, claims: list[ClaimAnswer]) -> list[str]:
    """By metric, how large a difference is that these runs would leave open half of the time.

    It is the longest arm of the intervals at which claims were judged.
    """
    widest: dict[str, tuple[float, ClaimAnswer]] = {}
    for claim in claims:
        estimate = claim.estimate
        if estimate is None or claim.basis == "collapse" or claim.reason == "no variation":
            continue
        is_ratio = estimate.scale == "ratio"
        arm = estimate.high / estimate.value - 1 if is_ratio else estimate.high - estimate.value
        if math.isfinite(arm) and arm > widest.get(claim.claim.metric, (0.0, claim))[0]:
            widest[claim.claim.metric] = arm, claim
    return [
        words("limits.smallest", metric=name, size=_size(words, arm, claim))
        for name, (arm, claim) in widest.items()
    ]


def _is_lopsided(claim: ClaimAnswer) -> bool:
    """Whether the interval of two groups is longer on one side: see `UnpairedComparison`."""
    estimate = claim.estimate
    if estimate is None or claim.basis != "difference":
        return False
    ends = estimate.low, estimate.value, estimate.high
    if estimate.scale == "ratio":
        ends = tuple(math.log(end) if end > 0 else -math.inf for end in ends)
    low, value, high = ends
    arms = sorted((value - low, high - value))
    return arms[1] > _LOPSIDED * arms[0]


def _size(words: Words, arm: float, answer: ClaimAnswer) -> str:
    metric = answer.claim.measured
    if metric.is_ratio:
        return words("quantity.percent", value=words.exact(float(f"{100 * arm:.2g}")))
    return numbers.amount(words, metric, float(f"{arm:.2g}"))
