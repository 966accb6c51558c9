"""A lab's claims, each at its own looks: what is judged, what is decided, and what is open.

A claim looks when all its levels have the seeds of the look (and its times the rounds). A lab
without looks has one, of all its seeds. It is judged again from the start whenever its answers
are asked for: what was decided follows from the stored runs alone, so that a lab which was killed
comes to the same answers as one that was not, and asking again is no second chance.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from siffra.config import Setting, SteplessModel
from siffra.lab.plan.plan import Claim, Plan, PlannedTiming, Question
from siffra.lab.stats.collapse import compare_failures
from siffra.lab.stats.decisions import ClaimAnswer, ClaimTest, not_tested
from siffra.lab.stats.estimates import (
    Time,
    compare,
    compare_times,
    compare_unpaired,
    epochs_of,
    lacks,
    of_trained_runs,
)
from siffra.lab.stats.families import Decision, decide
from siffra.lab.stats.interactions import Interaction, InteractionTest, interaction_tests
from siffra.lab.stats.interim import LAB_ALPHA, Schedule
from siffra.lab.stats.levels import (
    LevelAnswer,
    Memo,
    Records,
    all_seeds,
    answer_levels,
    chosen_setting,
)
from siffra.training.run import Record
from siffra.training.timing import Timing

Number = tuple[int, int]
"""Of a question, and of one of its claims; its interactions are numbered on from those."""
Timings = Mapping[PlannedTiming, Timing]

_Test = ClaimTest | InteractionTest
_MOST_CHOICES = 256
"""Of settings that may be chosen together, of retuned knobs."""
_Round = tuple[tuple[Setting, ...], Timing]
"""Settings, and the round in which they were timed, in their order."""
_INTERACTIONS = "interactions"
"""The family of what is tested of every question with two knobs, whatever is claimed."""


@dataclass(frozen=True, slots=True)
class Look:
    """One of the looks of a lab's claims.

    By this look a share `spent` of the claims' alpha is spent. `decided` claims were shown at it;
    `open` is how many were left of those that had this look, and `waiting` how many have not had
    it yet.
    """

    seeds: int
    spent: float
    decided: int
    open: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A claim that nothing is shown of yet, and that has a look left.

    Its next look is at `seeds` seeds, and by what is seen now it will be shown at the one of
    `forecast` (None: at none of its looks). `levels` are the question's that it compares. Of one
    that `is_unseen`, which has not had its first look, nothing is forecast.
    """

    number: Number
    seeds: int
    forecast: int | None
    levels: tuple[int, ...]
    is_unseen: bool = False


@dataclass(frozen=True, slots=True)
class Rounds:
    """How a lab stands: what was answered, the claims that have a look left, the looks made.

    `levels` are those of each question, with their times. `tested` is the number of claims that
    are tested at all, and `shown` that of those decided.
    """

    claims: Mapping[Number, ClaimAnswer]
    interactions: Mapping[Number, Interaction]
    open: tuple[OpenClaim, ...]
    looks: tuple[Look, ...]
    levels: tuple[tuple[LevelAnswer, ...], ...]
    tested: int
    shown: int


def judge_rounds(
    plan: Plan, records: Records, timings: Timings | None = None, memo: Memo | None = None
) -> Rounds:
    """Judge the claims of `plan`, each as far as `records` and `timings` go.

    The `memo` of an earlier judging of the same plan spares what has no new runs.
    """
    return _Judging(plan, records, timings or {}, memo or Memo()).judge()


def involved(claim: Claim) -> tuple[int, ...]:
    """The indices of the levels that a claim compares."""
    return (*claim.level, *(claim.against if isinstance(claim.against, tuple) else ()))


def timed_settings(plan: Plan, question: Question, records: Records) -> tuple[Setting, ...]:
    """The settings that a question's claims need timed by turns, by level; retuned ones chosen.

    None, while some level has not chosen yet.
    """
    chosen = [
        chosen_setting(plan, question.levels[i], records) for i in timed_levels(plan, question)
    ]
    return tuple(dict.fromkeys(s for s in chosen if s)) if all(chosen) else ()


