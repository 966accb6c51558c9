"""What the sentences of an answer may say beyond the claims: one family a question.

`findings` is all of it: in at most 5 % of questions in which nothing differs does `Findings.any`
hold. Each set of images that an answer ranks levels on, and their times, get an equal share of
that error (Bonferroni); the ingredients of a recipe share it by Holm's procedure.

A claim about two levels decides what is said of them: no more than its verdict, nor less. And
where the question has claims, nothing beyond them is said unless one of them shows a difference:
so where nothing differs, claims and the rest together err no more often than claims alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from siffra.lab.answers import ClaimAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.stats.comparison import Comparison, Estimate
from siffra.lab.stats.estimates import compare_accuracy, compare_seconds, failed
from siffra.lab.stats.families import holm
from siffra.lab.stats.ranking import Ranking, p_different, p_greater, rank
from siffra.lab.stats.summaries import Summary, summarise, summarise_accuracy
from siffra.report.text.ingredients import Ingredients, ingredients
from siffra.report.text.labels import confused_sets, sets_of
from siffra.training.run import Record

ERROR = 0.05
"""The share of questions whose answer may say that something differs where nothing does."""
ABOUT_AS_LONG = 1.1
"""A difference in time by less than this factor is not worth a sentence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The levels that train, by their accuracy on the set `on`, the highest first.

    `accuracy` is over the runs that train. `ranking` has the places in `levels`; if its first is
    shown above all others, `lead` is the difference to the second, at the error it was judged at
    (None if a claim says it).
    """

    on: str
    levels: tuple[LevelAnswer, ...]
    accuracy: tuple[Summary, ...]
    ranking: Ranking
    lead: Estimate | None = None

    @property
    def leaders(self) -> tuple[int, ...]:
        """The places of the first, and of those that it is not shown above."""
        return self.ranking.leaders

    @property
    def any(self) -> bool:
        """Whether it shows any level above another."""
        return bool(self.ranking.below)


@dataclass(frozen=True, slots=True)
class TimesApart:
    """How many times as long the slowest level takes as the fastest, at the error judged at."""

    fast: LevelAnswer
    slow: LevelAnswer
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class Findings:
    """What an answer may say beyond its question's claims.

    `standings` are by set, of those that the answer tells of. `times` is None if no two levels
    are shown to differ. `added` has, by the place of an ingredient, what it is shown to change:
    sets, and `seconds`; 1 for more with it and -1 for less. `judged` are the places of those that
    had a first look.
    """

    standings: Mapping[str, Standing] = field(default_factory=dict)
    times: TimesApart | None = None
    recipe: Ingredients | None = None
    added: Mapping[tuple[int, str], int] = field(default_factory=dict)
    judged: tuple[int, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything is shown to differ."""
        stands = any(standing.any for standing in self.standings.values())
        return stands or self.times is not None or bool(self.added)


def findings(answer: QuestionAnswer) -> Findings:
    """What the answer to one question may say beyond its claims, from the records of its levels."""
    if answer.question.metrics:  # whose every level has a claim
        return Findings()
    error = ERROR if _is_open(answer) else 0.0
    recipe = ingredients(answer)
    if recipe is not None:
        judged = tuple(
            i
            for i, part in enumerate(recipe.parts)
            if is_judged(answer, recipe.whole, part.without)
        )
        added = _added(answer, recipe, error, judged)
        return Findings(recipe=recipe, added=added, judged=judged)
    sets = sets_told(answer)
    fast_first = timed(answer)
    shares = len(sets) + (len(fast_first) > 1)
    return Findings(
        standings={on: _stand(answer, on, error / shares) for on in sets},
        times=_times_apart(answer, fast_first, error / shares) if len(fast_first) > 1 else None,
    )


