"""What a question's claims have shown, and what is likely, as an answer says it.

Each phrase says what the runs show, not whether the claim was right: `accuracy on the moved set
is 78.1 percentage points higher with the convolutional model than with the dense model`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from siffra.lab.answers import ClaimAnswer, QuestionAnswer
from siffra.lab.plan.plan import Claim, Question
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.estimates import margin_of
from siffra.report.model.claims import DECIDED
from siffra.report.text import numbers
from siffra.report.text.claimed import measured
from siffra.report.text.labels import levels_name, one_number_each, short_level_name
from siffra.report.text.messages import Words
from siffra.report.text.verdicts import against_name, is_alike, metric_name, sides_name

MOST_TOLD = 4
"""More claims of one grade are counted, not told: their verdicts stand below an answer."""


def decided_sentences(words: Words, answer: QuestionAnswer, after: str = "") -> list[str]:
    """What was shown, then what is likely, as far as claims say: a sentence each, or none.

    `after` is how long was trained, where the first of them is to say it.
    """
    decided = [claim for claim in answer.claims if claim.verdict in DECIDED]
    groups = {
        "shown": [claim for claim in decided if claim.grade != "likely"],
        "likely": [claim for claim in decided if claim.grade == "likely"],
    }
    said = [(grade, claims) for grade, claims in groups.items() if claims]
    return [
        words(
            f"decided.{grade}",
            after="" if i else after,
            parts=_phrases(words, answer.question, claims),
        )
        for i, (grade, claims) in enumerate(said)
    ]


def factor_words(words: Words, ratio: Estimate) -> dict[str, str]:
    """A ratio of times with its interval, for a sentence that has both."""
    value, low, high = numbers.ratios(words, ratio.value, ratio.low, ratio.high)
    # Two or three seeds may leave the upper end anywhere.
    is_open = ratio.high > numbers.USELESS * ratio.value
    key = "quantity.at_least" if is_open else "quantity.from_to"
    interval = words(key, low=low, high=high)
    return {
        "factor": words("quantity.factor", value=value),
        "interval": words("quantity.factor", value=interval),
    }


def _phrases(words: Words, question: Question, claims: Sequence[ClaimAnswer]) -> str:
    """The phrases of the farthest claims, each once, and how many more there are.

    Those of refuted claims come first, and are always told.
    """
    phrases: dict[str, bool] = {}
    for claim in sorted(claims, key=lambda c: (_is_refuted(c), _margins(c)), reverse=True):
        phrases.setdefault(_phrase(words, question, claim), _is_refuted(claim))
    most = max(MOST_TOLD, sum(phrases.values()))
    shown, rest = list(phrases)[:most], len(phrases) - most
    shown += [words.count("decided.more", rest)] if rest > 0 else []
    return "; ".join(shown)


def _is_refuted(answer: ClaimAnswer) -> bool:
    return answer.verdict == "refuted"


def _margins(answer: ClaimAnswer) -> float:
    """How many margins the difference is: what matters most is told first."""
    estimate = answer.estimate
    if estimate is None or answer.basis == "collapse":
        return math.inf
    if answer.verdict == "no difference":
        return 0.0
    size = abs(math.log(estimate.value)) if estimate.scale == "ratio" else abs(estimate.value)
    return size / max(margin_of(answer.claim), 1e-9)


def _phrase(words: Words, question: Question, answer: ClaimAnswer) -> str:
    """What one claim's verdict says of its levels."""
    claim, estimate = answer.claim, answer.estimate
    names = {
        "metric": metric_name(words, claim, "the_metric"),
        "level": sides_name(words, question, claim.level),
        "that": _that(words, question, claim),
        "margin": numbers.margin_words(words, claim),
    }
    if answer.basis == "collapse" and len(answer.collapsed) == 2:
        assert isinstance(claim.against, tuple)
        names = (
            _levels_name(words, question, claim.level),
            _levels_name(words, question, claim.against, in_short=True),
        )
        ours, theirs = (
            words(f"decided.{'any' if len(levels) > 1 else 'runs'}_of", k=k, n=n, level=name)
            for levels, name, (k, n) in zip(
                (claim.level, claim.against), names, answer.collapsed, strict=True
            )
        )
        key = "decided.failed" if claim.named else "decided.collapse"
        return words(key, ours=ours, theirs=theirs)
    if is_alike(answer):
        within = answer.verdict == "no difference" or claim.direction == "same"
        return words(
            f"decided.{'within' if within else claim.direction.replace(' ', '_')}", **names
        )
    is_plain = isinstance(claim.against, tuple) and claim.times == 1 and not claim.plus
    if not is_plain or estimate is None:
        if isinstance(claim.against, tuple) or estimate is None:
            key = "more_than" if _is_more(answer) else "less_than"
        else:
            key = "above" if _is_more(answer) else "below"
        text = words(f"decided.{key}", value=measured(words, answer), **names)
        return words("decided.median", text=text) if answer.basis == "median" else text
    if estimate.scale == "ratio":
        return _ratio(words, question, claim, estimate)
    if is_more := estimate.value > 0:
        above = estimate
    else:
        ends = {"low": -estimate.high, "high": -estimate.low}
        above = replace(estimate, value=-estimate.value, **ends)
    gap = numbers.estimate_words(words, claim, above)[0].lstrip("+")
    other = _other_side(words, question, claim.against)
    key = "higher" if is_more else "lower"
    return words(f"decided.{key}", gap=gap, against=other, **names)


