"""Compiling what many trainings need before the first of them, on two cores instead of one.

Kernels are kept in Numba's cache on disk, which all processes share. So where something is found
not to be there, another process is started that prepares the same trainings from the other end, and
what scores them before what trains them; what it has compiled by then is only read. Where all is
there, as nearly always, none is started.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from numba.core import event

from siffra.config import Model, Training
from siffra.data.dataset import Dataset

Task = tuple[Model, Training]
"""A training to be prepared."""


def prepare_all(
    tasks: Sequence[Task], dataset: Dataset, prepare: Callable[[Model, Training, Dataset], None]
) -> None:
    """Call `prepare` for each of `tasks`, with help from where something is compiled."""
    # Alike ones together, so that the two ends have as little in common as can be.
    tasks = sorted(tasks, key=lambda task: (task[0].kind, repr(task)))
    other = _OtherEnd(tasks[::-1], dataset)
    try:
        with event.install_listener("numba:compile", other):
            for model, training in tasks:
                prepare(model, training, dataset)
    finally:
        other.end()


class _OtherEnd(event.Listener):
    """Another process at work on `tasks`, started when the first function is compiled here.

    What is in the cache is no event. Should the process fail, it is merely no help.
    """

    def __init__(self, tasks: Sequence[Task], dataset: Dataset) -> None:
        self._tasks, self._dataset = tasks, dataset
        self._process: subprocess.Popen[bytes] | None = None

    def on_start(self, event: event.Event) -> None:
        """See Numba."""
        tasks, self._tasks = self._tasks, ()
        if not tasks:
            return
        # Not through a pipe: whoever fills one waits until it is read, a second here.
        with suppress(OSError), tempfile.TemporaryFile() as file:
            pickle.dump((tasks, _few_images(tasks, self._dataset)), file)
            file.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "siffra.engine.native", str(os.getpid())],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def on_end(self, event: event.Event) -> None:
        """See Numba."""

    def end(self) -> None:
        """No more is needed of it."""
        if self._process:
            self._process.kill()
            self._process.wait()


def _few_images(tasks: Sequence[Task], dataset: Dataset) -> Dataset:
    """`dataset` with no more images than one step takes."""
    few = dataset.train.some(max(training.batch_size for _, training in tasks))
    return replace(dataset, train=few, val=few, test=few, shifted={}, drawn={})
