"""Verdicts in words: what was compared, what a verdict rests on, and how many there are."""

import math
from collections.abc import Sequence

from siffra.lab.answers import Answers, ClaimAnswer, Verdict
from siffra.lab.plan.plan import Claim, Question
from siffra.lab.stats import collapse
from siffra.lab.stats.comparison import LARGE, Estimate
from siffra.lab.stats.decisions import FEWEST_IF_LARGE, FEWEST_SEEDS
from siffra.report.model.claims import DECIDED, VerdictsBy, count_grades, verdict_code
from siffra.report.model.claims import Claim as Shown
from siffra.report.text import numbers
from siffra.report.text.claimed import against_itself, against_number, claimed, is_moved
from siffra.report.text.labels import levels_name
from siffra.report.text.messages import Words, capital, words_in

SIFFRA = "siffra"
"""By whom a lab file calls what siffra adds to a lab of somebody else's."""
FEW_SEEDS = 20
"""A number of seeds up to this that would decide a claim is told as it is, a larger one roughly."""


def verdict_name(words: Words, answer: ClaimAnswer) -> str:
    """`likely supported`, …; a claim about a longer training is `not tested at this length`."""
    if answer.verdict == "not tested" and answer.reason == "too short":
        return words("verdict.too_short")
    return words(f"verdict.{verdict_code(answer.verdict, answer.grade)}")


def comparison(words: Words, claim: Claim, question: Question) -> str:
    """What is compared: `accuracy on the test set, learning rate 0.02 against 0.7`.

    Where a claim says how large the difference is, also that.
    """
    text = levels_compared(words, claim, question)
    if is_moved(claim):
        return words("comparison_moved", comparison=text, claimed=claimed(words, claim))
    return text


def levels_compared(words: Words, claim: Claim, question: Question) -> str:
    """What is compared, without what is claimed of it."""
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
    """What a claim's level is compared with: `dense model`, `95 %`."""
    against = claim.against
    if isinstance(against, tuple):
        return sides_name(words, question, against)
    return against_number(words, claim, against)


def sides_name(words: Words, question: Question, levels: Sequence[int]) -> str:
    """The levels of one side of a comparison; of several, their mean."""
    name = levels_name(words, [question.levels[i] for i in levels])
    return name if len(levels) == 1 else words("mean_of", levels=name)


def evidence(words: Words, answer: ClaimAnswer, runs: int = 0) -> str:
    """Estimate, interval, n and margin, and what is unusual; for a claim without, why.

    `runs` are those of each of its levels by now: those that came after a verdict are not in it.
    """
    parts = _collapsed(words, answer)
    if answer.estimate is not None:
        parts.append(_estimated(words, answer))
        if answer.estimate.censored:
            side = _unreached(answer.estimate)
            parts.append(words.count(f"censored.{side}", answer.estimate.censored))
    if answer.basis == "median":
        parts.append(words("basis.median"))
    if answer.diverged:
        parts.append(words.count("diverged", answer.diverged))
    if answer.verdict == "inconclusive" and answer.reason in ("", "no margin", "large"):
        needed = answer.seeds_needed
        parts.append(words("needs_many") if needed is None else words("needs", n=_about(needed)))
    if answer.reason:
        parts += _reason(words, answer)
    if answer.look is not None:
        at = "likely_at" if answer.grade == "likely" else "decided_at"
        key = f"{at}_more" if runs > answer.look and not answer.claim.is_timed else at
        parts.append(words(key, n=answer.look, runs=runs))
    needed = answer.seeds_needed
    if answer.grade == "likely" and needed is not None and (answer.claim.is_timed or needed > runs):
        parts.append(words("needs_to_show", n=_about(needed)))
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
    plan = answers.plan
    words = words_in(language).about(pairs=plan.paired, is_claimed=not plan.ad_hoc)
    groups = claims_by(answers, words)
    if not groups:
        return words("summary.none")
    if groups.keys() == {""}:
        return _counted(words, "summary.claims", groups[""])
    return " ".join(
        _counted(words, "summary.claims_by" if by else "summary.claims_author", claims, by=by)
        for by, claims in groups.items()
    )


def authors_sentence(answers: Answers, words: Words) -> str:
    """Who siffra is, that a lab file names as an author beside its own; "" where it does not."""
    authors = claims_by(answers, words)
    return words("summary.siffra") if {"", SIFFRA} <= authors.keys() else ""


def score(words: Words, claims: Sequence[Shown]) -> str:
    """How many of a question's claims are supported and how many refuted, author by author."""
    by_author: dict[str, list[Shown]] = {}
    for claim in claims:
        by_author.setdefault(claim.by or "", []).append(claim)
    sentences = []
    for by in sorted(by_author):  # the lab's author, who has no name here, first
        tally = VerdictsBy(by=by or None, **count_grades(by_author[by])).tally
        counts = ", ".join(words(f"score.{code}", n=n) for code, n in tally.items())
        sentences.append(
            words("score.of", counts=capital(counts), who=by or words("summary.author"))
        )
    return " ".join(sentences)


def is_alike(answer: ClaimAnswer) -> bool:
    """Whether the verdict is that nothing differs by the margin, or not that way."""
    bounds = answer.claim.direction in ("same", "not better", "not worse")
    return answer.verdict == "no difference" or (answer.verdict == "supported" and bounds)


