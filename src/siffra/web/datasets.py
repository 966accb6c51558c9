"""Data sets, loaded once: MNIST takes a second, and most of what the page asks needs it."""

import threading

from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset

MOST = 2
"""Data sets that are held; MNIST with its shifted sets has 150 MB."""


class Loader:
    """Loads data sets, and holds those that were asked for last."""

    def __init__(self) -> None:
        self._held: dict[DataSource, Dataset] = {}
        self._turn = threading.Lock()

    def __call__(self, source: DataSource) -> Dataset:
        """The data set of `source`.

        Raises:
            DataError: It cannot be read.
        """
        with self._turn:
            dataset = self._held.pop(source, None) or load_dataset(source)
            self._held[source] = dataset
            while len(self._held) > MOST:
                self._held.pop(next(iter(self._held)))
            return dataset
