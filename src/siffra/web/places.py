"""Where the page keeps what it makes: files beside the store, named by ids that siffra made."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The store, and the folder beside it for the page's own files."""

    store: Path

    @property
    def folder(self) -> Path:
        """The page's folder; what lies there can be made again, but for the queue and the data."""
        return self.store.with_name(self.store.name + ".ui")

    @property
    def queue(self) -> Path:
        """What waits to be trained."""
        return self.folder / "queue.json"

    @property
    def lock(self) -> Path:
        """Held by the one server that is at work on this store."""
        return self.folder / "lock"

    def model(self, key: str) -> Path:
        """The network of the run with this key."""
        return self.folder / "models" / f"{key}.safetensors"

    def map(self, model: str) -> Path:
        """How a model does on moved and turned images."""
        return self.folder / "maps" / f"{model}.json"

    def report(self, lab: str, version: str, language: str) -> Path:
        """The folder of a lab's report; `version` tells from which runs it was written."""
        return self.folder / "reports" / lab / f"{version}-{language}"

    def data(self, name: str) -> Path:
        """An uploaded data set."""
        return self.folder / "data" / f"{name}.npz"
