"""A search from beginning to answer: data and store are opened, and it goes on where it was.

What a search has done is kept beside the store, in a folder named by what decides it: the budget,
the sets, the data, the machine, the recipes that it starts from. The same search is gone on with;
with more time, too.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siffra.config import Setting
from siffra.config.recipes import Recipe, find_recipe, shipped_names
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.engine.base import Engine
from siffra.errors import SearchError
from siffra.search.answer import SearchAnswer, answer
from siffra.search.asked import Asked, Now
from siffra.search.budget import spell_seconds
from siffra.search.held_out import chosen_sets, held_out
from siffra.search.journal import Journal
from siffra.search.search import LEAST_TIME, Search
from siffra.search.space import SPACE, Space
from siffra.search.study import study_references
from siffra.store.schema import beside
from siffra.store.store import open_store
from siffra.system.cpu import bare_name
from siffra.training.run import Machine, this_machine

_PER_SECOND, _FEWEST_JUDGES = 1000, 2000
"""Validation images that candidates are judged by: so many for each second of the budget."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A search's answer, and the file of the winner's model (safetensors)."""

    answer: SearchAnswer
    model: Path


def search(
    budget: float,
    seconds: float,
    *,
    sets: Sequence[str] | None,
    fixed: Mapping[str, Any],
    source: DataSource | None,
    engine: Engine,
    store: Path,
    dataset: Dataset | None = None,
    recipes: Sequence[Recipe] | None = None,
    on_event: Callable[[Now], None] = lambda now: None,
    clock: Callable[[], float] = time.monotonic,
) -> Ended:
    """Look for what trains best in `budget` seconds here, for at most so many `seconds`.

    Args:
        budget: Training seconds, as siffra counts them: compiling and scoring are apart.
        seconds: The most that looking takes, all of it.
        sets: Whose mean accuracy counts: `test`, `moved` and what other shifted sets there are,
            or some of them; None for all.
        fixed: Knobs that every candidate has.
        source: The data set; None for one that is in no file, but only in `dataset`.
        engine: What trains.
        store: The file of finished runs; the search is kept beside it.
        dataset: The data set, if it is loaded already.
        recipes: Where to start; without it, the shipped ones.
        on_event: Called before every run with what is going on.
        clock: Seconds, from whenever.

    Raises:
        SiffraError: What is asked for cannot be searched; the text says what to change.
    """
    _check(budget, seconds, fixed)
    dataset = dataset or load_dataset(source)
    asked = Asked(budget, seconds, chosen_sets(sets, dataset), dict(fixed))
    most = max(_FEWEST_JUDGES, int(_PER_SECOND * budget))
    judged_by = held_out(dataset, source.seed if source else 0, asked.sets, most)
    space = Space.of(dataset, asked.fixed)
    starts = [find_recipe(name) for name in shipped_names()] if recipes is None else recipes
    folder = _folder(beside(store, ".searches"), asked, dataset, engine, starts)
    with open_store(store) as runs, Journal(folder) as journal:
        looking = Search(asked, dataset, space, judged_by, engine, runs, journal, on_event, clock)
        found = looking.make(sorted(starts, key=lambda recipe: _distance(recipe, budget)))
        study = study_references(runs.records(dataset=dataset.name), dataset, source, engine)
        held = len(next(iter(judged_by.values())))
        return Ended(
            answer(asked, found, dataset, source, held, space, engine, study),
            found.finalists[0].model,
        )


def _check(budget: float, seconds: float, fixed: Mapping[str, Any]) -> None:
    least = LEAST_TIME * budget
    if seconds < least:
        raise SearchError(
            f"time: {spell_seconds(seconds)} is too little to look for what trains in "
            f"{spell_seconds(budget)}; it takes {spell_seconds(least)} or more."
        )
    if "epochs" in fixed:
        raise SearchError("epochs: a search works them out, from the budget; leave them out.")
    if not isinstance(fixed.get("model", "dense"), str):
        raise SearchError("model: a search proposes dense and conv models, none of your own.")
    Setting.from_knobs(fixed)


def _distance(recipe: Recipe, budget: float) -> float:
    """How far a recipe's own budget is from the one asked for, as a factor."""
    own = recipe.budget or budget
    return max(own / budget, budget / own)


def _folder(
    searches: Path, asked: Asked, dataset: Dataset, engine: Engine, starts: Sequence[Recipe]
) -> Path:
    """The search's own folder; or the one that it has from when CPUs had bare names."""
    machine = this_machine(engine.threads)
    bare = machine.model_copy(update={"cpu": bare_name(machine.cpu)})
    own, old = (searches / _name(asked, dataset, engine, starts, each) for each in (machine, bare))
    return old if old.exists() else own


def _name(
    asked: Asked, dataset: Dataset, engine: Engine, starts: Sequence[Recipe], machine: Machine
) -> str:
    """What decides a search's results, and not how long it looks, in one word."""
    described = {
        "budget": asked.budget,
        "sets": asked.sets,
        "fixed": dict(asked.fixed),
        "data": dataset.fingerprint,
        "engine": [engine.name, engine.version],
        "machine": [machine.cpu, machine.cores, machine.threads],
        "space": SPACE,
        "starts": {recipe.name: [recipe.budget, dict(recipe.knobs)] for recipe in starts},
    }
    canonical = json.dumps(described, sort_keys=True, default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
