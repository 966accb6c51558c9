"""What a claim says of a difference, and what was measured, in the same terms.

`−60 %` and `−84 %`; `no difference` and `4.4 times as long`; `9.79 %` and `11.35 %`.
"""

import math
from dataclasses import replace

from siffra.lab.answers import ClaimAnswer
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Estimate
from siffra.report.text import numbers
from siffra.report.text.messages import MINUS, Words

_KINDS = {"seconds": "long", "seconds_to": "long", "epochs_to": "many"}
"""What more of a metric is called: a time is longer, epochs are more; all else is higher."""
_DIFFERENCES = ("drop", "decline")
"""The metrics that are a difference of accuracies themselves: of percentage points."""


def is_moved(claim: Claim) -> bool:
    """Whether a claim says how large a difference is, not only which way it goes."""
    return claim.times != 1 or claim.plus != 0


def against_itself(claim: Claim, estimate: Estimate) -> Estimate:
    """The estimate against the level itself, where a claim moves what it is compared with."""

    def back(value: float) -> float:
        return value * claim.times + claim.plus  # one of the two is neutral

    values = tuple(map(back, estimate.values))
    ends = {"low": back(estimate.low), "high": back(estimate.high)}
    return replace(estimate, value=back(estimate.value), values=values, **ends)


def claimed(words: Words, claim: Claim) -> str:
    """What is claimed: `shorter`, `no difference`, `−60 %`, `above +20 %`, `9.79 %`."""
    side = _side(claim)
    if not isinstance(claim.against, tuple):
        return words(f"claimed.{side}", value=against_number(words, claim, claim.against))
    if is_moved(claim):
        return words(f"claimed.{side}", value=_moved_by(words, claim))
    if side == "same":
        return words("claimed.no_difference")
    return words(f"claimed.{_KINDS.get(claim.metric, 'high')}.{side}")


def measured(words: Words, answer: ClaimAnswer) -> str:
    """What the estimate says, in the terms of `claimed`; "" without an estimate."""
    claim, estimate = answer.claim, answer.estimate
    if estimate is None:
        return ""
    if not isinstance(claim.against, tuple):
        return _median(words, claim, estimate)
    is_ratio = estimate.scale == "ratio"
    if is_moved(claim):
        return numbers.estimate_words(words, claim, against_itself(claim, estimate))[0]
    kind = f"measured.{_KINDS.get(claim.metric, 'high')}"
    if is_ratio and estimate.value >= numbers.TWICE:
        factor = numbers.bounded(words, numbers.factor(words, estimate.value), estimate)
        return words(f"{kind}.times", factor=factor)
    unit = "percent" if is_ratio else None
    size, _ = numbers.estimate_words(words, claim, estimate, unit)
    is_more = estimate.value > (1 if is_ratio else 0)
    return words(f"{kind}.{'more' if is_more else 'less'}", size=size.lstrip(f"+{MINUS}"))


def misses_only_size(answer: ClaimAnswer) -> bool:
    """Whether a refuted claim has the direction right, if it says any, and the size wrong."""
    claim, estimate = answer.claim, answer.estimate
    if not isinstance(claim.against, tuple):
        return claim.direction == "same" and claim.against != 0
    if estimate is None or not is_moved(claim):
        return False
    seen = against_itself(claim, estimate).value - (1 if estimate.scale == "ratio" else 0)
    return math.copysign(1, seen) == math.copysign(1, claim.times - 1 + claim.plus)


def against_number(words: Words, claim: Claim, number: float) -> str:
    """A number that a level is compared with, or a level's own, with its unit: `95 %`."""
    if (unit := claim.measured.unit) == "fraction":
        if claim.metric in _DIFFERENCES:
            return numbers.points(words, number)
        return f"{words.exact(round(100 * number, 6))} %"
    if claim.named:
        return numbers.with_unit(words.exact(number), claim.named)
    return numbers.quantity(words, unit, words.exact(number))


def _side(claim: Claim) -> str:
    """`more`, `less`, `not_more`, `not_less` or `same`: what is claimed of the metric itself."""
    if claim.direction == "same":
        return "same"
    is_more = claim.direction.endswith("better") == claim.measured.higher_is_better
    negation = "not_" if claim.direction.startswith("not") else ""
    return f"{negation}{'more' if is_more else 'less'}"


def _moved_by(words: Words, claim: Claim) -> str:
    """How large the claimed difference is: `−60 %`, `+1 percentage point`, `× 3`."""
    if claim.plus:
        sign = "+" if claim.plus > 0 else MINUS
        return f"{sign}{numbers.amount(words, claim.measured, abs(claim.plus))}"
    if claim.times >= numbers.TWICE:
        return words("quantity.times", value=words.exact(claim.times))
    size = round(100 * (claim.times - 1), 6)
    sign = "+" if size > 0 else MINUS
    return words("quantity.percent", value=f"{sign}{words.exact(abs(size))}")


def _median(words: Words, claim: Claim, estimate: Estimate) -> str:
    """What the median run has itself, where a claim compares it with a number."""
    against = claim.against
    assert not isinstance(against, tuple)
    is_ratio = estimate.scale == "ratio"
    value = against * estimate.value if is_ratio else against + estimate.value
    half = max(estimate.high - estimate.value, estimate.value - estimate.low)
    if claim.measured.unit == "fraction":
        return against_number(words, claim, round(value, 2 + numbers.decimals_for(100 * half)))
    return against_number(words, claim, float(f"{value:.4g}"))
