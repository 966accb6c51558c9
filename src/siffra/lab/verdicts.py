"""From estimates to answers: what each claim's verdict is, and what was seen at each level.

A claim is judged by the interval of the difference that it claims to be positive, at a level
that allows for the number of claims:

- inside ±margin: `no difference` (`supported`, if the claim is that they are the same);
- else wholly above zero: `supported`; wholly below: `refuted` (a claim of sameness is `refuted`
  wholly outside ±margin);
- else `inconclusive`, as is everything that was run with a single seed, and every claim about a
  target that neither side reached in some seed.

Two kinds of mistake can be made: to see a difference that is not there, and to miss one that
matters. Each has its own Holm sequence (Holm 1979) over all claims of the lab, so that in at
most 5 % of labs any mistake of that kind is made. One sequence for both would not do: Holm's
level rises with every hypothesis that is found false, and a claim that was rightly found to
make no difference has left its hypothesis "nothing differs" true. (Labs of 10 claims and 10
seeds in which nothing differs then claim a difference in up to 7.5 % of cases.)
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from siffra.config import Setting
from siffra.lab.plan import Claim, Experiment, Level, Plan, Question
from siffra.lab.statistics import (
    Comparison,
    Estimate,
    Summary,
    compare,
    margin_of,
    summarise,
)
from siffra.run import CURVE_SETS, Record

Verdict = Literal["supported", "refuted", "no difference", "inconclusive", "not tested"]
Records = Mapping[tuple[Setting, int], Record]

FAMILY_ERROR = 0.05
"""The share of labs that may make any mistake of one kind."""

MOST_SEEDS = 1000
"""A claim that would need more seeds than this is not worth a forecast."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What became of a claim.

    `estimate` is None when it was not tested, or there was nothing to estimate it from.
    `seeds_needed` says, for an inconclusive claim, about how many seeds would decide it (None:
    more than 1,000, or cannot be said). `reason` is a short code for what is unusual:
    "too short", "never reached" (by neither side in some seed), "too few seeds", "several
    machines" (times of `left_out` seeds were not compared: the runs are not all from the machine
    and number of threads that most are from), "" if nothing is. `look` is the number of seeds at
    which a lab with looks decided the claim (None: not decided, or a lab without).
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate | None
    seeds_needed: int | None
    reason: str
    left_out: int = 0
    look: int | None = None


@dataclass(frozen=True, slots=True)
class LevelAnswer:
    """What was seen at a level, over seeds. `records` are the chosen runs, one a seed.

    `accuracy` is by set. `retuned` counts how often each combination of the retuned knobs was
    chosen (empty when nothing was retuned).
    """

    level: Level
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    seconds: Summary
    diverged: int
    retuned: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Loss:
    """Where a value of a knob is worst off: with the other knob at `at`, against the value `to`.

    `estimate` is the accuracy of `value` minus that of `to`, on validation.
    """

    value: Any
    at: Any
    to: Any
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether the best value of one `knob` depends on the value of another, `by`.

    - "depends": no value of `knob` is the best at every value of `by`; each loses somewhere,
      beyond chance (`losses` has one for each value).
    - "same": the value `common` is, wherever `by` is set, within `margin` of the best.
    - "inconclusive": neither was shown.

    Best is best on validation. `best` has the value with the highest mean there, for each value
    of `by`; `losses` has where each value of `knob` loses most clearly.
    """

    knob: str
    by: str
    verdict: Literal["depends", "same", "inconclusive"]
    margin: float
    best: tuple[tuple[Any, Any], ...]
    common: Any
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One of the looks of a lab that adds seeds until it is decided.

    `spent` is the share of labs that may have made a mistake by now (the last: all of the
    lab's allowance). At this look `decided` claims were decided, and `open` were left.
    """

    seeds: int
    spent: float
    decided: int
    open: int


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question with all that was found.

    `best` is the index of the level with the highest mean validation accuracy (0 while there
    is none), and `edge` names the varied knobs of which that level has the largest or smallest
    value tried (so that the true best may lie outside). `interactions` has one for each order of
    two varied knobs, if all combinations were tried; else none.
    """

    question: Question
    levels: tuple[LevelAnswer, ...]
    claims: tuple[ClaimAnswer, ...]
    best: int
    edge: tuple[str, ...]
    interactions: tuple[Interaction, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentAnswer:
    """An experiment with what was found, over seeds."""

    experiment: Experiment
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    seconds: Summary
    diverged: int


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything a report says. Claims of all questions are judged together (Holm).

    `looks` has those that were made, of a lab that adds seeds until it is decided. `missing` is
    the number of runs that the answers should rest on and that are not there.
    """

    plan: Plan
    questions: tuple[QuestionAnswer, ...]
    experiments: tuple[ExperimentAnswer, ...]
    looks: tuple[Look, ...] = ()
    missing: int = 0


