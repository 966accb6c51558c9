"""From comparisons to verdicts: what a claim is judged by, and what it is answered.

A claim says that a difference has a direction, or that it is small. It is

- `supported`, or `refuted`, where a difference is shown (a claimed sameness is refuted by one
  beyond the margin, and so is a claimed `not worse` by one beyond it on the worse side);
- `no difference` where the difference is shown to be within the margin (a claimed sameness is
  then supported, as is a claimed `not worse` by a difference that is above -margin);
- else `inconclusive`, as is everything that was run with fewer than five seeds, and every claim
  about a target that neither side reached in some seed.

Accuracies are compared over the seeds in which both sides train. Where a run failed to (it
collapsed or diverged), the shares that fail are compared as well, by Fisher's exact test: either
of the two can decide the claim, each at half of its alpha. Nothing is then said to make no
difference, and the two may not contradict each other.

How sure a verdict is, over all claims of a lab, is `siffra.lab.stats.families`' matter.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from siffra.lab.plan.plan import Claim
from siffra.lab.stats.collapse import Share, ShareComparison
from siffra.lab.stats.comparison import LARGE, Comparison, Estimate, MedianComparison
from siffra.lab.stats.estimates import margin_of
from siffra.lab.stats.families import Decision, Grade
from siffra.lab.stats.interim import Schedule

Verdict = Literal["supported", "refuted", "no difference", "inconclusive", "not tested"]
Basis = Literal["difference", "collapse", "median"]
"""So many, of so many."""

FEWEST_SEEDS = 5
"""With fewer nothing is decided: intervals of three seeds are wrong too often."""
FEWEST_IF_LARGE = 7
"""A difference in accuracy above `LARGE` is decided by no fewer seeds.

