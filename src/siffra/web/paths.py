"""Where the page keeps what it makes: files beside the store, named by ids that siffra made."""

from dataclasses import dataclass
from pathlib import Path

from siffra.store.schema import beside


@dataclass(frozen=True, slots=True)
class Paths:
    """The store, and the folder beside it for the page's own files."""

    store: Path

    @property
    def folder(self) -> Path:
        """The page's folder; what lies there can be made again, but for the queue and the data."""
        return beside(self.store, ".ui")

    @property
    def queue(self) -> Path:
        """What waits to be trained."""
        return self.folder / "queue.json"

    @property
    def lock(self) -> Path:
        """Held by the one server that is at work on this store."""
        return self.folder / "lock"

    @property
    def models(self) -> Path:
        """The networks of runs, kept on request."""
        return self.folder / "models"

    @property
    def data_sets(self) -> Path:
        """The data sets that were brought."""
        return self.folder / "data"

    def model(self, key: str) -> Path:
        """The network of the run with this key."""
        return self.models / f"{key}.safetensors"

    def data(self, name: str) -> Path:
        """A data set that was brought."""
        return self.data_sets / f"{name}.npz"

    def report(self, lab: str, version: str, language: str) -> Path:
        """The folder of a lab's report; `version` tells from which runs it was written."""
        return self.folder / "reports" / lab / f"{version}-{language}"
