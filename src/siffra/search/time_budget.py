"""Seconds: spans of time as people write them, and what is left of a search's time."""

import re
from collections.abc import Callable

from siffra.errors import SearchError
from siffra.search.race import SHORT

_SPAN = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?:in)?)?(?:(?P<s>\d+(?:\.\d+)?)s?)?"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_LONGEST = 365 * 24 * 3600.0

FEWEST_FINALS = 3
"""Seeds that time is kept for to score a finalist with."""
_FILL = 0.97
"""How much of the budget is planned for: times vary."""
_KEPT_BACK = 0.3
"""The share of the time that is kept for the winner."""
_OVERHEAD = 2.0
"""Seconds that a run is thought to take beside its training before any was made, at most."""
_NEWS = 1 / 4
"""The weight of the last observation in a moving average."""


def seconds_of(span: str | float, name: str) -> float:
    """`1m30s` as 90.0; a bare number counts seconds. `name` is what is said to be wrong.

    Raises:
        SearchError: It is no span of time, or not above 0, or a year and longer.
    """
    seconds = _read(span, name) if isinstance(span, str) else float(span)
    if not seconds > 0:
        raise SearchError(f"{name}: found {span!r}; it must be longer than 0 s, as 15s.")
    if seconds >= _LONGEST:
        raise SearchError(f"{name}: found {span!r}; it must be shorter than a year, as 15s.")
    return seconds


def _read(text: str, name: str) -> float:
    squeezed = text.replace(" ", "").lower()
    match = _SPAN.fullmatch(squeezed.removeprefix("-"))
    if not squeezed.removeprefix("-") or not match:
        raise SearchError(f"{name}: found {text!r}; write a span of time, as 15s, 1m30s or 10m.")
    seconds = sum(float(part) * _SECONDS[unit] for unit, part in match.groupdict("0").items())
    return -seconds if squeezed.startswith("-") else seconds


def spell_seconds(seconds: float) -> str:
    """90.0 as `90s`, the other way round; whole minutes as `2m`."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g}m"
    return f"{seconds:g}s"


class _MovingAverage:
    """An exponentially weighted average; the first observation takes the guess's place."""

    def __init__(self, guess: float) -> None:
        self.value, self.is_guess = guess, True

    def learn(self, observed: float) -> None:
        self.value += (1.0 if self.is_guess else _NEWS) * (observed - self.value)
        self.is_guess = False


class TimeBudget:
    """The seconds of a search. `spent` of its `time` are over when it begins, or goes on.

    What a run takes beside its training, for scoring and compiling, is learned from those made.
    No time is left once it `is_over`, as it is where a search is asked for again that has ended.
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
        guess = min(budget / 2, _OVERHEAD)
        self._entering = _MovingAverage(0.0)
        self._race, self._final = _MovingAverage(guess), _MovingAverage(guess)

    @property
    def spent(self) -> float:
        """Seconds that the search has taken."""
        return self.clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds until its time is over."""
        return 0.0 if self.is_over else self.time - self.spent

    def spare(self, finalists: int = 1) -> float:
        """Seconds left but for those that are kept for the winner, and whom it is set against."""
        return self.left - max(_KEPT_BACK * self.time, finalists * FEWEST_FINALS * self.final_cost)

    def cost(self, share: float) -> float:
        """Predicted seconds of a run that trains for so much of the budget."""
        return share * self.budget + self._race.value

    @property
    def newcomer_cost(self) -> float:
        """Predicted seconds of a new candidate: to time it, and to train it to the end."""
        return self._entering.value + self.cost(SHORT) + self.cost(1.0)

    @property
    def final_overhead(self) -> float:
        """Predicted seconds beside its training of a run that is scored on the test sets."""
        return self._final.value

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

    def learn_run(self, overhead: float, in_the_end: float) -> None:
        """A run of the race took so many seconds beside its training.

        One of the leader's that is scored on the test sets is expected to take `in_the_end`.
        """
        self._race.learn(overhead)
        if self._final.is_guess:
            self._final.value = in_the_end

    def learn_entering(self, seconds: float) -> None:
        """To propose and to time a candidate took so many seconds."""
        self._entering.learn(seconds)

    def learn_final(self, overhead: float) -> None:
        """A run that was scored on the test sets took so many seconds beside its training."""
        self._final.learn(overhead)
