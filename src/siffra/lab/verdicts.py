"""From estimates to answers: what each claim's verdict is, and what was seen at each level."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from siffra.lab.plan import Claim, Experiment, Level, Plan, Question
from siffra.lab.statistics import Estimate, Summary
from siffra.run import Record

Verdict = Literal["supported", "refuted", "no difference", "inconclusive", "not tested"]


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What became of a claim. `estimate` is None when it was not tested.

    `seeds_needed` says, for an inconclusive claim, about how many seeds would decide it (None:
    more than 1,000, or cannot be said). `reason` is a short code for what is unusual:
    "too short", "never reached", "too few seeds", "" if nothing is.
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate | None
    seeds_needed: int | None
    reason: str


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
class QuestionAnswer:
    """A question with all that was found.

    `best` is the index of the level with the highest mean validation accuracy, and `edge` names
    the varied knobs of which that level has the largest or smallest value tried (so that the true
    best may lie outside).
    """

    question: Question
    levels: tuple[LevelAnswer, ...]
    claims: tuple[ClaimAnswer, ...]
    best: int
    edge: tuple[str, ...]


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
    """Everything a report says. Claims of all questions are judged together (Holm)."""

    plan: Plan
    questions: tuple[QuestionAnswer, ...]
    experiments: tuple[ExperimentAnswer, ...]
