"""From comparisons to verdicts: the rule, and how a lab's claims share its alpha.

A claim is judged by the interval of the difference that it claims to be positive, at an alpha
that allows for the number of claims:

- inside ±margin: `no difference` (`supported`, if the claim is that they are the same);
- else wholly above zero: `supported`; wholly below: `refuted` (a claim of sameness is `refuted`
  wholly outside ±margin);
- else `inconclusive`, as is everything that was run with a single seed, and every claim about a
  target that neither side reached in some seed.

A run that diverged has no accuracy, and is worse than any that has one. Where it is on one side,
the interval is open on the side of its failure: the seeds in which both sides trained can show
that the other side is better, but not that nothing differs, nor that it is worse. About a drop or
a decline it says nothing, so that such a claim stays inconclusive.

Two kinds of error can be made: to see a difference that is not there, and to miss one that
matters. Each has its own Holm sequence (Holm 1979) over all claims of the lab, so that in at
most 5 % of labs any error of that kind is made. One sequence for both would not do: Holm's
alpha rises with every hypothesis that is found false, and a claim that was rightly found to
make no difference has left its hypothesis "nothing differs" true. (Labs of 10 claims and 10
seeds in which nothing differs then claim a difference in up to 7.5 % of cases.)

A lab that looks several times gives each step of a sequence the alpha of its look: W. Maurer and
F. Bretz, Multiple testing in group sequential trials using graphical approaches, 2013. What was
rejected at a look stays rejected, and leaves its share to the others.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from siffra.config.metrics import METRICS
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Comparison, Estimate
from siffra.lab.stats.estimates import margin_of
from siffra.lab.stats.interim import LAB_ALPHA, ONE_LOOK, Schedule
from siffra.lab.stats.shrinkage import learn

Id = TypeVar("Id", bound=Hashable)
Grade = Literal["shown", "likely"]
Verdict = Literal["supported", "refuted", "no difference", "inconclusive", "not tested"]

Basis = Literal["difference", "collapse", "median"]
Share = tuple[int, int]
"""So many, of so many."""

MOST_SEEDS = 1000
"""A claim that would need more seeds than this is not worth a forecast."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What became of a claim.

    `estimate` is None when it was not tested, or there was nothing to estimate it from.
    `seeds_needed` says, for an inconclusive claim, about how many seeds would decide it (None:
    more than 1,000, or cannot be said). `reason` is a short code for what is unusual:
    "too short", "too few epochs" (fewer than five have no fifths to measure a decline between),
    "never reached" (by neither side in some seed), "unreached" (by some runs of one
    side, so that more seeds would hardly decide it), "too few seeds", "busy machine" (seeds were
    left out since `busy` of the claim's `runs` were made while the machine did something else: run
    again on a quiet one they may decide it), "several machines" (times of
    `left_out` seeds were not compared: the runs are not all from the machine, number of threads
    and of runs at once that most are from), "diverged" (in so many seeds that more would hardly
    decide it), "" if nothing is. In `diverged` seeds a run of one side diverged. `look` is the
    number of seeds at which a lab with looks decided the claim (None: not decided, or a lab
    without).

    `grade` says how sure a verdict is (None: there is none): in at most 5 % of labs is any verdict
    wrong that is `shown`; of all verdicts, shown and `likely`, at most 5 % are expected to be.
    `basis` is what it rests on: the `difference` between the runs that train, the share of runs
    that `collapse`, or the `median` run, where a level is compared with a number. `collapsed` has
    for either side, of how many runs how many collapsed (none: not an accuracy, or none judged).
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate | None
    seeds_needed: int | None
    reason: str
    left_out: int = 0
    busy: int = 0
    runs: int = 0
    diverged: int = 0
    look: int | None = None
    grade: Grade | None = None
    basis: Basis = "difference"
    collapsed: tuple[Share, ...] = ()


class Test(Protocol):
    """Something to be judged: one hypothesis for each kind of error, with its p-value."""

    @property
    def p_inside(self) -> float:
        """The p-value of "nothing differs by the margin"."""
        ...

    @property
    def p_outside(self) -> float:
        """The p-value of "something differs"."""
        ...


