"""What the routes work with: the store's places, the bench, and what is held in memory."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.lab.history import KeptLab, Shelf, latest_first
from siffra.lab.plan.plan import PlannedRun
from siffra.report.text.messages import LANGUAGES
from siffra.store.store import Store, open_store
from siffra.web.datasets import Loader
from siffra.web.errors import Refusal
from siffra.web.jobs import Bench
from siffra.web.labs import Desk, title
from siffra.web.listing import each_readable
from siffra.web.messages import page_words
from siffra.web.models import Models, shipped
from siffra.web.paths import Places
from siffra.web.playground import prepare
from siffra.web.reporting import Reports
from siffra.web.runs import RunTable

log = logging.getLogger("siffra.web")

T = TypeVar("T")
_RUNS = 100_000
"""The most runs of a lab that is shown: a file beside the store may claim any number."""


class Workplace:
    """One server's."""

    def __init__(self, places: Places, engine: Engine, threads: int | None = None) -> None:
        self.places, self.engine = places, engine
        self.bench = Bench(places, threads)
        self.shelf = Shelf(places.store)
        self.load = Loader()
        self.desk, self.table = Desk(), RunTable()
        self.models = Models(places, engine)
        self.reports = Reports(places)
        # Numba's kernels, and BLAS under them, are called from one thread at a time.
        self._calculator = ThreadPoolExecutor(1, "calculator")
        self._labs: dict[str, tuple[KeptLab, tuple[PlannedRun, ...]]] = {}

    def open(self) -> None:
        """Make the store if there is none, load what is always needed, go on with the queue."""
        with open_store(self.places.store):
            pass
        self.bench.open()
        self._calculator.submit(self._prepare)

    async def close(self) -> None:
        """End the worker."""
        await self.bench.close()
        self._calculator.shutdown(wait=False, cancel_futures=True)

    async def calculate(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread that calculates."""
        return await asyncio.get_running_loop().run_in_executor(self._calculator, work)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, to read from, in the thread that asks for it.

        One that was deleted under the server is made anew, empty, since nobody could ask
        anything before; the worker sees for itself that it works on no such file.

        Raises:
            Refusal: The folder that it was in is gone, too.
        """
        path = self.places.store
        if not path.exists():
            if not path.parent.is_dir():
                raise Refusal("store_gone")
            log.error("%s: the store was moved or deleted; an empty one is made anew.", path)
            with open_store(path):
                pass
        with open_store(path, read_only=True) as store:
            yield store

    def lab(self, name: str) -> KeptLab:
        """The lab with this id.

        Raises:
            Refusal: There is none.
        """
        return self._lab(name)[0]

    def labs(self) -> list[KeptLab]:
        """All labs, the latest first; one that cannot be shown is left out."""
        labs = []
        for name in self.shelf.names():
            with suppress(Refusal):
                labs.append(self.lab(name))
        return latest_first(labs)

    def runs(self, name: str) -> tuple[PlannedRun, ...]:
        """The runs of the lab with this id, in their order."""
        return self._lab(name)[1]

    def forget(self, name: str) -> None:
        """List the lab with this id no longer."""
        self.shelf.forget(name)
        self._labs.pop(name, None)

    def _lab(self, name: str) -> tuple[KeptLab, tuple[PlannedRun, ...]]:
        if name not in self._labs:
            lab = self.shelf.get(name)
            if lab is None:
                raise Refusal("not_found")
            for runs in each_readable([lab], _runs_of, lambda lab: f"lab {lab.id}"):
                self._labs[name] = lab, runs
        if name not in self._labs:
            raise Refusal("not_found")
        return self._labs[name]

    def _prepare(self) -> None:
        prepare(self.models, self.load(DataSource()), list(shipped()))


def _runs_of(lab: KeptLab) -> tuple[PlannedRun, ...]:
    """A lab's runs, which can be shown if they are not too many and it has a title.

    Raises:
        ValueError: They cannot.
    """
    if len(lab.keys) > _RUNS:
        raise ValueError(f"it has {len(lab.keys)} runs")
    runs = lab.runs
    for language in LANGUAGES:
        title(lab.plan, page_words(language))
    return runs


def _workplace(request: Request) -> Workplace:
    return request.app.state.workplace


Here = Annotated[Workplace, Depends(_workplace)]
