"""What is left of a search's time, and what the runs to come will take of it."""

from collections.abc import Callable

from siffra.search.race import SHORT

FEWEST_FINALS = 3
"""Seeds that time is kept for to score a finalist with."""
_FILL = 0.97
"""How much of the budget is planned for: times vary."""
_KEPT_BACK = 0.3
"""The share of the time that is kept for the winner."""
_OVERHEAD = 2.0
"""Seconds that a run is thought to take beside its training before any was made, at most."""


class Allowance:
    """The seconds of a search. `spent` of its `time` are over when it begins, or goes on.

    What a run takes beside its training, for scoring and compiling, is learned from those made.
    `final_overhead` is that of a run that is scored on the test sets. No time is left once it
    `is_over`, as it is where a search is asked for again that has ended.
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
        self._begun = clock() - spent
        self._has_runs = self._has_finals = False
        self._entering = 0.0
        self._overhead = self.final_overhead = min(budget / 2, _OVERHEAD)

    @property
    def spent(self) -> float:
        """Seconds that the search has taken."""
        return self.clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds until its time is over."""
        return 0.0 if self.is_over else self.time - self.spent

    @property
    def spare(self) -> float:
        """Seconds left but for those that are kept for the winner."""
        return self.spare_beside(1)

    def spare_beside(self, finalists: int) -> float:
        """Seconds left but for those that are kept for the winner, and whom it is set against."""
        return self.left - max(_KEPT_BACK * self.time, finalists * FEWEST_FINALS * self.final_cost)

    def cost(self, share: float) -> float:
        """Predicted seconds of a run that trains for so much of the budget."""
        return share * self.budget + self._overhead

    @property
    def newcomer_cost(self) -> float:
        """Predicted seconds of a new candidate: to time it, and to train it to the end."""
        return self._entering + self.cost(SHORT) + self.cost(1.0)

    @property
    def final_cost(self) -> float:
        """Predicted seconds of a run that is scored on the test sets."""
        return self.budget + self.final_overhead

    def planned(self, share: float = 1.0) -> float:
        """Seconds of training that are aimed at, for so much of the budget."""
        return _FILL * share * self.budget

    def steps(self, seconds_per_step: float) -> int:
        """How many steps are planned for the whole budget where one takes so long."""
        return int(self.planned() / max(seconds_per_step, 1e-9))

    def learn(self, overhead: float, in_the_end: float) -> None:
        """A run of the race took so many seconds beside its training.

        One of the leader's that is scored on the test sets will take so many `in_the_end`.
        """
        weight = 1 / 4 if self._has_runs else 1
        self._overhead += weight * (overhead - self._overhead)
        self._has_runs = True
        if not self._has_finals:
            self.final_overhead = in_the_end

    def learn_entering(self, seconds: float) -> None:
        """To propose and to time a candidate took so many seconds."""
        weight = 1 / 4 if self._entering else 1
        self._entering += weight * (seconds - self._entering)

    def learn_final(self, overhead: float) -> None:
        """A run that was scored on the test sets did."""
        weight = 1 / 4 if self._has_finals else 1
        self.final_overhead += weight * (overhead - self.final_overhead)
        self._has_finals = True
