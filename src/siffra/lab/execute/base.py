"""The contract of an executor, which makes runs, and times trainings by turns.

The runner decides which run is next and stores the results; an executor makes the runs that are
submitted and reports what becomes of them. It knows nothing of the store: whatever happens to it,
stored runs stay as they were.
"""

import abc
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Self, TypeVar

from siffra.lab.execute.events import Event, Job, Task

PATIENCE = 0.2
"""Seconds that `poll` waits for something to happen."""

T = TypeVar("T")


class Executor(abc.ABC):
    """Makes the runs and the rounds of times that are submitted, one or several at a time.

    Equal runs give equal bits on every executor with one kind of CPU; only their times differ.
    `poll` raises a run's own error as it was raised where the run was made. After an error an
    executor can only be closed. Use it as a context manager, or close it.
    """

    @property
    def size(self) -> int:
        """How many runs are made at once."""
        return 1

    @property
    def jobs(self) -> int:
        """How many runs share a machine, at most: all, unless it has several machines."""
        return self.size

    @property
    @abc.abstractmethod
    def capacity(self) -> int:
        """How many more runs can be submitted now."""

    def prepare(self, runs: Sequence[Job | Task]) -> None:  # noqa: B027  most prepare run by run
        """Prepare for `runs`, which will be submitted unless other processes make them."""

    @abc.abstractmethod
    def submit(self, run: Job | Task) -> None:
        """Hand over a run, a round of times or a task; there must be capacity for it.

        Raises:
            ConfigError: A user's own model cannot be imported where the run would be made.
        """

    @abc.abstractmethod
    def poll(self, on_event: Callable[[Event], None]) -> None:
        """Report events of the submitted runs: `epoch`, `finished`, `timed`, `done` and `lost`.

        Waits a moment if there are none. What `on_event` raises ends the run that the event is
        about, or leaves it to `close`.

        Raises:
            ExecutorError: No run can be made at all.
        """

    def hold(self, held: bool) -> None:  # noqa: B027  where `on_event` holds the one run up
        """Have the runs in progress wait at the end of their epochs, or go on again."""

    def close(self) -> None:  # noqa: B027  most have nothing to end
        """End the runs in progress."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def arrived(messages: "queue.Queue[T]", patience: float = PATIENCE) -> Iterator[T]:
    """All that has arrived; waits for the first, but no longer than that."""
    with suppress(queue.Empty):
        yield messages.get(timeout=patience)
        while True:
            yield messages.get_nowait()
