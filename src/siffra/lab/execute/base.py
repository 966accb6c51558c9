"""The contract of a site, a place where runs are made.

Conducting decides what is run next and keeps what comes of it; a site makes the runs that it is
given and tells what becomes of them. It knows nothing of the store, so that whatever happens to
it, what is stored stays as it was.
"""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from siffra.lab.plan.plan import PlannedRun
from siffra.training.diagnostics import Examination
from siffra.training.run import Epoch, Record


@dataclass(frozen=True, slots=True)
class EpochMade:
    """A run has ended its epoch `number`, from 1."""

    run: PlannedRun
    number: int
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Made:
    """A run was made, and examined where that was planned."""

    run: PlannedRun
    record: Record
    examination: Examination | None


@dataclass(frozen=True, slots=True)
class Lost:
    """What was making a run is gone, and the run with it."""

    run: PlannedRun
    why: str


News = EpochMade | Made | Lost


class Site(abc.ABC):
    """Makes the runs that it is given, one or several at a time.

    Equal runs give equal bits on every site with one kind of CPU; only their times differ. A
    run's own error is raised by `attend` as it was raised where the run was made. After an error
    a site can only be closed. Use it as a context manager, or close it.
    """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many runs are made at once."""

    @property
    @abc.abstractmethod
    def jobs(self) -> int:
        """How many runs share a machine, at most: 1 where times are undisturbed."""

    @property
    @abc.abstractmethod
    def room(self) -> int:
        """How many more runs it can be given now."""

    def expect(self, runs: Sequence[PlannedRun]) -> None:  # noqa: B027  most wait for the runs
        """Make ready for `runs`, which will be given unless others make them."""

    @abc.abstractmethod
    def give(self, run: PlannedRun) -> None:
        """Hand over a run to be made. There must be room for it.

        Raises:
            ConfigError: A model of the user's cannot be had where the run would be made.
        """

    @abc.abstractmethod
    def attend(self, tell: Callable[[News], None]) -> None:
        """Tell what has become of the runs that were given; wait a moment if there is no news.

        What `tell` raises ends the run it was told of, or leaves it to `close`.

        Raises:
            SiteError: The site cannot make runs at all.
        """

    def close(self) -> None:  # noqa: B027  most have nothing to end
        """End what is being made."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