Networks that train well or hardly at all, by chance, differ by so much. With five seeds they
fall alike in one comparison of 500, and then look as if they never varied.
"""
MOST_SEEDS = 1000
"""A claim that would need more seeds than this is not worth a forecast."""
CONTRADICTION = 0.05
"""The p-value at which a test keeps another from deciding the opposite."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What became of a claim.

    `estimate` is None when it was not tested, or there was nothing to estimate it from.
    `seeds_needed` says, for a claim that nothing was shown of, about how many seeds would show it
    (None: more than 1,000, or cannot be said). `reason` is a short code for what is unusual:
    "too short", "too few epochs" (of one no decline can be measured),
    "never reached" (by neither side in some seed), "unreached" (by some runs of one
    side, so that more seeds would hardly decide it), "too few seeds", "not timed" (no round was),
    "no time" (for its first look, before the budget ended),
    "diverged" (in so many seeds that more would hardly decide it), "no variation" (a metric of the
    plan's own differs alike with every seed, so that nothing is known of chance), "no margin" (so
    that nothing can be shown to make no difference), "large" (a difference in accuracy that so few
    seeds do not decide), "mixed"
    (the level that trains better fails more often), "at the margin" (the difference is about as
    large as the margin, so that no number of seeds will decide it), "tuned on judged seeds" (by an
    older version), "" if nothing is. In `diverged` seeds a run of one side diverged, and for that
    has no difference. `look` is the number of seeds at which the claim was decided (None: it is
    not, or the lab has no looks).

    `grade` says how sure a verdict is (None: there is none): in at most 5 % of labs is any verdict
    wrong that is `shown`; of all verdicts, shown and `likely`, at most 5 % are expected to be.
    `basis` is what it rests on: the `difference` between the runs that train, the share of runs
    that `collapse`, or the `median` run, where a level is compared with a number. `collapsed` has
    for either side, in how many of how many seeds a run collapsed or diverged (none: the claim is
    not about runs that train). `first_look` has the wall seconds that its first look would take, if
    there was no time for it.
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate | None
    seeds_needed: int | None
    reason: str
    diverged: int = 0
    look: int | None = None
    grade: Grade | None = None
    basis: Basis = "difference"
    collapsed: tuple[Share, ...] = ()
    first_look: float | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A two-sided p-value of a difference, what it rests on, and whether the level has more."""

    p_value: float
    basis: Basis
    more: bool


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """A claim with what it is judged by at one look.

    `failures` are those of the two sides, where the claim is about accuracies of runs that train.
    """

    claim: Claim
    comparison: Comparison
    failures: ShareComparison | None = None

    @property
    def p_inside(self) -> float:
        """The p-value of a difference within the margin, or not beyond it on the claim's side."""
        return self._inside(None)

    @property
    def p_outside(self) -> float:
        """The p-value of a difference: from 0, or from anything within a claimed margin."""
        evidence = self._outside(None)
        return evidence.p_value if evidence else 1.0

    def answer(self, decision: Decision, schedule: Schedule) -> ClaimAnswer:
        """What the claim is answered, judged at the alphas of the `decision`."""
        comparison, claim = self.comparison, self.claim
        verdict, basis = self._verdict(decision)
        alpha = 2 * decision.inside if decision.kind == "inside" else decision.outside
        is_shown = decision.grade == "shown"
        needed = None if is_shown else self._seeds_needed(decision, schedule)
        hopeless = verdict == "inconclusive" and needed is None
        decided_at = schedule.seeds[decision.look] if len(schedule.seeds) > 1 else None
        failures = comparison if isinstance(comparison, ShareComparison) else self.failures
        return ClaimAnswer(
            claim=claim,
            verdict=verdict,
            estimate=comparison.estimate(alpha) if comparison.seeds else None,
            seeds_needed=needed,
            reason=self._reason(hopeless=hopeless, is_open=verdict == "inconclusive"),
            diverged=comparison.diverged,
            look=decided_at if decision.kind else None,
            grade=decision.grade,
            basis=basis,
            collapsed=(failures.level, failures.against) if failures else (),
        )

    @property
    def is_stuck(self) -> bool:
        """Whether, as far as can be seen, more seeds would not decide it."""
        return self.comparison.silent > 0 or self._never_varies

    @property
    def _never_varies(self) -> bool:
        """Whether nothing is known of chance, as where a program makes no use of its seed.

        siffra's own metrics are counted in images: what hides below those is the floor's matter.
        """
        return self.claim.named is not None and self.comparison.is_constant

    def forecast(self, decision: Decision, schedule: Schedule, beyond: int) -> Iterator[int]:
        """The looks after one of `beyond` seeds at which it would be decided, as it is now."""
        for look, seeds in enumerate(schedule.seeds):
            if seeds > beyond and self._decides(seeds, look, decision, schedule):
                yield seeds

    def _verdict(self, decision: Decision) -> tuple[Verdict, Basis]:
        one_sided_or_same = self.claim.direction not in ("better", "worse")
        if decision.kind == "inside":
            return ("supported" if one_sided_or_same else "no difference"), self._basis
        evidence = self._outside(None)
        if decision.kind is None or evidence is None:
            return "inconclusive", self._basis
        if one_sided_or_same:
            return "refuted", evidence.basis
        # More failures are worse; of anything else it is the metric's to say.
        by_failures = evidence.basis == "collapse"
        is_better = not evidence.more if by_failures else evidence.more == self._more_is_better
        is_claimed = is_better == (self.claim.direction == "better")
        return ("supported" if is_claimed else "refuted"), evidence.basis

    @property
    def _basis(self) -> Basis:
        if isinstance(self.comparison, ShareComparison):
            return "collapse"
        return "median" if isinstance(self.comparison, MedianComparison) else "difference"

    @property
    def _more_is_better(self) -> bool:
        return self.claim.measured.higher_is_better

    @property
    def _any_failed(self) -> bool:
        return self.failures is not None and any(
            share.failed for share in (self.failures.level, self.failures.against)
        )

    @property
    def _cautious(self) -> Comparison:
        """The comparison by whose t a difference is judged."""
        is_t_of_accuracy = self._basis == "difference" and self._is_of_fractions
        return self.comparison.cautious if is_t_of_accuracy else self.comparison

    @property
    def _is_of_fractions(self) -> bool:
        return self.claim.measured.unit == "fraction"

    def _is_enough(self, seeds: int | None) -> bool:
        """Whether a difference may be decided, now or with so many `seeds`."""
        comparison = self.comparison
        if self._never_varies:
            return False
        share = comparison.seeds / comparison.judged if comparison.judged else 0.0
        n = comparison.seeds if seeds is None else int(seeds * share)
        is_large = self._is_of_fractions and any(abs(d) > LARGE for d in comparison.differences)
        exact = self._basis != "difference"  # exact tests know how few they are
        return n >= (FEWEST_IF_LARGE if is_large and not exact else FEWEST_SEEDS)

    def _inside(self, seeds: int | None) -> float:
        if self._any_failed or not self._is_enough(seeds) or not self.claim.margin:
            return 1.0
        comparison, margin = self.comparison, margin_of(self.claim)
        seeds = self._trained(seeds)
        if self.claim.direction in ("not better", "not worse"):
            bad_is_more = (self.claim.direction == "not better") == self._more_is_better
            if bad_is_more:
                return comparison.p_below(margin, seeds=seeds)
            return comparison.p_above(-margin, seeds=seeds)
        return comparison.p_inside(margin, seeds=seeds)

    def _outside(self, seeds: int | None) -> _Evidence | None:
        """The strongest evidence of a difference; None if there is none, or it contradicts."""
        evidence = list(self._all_evidence(seeds))
        if not evidence or self._contradicts(evidence):
            return None
        first = min(evidence, key=lambda each: each.p_value)
        # One failure is enough to have two tests; without any, the second has nothing to show.
        tests = 2 if self._any_failed else 1
        return replace(first, p_value=min(1.0, tests * first.p_value))

    def _all_evidence(self, seeds: int | None) -> Iterator[_Evidence]:
        margin = 0.0 if self.claim.direction in ("better", "worse") else margin_of(self.claim)
        if self._is_enough(seeds):
            n, cautious = self._trained(seeds), self._cautious
            above, below = cautious.p_above(margin, seeds=n), cautious.p_below(-margin, seeds=n)
            if (allowed := self._refuting_side) is not None:
                above, below = (above, 1.0) if allowed else (1.0, below)
            yield _Evidence(min(1.0, 2 * min(above, below)), self._basis, above < below)
        counts_failures = self.claim.named is not None or self.claim.metric == "accuracy"
        if self.failures is not None and self._any_failed and counts_failures:
            more = self.failures.centre > 0
            # More failures are worse, as is less accuracy.
            if self._refuting_side is None or self._refuting_side != more:
                yield _Evidence(self.failures.p_outside(seeds=seeds), "collapse", more)

    @property
    def _refuting_side(self) -> bool | None:
        """For a claimed `not better` or `not worse`: whether more refutes it, or less."""
        if self.claim.direction not in ("not better", "not worse"):
            return None
        return (self.claim.direction == "not better") == self._more_is_better

    def _contradicts(self, evidence: Sequence[_Evidence]) -> bool:
        """Whether the level trains better and fails more often, or the other way round."""
        if len(evidence) < 2 or self.claim.direction == "same":
            return False
        trained, failing = evidence
        strong = max(trained.p_value, failing.p_value) <= CONTRADICTION
        return strong and trained.more == failing.more

    def _trained(self, seeds: int | None) -> int | None:
        """Of so many seeds, those in which both sides would train."""
        comparison = self.comparison
        if seeds is None or not comparison.judged:
            return seeds
        return max(2, int(seeds * comparison.seeds / comparison.judged))

    def _decides(self, seeds: int, look: int, decision: Decision, schedule: Schedule) -> bool:
        inside, outside = decision.overall
        if self._inside(seeds) <= schedule.alpha(look, 2 * inside) / 2:
            return True
        evidence = self._outside(seeds)
        return evidence is not None and evidence.p_value <= schedule.alpha(look, outside)

    def _seeds_needed(self, decision: Decision, schedule: Schedule) -> int | None:
        """The fewest seeds that would show something, by what is seen now."""
        if self.comparison.judged < 2 or self.is_stuck:
            return None
        now = self.comparison.judged
        if len(schedule.seeds) > 1:
            first = next(self.forecast(decision, schedule, now), None)
            if first:
                return first
            now = max(now, schedule.seeds[-1])
        candidates = range(now + 1, MOST_SEEDS + 1)
        last = len(schedule.seeds) - 1
        index = bisect_left(
            candidates, True, key=lambda n: self._decides(n, last, decision, schedule)
        )
        return candidates[index] if index < len(candidates) else None

    def _reason(self, *, hopeless: bool, is_open: bool) -> str:
        """What is unusual; a `hopeless` claim would not be decided by more seeds such as these."""
        comparison = self.comparison
        if comparison.judged < FEWEST_SEEDS:
            return "not timed" if self.claim.is_timed and not comparison.judged else "too few seeds"
        if comparison.silent:
            return "never reached"
        if is_open and self._never_varies:
            return "no variation"
        if comparison.diverged and hopeless:
            return "diverged"
        if comparison.censored and hopeless:
            return "unreached"
        if self._contradicts(list(self._all_evidence(None))):
            return "mixed"
        if is_open and not self.claim.margin and self.claim.named:
            return "no margin"
        if is_open and comparison.seeds >= FEWEST_SEEDS and not self._is_enough(None):
            return "large"
        # What has a direction alone is decided by enough seeds.
        has_margin = self.claim.direction not in ("better", "worse")
        return "at the margin" if hopeless and has_margin and self._is_enough(None) else ""


def not_tested(claim: Claim, reason: str) -> ClaimAnswer:
    """The answer to a claim about a longer training, or that has too few epochs to measure in."""
    return ClaimAnswer(claim, "not tested", None, None, reason)