def _that(words: Words, question: Question, claim: Claim) -> str:
    """What a level is compared with, behind `more than`: `95 %`, `0.4 times that with dense`."""
    if not isinstance(claim.against, tuple):
        return against_name(words, claim, question) if claim.against else words("decided.zero")
    against = _other_side(words, question, claim.against)
    if claim.times != 1:
        return words("decided.that_times", times=words.exact(claim.times), against=against)
    if claim.plus:
        sign = "plus" if claim.plus > 0 else "minus"
        points = numbers.amount(words, claim.measured, abs(claim.plus))
        return words(f"decided.that_{sign}", points=points, against=against)
    return words("decided.that", against=against)


def _other_side(words: Words, question: Question, levels: tuple[int, ...] | float) -> str:
    """The levels named last, or their mean."""
    assert isinstance(levels, tuple)
    name = _levels_name(words, question, levels, in_short=True)
    return name if len(levels) == 1 else words("mean_of", levels=name)


def _levels_name(
    words: Words, question: Question, levels: Sequence[int], *, in_short: bool = False
) -> str:
    """Some levels; `in_short` one knob's values are enough for them: `0.7` after `rate 0.02`."""
    sides = [question.levels[i] for i in levels]
    if in_short and one_number_each(question):
        return words.listing(short_level_name(words, level) for level in sides)
    return levels_name(words, sides)


def _is_more(answer: ClaimAnswer) -> bool:
    """Whether the verdict says that the level has more of the metric, good or bad."""
    claim, estimate = answer.claim, answer.estimate
    if estimate is not None:
        return estimate.value > (1 if estimate.scale == "ratio" else 0)
    claims_better = claim.direction in ("better", "not worse")
    is_better = claims_better == (answer.verdict == "supported")
    return is_better == claim.measured.higher_is_better


def _ratio(words: Words, question: Question, claim: Claim, ratio: Estimate) -> str:
    """How many times as long the slower side takes."""
    assert isinstance(claim.against, tuple)
    slow, fast = claim.level, claim.against
    if ratio.value < 1:
        slow, fast = fast, slow
        low, high = (1 / end if end else math.inf for end in (ratio.high, ratio.low))
        ratio = replace(ratio, value=1 / ratio.value, low=low, high=high)
    slow_name = sides_name(words, question, slow)
    if ratio.censored:
        # Nobody knows how long it would have taken: what is known is a bound, and why.
        _, low, _ = numbers.ratios(words, ratio.value, ratio.low, ratio.high)
        factor = words("quantity.factor", value=words("quantity.at_least", low=low))
        counts = {"k": ratio.censored, "n": len(ratio.values)}
        unreached = words("decided.unreached", level=slow_name, **counts)
        quantities = {"factor": factor, "interval": unreached}
    else:
        quantities = factor_words(words, ratio)
    return words(
        "decided.ratio" if claim.named else f"decided.{claim.metric}",
        metric=metric_name(words, claim, "the_metric"),
        slow=slow_name,
        fast=_other_side(words, question, fast),
        on=words(f"on.{claim.on}") if claim.on else "",
        target="" if claim.target is None else numbers.target(words, claim.target),
        **quantities,
    )