@dataclass(frozen=True, slots=True)
class Alphas:
    """The alphas at which a test is judged: for sameness (`inside`) and for a difference."""

    inside: float
    outside: float

    def decide(self, test: Test) -> bool:
        """Whether one of the two hypotheses is rejected."""
        return test.p_inside <= self.inside or test.p_outside <= self.outside


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """A claim with what it is judged by."""

    claim: Claim
    comparison: Comparison

    @property
    def seeds(self) -> int:
        """How many seeds both sides have, whether or not they could be compared."""
        comparison = self.comparison
        return comparison.judged + comparison.left_out

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All that it rests on."""
        return (self.comparison,)

    @property
    def kind(self) -> object:
        """What comparisons have in common that vary alike."""
        return self.claim.metric, self.claim.on

    def with_comparisons(self, comparisons: Sequence[Comparison]) -> "ClaimTest":
        """The same with another comparison in place of its own."""
        return replace(self, comparison=comparisons[0])

    @property
    def p_inside(self) -> float:
        """The p-value of an interval within the margin."""
        return self.comparison.p_inside(margin_of(self.claim))

    @property
    def p_outside(self) -> float:
        """The p-value of an interval beyond zero, or beyond the margin of a claimed sameness."""
        same = self.claim.direction == "same"
        return self.comparison.p_outside(margin_of(self.claim) if same else 0.0)

    def judge(self, alphas: Alphas) -> ClaimAnswer:
        """The verdict, with the interval that decided it."""
        claim, comparison = self.claim, self.comparison
        same = "supported" if claim.direction == "same" else "no difference"
        alpha = min(alphas.inside, alphas.outside)
        differing = {"supported", "refuted"} - {same}
        for candidate, verdicts in ((alphas.inside, {same}), (alphas.outside, differing)):
            if verdict(claim, *comparison.interval(candidate)) in verdicts:
                alpha = candidate
                break
        decision = verdict(claim, *comparison.interval(alpha))
        is_open = decision == "inconclusive"
        needed = _seeds_needed(claim, comparison, alpha) if is_open else None
        return ClaimAnswer(
            claim=claim,
            verdict=decision,
            estimate=comparison.estimate(alpha) if comparison.seeds else None,
            seeds_needed=needed,
            reason=_reason(comparison, hopeless=is_open and needed is None),
            left_out=comparison.left_out,
            busy=comparison.busy,
            runs=comparison.runs,
            diverged=comparison.diverged,
        )


class AlphaBudget(Generic[Id]):
    """A lab's alpha, 5 % for each kind of error, shared by the tests with these ids."""

    def __init__(self, tests: Iterable[Id], schedule: Schedule = ONE_LOOK) -> None:
        self._schedule = schedule
        # Those whose hypotheses are not rejected yet, in order.
        self._inside = dict.fromkeys(tests)
        self._outside = dict(self._inside)

    def share(self, look: int, tests: Mapping[Id, Test]) -> dict[Id, Alphas]:
        """The alphas at a look of the `tests` that are still open.

        What they reject leaves its share to the rest, here and at later looks. Tests that are no
        longer open keep the share of what they have not rejected.
        """
        inside = self._spend(
            look, self._inside, {id_: test.p_inside for id_, test in tests.items()}
        )
        outside = self._spend(
            look, self._outside, {id_: test.p_outside for id_, test in tests.items()}
        )
        return {id_: Alphas(inside[id_], outside[id_]) for id_ in tests}

    def _spend(
        self, look: int, left: dict[Id, None], p_values: Mapping[Id, float]
    ) -> dict[Id, float]:
        alphas = holm(
            [p_values.get(id_, 1.0) for id_ in left],
            lambda overall: self._schedule.alpha(look, overall),
        )
        by_id = dict(zip(left, alphas, strict=True))
        for id_, p_value in p_values.items():
            if p_value <= by_id[id_]:
                del left[id_]
        return by_id


