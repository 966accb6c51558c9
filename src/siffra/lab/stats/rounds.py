"""A lab's rounds: what is judged at each look, and what stays open for the next.

A lab without looks has one round, of all its seeds. One with looks is judged again from the
start whenever its answers are asked for: what was decided at a look follows from the runs of
that look alone, so that a lab which was killed comes to the same answers as one that was not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from siffra.config import EstimatorModel
from siffra.lab.plan.plan import Claim, Plan, Question
from siffra.lab.stats.decisions import AlphaBudget, ClaimAnswer, ClaimTest, moderate, not_tested
from siffra.lab.stats.estimates import Comparison, compare
from siffra.lab.stats.interactions import Interaction, InteractionTest, interaction_tests
from siffra.lab.stats.interim import LAB_ALPHA, Schedule
from siffra.lab.stats.levels import LevelAnswer, Memo, Records, answer_levels

Number = tuple[int, int]
"""Of a question, and of one of its claims; its interactions are numbered on from those."""


@dataclass(frozen=True, slots=True)
class Look:
    """One of the looks of a lab that adds seeds until it is decided.

    `spent` is the share of labs that may have made an error by now (the last: all of the lab's
    alpha). At this look `decided` claims were decided, and `open` were left.
    """

    seeds: int
    spent: float
    decided: int
    open: int


@dataclass(frozen=True, slots=True)
class Rounds:
    """How a lab stands: what was found, the claims that more seeds may decide, the looks made.

    `due` has the number of seeds that each level should have by now, by question.
    """

    claims: Mapping[Number, ClaimAnswer]
    interactions: Mapping[Number, Interaction]
    open: frozenset[Number]
    looks: tuple[Look, ...]
    due: tuple[tuple[int, ...], ...]


def judge_rounds(plan: Plan, records: Records, memo: Memo | None = None) -> Rounds:
    """Judge `plan` round by round, as far as the `records` go.

    The `memo` of an earlier judging of the same plan spares the questions without new runs.
    """
    return _Session(plan, records, memo or Memo()).judge()


def next_round(plan: Plan, records: Records) -> Plan | None:
    """The runs of the next look, for the claims that are still open; None if there is none."""
    rounds = judge_rounds(plan, records)
    made = len(rounds.looks)
    if not rounds.open or made >= len(plan.looks):
        return None
    questions = []
    for number, question in enumerate(plan.questions):
        claims = [question.claims[claim] for of, claim in rounds.open if of == number]
        wanted = {level for claim in claims for level in involved(claim)}
        levels = tuple(level for i, level in enumerate(question.levels) if i in wanted)
        questions += [replace(question, levels=levels, claims=())] if levels else []
    seeds = tuple(range(plan.looks[made - 1], plan.looks[made]))
    return replace(plan, seeds=seeds, questions=tuple(questions), experiments=(), looks=())


def involved(claim: Claim) -> tuple[int, ...]:
    """The indices of the levels that a claim compares."""
    return (*claim.level, *(claim.against if isinstance(claim.against, tuple) else ()))


_Test = ClaimTest | InteractionTest


class _Session:
    """One judging of one plan."""

    def __init__(self, plan: Plan, records: Records, memo: Memo) -> None:
        self._plan, self._records, self._memo = plan, records, memo
        self._schedule = Schedule(plan.looks or (len(plan.seeds),))
        self._claims: dict[Number, ClaimAnswer] = {}
        self._interactions: dict[Number, Interaction] = {}
        self._judged: dict[Number, _Test] = {}
        self._open: set[Number] = set()
        self._looks: list[Look] = []
        self._due = [[0] * len(question.levels) for question in plan.questions]

    def judge(self) -> Rounds:
        tests = self._tests(self._plan.seeds)
        budget = AlphaBudget(tests, self._schedule)
        self._open = set(tests)
        self._expect(len(self._plan.seeds), everywhere=True)
        self._judge_at(0, tests, budget)
        for look, seeds in enumerate(self._plan.looks[1:], start=1):
            if not self._open_claims:
                break
            self._expect(seeds)
            tests = self._tests(range(seeds))
            complete = {n: tests[n] for n in self._open if tests[n].seeds == seeds}
            if not self._open_claims <= complete.keys():
                break  # this look is under way
            self._judge_at(look, complete, budget)
        return Rounds(
            claims=self._claims,
            interactions=self._interactions,
            open=frozenset(self._open_claims),
            looks=tuple(self._looks),
            due=tuple(map(tuple, self._due)),
        )

    @property
    def _open_claims(self) -> set[Number]:
        questions = self._plan.questions
        return {(of, i) for of, i in self._open if i < len(questions[of].claims)}

    def _expect(self, seeds: int, *, everywhere: bool = False) -> None:
        """Note that the levels of open claims should have so many seeds."""
        for of, due in enumerate(self._due):
            claims = [self._plan.questions[of].claims[i] for q, i in self._open_claims if q == of]
            wanted = {level for claim in claims for level in involved(claim)}
            self._due[of] = [seeds if everywhere or i in wanted else n for i, n in enumerate(due)]

    def _tests(self, seeds: Sequence[int]) -> dict[Number, _Test]:
        """All that is tested, by the records of these seeds."""
        tests: dict[Number, _Test] = {}
        for of, question in enumerate(self._plan.questions):
            levels = answer_levels(question, seeds, self._records, self._memo)
            of_question = self._memo.get(
                ("tests", question.id, tuple(seeds)),
                levels,
                lambda question=question, levels=levels: _tests_of(question, levels),
            )
            for i, test in of_question.items():
                if isinstance(test, ClaimAnswer):
                    self._claims[of, i] = test
                else:
                    tests[of, i] = test
        return tests

    def _judge_at(
        self, look: int, tests: Mapping[Number, _Test], budget: AlphaBudget[Number]
    ) -> None:
        """Judge open `tests` at a look."""
        self._judged |= tests
        moderated = _moderated(self._judged)
        alphas = budget.share(look, {number: moderated[number] for number in tests})
        looking = bool(self._plan.looks)
        seeds, decided = self._schedule.seeds[look], 0
        for number in tests:
            test = moderated[number]
            is_decided = alphas[number].decide(test)
            if isinstance(test, InteractionTest):
                self._interactions[number] = test.judge(alphas[number])
            else:
                answer = test.judge(alphas[number])
                decided_at = seeds if looking and is_decided else None
                self._claims[number] = replace(answer, look=decided_at)
                decided += is_decided
                # A seed in which neither side reaches the target leaves it open for good, and so,
                # as far as can be seen, do runs that leave open the side that would decide.
                is_decided |= test.comparison.silent > 0
                is_decided |= answer.reason in ("unreached", "diverged")
            if is_decided:
                self._open.remove(number)
        if looking:
            spent = LAB_ALPHA * self._schedule.spent(look)
            self._looks.append(Look(seeds, spent, decided, len(self._open_claims)))


def _moderated(tests: Mapping[Number, _Test]) -> dict[Number, _Test]:
    """The tests with the variances of all their comparisons moderated, kind by kind."""
    comparisons: list[Comparison] = []
    kinds: list[object] = []
    for test in tests.values():
        comparisons += test.comparisons
        kinds += [test.kind] * len(test.comparisons)
    shrunk = iter(moderate(comparisons, kinds))
    return {
        number: test.with_comparisons([next(shrunk) for _ in test.comparisons])
        for number, test in tests.items()
    }


def _tests_of(question: Question, levels: Sequence[LevelAnswer]) -> dict[int, _Test | ClaimAnswer]:
    """The tests of a question's claims, or why they are not tested, then its interactions."""
    tests: dict[int, _Test | ClaimAnswer] = {}
    for i, claim in enumerate(question.claims):
        reason = _why_not_tested(claim, question)
        tests[i] = not_tested(claim, reason) if reason else ClaimTest(claim, _pair(claim, levels))
    interactions = interaction_tests(question, [level.records for level in levels])
    return tests | dict(enumerate(interactions, start=len(question.claims)))


