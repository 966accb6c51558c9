"""Whose turn it is: candidates race in rounds, and only the better third of each goes on.

The first round is short and has one seed. The next trains for the whole budget, and those after
it repeat that with more and more fresh seeds, as iterated racing does (López-Ibáñez et al. 2016).
A candidate goes on as soon as it is in the better third of those that have been through its round
(asynchronous successive halving: Li et al. 2020), so that the race can end at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator

from siffra.config import Setting

FIRST_SEED = 1000
"""The race's seeds count from here, out of the way of those that the winner is scored on."""


@dataclass(frozen=True, slots=True)
class Round:
    """For what share of the budget a round trains, and with how many seeds in all."""

    share: float
    seeds: int


SHORT = 0.25
"""The share of the budget that the first round trains for."""
ROUNDS = (Round(SHORT, 1), Round(1.0, 1), Round(1.0, 3), Round(1.0, 6), Round(1.0, 10))
_HOME_ROUND = 2
"""The round that the shipped recipe goes to in any case."""
_GO_ON = 3
"""One in so many goes on."""


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
    """One run of a candidate: its accuracies by set (fractions) and its training's seconds.

    What it took beside its training is `overhead`, and of that `scoring` what it takes to score
    it, when nothing comes between; 0 where nobody knows.
    """

    steps: Count
    seed: Count
    accuracy: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
    seconds: Seconds
    overhead: Difference = 0.0
    scoring: Difference = 0.0

    @property
    def score(self) -> float:
        """The mean accuracy over the sets."""
        return sum(self.accuracy.values()) / len(self.accuracy)


@dataclass(slots=True)
class Candidate:
    """A setting in the race.

    `steps` is how many it trains for in the whole budget, 0 where so few fit that it cannot take
    part. `origin` names the recipe that it is, or is empty. Runs of another number of steps,
    from before the number was corrected, count for nothing but are kept. `final_steps` is how
    many it trains for on the test sets, once that is settled; 0 before. To propose and to time it
    took `entering` seconds; 0 where nobody knows.
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

    def runs_in(self, stage: int) -> list[Run]:
        """Its runs that count in a round, by seed."""
        steps, last = self.steps_in(stage), FIRST_SEED + ROUNDS[stage].seeds
        runs = [run for run in self.runs if run.steps == steps and run.seed < last]
        return sorted(runs, key=lambda run: run.seed)

    def steps_in(self, stage: int) -> int:
        """How many steps it trains for in a round."""
        return self.short_steps if ROUNDS[stage].share < 1 else self.steps

    @property
    def whole_runs(self) -> list[Run]:
        """Its runs for the whole budget."""
        return [run for run in self.runs if run.steps == self.steps]

    def has_run(self, stage: int) -> bool:
        """Whether it has been through a round."""
        return len(self.runs_in(stage)) == ROUNDS[stage].seeds

    def score(self, stage: int) -> float:
        """Its mean score in a round that it has been through."""
        return fmean(run.score for run in self.runs_in(stage))

    @property
    def furthest(self) -> int:
        """The last round that it has been through; -1 for none."""
        return max((stage for stage in range(len(ROUNDS)) if self.has_run(stage)), default=-1)


@dataclass(frozen=True, slots=True)
class Turn:
    """A run to be made next, in the round `stage`."""

    candidate: Candidate
    stage: int
    seed: int
    steps: int


def next_turn(candidates: Sequence[Candidate]) -> Turn | None:
    """The next run of the race; None when a new candidate is wanted.

    The first candidate, the *home*, is what the others have to beat: it goes on to the third
    round without beating anybody, and further as soon as another has got there.
    """
    able = [candidate for candidate in candidates if candidate.steps > 0]
    if not able:
        return None
    home = able[0]
    reached = max((c.furthest for c in able if c is not home), default=-1)
    if home.furthest < max(reached, _HOME_ROUND):
        return _turn(home, home.furthest + 1)
    for stage in reversed(range(len(ROUNDS) - 1)):
        for candidate in _better_third(able, stage):
            if not candidate.has_run(stage + 1):
                return _turn(candidate, stage + 1)
    fresh = [candidate for candidate in able if candidate.furthest < 0]
    return _turn(fresh[0], 0) if fresh else None


def ranking(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that have been through a round, the furthest first, in a round by score."""
    ran = [c for c in candidates if c.steps > 0 and c.furthest >= 0]
    return sorted(ran, key=lambda c: (c.furthest, c.score(c.furthest)), reverse=True)


def _better_third(candidates: Sequence[Candidate], stage: int) -> list[Candidate]:
    ran = [candidate for candidate in candidates if candidate.has_run(stage)]
    ran.sort(key=lambda candidate: candidate.score(stage), reverse=True)
    return ran[: len(ran) // _GO_ON]


def _turn(candidate: Candidate, stage: int) -> Turn:
    made = {run.seed for run in candidate.runs_in(stage)}
    seeds = range(FIRST_SEED, FIRST_SEED + ROUNDS[stage].seeds)
    seed = next(seed for seed in seeds if seed not in made)
    return Turn(candidate, stage, seed, candidate.steps_in(stage))
