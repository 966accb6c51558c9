"""What a lab file names that lies outside of it: recipes' files, data, and functions for models.

Files lie where the lab file does, wherever it is read from.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siffra.config import KNOBS, Factory, load_factory
from siffra.config.metrics import METRICS, Metric
from siffra.data.load import DataSource
from siffra.lab.plan.program import Program
from siffra.lab.plan.texts import KeyPath, leaves

RECIPE = "recipe"
"""What stands among a level's or an experiment's knobs for all the knobs of a recipe."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The `folder` of a lab file, and the functions that it names as models, by name.

    Or the `program` that it varies in their place.
    """

    folder: Path
    factories: Mapping[str, Factory] = field(default_factory=dict)
    program: Program | None = None

    @property
    def knobs(self) -> Collection[str]:
        """What levels can be made of: knobs of siffra's and of those functions, or a program's."""
        if self.program:
            return self.program.knobs
        own_knobs = {knob for factory in self.factories.values() for knob in factory.knobs}
        return {*KNOBS, RECIPE, *own_knobs}

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What claims can be about, by name; the first is what they are about by default."""
        return self.program.metrics if self.program else METRICS

    def resolved(self, knobs: Mapping[str, object]) -> dict[str, Any]:
        """`knobs`, each of a value or several, with functions and paths in the place of names."""
        if self.program:
            return dict(knobs)
        find = {"model": self._model, RECIPE: self.recipe}
        return {
            name: _each(find[name], value) if name in find else value
            for name, value in knobs.items()
        }

    def recipe(self, name: Any) -> Any:
        """The path of a recipe's file; names of recipes that siffra brings stay what they are."""
        is_file = isinstance(name, str) and name.endswith(".toml")
        return str(self.folder / name) if is_file else name

    def data(self, source: DataSource) -> DataSource:
        """`source` with its path, if it has one, from the folder on."""
        if not source.path:
            return source
        return source.model_copy(update={"path": self.folder / source.path})

    def _model(self, name: object) -> Any:
        return self.factories.get(name, name) if isinstance(name, str) else name


def surroundings(table: object, folder: Path) -> Surroundings:
    """Those of a lab file in `folder`, as read and not yet checked.

    A function that stands for a model is looked for in `folder` and in the working directory, and
    its file is run.

    Raises:
        ConfigError: There is no such function, or it cannot be a model.
    """
    names = {
        leaf: None
        for path, leaf in leaves(table)
        if isinstance(leaf, str) and ":" in leaf and _key_of(path) == "model"
    }
    return Surroundings(folder, {name: load_factory(name, folder, Path()) for name in names})


def _key_of(path: KeyPath) -> str:
    """The key under which a leaf stands, alone or in an array."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _each(find: Callable[[object], object], value: object) -> Any:
    return tuple(map(find, value)) if isinstance(value, list | tuple) else find(value)