def judge(tests: Sequence[tuple[Claim, Comparison | None]]) -> tuple[ClaimAnswer, ...]:
    """The verdicts of a lab's claims, which share one alpha.

    A comparison of None means that the claim was not tested; it does not count among them. A
    claim that was tested and cannot be decided (one seed, a target never reached) does.
    """
    tested = [ClaimTest(claim, comparison) for claim, comparison in tests if comparison is not None]
    alphas = AlphaBudget(range(len(tested))).share(0, dict(enumerate(tested)))
    answers = iter([test.judge(alphas[i]) for i, test in enumerate(tested)])
    return tuple(
        not_tested(claim, "too short") if comparison is None else next(answers)
        for claim, comparison in tests
    )


def not_tested(claim: Claim, reason: str) -> ClaimAnswer:
    """The answer to a claim about a longer training, or that has too few epochs to measure in."""
    return ClaimAnswer(claim, "not tested", None, None, reason)


def moderate(comparisons: Sequence[Comparison], kinds: Sequence[object]) -> list[Comparison]:
    """The comparisons, their variances moderated by those of the same kind."""
    teachers: dict[object, list[Comparison]] = {}
    for comparison, kind in zip(comparisons, kinds, strict=True):
        if comparison.teaches:
            teachers.setdefault(kind, []).append(comparison)
    priors = {
        kind: learn([c.deviation for c in group], [c.seeds - 1 for c in group])
        for kind, group in teachers.items()
    }
    return [
        replace(comparison, prior=priors[kind]) if comparison.teaches else comparison
        for comparison, kind in zip(comparisons, kinds, strict=True)
    ]


def holm(
    p_values: Sequence[float],
    at_this_look: Callable[[float], float] = lambda overall: overall,
    overall: float = LAB_ALPHA,
) -> list[float]:
    """The alpha at which each hypothesis is tested; it is rejected if its p-value is no higher.

    The smallest of m p-values is tested at overall / m, the next at overall / (m - 1), and so on
    until the first that is not rejected, whose alpha all the rest share. `at_this_look` turns an
    overall alpha into that of the look. A p-value that is NaN counts as 1.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    # NaN says nothing, so that nothing is rejected by it; nor has it a place in an order.
    known = [1.0 if math.isnan(p) else p for p in p_values]
    left = len(known)
    alphas = [at_this_look(overall)] * left
    failed = False
    for i in sorted(range(len(known)), key=known.__getitem__):
        alphas[i] = at_this_look(overall / left)
        failed = failed or known[i] > alphas[i]
        left -= not failed
    return alphas


def verdict(claim: Claim, low: float, high: float) -> Verdict:
    """What an interval on the additive scale says about `claim` (the rule at the top)."""
    margin = margin_of(claim)
    if -margin < low and high < margin:
        return "supported" if claim.direction == "same" else "no difference"
    if claim.direction == "same":
        return "refuted" if low > margin or high < -margin else "inconclusive"
    if (claim.direction == "better") != METRICS[claim.metric].higher_is_better:
        low, high = -high, -low
    if low > 0:
        return "supported"
    return "refuted" if high < 0 else "inconclusive"


def _seeds_needed(claim: Claim, comparison: Comparison, alpha: float) -> int | None:
    """The fewest seeds whose interval, by the mean and spread seen, would decide the claim."""
    if comparison.seeds < 2:
        return None

    def decided(seeds: int) -> bool:
        return verdict(claim, *comparison.interval(alpha, seeds=seeds)) != "inconclusive"

    # An interval shrinks with every seed, so what is decided stays decided.
    candidates = range(2, MOST_SEEDS + 1)
    first = bisect_left(candidates, True, key=decided)
    return candidates[first] if first < len(candidates) else None


def _reason(comparison: Comparison, *, hopeless: bool) -> str:
    """What is unusual; a `hopeless` claim would not be decided by more seeds such as these."""
    if comparison.busy:
        return "busy machine"
    if comparison.left_out:
        return "several machines"
    if comparison.judged < 2:
        return "too few seeds"
    if comparison.silent:
        return "never reached"
    if comparison.diverged and hopeless:
        return "diverged"
    return "unreached" if hopeless and comparison.censored else ""
