"""The race: candidates run in rounds, and only the best third of each advances.

The first round is short and has one seed. The next trains for the whole budget, and those after
it repeat that with more and more fresh seeds, as iterated racing does (López-Ibáñez et al. 2016).
A candidate advances as soon as it is in the best third of those that have finished its round
(asynchronous successive halving: Li et al. 2020), so that the race can end at any time. Optuna's
pruners stop a trial for good; here a candidate that waits may still advance later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator

from siffra.config import Setting

FIRST_SEED = 1000
"""First seed of the race; the winner is scored on lower ones, which chose nothing."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round trains for a share of the budget, with this many seeds in all."""

    share: float
    seeds: int


SHORT = 0.25
"""The share of the budget that the first round trains for."""
ROUNDS = (Round(SHORT, 1), Round(1.0, 1), Round(1.0, 3), Round(1.0, 6), Round(1.0, 10))
_HOME_ROUND = 2
"""The round that the first candidate reaches in any case."""
_GO_ON = 3
"""One in this many advances to the next round."""


Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Difference = Annotated[float, Field(allow_inf_nan=False)]
"""Seconds that are the difference of two clocks, which rounding can take below 0."""

_Setting = Annotated[
    Setting,
    PlainValidator(lambda x: x if isinstance(x, Setting) else Setting.from_knobs(x)),
    PlainSerializer(lambda setting: setting.knobs()),
]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a candidate: accuracy by set (fractions) and training time in seconds.

    `overhead` is the time beside training, and `scoring` the part of it that scoring takes on an
    idle machine; 0 where unknown. With more than one run `at_once`, each had one thread.
    """

    steps: Count
    seed: Count
    accuracy: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
    seconds: Seconds
    overhead: Difference = 0.0
    scoring: Difference = 0.0
    at_once: Count = 1

    @property
    def score(self) -> float:
        """The mean accuracy over the sets."""
        return sum(self.accuracy.values()) / len(self.accuracy)


@dataclass(slots=True)
class Candidate:
    """A setting in the race.

    Args:
        number: Its position among all candidates, and the number of its trial.
        setting: What is trained, for another number of epochs.
        parameters: The parameters of the search space that the setting was made of.
        origin: The recipe that it started from, or empty.
        steps: Training steps that fit the whole budget; 0 if too few fit to take part.
        short_steps: Training steps in the first round.
        runs: All its runs. Those with another number of steps, from before it was corrected, do
            not count.
        final_steps: Training steps of the runs scored on the test sets; 0 until settled.
        entering: Seconds taken to propose and time it; 0 where unknown.
        step_alone: Seconds of a step alone on the machine, by which a busy one is told; 0 where
            unknown. It is kept, so that a search which goes on comes to the same steps.
    """

    number: Count
    setting: _Setting
    parameters: dict[str, Any]
    origin: str
    steps: Count
    short_steps: Count
    runs: list[Run] = field(default_factory=list)
    final_steps: Count = 0
    entering: Difference = 0.0
    step_alone: Seconds = 0.0

    def runs_in(self, stage: int) -> list[Run]:
        """The runs that count in a round, by seed."""
        steps, last = self.steps_in(stage), FIRST_SEED + ROUNDS[stage].seeds
        runs = [run for run in self.runs if run.steps == steps and run.seed < last]
        return sorted(runs, key=lambda run: run.seed)

    def steps_in(self, stage: int) -> int:
        """Training steps in a round."""
        return self.short_steps if ROUNDS[stage].share < 1 else self.steps

    @property
    def whole_runs(self) -> list[Run]:
        """The runs for the whole budget."""
        return [run for run in self.runs if run.steps == self.steps]

    def has_run(self, stage: int) -> bool:
        """Whether it has finished a round."""
        return len(self.runs_in(stage)) == ROUNDS[stage].seeds

    def score(self, stage: int) -> float:
        """Mean score in a round that it has finished."""
        return fmean(run.score for run in self.runs_in(stage))

    @property
    def furthest(self) -> int:
        """The last round that it has finished; -1 for none."""
        return max((stage for stage in range(len(ROUNDS)) if self.has_run(stage)), default=-1)


@dataclass(frozen=True, slots=True)
class Turn:
    """The next run, in the round `stage`."""

    candidate: Candidate
    stage: int
    seed: int
    steps: int

    @property
    def share(self) -> float:
        """The share of the budget that it trains for."""
        return ROUNDS[self.stage].share


def next_turn(candidates: Sequence[Candidate], others: Sequence[Turn] = ()) -> Turn | None:
    """The next run of the race; None when a new candidate is wanted.

    The `others` are made at the same time: it is none of them, and does not wait for their scores.
    The first candidate, the *home*, is what the others have to beat: it advances to the third
    round without beating anybody, and further as soon as another gets there.
    """
    able = [candidate for candidate in candidates if candidate.steps > 0]
    if not able:
        return None
    home = able[0]
    reached = max((c.furthest for c in able if c is not home), default=-1)
    waiting = [(home, home.furthest + 1)] if home.furthest < max(reached, _HOME_ROUND) else []
    for stage in reversed(range(len(ROUNDS) - 1)):
        better = _better_third(able, stage)
        waiting += [(each, stage + 1) for each in better if not each.has_run(stage + 1)]
    waiting += [(candidate, 0) for candidate in able if candidate.furthest < 0]
    turns = (_turn(candidate, stage, others) for candidate, stage in waiting)
    return next((turn for turn in turns if turn), None)


def keeps_busy(turns: Sequence[Turn], at_once: int) -> bool:
    """Whether there are runs enough for as many at once, from the beginning to the end."""
    shares = [turn.share for turn in turns]
    return bool(shares) and sum(shares) >= at_once * max(shares)


def ranking(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that have finished a round: the furthest first, and by score within a round."""
    ran = [c for c in candidates if c.steps > 0 and c.furthest >= 0]
    return sorted(ran, key=lambda c: (c.furthest, c.score(c.furthest)), reverse=True)


def _better_third(candidates: Sequence[Candidate], stage: int) -> list[Candidate]:
    ran = [candidate for candidate in candidates if candidate.has_run(stage)]
    ran.sort(key=lambda candidate: candidate.score(stage), reverse=True)
    return ran[: len(ran) // _GO_ON]


def _turn(candidate: Candidate, stage: int, others: Sequence[Turn]) -> Turn | None:
    """The candidate's next run in a round that it has not finished; None if `others` has it."""
    taken = {run.seed for run in candidate.runs_in(stage)}
    taken |= {turn.seed for turn in others if turn.candidate is candidate}
    seeds = range(FIRST_SEED, FIRST_SEED + ROUNDS[stage].seeds)
    seed = next((seed for seed in seeds if seed not in taken), None)
    return None if seed is None else Turn(candidate, stage, seed, candidate.steps_in(stage))