def estimate_texts(words: Words, answer: ClaimAnswer) -> tuple[str, str]:
    """The estimate and its interval in words, each empty where there is none to tell.

    Where a claim moves what it is compared with, they are those of the levels themselves.
    """
    estimate = answer.estimate
    if estimate is None:
        return "", ""
    itself = against_itself(answer.claim, estimate)
    value, interval = numbers.estimate_words(words, answer.claim, itself)
    return value, interval if _has_interval(answer, estimate) else ""


def unbounded_text(words: Words, answer: ClaimAnswer) -> str:
    """What an interval lacks that bounds nothing; "" of one that does, or where that is told.

    Before a first look, how many runs there are of those that it takes.
    """
    estimate = answer.estimate
    if estimate is not None and _is_early(answer):
        return words.count("few_runs", len(estimate.values), needed=FEWEST_SEEDS)
    if estimate is None or estimate.censored or not _has_interval(answer, estimate):
        return ""
    if estimate_texts(words, answer)[1]:
        return ""
    return words("unbounded", n=len(estimate.values))


def _is_early(answer: ClaimAnswer) -> bool:
    """Whether there are runs to estimate from, and fewer than any verdict takes."""
    return answer.reason in ("too few seeds", "no time") and not answer.claim.is_timed


def _has_interval(answer: ClaimAnswer, estimate: Estimate) -> bool:
    """Whether there is one: not of a single seed, nor of seeds that change nothing."""
    known = not (math.isnan(estimate.low) and math.isnan(estimate.high))
    return known and not _is_a_point(estimate) and answer.reason != "no variation"


def _estimated(words: Words, answer: ClaimAnswer) -> str:
    """The estimate with its interval and n; of the runs that train, where some do not."""
    estimate = answer.estimate
    assert estimate is not None
    value, interval = estimate_texts(words, answer)
    level = numbers.confidence(words, estimate.confidence)
    key = "evidence_timed" if answer.claim.is_timed else "evidence"
    if not interval:
        says_nothing = answer.reason == "no variation" or not _is_a_point(estimate)
        key = "evidence_alone" if says_nothing else "evidence_same"
    if not interval and (missing := unbounded_text(words, answer)):
        key, interval = "evidence_unbounded", missing
    text = words(key, value=value, level=level, interval=interval, n=len(estimate.values))
    return words(f"{_basis(answer)}.trained", estimate=text) if _some(answer.collapsed) else text


def _is_a_point(estimate: Estimate) -> bool:
    """Whether both ends of the interval are the same, as where most runs collapse alike."""
    return math.isclose(estimate.low, estimate.high, rel_tol=1e-9, abs_tol=1e-12)


def _basis(answer: ClaimAnswer) -> str:
    """The texts about runs that do not train: a training that siffra does not do just fails."""
    return "basis_external" if answer.claim.named else "basis"


def _collapsed(words: Words, answer: ClaimAnswer) -> list[str]:
    """How many runs collapsed; beside a verdict of no difference, at most how many do."""
    shares, basis = answer.collapsed, _basis(answer)
    if answer.basis == "collapse" and len(shares) == 2:
        ours, theirs = _failed(words, answer)
        return [words(f"{basis}.collapse", level=ours, against=theirs)]
    if _some(shares):
        key = f"{basis}.collapsed" if len(shares) == 2 else f"{basis}.collapsed_alone"
        ours, *others = _failed(words, answer)
        return [words(key, level=ours, against="".join(others))]
    if not shares or not is_alike(answer):
        return []
    fewest = min(n for _, n in shares)
    key = f"{basis}.none_collapsed" if len(shares) == 2 else f"{basis}.none_collapsed_alone"
    _, most = collapse.Share(0, fewest).interval()
    return [words(key, n=fewest, share=numbers.share(words, most, 0))]


def _some(shares: Sequence[collapse.Share]) -> bool:
    return any(k for k, _ in shares)


def _failed(words: Words, answer: ClaimAnswer) -> list[str]:
    """How many runs of either side failed; of a side of several levels, in how many seeds any."""
    against = answer.claim.against
    sides = (answer.claim.level, against if isinstance(against, tuple) else ())
    return [
        words("basis.of_seeds" if len(levels) > 1 else "basis.of", k=k, n=n)
        for levels, (k, n) in zip(sides, answer.collapsed, strict=False)
    ]


def _about(seeds: int) -> int:
    """A forecast of seeds, good to a factor of several: the larger ones to one digit, upwards."""
    unit = 10 ** (len(str(seeds)) - 1)
    return seeds if seeds <= FEW_SEEDS else -(-seeds // unit) * unit


def _reason(words: Words, answer: ClaimAnswer) -> list[str]:
    """Why a claim has this verdict, where that is to be told."""
    key = f"reason.{answer.reason.replace(' ', '_')}"
    values = {"epochs": words.exact(answer.claim.epochs), **large_words(words)}
    if answer.first_look is not None:
        values["time"] = numbers.span(words, answer.first_look)
    return [words(key, **values)] if key in words else []


def large_words(words: Words) -> dict[str, str]:
    """From which difference in accuracy on a verdict takes more seeds, and how many."""
    return {"large": numbers.points(words, LARGE), "fewest": str(FEWEST_IF_LARGE)}


def _unreached(estimate: Estimate) -> str:
    """Which side did not reach its target in some seeds: it may then be any distance off."""
    by_level, by_other = math.isinf(estimate.high), estimate.low in (0, -math.inf)
    if by_level == by_other:
        return "both"
    return "level" if by_level else "other"


def _counted(words: Words, key: str, claims: Sequence[ClaimAnswer], **values: str) -> str:
    """The text for this many claims: those shown by verdict, those likely, open, not tested."""
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