def seen(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels that have runs which did not diverge."""
    return [level for level in answer.levels if level.trained]


def training(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels that have a place in an order: judged, and half of their runs or more train."""
    return [
        level
        for level in answer.judged
        if level.records and 2 * len(trained_runs(level)) >= len(level.records)
    ]


def is_judged(answer: QuestionAnswer, *levels: LevelAnswer) -> bool:
    """Whether all of these levels of a question had a first look."""
    unjudged = [answer.levels[i] for i in answer.untrained]
    return not any(level is other for level in levels for other in unjudged)


def trained_runs(level: LevelAnswer) -> list[Record]:
    """The level's runs that neither collapsed nor diverged."""
    return [record for record in level.records if not failed([record])]


def timed(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels whose training was timed by turns, by what it takes, the fastest first."""
    timed = [level for level in answer.levels if level.timed]
    return sorted(timed, key=lambda level: summarise(level.timed, "ratio").mean)


def is_about_time(answer: QuestionAnswer) -> bool:
    """Whether most of the question's claims are about training time."""
    claims = answer.question.claims
    return len(timed(answer)) > 1 and sum(c.metric == "seconds" for c in claims) * 2 > len(claims)


def sets_told(answer: QuestionAnswer) -> list[str]:
    """The sets that an answer tells of: test, and the shifted ones where it is about them."""
    shifted = [name for name in sets_of(answer.levels) if name != "test"]
    if "confusion" in answer.question.figures:
        sets = [name for name in confused_sets(answer.levels) if name in shifted]
    else:
        asked = {claim.on for claim in answer.question.claims if claim.metric == "accuracy"}
        sets = [] if "test" in asked else [name for name in shifted if name in asked]
    return sets if is_about_time(answer) else ["test", *sets]


def differs(answer: ClaimAnswer) -> int:
    """Whether a claim's level is shown to have more than what it is compared with (1), or less.

    -1 if less, 0 if neither. A verdict that rests on collapse alone says neither.
    """
    claim = answer.claim
    shown = {"refuted"} if claim.direction in _NO_DIFFERENCE else {"supported", "refuted"}
    if answer.estimate is None or answer.verdict not in shown or answer.basis == "collapse":
        return 0
    alike = 1.0 if answer.estimate.scale == "ratio" else 0.0
    return 1 if answer.estimate.value > alike else -1


_NO_DIFFERENCE = {"same", "not better", "not worse"}


def _is_open(answer: QuestionAnswer) -> bool:
    """Whether a claim shows a difference, or there is none that was tested."""
    tested = [claim for claim in answer.claims if claim.verdict != "not tested"]
    return not tested or any(
        differs(c) or (c.basis == "collapse" and c.verdict in ("supported", "refuted"))
        for c in tested
    )


def _stand(answer: QuestionAnswer, on: str, error: float) -> Standing:
    levels = training(answer)
    accuracy = [summarise_accuracy(trained_runs(level), on) for level in levels]

    def p_above(i: int, j: int) -> float:
        claimed = _by_claims(answer, levels[i], levels[j], "accuracy", on)
        if claimed is not None:
            return 0.0 if claimed > 0 else 1.0
        return p_greater(_gap(levels[i], levels[j], on))

    ranking = rank([summary.mean for summary in accuracy], p_above, error)
    lead = None
    if ranking.is_best:
        first, second = ranking.order[:2]
        if _by_claims(answer, levels[first], levels[second], "accuracy", on) is None:
            lead = _gap(levels[first], levels[second], on).estimate(2 * error / len(levels))
    return Standing(on, tuple(levels), tuple(accuracy), ranking, lead)


def _gap(level: LevelAnswer, against: LevelAnswer, on: str) -> Comparison:
    return compare_accuracy(level.records, against.records, on)


def _times_apart(
    answer: QuestionAnswer, fast_first: Sequence[LevelAnswer], error: float
) -> TimesApart | None:
    """The fastest and the slowest, if no claim is about the two; all pairs share the error."""
    fast, *_, slow = fast_first
    if _by_claims(answer, slow, fast, "seconds") is not None:
        return None
    comparison = compare_seconds(slow.timed, fast.timed)
    share = error / math.comb(len(fast_first), 2)
    if not (comparison.centre >= math.log(ABOUT_AS_LONG) and p_different(comparison) < share):
        return None
    return TimesApart(fast, slow, comparison.estimate(share))


def _added(
    answer: QuestionAnswer, recipe: Ingredients, error: float, parts: Sequence[int]
) -> dict[tuple[int, str], int]:
    """What each ingredient is shown to change: by a claim about it, else by its own comparison."""
    shown: dict[tuple[int, str], int] = {}
    judged: dict[tuple[int, str], Comparison] = {}
    for i in parts:
        part = recipe.parts[i]
        for what in (*part.accuracy, "seconds"):
            metric: str = "seconds" if what == "seconds" else "accuracy"
            on = "" if what == "seconds" else what
            claimed = _by_claims(answer, recipe.whole, part.without, metric, on)
            whole, without = recipe.whole, part.without
            if claimed is not None:
                shown |= {(i, what): claimed} if claimed else {}
            elif what == "seconds":
                judged[i, what] = compare_seconds(whole.timed, without.timed)
            else:
                judged[i, what] = _gap(whole, without, on)
    p_values = {place: p_different(comparison) for place, comparison in judged.items()}
    alphas = holm(list(p_values.values()), overall=error)
    for (place, p), alpha in zip(p_values.items(), alphas, strict=True):
        matters = place[1] != "seconds" or abs(judged[place].centre) >= math.log(ABOUT_AS_LONG)
        if p < alpha and matters:
            shown[place] = 1 if judged[place].centre > 0 else -1
    return shown


def _by_claims(
    answer: QuestionAnswer, a: LevelAnswer, b: LevelAnswer, metric: str, on: str = ""
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
        if claim.times != 1 or claim.plus:
            continue
        if (claim.level, claim.against) == (ours, theirs):
            sign = sign or differs(claimed)
        elif (claim.level, claim.against) == (theirs, ours):
            sign = sign or -differs(claimed)
    return sign
