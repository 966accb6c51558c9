"""Whose turn it is: candidates race in rounds, and only the better third of each goes on.

The first round is short and has one seed. The next trains for the whole budget, and those after
it repeat that with more and more fresh seeds, as iterated racing does (López-Ibáñez et al. 2016).
A candidate goes on as soon as it is in the better third of those that have been through its round
(asynchronous successive halving: Li et al. 2020), so that the race can end at any time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a candidate: its accuracies by set (fractions) and its training's seconds.

    What it took beside its training is `overhead`, and of that `scoring` what it takes to score
    it, when nothing comes between; 0 where nobody knows.
    """

    steps: int
    seed: int
    accuracy: Mapping[str, float]
    seconds: float
    overhead: float = 0.0
    scoring: float = 0.0

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

    number: int
    setting: Setting
    parameters: Mapping[str, Any]
    origin: str
    steps: int
    short_steps: int
    runs: list[Ran] = field(default_factory=list)
    final_steps: int = 0
    entering: float = 0.0

    def runs_of(self, number: int) -> list[Ran]:
        """Its runs that count in a round, by seed."""
        steps, one = self.steps_in(number), ROUNDS[number]
        last = FIRST_SEED + one.seeds
        found = [run for run in self.runs if run.steps == steps and run.seed < last]
        return sorted(found, key=lambda run: run.seed)

    def steps_in(self, number: int) -> int:
        """How many steps it trains for in a round."""
        return self.short_steps if ROUNDS[number].share < 1 else self.steps

    @property
    def whole_seconds(self) -> list[float]:
        """The seconds of its runs for the whole budget."""
        return [run.seconds for run in self.runs if run.steps == self.steps]

    def has_run(self, number: int) -> bool:
        """Whether it has been through a round."""
        return len(self.runs_of(number)) == ROUNDS[number].seeds

    def score(self, number: int) -> float:
        """Its mean score in a round that it has been through."""
        runs = self.runs_of(number)
        return sum(run.score for run in runs) / len(runs)

    @property
    def furthest(self) -> int:
        """The last round that it has been through; -1 for none."""
        return max((n for n in range(len(ROUNDS)) if self.has_run(n)), default=-1)


@dataclass(frozen=True, slots=True)
class Turn:
    """A run to be made next."""

    candidate: Candidate
    round: int
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
    goal = max(reached, _HOME_ROUND)
    if home.furthest < goal:
        return _turn(home, home.furthest + 1)
    for number in reversed(range(len(ROUNDS) - 1)):
        for candidate in _better_third(able, number):
            if not candidate.has_run(number + 1):
                return _turn(candidate, number + 1)
    fresh = [candidate for candidate in able if candidate.furthest < 0]
    return _turn(fresh[0], 0) if fresh else None


def ranking(
    candidates: Sequence[Candidate], counts: Callable[[Candidate], bool] = lambda candidate: True
) -> list[Candidate]:
    """Those that have been through a round, the furthest first, in a round by score."""
    ran = [c for c in candidates if c.steps > 0 and c.furthest >= 0 and counts(c)]
    return sorted(ran, key=lambda c: (c.furthest, c.score(c.furthest)), reverse=True)


def _better_third(candidates: Sequence[Candidate], number: int) -> list[Candidate]:
    ran = [candidate for candidate in candidates if candidate.has_run(number)]
    ran.sort(key=lambda candidate: candidate.score(number), reverse=True)
    return ran[: len(ran) // _GO_ON]


def _turn(candidate: Candidate, number: int) -> Turn:
    made = {run.seed for run in candidate.runs_of(number)}
    seeds = range(FIRST_SEED, FIRST_SEED + ROUNDS[number].seeds)
    seed = next(seed for seed in seeds if seed not in made)
    return Turn(candidate, number, seed, candidate.steps_in(number))