def answer(plan: Plan, records: Records) -> Answers:
    """Answer every question of `plan` from the `records` of its runs.

    Records may be missing (a lab that was stopped, or is still going on): each claim is judged
    by the seeds that all its levels have, and is inconclusive with fewer than two of them. Such
    verdicts are provisional: to stop as soon as one pleases is to look too often.
    """
    seen = [
        tuple(_see_level(question, level, plan.seeds, records) for level in question.levels)
        for question in plan.questions
    ]
    judged = iter(
        judge(
            [
                (claim, _test(claim, levels))
                for question, levels in zip(plan.questions, seen, strict=True)
                for claim in question.claims
            ]
        )
    )
    return Answers(
        plan=plan,
        questions=tuple(
            _answer_question(question, levels, judged)
            for question, levels in zip(plan.questions, seen, strict=True)
        ),
        experiments=tuple(_see_experiment(e, plan.seeds, records) for e in plan.experiments),
    )


def judge(tests: Sequence[tuple[Claim, Comparison | None]]) -> tuple[ClaimAnswer, ...]:
    """The verdicts of a lab's claims, which share one allowance for mistakes.

    A comparison of None means that the claim was not tested; it does not count among them. A
    claim that was tested and cannot be decided (one seed, a target never reached) does.
    """
    tested = [(claim, comparison) for claim, comparison in tests if comparison is not None]
    levels = zip(
        holm([comparison.level_inside(margin_of(claim)) for claim, comparison in tested]),
        holm([comparison.level_outside(_zone(claim)) for claim, comparison in tested]),
        strict=True,
    )
    return tuple(
        ClaimAnswer(claim, "not tested", None, None, "too short")
        if comparison is None
        else _judge(claim, comparison, *next(levels))
        for claim, comparison in tests
    )


def holm(p_values: Sequence[float], error: float = FAMILY_ERROR) -> list[float]:
    """The level at which each hypothesis is tested; it is rejected if its p-value is no higher.

    The smallest of m p-values is tested at error / m, the next at error / (m - 1), and so on
    until the first that is not rejected, whose level all the rest share.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    levels = [error] * len(p_values)
    left = len(p_values)
    failed = False
    for i in sorted(range(len(p_values)), key=p_values.__getitem__):
        levels[i] = error / left
        failed = failed or p_values[i] > levels[i]
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


def _judge(claim: Claim, comparison: Comparison, inside: float, outside: float) -> ClaimAnswer:
    """Judge one claim at its level for sameness (`inside`) and that for a difference."""
    same = "supported" if claim.direction == "same" else "no difference"
    level = min(inside, outside)
    for candidate, is_its_own in ((inside, {same}), (outside, {"supported", "refuted"} - {same})):
        if verdict(claim, *comparison.interval(candidate)) in is_its_own:
            level = candidate
            break
    found = verdict(claim, *comparison.interval(level))
    return ClaimAnswer(
        claim=claim,
        verdict=found,
        estimate=comparison.estimate(level) if comparison.seeds else None,
        seeds_needed=_seeds_needed(claim, comparison, level) if found == "inconclusive" else None,
        reason=_reason(comparison),
    )


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


def _reason(comparison: Comparison) -> str:
    if comparison.seeds + comparison.silent < 2:
        return "too few seeds"
    return "never reached" if comparison.silent else ""


def _zone(claim: Claim) -> float:
    """How far from zero a difference must lie to be one."""
    return margin_of(claim) if claim.direction == "same" else 0.0


def _test(claim: Claim, levels: Sequence[LevelAnswer]) -> Comparison | None:
    """Pair the claim's levels by seed, those seeds that all of them have; None: too short."""
    against = claim.against if isinstance(claim.against, tuple) else ()
    involved = [levels[i] for i in (*claim.level, *against)]
    shortest = min(s.training.epochs for seen in involved for s in seen.level.settings)
    # A decline is measured between fifths of the epochs.
    if shortest < claim.epochs or (claim.metric == "decline" and shortest < 5):
        return None
    by_seed = [{record.seed: record for record in seen.records} for seen in involved]
    seeds = [seed for seed in by_seed[0] if all(seed in runs for runs in by_seed)]
    sides = [[runs[seed] for runs in by_seed] for seed in seeds]
    first = [side[: len(claim.level)] for side in sides]
    if not isinstance(claim.against, tuple):
        return compare(claim, first, claim.against)
    return compare(claim, first, [side[len(claim.level) :] for side in sides])


