"""Verdicts in words: what was compared, what a verdict rests on, and how many there are."""

import math
from collections.abc import Sequence
from dataclasses import replace

from siffra.lab.answers import Answers, ClaimAnswer, Verdict
from siffra.lab.plan.plan import Claim, Question
from siffra.lab.stats import collapse
from siffra.lab.stats.comparison import Estimate
from siffra.report.model.claims import DECIDED, verdict_code
from siffra.report.text import numbers
from siffra.report.text.labels import levels_name
from siffra.report.text.messages import Words, words_in

FEW_SEEDS = 20
"""A number of seeds up to this that would decide a claim is told as it is, a larger one roughly."""


def verdict_name(words: Words, answer: ClaimAnswer) -> str:
    """`likely supported`, …; a claim about a longer training is `not tested at this length`."""
    if answer.verdict == "not tested" and answer.reason == "too short":
        return words("verdict.too_short")
    return words(f"verdict.{verdict_code(answer.verdict, answer.grade)}")


def comparison(words: Words, claim: Claim, question: Question) -> str:
    """What is compared: `accuracy on the test set, learning rate 0.02 against 0.7`."""
    return words(
        "comparison",
        metric=metric_name(words, claim),
        level=sides_name(words, question, claim.level),
        against=against_name(words, claim, question),
    )


def metric_name(words: Words, claim: Claim, table: str = "metric") -> str:
    """`accuracy on the test set`; `the_metric` has the names for use within a sentence."""
    if claim.named:
        return claim.metric
    return words(
        f"{table}.{claim.metric}",
        on=words(f"on.{claim.on}"),
        target="" if claim.target is None else numbers.target(words, claim.target),
    )


def against_name(words: Words, claim: Claim, question: Question) -> str:
    """What a claim's level is compared with: `dense model`, `95 %`, `0.4 times conv model`."""
    against = claim.against
    if isinstance(against, tuple):
        name = sides_name(words, question, against)
    elif (unit := claim.measured.unit) == "fraction":
        name = f"{words.exact(round(100 * against, 6))} %"
    elif claim.named:
        name = numbers.with_unit(words.exact(against), claim.named)
    else:
        name = numbers.quantity(words, unit, words.exact(against))
    if claim.times != 1:
        name = words("moved.times", times=words.exact(claim.times), against=name)
    if claim.plus:
        sign = "more" if claim.plus > 0 else "less"
        points = numbers.amount(words, claim.measured, abs(claim.plus))
        name = words(f"moved.{sign}", points=points, against=name)
    return name


def sides_name(words: Words, question: Question, levels: Sequence[int]) -> str:
    """The levels of one side of a comparison; of several, their mean."""
    name = levels_name(words, [question.levels[i] for i in levels])
    return name if len(levels) == 1 else words("mean_of", levels=name)


def evidence(words: Words, answer: ClaimAnswer) -> str:
    """Estimate, interval, n and margin, and what is unusual; for a claim without, why."""
    parts = _collapsed(words, answer)
    if answer.estimate is not None:
        parts.append(_estimated(words, answer))
        parts += _unmoved(words, answer.claim, answer.estimate)
        if answer.estimate.censored:
            parts.append(words.count("censored", answer.estimate.censored))
    if answer.basis == "median":
        parts.append(words("basis.median"))
    if answer.diverged:
        parts.append(words.count("diverged", answer.diverged))
    if answer.verdict == "inconclusive" and answer.reason in ("", "no margin"):
        needed = answer.seeds_needed
        parts.append(words("needs_many") if needed is None else words("needs", n=_about(needed)))
    if answer.grade == "likely" and answer.seeds_needed is not None:
        parts.append(words("needs_to_show", n=_about(answer.seeds_needed)))
    if answer.reason:
        parts += _reason(words, answer)
    if answer.look is not None:
        parts.append(words("decided_at", n=answer.look))
    return "; ".join(parts)


def claims_by(answers: Answers, words: Words) -> dict[str, list[ClaimAnswer]]:
    """A lab's claims by whose they are: first, under no name, its author's, if there are any."""
    groups: dict[str, list[ClaimAnswer]] = {"": []}
    for question in answers.questions:
        for claim in question.claims:
            by = words.say(question.question.author_of(claim.claim))
            groups.setdefault(by, []).append(claim)
    return {by: claims for by, claims in groups.items() if claims}


def summary_sentence(answers: Answers, language: str = "en") -> str:
    """How many of a lab's claims are supported, refuted, and so on.

    Where not all are the lab author's, one sentence for each whose they are.
    """
    words = words_in(language)
    groups = claims_by(answers, words)
    if not groups:
        return words("summary.none")
    if groups.keys() == {""}:
        return _counted(words, "summary.claims", groups[""])
    return " ".join(
        _counted(words, "summary.claims_by" if by else "summary.claims_author", claims, by=by)
        for by, claims in groups.items()
    )


def is_alike(answer: ClaimAnswer) -> bool:
    """Whether the verdict is that nothing differs by the margin, or not that way."""
    bounds = answer.claim.direction in ("same", "not better", "not worse")
    return answer.verdict == "no difference" or (answer.verdict == "supported" and bounds)


