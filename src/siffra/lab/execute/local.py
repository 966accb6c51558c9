"""The site that every lab has: this process, with one run at a time."""

from collections.abc import Callable, Sequence

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import EpochMade, News, Site
from siffra.lab.execute.making import Maker
from siffra.lab.plan.plan import PlannedRun


class Here(Site):
    """Makes each run in the caller's own thread, so that its times are undisturbed by others."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._maker = Maker(dataset, engine)
        self._given: PlannedRun | None = None

    @property
    def size(self) -> int:
        """See `Site.size`."""
        return 1

    @property
    def jobs(self) -> int:
        """See `Site.jobs`."""
        return 1

    @property
    def room(self) -> int:
        """See `Site.room`."""
        return 0 if self._given else 1

    def expect(self, runs: Sequence[PlannedRun]) -> None:
        """Have everything compiled at once, which two processes do faster."""
        self._maker.prepare_all(runs)

    def give(self, run: PlannedRun) -> None:
        """See `Site.give`."""
        self._given = run

    def attend(self, tell: Callable[[News], None]) -> None:
        """Make the run that was given."""
        run, self._given = self._given, None
        if run:
            tell(self._maker.make(run, lambda number, e: tell(EpochMade(run, number, e))))
