"""What the routes work with: the store's paths, the job queue, and what is held in memory."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from siffra.api import RunOptions
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.lab.history import LabHistory, SavedLab, latest_first
from siffra.report.text.messages import LANGUAGES
from siffra.store.store import Store, open_store
from siffra.system.load import crowding
from siffra.web.datasets import Loader
from siffra.web.errors import ApiError, each_readable
from siffra.web.jobs import JobQueue
from siffra.web.labs import Desk, title
from siffra.web.models import Models, shipped
from siffra.web.pages import page_words
from siffra.web.paths import Paths
from siffra.web.playground import prepare
from siffra.web.reporting import Reports
from siffra.web.runs import RunTable

log = logging.getLogger("siffra.web")

T = TypeVar("T")
_RUNS = 100_000
"""The most runs of a lab that is shown: a file beside the store may claim any number."""


class AppState:
    """The state of one server."""

    def __init__(self, paths: Paths, engine: Engine, threads: int | None = None) -> None:
        self.paths, self.engine = paths, engine
        self.running = RunOptions(threads=threads)
        self.jobs = JobQueue(paths, threads)
        self.history = LabHistory(paths.store)
        self.load = Loader()
        self.desk, self.table = Desk(), RunTable()
        self.models = Models(paths, engine)
        self.reports = Reports(paths)
        # Numba's kernels, and BLAS under them, are called from one thread at a time.
        self._calculator = ThreadPoolExecutor(1, "calculator")
        self._labs: dict[str, SavedLab] = {}

    def open(self) -> None:
        """Make the store if there is none, load what is always needed, go on with the queue."""
        with open_store(self.paths.store):
            pass
        self.jobs.open()
        self._calculator.submit(self._prepare)

    async def close(self) -> None:
        """End the worker."""
        await self.jobs.close()
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
            ApiError: The folder that it was in is gone, too.
        """
        path = self.paths.store
        if not path.exists():
            if not path.parent.is_dir():
                raise ApiError("store_gone")
            log.error("%s: the store was moved or deleted; an empty one is made anew.", path)
            with open_store(path):
                pass
        with open_store(path, read_only=True) as store:
            yield store

    def lab(self, name: str) -> SavedLab:
        """The lab with this id.

        Raises:
            ApiError: There is none.
        """
        if name not in self._labs:
            lab = self.history.get(name)
            if lab is None:
                raise ApiError("not_found")
            if not each_readable([lab], _check_shown, lambda lab: f"lab {lab.id}"):
                raise ApiError("not_found")
            self._labs[name] = lab
        return self._labs[name]

    def labs(self) -> list[SavedLab]:
        """All labs, the latest first; one that cannot be shown is left out."""
        labs = []
        for name in self.history.names():
            with suppress(ApiError):
                labs.append(self.lab(name))
        return latest_first(labs)

    def forget(self, name: str) -> None:
        """List the lab with this id no longer."""
        self.history.forget(name)
        self._labs.pop(name, None)

    @property
    def crowding(self) -> float:
        """By which factor other programs may lengthen what is trained now."""
        return crowding(self.engine.threads if self.jobs.running else 0)

    def _prepare(self) -> None:
        prepare(self.models, self.load(DataSource()), list(shipped()))


def _check_shown(lab: SavedLab) -> None:
    """Check that a lab can be shown: its runs are not too many, and it has a title.

    Raises:
        ValueError: It cannot.
    """
    if len(lab.keys) > _RUNS:
        raise ValueError(f"it has {len(lab.keys)} runs")
    for language in LANGUAGES:
        title(lab.plan, page_words(language))