def timed_levels(plan: Plan, question: Question) -> list[int]:
    """The indices of the levels that the question's claims compare in time."""
    timed = [claim for claim in question.claims if claim.is_timed]
    claims = [claim for claim in timed if not why_not_tested(claim, question, plan)]
    return sorted({level for claim in claims for level in involved(claim)})


def possible_timings(plan: Plan) -> tuple[PlannedTiming, ...]:
    """The rounds that the plan's questions may come to need, up to its last look.

    Where knobs are retuned, those of all settings that may be chosen together, if that is feasible.
    """
    rounds = range(len(all_seeds(plan)))
    timings: list[PlannedTiming] = []
    for question in plan.questions:
        candidates = [question.levels[i].settings for i in timed_levels(plan, question)]
        if math.prod(map(len, candidates)) <= _MOST_CHOICES and candidates:
            # In an order that is the same in every process: a kept lab has their keys in it.
            together = itertools.product(*candidates)
            chosen = dict.fromkeys(tuple(dict.fromkeys(each)) for each in together)
            timings += [PlannedTiming(settings, n) for settings in chosen for n in rounds]
    return tuple(timings)


class _Judging:
    """One judging of one plan."""

    def __init__(self, plan: Plan, records: Records, timings: Timings, memo: Memo) -> None:
        self._plan, self._records, self._timings, self._memo = plan, records, timings, memo
        self._schedule = Schedule(plan.looks or (max(1, len(plan.seeds)),))
        self._levels = [answer_levels(plan, question, records, memo) for question in plan.questions]
        self._rounds = [self._timed(question) for question in plan.questions]

    def judge(self) -> Rounds:
        answers: dict[Number, ClaimAnswer] = {}
        families: dict[object, dict[Number, list[_Test]]] = {}
        current: dict[Number, _Test] = {}
        for of, question in enumerate(self._plan.questions):
            for i, claim in enumerate(question.claims):
                if reason := why_not_tested(claim, question, self._plan):
                    answers[of, i] = not_tested(claim, reason)
                    continue
                author = tuple(sorted(question.author_of(claim).items()))
                looks, now = self._claim_tests(of, claim)
                families.setdefault(author, {})[of, i], current[of, i] = looks, now
            for place, (looks, now) in self._interaction_tests(of, question).items():
                families.setdefault(_INTERACTIONS, {})[place], current[place] = looks, now
        interactions: dict[Number, Interaction] = {}
        open_claims: list[OpenClaim] = []
        for family in families.values():
            decisions = decide(family, dict.fromkeys(family, self._schedule))
            for place, decision in decisions.items():
                looks = family[place]
                test = looks[decision.look] if looks else current[place]
                if isinstance(test, InteractionTest):
                    interactions[place] = test.judge(decision)
                    continue
                answers[place] = test.answer(decision, self._schedule)
                if left := self._left(place, test, decision, len(looks)):
                    open_claims.append(left)
        claims = {n: answers[n] for n in sorted(answers)}
        shown = sum(answer.grade == "shown" for answer in claims.values())
        tested = sum(answer.verdict != "not tested" for answer in claims.values())
        looks_taken = {
            n: len(looks) for f in families.values() for n, looks in f.items() if n in answers
        }
        return Rounds(
            claims=claims,
            interactions=dict(sorted(interactions.items())),
            open=tuple(sorted(open_claims, key=lambda each: each.number)),
            looks=self._looks(claims, looks_taken),
            levels=tuple(map(_with_times, self._levels, self._rounds)),
            tested=tested,
            shown=shown,
        )

    def _timed(self, question: Question) -> tuple[_Round, ...]:
        """The rounds in which the question's settings were timed, from the first on."""
        settings = timed_settings(self._plan, question, self._records)
        rounds: list[_Round] = []
        while timing := self._timings.get(PlannedTiming(settings, len(rounds))):
            rounds.append((settings, timing))
        return tuple(rounds)

    def _claim_tests(self, of: int, claim: Claim) -> tuple[list[_Test], _Test]:
        """The claim at each of its looks that has all runs, and as it stands now."""
        looks: list[_Test] = []
        for seeds in self._schedule.seeds:
            if not self._has(of, claim, range(seeds) if self._plan.looks else self._plan.seeds):
                break
            looks.append(self._claim_test(of, claim, seeds))
        return looks, looks[-1] if looks else self._claim_test(of, claim, None)

    def _has(self, of: int, claim: Claim, seeds: Sequence[int]) -> bool:
        """Whether all the claim's levels have these seeds, and its times as many rounds.

        Where results are given, there are no more to come.
        """
        if self._plan.given:
            return True
        if claim.is_timed and len(self._rounds[of]) < len(seeds):
            return False
        if claim.metric == "seconds":
            return True
        wanted, levels = set(seeds), self._levels[of]
        return all(wanted <= {r.seed for r in levels[i].records} for i in involved(claim))

    def _claim_test(self, of: int, claim: Claim, seeds: int | None) -> _Test:
        """The claim by its first `seeds` (None: by all that there are)."""
        parts = [self._levels[of][i] for i in involved(claim)]
        rounds = self._rounds[of][:seeds] if claim.is_timed else ()
        return self._memo.get(
            (self._plan.questions[of].id, claim.id, seeds),
            [*parts, *(timing for _, timing in rounds)],
            partial(_test if self._plan.paired else _unpaired_test, claim, parts, rounds, seeds),
        )

    def _interaction_tests(
        self, of: int, question: Question
    ) -> dict[Number, tuple[list[_Test], _Test]]:
        """The question's interactions at each look that all its levels have, and as they stand."""
        if question.metrics:
            return {}
        levels = self._levels[of]
        by_look: list[tuple[InteractionTest, ...]] = []
        for seeds in self._schedule.seeds:
            wanted = set(range(seeds) if self._plan.looks else self._plan.seeds)
            if not all(wanted <= {r.seed for r in level.records} for level in levels):
                break
            by_look.append(self._interactions(question, levels, seeds))
        now = by_look[-1] if by_look else self._interactions(question, levels, None)
        # What cannot be tested at one look is not tested at another.
        count = min((len(tests) for tests in [*by_look, now]), default=0)
        return {
            (of, len(question.claims) + k): ([tests[k] for tests in by_look], now[k])
            for k in range(count)
        }

    def _interactions(
        self, question: Question, levels: Sequence[LevelAnswer], seeds: int | None
    ) -> tuple[InteractionTest, ...]:
        return self._memo.get(
            ("interactions", question.id, seeds),
            levels,
            lambda: interaction_tests(question, [level.records[:seeds] for level in levels]),
        )

    def _left(
        self, place: Number, test: ClaimTest, decision: Decision, made: int
    ) -> OpenClaim | None:
        """The claim as one that has a look left; None if it is shown, stuck or at its end."""
        if decision.grade == "shown" or test.is_stuck or made >= len(self._plan.looks):
            return None
        seeds, levels = self._schedule.seeds, involved(test.claim)
        if not made:
            return OpenClaim(place, seeds[0], None, levels, is_unseen=True)
        forecast = next(test.forecast(decision, self._schedule, seeds[made - 1]), None)
        return OpenClaim(place, seeds[made], forecast, levels)

    def _looks(
        self, claims: Mapping[Number, ClaimAnswer], made: Mapping[Number, int]
    ) -> tuple[Look, ...]:
        if not self._plan.looks:
            return ()
        looks: list[Look] = []
        left = set(made)
        for k, seeds in enumerate(self._plan.looks):
            had = {place for place in left if made[place] > k}
            shown = {n for n in had if claims[n].grade == "shown" and claims[n].look == seeds}
            left -= shown
            spent = LAB_ALPHA * self._schedule.spent(k)
            if had:
                looks.append(Look(seeds, spent, len(shown), len(had - shown), len(left - had)))
        return tuple(looks)


