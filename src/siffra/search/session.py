"""What the parts of a running search share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.search.race import Candidate, ranking
from siffra.search.space import Space
from siffra.search.spec import Doing, SearchEvent, SearchSpec
from siffra.search.study import SearchStudy
from siffra.search.throughput import Throughput, with_steps
from siffra.search.time_budget import TimeBudget
from siffra.training.scored_sets import scored_sets

MUST = 2
"""Seeds that the winner is scored with even if time is up: one seed has no interval."""


@dataclass(frozen=True, slots=True)
class Session:
    """A running search. `on_event` is called before every run."""

    spec: SearchSpec
    dataset: Dataset
    space: Space
    engine: Engine
    study: SearchStudy
    time: TimeBudget
    throughput: Throughput
    on_event: Callable[[SearchEvent], None]

    def announce(self, doing: Doing, candidate: Candidate | None = None, seed: int = 0) -> None:
        """Report what is done next."""
        ranked = ranking(self.study.candidates)
        best = ranked[0].score(ranked[0].furthest) if ranked else None
        spent = min(self.time.spent, self.spec.time)
        number = candidate.number if candidate else None
        tried = len(self.study.candidates)
        self.on_event(SearchEvent(doing, number, seed, tried, best, spent, self.spec.time))

    def whole(self, candidate: Candidate, steps: int | None = None) -> Setting:
        """A candidate's setting with its steps in the whole budget, or with this many."""
        return with_steps(candidate.setting, steps or candidate.steps, len(self.dataset.train))

    def images_scored(self, setting: Setting) -> int:
        """How many images a final run is scored on, including those after each epoch."""
        sets = {name: images for name, images in self.dataset.sets.items() if name != "train"}
        in_the_end = sum(map(len, sets.values())) + min(
            len(self.dataset.train), len(self.dataset.val)
        )
        after_each = sum(map(len, scored_sets(self.dataset).curves.values()))
        return in_the_end + math.ceil(setting.training.epochs) * after_each
