"""What a search is asked for, and what it reports while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siffra.config import Setting
from siffra.config.durations import spell_seconds
from siffra.errors import SearchError

LEAST_TIME = 4
"""A search needs at least this many times its budget."""

Doing = Literal["timing", "trying", "confirming", "averaging"]


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """What is searched for.

    Args:
        budget: Training seconds, as siffra counts them: compiling and scoring are apart.
        time: The most seconds that the whole search takes.
        sets: The sets whose mean accuracy counts.
        fixed: Knobs that every candidate has.

    Raises:
        SiffraError: It cannot be searched for; the text says what to change.
    """

    budget: float
    time: float
    sets: tuple[str, ...]
    fixed: Mapping[str, Any]

    def __post_init__(self) -> None:
        least = LEAST_TIME * self.budget
        if self.time < least:
            raise SearchError(
                f"time: {spell_seconds(self.time)} is too short: a budget of "
                f"{spell_seconds(self.budget)} needs at least {spell_seconds(least)}."
            )
        if "epochs" in self.fixed:
            raise SearchError("epochs: a search derives them from the budget; remove this.")
        if not isinstance(self.fixed.get("model", "dense"), str):
            raise SearchError("model: a search supports only dense and conv models.")
        Setting.from_knobs(self.fixed)


@dataclass(frozen=True, slots=True)
class SearchEvent:
    """What a search does next, and how far it is.

    Args:
        doing: Timing a candidate, trying it in the race, or confirming or averaging a finalist.
        candidate: Its number; None for one that has not entered yet.
        seed: Of the run.
        tried: Candidates so far.
        best: The leader's score on validation images; None before any run.
        spent: Seconds so far.
        time: Seconds of the whole search.
    """

    doing: Doing
    candidate: int | None
    seed: int
    tried: int
    best: float | None
    spent: float
    time: float
