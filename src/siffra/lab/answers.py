"""From records to answers: what each claim's verdict is, and what was seen at each level.

How a verdict is reached is `siffra.lab.stats.decisions`' matter, and at which looks,
`siffra.lab.stats.rounds`'.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from siffra.lab.execute.results import Shortfall
from siffra.lab.plan.plan import Experiment, Plan, Question
from siffra.lab.stats.decisions import ClaimAnswer, Verdict
from siffra.lab.stats.edges import Edge, edges_of_best
from siffra.lab.stats.interactions import Interaction, Loss
from siffra.lab.stats.levels import (
    LevelAnswer,
    Memo,
    Records,
    RepeatedRuns,
    accuracies_of,
    all_seeds,
    runs_of,
    sets_of,
    validation_score,
)
from siffra.lab.stats.rounds import (
    Look,
    Number,
    OpenClaim,
    Rounds,
    Timings,
    judge_rounds,
)
from siffra.lab.stats.summaries import Summary, summarise, summarise_metric
from siffra.training.run import Record

__all__ = [
    "Answers",
    "ClaimAnswer",
    "Edge",
    "ExperimentAnswer",
    "Interaction",
    "LevelAnswer",
    "Look",
    "Loss",
    "OpenClaim",
    "QuestionAnswer",
    "Records",
    "Shortfall",
    "Verdict",
    "answer",
]


@dataclass(frozen=True, slots=True)
class QuestionAnswer:
    """A question with all that was found.

    `best` is the index of the level with the highest mean validation accuracy (0 while there is
    none), to which a run that diverged adds nothing, and `edge` names the varied knobs of which
    that level has the largest or smallest value tried (so that a better one may lie beyond).
    `interactions` has one for each order of
    two varied knobs, if all combinations were tried; else none.

    If a lab had no time for all levels, `untrained` has the indices of those that lack a first
    look of `first_runs` runs, which would take `first_look` wall seconds. What is best, or
    interacts, is then not known.
    """

    question: Question
    levels: tuple[LevelAnswer, ...]
    claims: tuple[ClaimAnswer, ...]
    best: int
    edge: tuple[Edge, ...]
    interactions: tuple[Interaction, ...] = ()
    untrained: tuple[int, ...] = ()
    first_look: float = 0.0
    first_runs: int = 0

    @property
    def judged(self) -> tuple[LevelAnswer, ...]:
        """The levels that had a first look, if any lack one: of others a few runs say nothing."""
        return tuple(each for i, each in enumerate(self.levels) if i not in self.untrained)


@dataclass(frozen=True, slots=True)
class ExperimentAnswer(RepeatedRuns):
    """An experiment with what was found, over seeds: see `LevelAnswer` for runs that diverged.

    `first_look` has the wall seconds that a first look would take, where there was no time for it.
    """

    experiment: Experiment
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    seconds: Summary
    diverged: int
    first_look: float = 0.0
    metrics: Mapping[str, Summary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything a report says. Claims of all questions are judged together, author by author.

    `looks` has those that were made, of a lab that adds seeds until it is decided, and `open` the
    claims that have a look left. `missing` is the number of runs that the answers should rest on
    and that are not there; a lab that came to its end without a first look at everything has a
    `shortfall` instead.
    """

    plan: Plan
    questions: tuple[QuestionAnswer, ...]
    experiments: tuple[ExperimentAnswer, ...]
    looks: tuple[Look, ...] = ()
    open: tuple[OpenClaim, ...] = ()
    missing: int = 0
    shortfall: Shortfall | None = None