def _answer_question(
    question: Question, levels: tuple[LevelAnswer, ...], judged: Iterator[ClaimAnswer]
) -> QuestionAnswer:
    scores = [level.accuracy["val"].mean for level in levels]
    best = max(range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i])
    return QuestionAnswer(
        question=question,
        levels=levels,
        claims=tuple(next(judged) for _ in question.claims),
        best=best,
        edge=() if math.isnan(scores[best]) else _edge(question, question.levels[best]),
    )


def _edge(question: Question, best: Level) -> tuple[str, ...]:
    """The varied knobs with numbers for values of which `best` has an outermost one."""
    found = []
    for name in question.vary:
        if any(name not in level.knobs for level in question.levels):
            continue  # a knob that some levels lack has no outermost value
        tried = {level.knobs[name] for level in question.levels if _is_number(level.knobs[name])}
        if len(tried) > 1 and best.knobs[name] in (min(tried), max(tried)):
            found.append(name)
    return tuple(found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _see_level(
    question: Question, level: Level, seeds: Sequence[int], records: Records
) -> LevelAnswer:
    complete = [s for s in seeds if all((setting, s) in records for setting in level.settings)]
    chosen = {seed: _retuned(level, seed, complete, records) for seed in complete}
    runs = tuple(records[setting, seed] for seed, setting in chosen.items())
    retuned = Counter(_spell(setting, question.retune) for setting in chosen.values())
    return LevelAnswer(
        level=level,
        records=runs,
        accuracy=_accuracies(runs),
        seconds=summarise([run.seconds for run in runs], "ratio"),
        diverged=sum(run.diverged for run in runs),
        retuned=dict(retuned) if question.retune else {},
    )


def _retuned(level: Level, seed: int, seeds: Sequence[int], records: Records) -> Setting:
    """The level's setting that does best on validation with the *other* seeds.

    Chosen by its own seed's validation it would look better than it is: the luck that got it
    chosen would be in its score. (With one seed there is nothing else to go by.)
    """
    judges = [s for s in seeds if s != seed] or [seed]
    return max(
        level.settings,
        key=lambda setting: math.fsum(records[setting, s].accuracy["val"] for s in judges),
    )


def _spell(setting: Setting, names: Sequence[str]) -> str:
    knobs = setting.knobs()
    return ", ".join(f"{name} = {knobs[name]}" for name in names if name in knobs)


def _see_experiment(
    experiment: Experiment, seeds: Sequence[int], records: Records
) -> ExperimentAnswer:
    keys = [(experiment.setting, seed) for seed in seeds]
    runs = tuple(records[key] for key in keys if key in records)
    return ExperimentAnswer(
        experiment=experiment,
        records=runs,
        accuracy=_accuracies(runs),
        seconds=summarise([run.seconds for run in runs], "ratio"),
        diverged=sum(run.diverged for run in runs),
    )


def _accuracies(runs: Sequence[Record]) -> dict[str, Summary]:
    return {
        name: summarise([run.accuracy[name] for run in runs]) for name in ("train", *CURVE_SETS)
    }
