"""What a search is asked for, and what it reports while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siffra.config import Setting
from siffra.errors import SearchError
from siffra.search.time_budget import spell_seconds

LEAST_TIME = 4
"""A search takes at least so many times its budget."""

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
        SiffraError: No search can be made of it; the text says what to change.
    """

    budget: float
    time: float
    sets: tuple[str, ...]
    fixed: Mapping[str, Any]

    def __post_init__(self) -> None:
        least = LEAST_TIME * self.budget
        if self.time < least:
            raise SearchError(
                f"time: {spell_seconds(self.time)} is too little to look for what trains in "
                f"{spell_seconds(self.budget)}; it takes {spell_seconds(least)} or more."
            )
        if "epochs" in self.fixed:
            raise SearchError("epochs: a search works them out, from the budget; leave them out.")
        if not isinstance(self.fixed.get("model", "dense"), str):
            raise SearchError("model: a search proposes dense and conv models, none of your own.")
        Setting.from_knobs(self.fixed)


@dataclass(frozen=True, slots=True)
class SearchEvent:
    """What a search is about to do, and how far it is.

    `candidate` is the number of the one concerned, None for one that is not in the race yet. So
    many candidates were `tried`; `best` is the leader's score on validation images. `spent` of
    `time` seconds are over.
    """

    doing: Doing
    candidate: int | None
    seed: int
    tried: int
    best: float | None
    spent: float
    time: float