def answer(
    plan: Plan,
    records: Records,
    timings: Timings | None = None,
    memo: Memo | None = None,
    shortfall: Shortfall | None = None,
) -> Answers:
    """Answer every question of `plan` from the `records` of its runs, and its `timings`.

    Records may be missing (a lab that was stopped, or is still going on): each claim is judged
    at its looks that are complete, and inconclusive before the first.

    The `memo` of an earlier answer to the same plan spares what has no new runs. A lab that came to
    its end, and not just to a stop, may have a `shortfall`.
    """
    memo = memo or Memo()
    rounds = judge_rounds(plan, records, timings, memo)
    experiments = tuple(_see_experiment(plan, e, records) for e in plan.experiments)
    questions = tuple(
        _answer_question(question, i, rounds) for i, question in enumerate(plan.questions)
    )
    answers = Answers(
        plan=plan,
        questions=questions,
        experiments=experiments,
        looks=rounds.looks,
        open=rounds.open,
        missing=_missing(plan, questions, experiments),
    )
    is_short = answers.missing or any(claim.is_unseen for claim in answers.open)
    return _short(answers, shortfall) if shortfall and is_short else answers


def _short(answers: Answers, shortfall: Shortfall) -> Answers:
    """The answers of a lab that had no time for some of its runs, which are not just missing."""
    seconds = dict(shortfall.claims)

    def of_claim(number: Number, claim: ClaimAnswer) -> ClaimAnswer:
        is_unseen = number in seconds and claim.reason in ("too few seeds", "not timed")
        if not is_unseen:
            return claim
        return replace(claim, reason="no time", first_look=seconds[number])

    def of_question(of: int, answered: QuestionAnswer) -> QuestionAnswer:
        claims = tuple(of_claim((of, i), claim) for i, claim in enumerate(answered.claims))
        answered = replace(answered, claims=claims)
        first = set(answers.plan.seeds)
        seen = [first <= {record.seed for record in level.records} for level in answered.levels]
        if all(seen):
            return answered
        return replace(
            answered,
            edge=(),
            interactions=(),
            untrained=tuple(i for i, is_seen in enumerate(seen) if not is_seen),
            first_look=shortfall.questions[of],
            first_runs=len(first),
        )

    experiments = zip(answers.experiments, shortfall.experiments, strict=True)
    return replace(
        answers,
        questions=tuple(of_question(of, each) for of, each in enumerate(answers.questions)),
        experiments=tuple(replace(each, first_look=seconds) for each, seconds in experiments),
        missing=0,
        shortfall=shortfall,
    )


def _missing(
    plan: Plan, questions: Sequence[QuestionAnswer], experiments: Sequence[ExperimentAnswer]
) -> int:
    """Of the runs of the first look, and of tuning; results that are given are all there is."""
    if plan.given:
        return 0
    due = set(plan.seeds)
    levels = [level for question in questions for level in question.levels]
    return (
        sum(len(due - {record.seed for record in level.records}) for level in levels)
        + sum(len(due - {record.seed for record in each.records}) for each in experiments)
        + sum(
            len(level.level.settings) * len(plan.tuning_seeds) - len(level.tried)
            for level in levels
            if level.setting is None
        )
    )


def _answer_question(question: Question, number: int, rounds: Rounds) -> QuestionAnswer:
    levels = rounds.levels[number]
    scores = [validation_score(run.accuracy for run in level.records) for level in levels]
    best = max(range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i])
    has_edge = bool(levels[best].trained) and not question.metrics
    return QuestionAnswer(
        question=question,
        levels=levels,
        claims=tuple(rounds.claims[number, i] for i in range(len(question.claims))),
        best=best,
        edge=edges_of_best(question, question.levels[best]) if has_edge else (),
        interactions=tuple(each for (of, _), each in rounds.interactions.items() if of == number),
    )


def _see_experiment(plan: Plan, experiment: Experiment, records: Records) -> ExperimentAnswer:
    # A question that has the same setting may have got more seeds for it: one setting, one result.
    runs = runs_of(plan, experiment.setting, all_seeds(plan), records)
    return ExperimentAnswer(
        experiment=experiment,
        records=runs,
        accuracy=accuracies_of(runs, () if experiment.metrics else sets_of(records.values())),
        seconds=summarise([run.seconds for run in runs], "ratio"),
        diverged=sum(run.diverged for run in runs),
        metrics={m.name: summarise_metric(runs, m) for m in experiment.metrics},
    )
