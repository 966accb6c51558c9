"""A search's time: how much is left, and what runs will take."""

import math
from collections.abc import Callable

from siffra.search.race import SHORT

FEWEST_FINALS = 3
"""Seeds of each finalist that time is reserved for."""
_FILL = 0.97
"""The share of the budget that runs aim at: times vary."""
_KEPT_BACK = 0.3
"""The share of the time that is reserved for the winner, at least."""
_OVERHEAD = 2.0
"""Assumed overhead of a run in seconds before the first one, at most."""
_NEWS = 1 / 4
"""The weight of the latest observation in a moving average."""


class _MovingAverage:
    """An exponentially weighted average; the first observation replaces the guess."""

    def __init__(self, guess: float) -> None:
        self.value, self.is_guess = guess, True

    def learn(self, observed: float) -> None:
        self.value += (1.0 if self.is_guess else _NEWS) * (observed - self.value)
        self.is_guess = False


class TimeBudget:
    """The seconds of a search; predicts what runs will take.

    A run's overhead, the time beside training for scoring and compiling, is learned from earlier
    runs.

    Args:
        budget: Training seconds of a run.
        time: Seconds of the whole search.
        spent: Seconds spent before now.
        clock: Seconds from any origin.
        is_over: Whether no time is left, as when a search that has ended is asked for again.

    `at_once` says how many runs of the race are made at once.
    """

    def __init__(
        self,
        budget: float,
        time: float,
        spent: float,
        clock: Callable[[], float],
        *,
        is_over: bool = False,
    ) -> None:
        self.budget, self.time = budget, time
        self.clock, self.is_over = clock, is_over
        self.at_once = 1
        self._begun = clock() - spent
        guess = min(budget / 2, _OVERHEAD)
        self._entering = _MovingAverage(0.0)
        # How many times as long as its share of the budget a run of the race trains.
        self._pace = _MovingAverage(1.0)
        self._race, self._final = _MovingAverage(guess), _MovingAverage(guess)

    @property
    def spent(self) -> float:
        """Seconds spent so far."""
        return self.clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds left."""
        return 0.0 if self.is_over else self.time - self.spent

    def spare(self, finalists: int = 1) -> float:
        """Seconds left after the reserve for the finalists."""
        return self.left - max(_KEPT_BACK * self.time, finalists * FEWEST_FINALS * self.final_cost)

    def cost(self, *shares: float) -> float:
        """Predicted seconds of runs that train for these shares of the budget."""
        training = max(max(shares), sum(shares) / self.at_once) * self.budget * self._pace.value
        return training + math.ceil(len(shares) / self.at_once) * self._race.value

    def newcomer_cost(self, *shares: float) -> float:
        """Predicted seconds of a new candidate: to find it, to time it, and for two rounds.

        The first is made along with runs of these shares of the budget.
        """
        return self._entering.value + self.cost(*shares, SHORT) + self.cost(1.0)

    @property
    def final_overhead(self) -> float:
        """Predicted overhead of a run that is scored on the test sets, in seconds."""
        return self._final.value

    @property
    def final_cost(self) -> float:
        """Predicted seconds of a run that is scored on the test sets."""
        return self.budget + self.final_overhead

    def planned(self, share: float = 1.0) -> float:
        """Training seconds aimed at, for this share of the budget."""
        return _FILL * share * self.budget

    def steps(self, seconds_per_step: float) -> int:
        """Steps planned for the whole budget."""
        return int(self.planned() / max(seconds_per_step, 1e-9))

    def learn_pace(self, pace: float) -> None:
        """Note how many times as long as its share of the budget a run of the race trained."""
        self._pace.learn(pace)

    def learn_run(self, overhead: float, final_overhead: float) -> None:
        """Note the overhead of a run of the race, and what the leader's final runs should have."""
        self._race.learn(overhead)
        if self._final.is_guess:
            self._final.value = final_overhead

    def learn_entering(self, seconds: float) -> None:
        """Note how long it took to propose and time a candidate."""
        self._entering.learn(seconds)

    def learn_final(self, overhead: float) -> None:
        """Note the overhead of a run that was scored on the test sets."""
        self._final.learn(overhead)