def estimate_texts(words: Words, answer: ClaimAnswer) -> tuple[str, str]:
    """The estimate and its interval in words, each empty where there is none to tell."""
    estimate = answer.estimate
    if estimate is None:
        return "", ""
    value, interval = numbers.estimate_words(words, answer.claim, estimate)
    # Of a single seed, or of seeds that change nothing, there is no interval.
    known = not (math.isnan(estimate.low) and math.isnan(estimate.high))
    return value, interval if known and answer.reason != "no variation" else ""


def _estimated(words: Words, answer: ClaimAnswer) -> str:
    """The estimate with its interval and n; of the runs that train, where some do not."""
    estimate = answer.estimate
    assert estimate is not None
    value, interval = estimate_texts(words, answer)
    level = numbers.confidence(words, estimate.confidence)
    measured = "evidence_timed" if answer.claim.is_timed else "evidence"
    key = measured if interval else "evidence_alone"
    text = words(key, value=value, level=level, interval=interval, n=len(estimate.values))
    return words(f"{_basis(answer)}.trained", estimate=text) if _some(answer.collapsed) else text


def _unmoved(words: Words, claim: Claim, estimate: Estimate) -> list[str]:
    """The estimate against the level itself, where what it is compared with was moved."""
    if claim.times != 1:
        value, low, high = (x * claim.times for x in (estimate.value, estimate.low, estimate.high))
        moved = words.exact(claim.times)
        key = "moved.without_times"
    elif claim.plus:
        value, low, high = (x + claim.plus for x in (estimate.value, estimate.low, estimate.high))
        moved = numbers.amount(words, claim.measured, claim.plus)
        key = "moved.without_plus"
    else:
        return []
    itself = replace(estimate, value=value, low=low, high=high)
    told, _ = numbers.estimate_words(words, claim, itself)
    return [words(key, moved=moved, value=told)]


def _basis(answer: ClaimAnswer) -> str:
    """The texts about runs that do not train: a training that siffra does not do just fails."""
    return "basis_external" if answer.claim.named else "basis"


def _collapsed(words: Words, answer: ClaimAnswer) -> list[str]:
    """How many runs collapsed; beside a verdict of no difference, at most how many do."""
    shares, basis = answer.collapsed, _basis(answer)
    if answer.basis == "collapse" and len(shares) == 2:
        ours, theirs = (_of(words, share) for share in shares)
        return [words(f"{basis}.collapse", level=ours, against=theirs)]
    if _some(shares):
        key = f"{basis}.collapsed" if len(shares) == 2 else f"{basis}.collapsed_alone"
        return [words(key, level=_of(words, shares[0]), against=_of(words, shares[-1]))]
    if not shares or not is_alike(answer):
        return []
    fewest = min(n for _, n in shares)
    key = f"{basis}.none_collapsed" if len(shares) == 2 else f"{basis}.none_collapsed_alone"
    _, most = collapse.Share(0, fewest).interval()
    return [words(key, n=fewest, share=numbers.share(words, most, 0))]


def _some(shares: Sequence[collapse.Share]) -> bool:
    return any(k for k, _ in shares)


def _of(words: Words, share: collapse.Share) -> str:
    return words("basis.of", k=share[0], n=share[1])


def _about(seeds: int) -> int:
    """A forecast of seeds, good to a factor of several: the larger ones to one digit, upwards."""
    unit = 10 ** (len(str(seeds)) - 1)
    return seeds if seeds <= FEW_SEEDS else -(-seeds // unit) * unit


def _reason(words: Words, answer: ClaimAnswer) -> list[str]:
    """Why a claim has this verdict, where that is to be told."""
    key = f"reason.{answer.reason.replace(' ', '_')}"
    values = {"epochs": words.exact(answer.claim.epochs)}
    if answer.first_look is not None:
        values["time"] = numbers.span(words, answer.first_look)
    return [words(key, **values)] if key in words else []


def _counted(words: Words, key: str, claims: Sequence[ClaimAnswer], **values: str) -> str:
    """The text for so many claims: those shown by verdict, those likely, open, not tested."""
    if len(claims) == 1:
        return words(f"{key}.one", counts=verdict_name(words, claims[0]), **values)

    def of(verdict: Verdict) -> int:
        return sum(c.verdict == verdict and c.grade != "likely" for c in claims)

    counts = {verdict_code(verdict): of(verdict) for verdict in DECIDED}
    counts["likely"] = sum(claim.grade == "likely" for claim in claims)
    counts |= {"inconclusive": of("inconclusive"), "not_tested": of("not tested")}
    text = ""
    for code, n in counts.items():
        if n:
            mark = ", " if code in map(verdict_code, DECIDED) else "; "
            # The first has the verb, which those after it may do without.
            after = words.count(f"summary.then.{code}", n) if text else ""
            text += f"{mark}{after}" if text else words.count(f"summary.{code}", n)
    return words(f"{key}.other", n=len(claims), counts=text, **values)
