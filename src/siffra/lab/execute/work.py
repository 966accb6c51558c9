"""How the jobs of a plan are done: by an engine, or by a program that somebody else wrote."""

from dataclasses import dataclass

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import Executor
from siffra.lab.execute.cost import Costs, EngineCosts
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.execute.results import EngineKeys, Keys
from siffra.store.store import Store


@dataclass(frozen=True, slots=True)
class Work:
    """How the jobs of a plan are done: their keys, what they cost, and what does them."""

    keys: Keys
    costs: Costs
    executor: Executor

    def wall_seconds(self, seconds: float, jobs: int) -> float:
        """Wall seconds of this many `jobs` that take `seconds` one after the other."""
        return seconds / max(1, min(self.executor.size, jobs))


def engine_work(
    dataset: Dataset, engine: Engine, store: Store, executor: Executor | None = None
) -> Work:
    """What an engine does on a data set, by default in this thread."""
    executor = executor or LocalExecutor(dataset, engine)
    costs = EngineCosts(dataset, engine, store, executor.jobs)
    return Work(EngineKeys(dataset, engine), costs, executor)
