"""From comparisons to verdicts: the rule, and how a lab's claims share its allowance for mistakes.

A claim is judged by the interval of the difference that it claims to be positive, at a level
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

Two kinds of mistake can be made: to see a difference that is not there, and to miss one that
matters. Each has its own Holm sequence (Holm 1979) over all claims of the lab, so that in at
most 5 % of labs any mistake of that kind is made. One sequence for both would not do: Holm's
level rises with every hypothesis that is found false, and a claim that was rightly found to
make no difference has left its hypothesis "nothing differs" true. (Labs of 10 claims and 10
seeds in which nothing differs then claim a difference in up to 7.5 % of cases.)

A lab that looks several times gives each step of a sequence the level of its look: W. Maurer and
F. Bretz, Multiple testing in group sequential trials using graphical approaches, 2013. What was
rejected at a look stays rejected, and leaves its share to the others.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Comparison, Estimate
from siffra.lab.stats.estimates import margin_of
from siffra.lab.stats.interim import LAB_ERROR, ONE_LOOK, Schedule
from siffra.lab.stats.shrinkage import learn

Name = TypeVar("Name", bound=Hashable)
Verdict = Literal["supported", "refuted", "no difference", "inconclusive", "not tested"]

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


class Test(Protocol):
    """Something to be judged: one hypothesis for each kind of mistake, with its p-value."""

    @property
    def inside(self) -> float:
        """The smallest level at which it is shown that nothing differs by the margin."""
        ...

    @property
    def outside(self) -> float:
        """The smallest level at which it is shown that something differs."""
        ...


@dataclass(frozen=True, slots=True)
class Levels:
    """Those at which a test is judged: for sameness (`inside`) and for a difference."""

    inside: float
    outside: float

    def decide(self, test: Test) -> bool:
        """Whether one of the two hypotheses is rejected."""
        return test.inside <= self.inside or test.outside <= self.outside


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
    def inside(self) -> float:
        """The level at which the interval lies within the margin."""
        return self.comparison.level_inside(margin_of(self.claim))

    @property
    def outside(self) -> float:
        """The level at which the interval lies beyond zero, or the margin of a claimed sameness."""
        same = self.claim.direction == "same"
        return self.comparison.level_outside(margin_of(self.claim) if same else 0.0)

    def judge(self, levels: Levels) -> ClaimAnswer:
        """The verdict, with the interval that decided it."""
        claim, comparison = self.claim, self.comparison
        same = "supported" if claim.direction == "same" else "no difference"
        level = min(levels.inside, levels.outside)
        differing = {"supported", "refuted"} - {same}
        for candidate, its_own in ((levels.inside, {same}), (levels.outside, differing)):
            if verdict(claim, *comparison.interval(candidate)) in its_own:
                level = candidate
                break
        found = verdict(claim, *comparison.interval(level))
        open_yet = found == "inconclusive"
        needed = _seeds_needed(claim, comparison, level) if open_yet else None
        return ClaimAnswer(
            claim=claim,
            verdict=found,
            estimate=comparison.estimate(level) if comparison.seeds else None,
            seeds_needed=needed,
            reason=_reason(comparison, hopeless=open_yet and needed is None),
            left_out=comparison.left_out,
            busy=comparison.busy,
            runs=comparison.runs,
            diverged=comparison.diverged,
        )


class Allowance(Generic[Name]):
    """A lab's allowance for mistakes: 5 % for each kind, shared by the tests of these names."""

    def __init__(self, tests: Iterable[Name], schedule: Schedule = ONE_LOOK) -> None:
        self._schedule = schedule
        # Those whose hypotheses are not rejected yet, in order.
        self._inside = dict.fromkeys(tests)
        self._outside = dict(self._inside)

    def share(self, look: int, tests: Mapping[Name, Test]) -> dict[Name, Levels]:
        """The levels at a look of the `tests` that are still open.

        What they reject leaves its share to the rest, here and at later looks. Tests that are no
        longer open keep the share of what they have not rejected.
        """
        inside = self._spend(look, self._inside, {n: t.inside for n, t in tests.items()})
        outside = self._spend(look, self._outside, {n: t.outside for n, t in tests.items()})
        return {name: Levels(inside[name], outside[name]) for name in tests}

    def _spend(
        self, look: int, left: dict[Name, None], p_values: Mapping[Name, float]
    ) -> dict[Name, float]:
        levels = holm(
            [p_values.get(name, 1.0) for name in left],
            lambda error: self._schedule.level(look, error),
        )
        by_name = dict(zip(left, levels, strict=True))
        for name, p_value in p_values.items():
            if p_value <= by_name[name]:
                del left[name]
        return by_name


def judge(tests: Sequence[tuple[Claim, Comparison | None]]) -> tuple[ClaimAnswer, ...]:
    """The verdicts of a lab's claims, which share one allowance for mistakes.

    A comparison of None means that the claim was not tested; it does not count among them. A
    claim that was tested and cannot be decided (one seed, a target never reached) does.
    """
    tested = [ClaimTest(claim, comparison) for claim, comparison in tests if comparison is not None]
    levels = Allowance(range(len(tested))).share(0, dict(enumerate(tested)))
    answers = iter([test.judge(levels[number]) for number, test in enumerate(tested)])
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
    level: Callable[[float], float] = lambda error: error,
    error: float = LAB_ERROR,
) -> list[float]:
    """The level at which each hypothesis is tested; it is rejected if its p-value is no higher.

    The smallest of m p-values is tested at error / m, the next at error / (m - 1), and so on
    until the first that is not rejected, whose level all the rest share. `level` says what
    such an error comes to at this look. A p-value that is NaN counts as 1.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    # NaN says nothing, so that nothing is rejected by it; nor has it a place in an order.
    known = [1.0 if math.isnan(p) else p for p in p_values]
    left = len(known)
    levels = [level(error)] * left
    failed = False
    for i in sorted(range(len(known)), key=known.__getitem__):
        levels[i] = level(error / left)
        failed = failed or known[i] > levels[i]
        left -= not failed
    return levels


def verdict(claim: Claim, low: float, high: float) -> Verdict:
    """What an interval on the additive scale says about `claim` (the rule at the top)."""
    margin = margin_of(claim)
    if -margin < low and high < margin:
        return "supported" if claim.direction == "same" else "no difference"
    if claim.direction == "same":
        return "refuted" if low > margin or high < -margin else "inconclusive"
    if (claim.direction == "better") != (claim.metric == "accuracy"):
        low, high = -high, -low
    if low > 0:
        return "supported"
    return "refuted" if high < 0 else "inconclusive"


def _seeds_needed(claim: Claim, comparison: Comparison, level: float) -> int | None:
    """The fewest seeds whose interval, by the mean and spread seen, would decide the claim."""
    if comparison.seeds < 2:
        return None

    def decided(seeds: int) -> bool:
        return verdict(claim, *comparison.interval(level, seeds=seeds)) != "inconclusive"

    # An interval shrinks with every seed, so what is decided stays decided.
    candidates = range(2, MOST_SEEDS + 1)
    found = bisect_left(candidates, True, key=decided)
    return candidates[found] if found < len(candidates) else None


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
