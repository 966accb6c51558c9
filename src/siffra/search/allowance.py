"""What is left of a search's time, and what the runs to come will take of it."""

from collections.abc import Callable

FEWEST_FINALS = 2
"""Seeds that the winner is scored with, whatever time is left."""
_FILL = 0.97
"""How much of the budget is planned for: times vary."""
_KEPT_BACK = 0.3
"""The share of the time that is kept for the winner."""


class Allowance:
    """The seconds of a search. `spent` of its `time` are over when it begins, or goes on.

    What a run takes beside its training, for scoring and compiling, is learned from those made.
    """

    def __init__(
        self, budget: float, time: float, spent: float, clock: Callable[[], float]
    ) -> None:
        self.budget, self.time = budget, time
        self.clock = clock
        self._begun = clock() - spent
        self._overhead = budget / 2

    @property
    def spent(self) -> float:
        """Seconds that the search has taken."""
        return self.clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds until its time is over."""
        return self.time - self.spent

    @property
    def spare(self) -> float:
        """Seconds left but for those that are kept for the winner."""
        return self.left - max(_KEPT_BACK * self.time, FEWEST_FINALS * self.cost(1.0))

    def cost(self, share: float) -> float:
        """Predicted seconds of a run that trains for so much of the budget."""
        return share * self.budget + self._overhead

    def planned(self, share: float = 1.0) -> float:
        """Seconds of training that are aimed at, for so much of the budget."""
        return _FILL * share * self.budget

    def steps(self, seconds_per_step: float) -> int:
        """How many steps are planned for the whole budget where one takes so long."""
        return int(self.planned() / max(seconds_per_step, 1e-9))

    def learn(self, overhead: float) -> None:
        """A run of the race took so many seconds beside its training."""
        self._overhead += (overhead - self._overhead) / 4
