"""The trained models that can be played with: those that siffra brings, and saved runs."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from siffra.config import ConvModel, DenseModel
from siffra.data.dataset import class_labels
from siffra.engine.base import Engine, Fitted
from siffra.engine.network import Network, build_network
from siffra.errors import ModelFileError
from siffra.lab.plan.plan import Text
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words, capital
from siffra.training.examination import (
    CURVE_IMAGES,
    DEGREES,
    MAP_IMAGES,
    MAP_PIXELS,
    PIXELS,
    Examination,
)
from siffra.training.model_file import SavedModel, load_model
from siffra.web.errors import each_readable
from siffra.web.paths import Paths

SHIPPED = Path(__file__).with_name("shipped")
"""The models that siffra brings; its README.md says how they were made."""
DIGIT = (28, 28, 1)
"""What the playground has on its canvas: other images cannot be played with."""

_RUN = re.compile(r"run-([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is there: its file, and what it is called (saved runs: by their knobs)."""

    id: str
    kind: Literal["shipped", "run"]
    file: Path
    name: Text


@dataclass(frozen=True, slots=True)
class Ready:
    """A model that has been loaded; `fitted` may have to compile what it predicts with."""

    saved: SavedModel
    network: Network
    fitted: Fitted


class Models:
    """Finds models by id, and holds those that were used last."""

    MOST, LISTED = 12, 100

    def __init__(self, paths: Paths, engine: Engine) -> None:
        self._paths, self._engine = paths, engine
        self._saved: dict[Path, SavedModel] = {}
        self._ready: dict[str, Ready] = {}

    def known(self) -> Iterator[Known]:
        """All models: those that siffra brings, then saved runs, the latest first."""
        yield from shipped().values()
        files = self._paths.models.glob("*.safetensors")
        for file in sorted(files, key=_modified, reverse=True):
            if _RUN.fullmatch(name := f"run-{file.stem}"):
                yield Known(name, "run", file, {})

    def find(self, name: str) -> Known | None:
        """The model with this id."""
        if name in shipped():
            return shipped()[name]
        run = _RUN.fullmatch(name)
        if run and self._paths.model(run[1]).is_file():
            return Known(name, "run", self._paths.model(run[1]), {})
        return None

    def load(self, known: Known) -> Ready:
        """The model itself.

        Raises:
            ModelFileError: It is damaged, or was saved by another siffra.
        """
        ready = self._ready.pop(known.id, None) or self._load(known.file)
        self._ready[known.id] = ready
        while len(self._ready) > self.MOST:
            self._ready.pop(next(iter(self._ready)))
        return ready

    def described(self, words: Words) -> list[dict[str, Any]]:
        """What the page lists; models that cannot be read are left out."""

        def described(known: Known) -> dict[str, Any]:
            return _described(known, self._read(known.file), words)

        return each_readable(self.known(), described, lambda known: known.file)

    def _load(self, file: Path) -> Ready:
        saved = self._read(file)
        network = _network(saved)
        fitted = self._engine.load(
            saved.setting.model, saved.image_shape, saved.classes, saved.weights
        )
        return Ready(saved, network, fitted)

    def _read(self, file: Path) -> SavedModel:
        """A run's file never changes: equal keys, equal networks."""
        if file not in self._saved:
            self._saved[file] = load_model(file)
            while len(self._saved) > self.LISTED:
                self._saved.pop(next(iter(self._saved)), None)
        return self._saved[file]


@cache
def shipped() -> Mapping[str, Known]:
    """The models that siffra brings, by id, in the order of their list."""
    listed = tomllib.loads((SHIPPED / "models.toml").read_text("utf-8"))
    return {
        name: Known(name, "shipped", SHIPPED / f"{name}.safetensors", model["name"])
        for name, model in listed.items()
    }


def shipped_examination(known: Known) -> Examination:
    """What a model that siffra brings was found to do."""
    return Examination.model_validate_json(known.file.with_suffix(".json").read_bytes())


def examined(found: Examination) -> dict[str, Any]:
    """An examination as the page reads it."""
    return {
        "pixels": PIXELS,
        "moved": found.moved,
        "degrees": DEGREES,
        "turned": found.turned,
        "map": {"at": MAP_PIXELS, "accuracy": found.map},
        "images": {"curve": CURVE_IMAGES, "map": MAP_IMAGES},
        "mistakes": {
            name: [
                {
                    "index": mistake.image,
                    "label": mistake.true,
                    "predicted": mistake.predicted,
                    "probability": mistake.confidence,
                }
                for mistake in mistakes
            ]
            for name, mistakes in found.mistakes.items()
        },
    }


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # a link that leads nowhere, say: it cannot be read either
        return 0.0


def _network(saved: SavedModel) -> Network:
    model = saved.setting.model
    if not isinstance(model, DenseModel | ConvModel):
        raise ModelFileError(f"a {model.kind} model cannot be played with.")
    return build_network(model, saved.image_shape, saved.classes)


def _described(known: Known, saved: SavedModel, words: Words) -> dict[str, Any]:
    knobs = saved.setting.knobs()
    name = words.say(known.name) or f"{capital(knobs_name(words, knobs))} ({known.id[4:12]})"
    return {
        "id": known.id,
        "name": name,
        "kind": known.kind,
        "knobs": knobs,
        "seed": saved.seed,
        "parameters": _network(saved).parameters,
        "accuracy": saved.accuracy,
        "image": saved.image_shape,
        "labels": [str(label) for label in class_labels(saved.class_names, saved.classes)],
        "playable": saved.image_shape == DIGIT,
    }