def _why_not_tested(claim: Claim, question: Question) -> str:
    """What keeps these runs from testing a claim (see `ClaimAnswer.reason`); "" if nothing does."""
    settings = [s for i in involved(claim) for s in question.levels[i].settings]
    lengths = [s.training.epochs for s in settings if not isinstance(s.model, EstimatorModel)]
    cut = [now for i in involved(claim) for now, own in question.levels[i].cut]
    # A claim about no length in particular can be tested on part of an epoch; and a recipe has its
    # own length, however short: what it is set against must be long enough, and nothing cut short.
    if claim.epochs > 1 and lengths and claim.epochs > min([max(lengths), *cut]):
        return "too short"
    # A decline is measured from the first epochs to the last, in every run, an estimator's too.
    if claim.metric == "decline" and min(s.training.epochs for s in settings) < 2:
        return "too few epochs"
    return ""


def _pair(claim: Claim, levels: Sequence[LevelAnswer]) -> Comparison:
    """Pair the claim's levels by seed, those seeds that all of them have."""
    by_seed = [{record.seed: record for record in levels[i].records} for i in involved(claim)]
    seeds = [seed for seed in by_seed[0] if all(seed in runs for runs in by_seed)]
    sides = [[runs[seed] for runs in by_seed] for seed in seeds]
    first = [side[: len(claim.level)] for side in sides]
    if not isinstance(claim.against, tuple):
        return compare(claim, first, claim.against)
    return compare(claim, first, [side[len(claim.level) :] for side in sides])