def _with_times(levels: Sequence[LevelAnswer], rounds: Sequence[_Round]) -> tuple[LevelAnswer, ...]:
    """The levels with the seconds that their trainings take, round by round."""
    settings = rounds[0][0] if rounds else ()
    return tuple(
        replace(level, timed=tuple(_seconds(level, round_).seconds for round_ in rounds))
        if level.setting in settings
        else level
        for level in levels
    )


def _test(
    claim: Claim, parts: Sequence[LevelAnswer], rounds: Sequence[_Round], seeds: int | None
) -> ClaimTest:
    """The claim's levels in pairs: by seed, those that all of them have, or by round."""
    level = len(claim.level)
    bound = claim.against if not isinstance(claim.against, tuple) else None
    by_seed = [{record.seed: record for record in part.records[:seeds]} for part in parts]
    common = [seed for seed in by_seed[0] if all(seed in runs for runs in by_seed)]
    sides = [[runs[seed] for runs in by_seed] for seed in common]
    if not claim.is_timed:
        ours, theirs = [side[:level] for side in sides], [side[level:] for side in sides]
        failures = None
        if of_trained_runs(claim):
            failures = compare_failures(
                [lacks(claim, side) for side in ours], [lacks(claim, side) for side in theirs]
            )
        return ClaimTest(claim, compare(claim, ours, theirs if bound is None else bound), failures)
    times = (
        [[_seconds(part, round_) for part in parts] for round_ in rounds]
        if claim.metric == "seconds"
        else [
            [_seconds_to(claim, run, part, round_) for run, part in zip(side, parts, strict=True)]
            for side, round_ in zip(sides, rounds, strict=False)
        ]
    )
    ours, theirs = [side[:level] for side in times], [side[level:] for side in times]
    return ClaimTest(claim, compare_times(claim, ours, theirs if bound is None else bound))


def _unpaired_test(
    claim: Claim, parts: Sequence[LevelAnswer], rounds: Sequence[_Round], seeds: int | None
) -> ClaimTest:
    """The claim's two levels, whose runs share no seeds."""
    level, against = (part.records[:seeds] for part in parts)
    failures = compare_failures(
        [lacks(claim, [record]) for record in level], [lacks(claim, [record]) for record in against]
    )
    return ClaimTest(claim, compare_unpaired(claim, level, against), failures)


def _seconds(part: LevelAnswer, round_: _Round) -> Time:
    """What the level's training takes, by a round."""
    assert part.setting
    settings, timing = round_
    epoch = timing.seconds[settings.index(part.setting)]
    return Time(part.setting.training.epochs * epoch)


def _seconds_to(claim: Claim, run: Record, part: LevelAnswer, round_: _Round) -> Time:
    """What a run took to the claim's target: its epochs, each as long as in a round."""
    assert part.setting
    settings, timing = round_
    epoch, epochs = timing.seconds[settings.index(part.setting)], epochs_of(run, claim)
    return Time(epochs.value * epoch, epoch, epochs.reached)


def why_not_tested(claim: Claim, question: Question, plan: Plan) -> str:
    """What keeps these runs from testing a claim (see `ClaimAnswer.reason`); "" if nothing does."""
    if question.retune and not plan.tuning_seeds:
        return "tuned on judged seeds"
    settings = [s for i in involved(claim) for s in question.levels[i].settings]
    lengths = [s.training.epochs for s in settings if not isinstance(s.model, SteplessModel)]
    cut = [now for i in involved(claim) for now, own in question.levels[i].cut]
    # A claim about no length in particular can be tested on part of an epoch; and a recipe has its
    # own length, however short: what it is set against must be long enough, and nothing cut short.
    if claim.epochs > 1 and lengths and claim.epochs > min([max(lengths), *cut]):
        return "too short"
    # A decline is measured from the first epochs to the last, in every run, an estimator's too.
    if claim.metric == "decline" and min(s.training.epochs for s in settings) < 2:
        return "too few epochs"
    return ""
