"""Recipes: good models with their training, as TOML files; `siffra train --recipe` repeats them.

A recipe's knobs hold its whole setting, its number of epochs (a fraction, which is a number of
steps) included: training it again gives the same bits. What was measured of it, and on which
machine, is written by `siffra search` and never by hand. The knobs themselves are checked by
whoever makes a setting of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from siffra.config.setting import Setting, override
from siffra.config.toml_text import parse_toml
from siffra.config.validation import Frozen, describe, first_mistake
from siffra.errors import RecipeError, did_you_mean

__all__ = [
    "Interval",
    "Measured",
    "MeasuredAverage",
    "Recipe",
    "find_recipe",
    "over_recipe",
    "read_recipe",
    "recipe_knobs",
    "shipped_file",
    "shipped_names",
]

_MOST_BYTES = 100_000

_Number = Annotated[float, BeforeValidator(lambda x: float(x) if type(x) is int else x)]
_Fraction = Annotated[_Number, Field(ge=0, le=1)]


class Interval(Frozen):
    """A mean over seeds with its 95 % interval; without one where there is a single seed."""

    mean: _Number
    low: _Number | None = None
    high: _Number | None = None


class MeasuredAverage(Frozen):
    """What the same models do on averages over this many `views`; of `seeds` of them.

    Predictions take `times_as_long` as without.
    """

    views: Annotated[int, Field(gt=0)]
    seeds: Annotated[int, Field(gt=0)]
    times_as_long: Annotated[_Number, Field(gt=0)]
    accuracy: dict[str, Interval]


class Measured(Frozen):
    """What a recipe did: accuracies are fractions by set, `seconds` is training alone.

    `images` were trained on; their rate is `images_per_second`. `averaged` stands beside the
    plain figures, and is of the same models.
    """

    machine: str
    threads: Annotated[int, Field(gt=0)]
    engine: str
    data: str
    images: Annotated[int, Field(gt=0)]
    images_per_second: Annotated[_Number, Field(gt=0)]
    seeds: Annotated[int, Field(gt=0)]
    seconds: Interval
    accuracy: dict[str, Interval]
    averaged: MeasuredAverage | None = None


class _File(Frozen):
    budget: Annotated[_Number, Field(gt=0)] | None = None
    knobs: Annotated[dict[str, Any], Field(min_length=1)]
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe: its `knobs` by name, the `budget` in training seconds that it was made for.

    `source` is the file that it was read from, for messages about its knobs.
    """

    name: str
    source: str
    knobs: Mapping[str, Any]
    budget: float | None
    measured: Measured | None


def shipped_names() -> tuple[str, ...]:
    """The names of the recipes that siffra brings, the quickest first."""
    names = [file.name for file in files(__name__).iterdir() if file.name.endswith(".toml")]
    return tuple(sorted((name.removesuffix(".toml") for name in names), key=_in_order))


def shipped_file(name: str) -> Path:
    """Where the recipe of that name, which siffra brings, is kept."""
    return Path(str(files(__name__).joinpath(f"{name}.toml")))


def find_recipe(name: str | Path) -> Recipe:
    """A recipe by its name (`digits-5s`), or by its file (`mine.toml`).

    Raises:
        RecipeError: There is none, or it is not a recipe; the text names the file and the key.
    """
    shipped = shipped_names()
    if str(name) in shipped:
        return read_recipe(shipped_file(str(name)))
    if not str(name):
        raise RecipeError(f"found ''; name a recipe ({', '.join(shipped)}) or its file.")
    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        raise RecipeError(
            f"{name}: no such recipe, and no such file; {did_you_mean(str(name), shipped)}"
        )
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe file.

    Raises:
        RecipeError: It cannot be read, or is no recipe; the text names the file and the key.
    """
    if path.is_dir():
        raise RecipeError(f"{path}: it is a folder; a recipe is a TOML file.")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}.") from error
    if len(content) > _MOST_BYTES:
        raise RecipeError(f"{path}: larger than 100 kB, so it can hardly be a recipe.")
    try:
        read = _File.model_validate(parse_toml(content))
    except ValidationError as error:
        raise RecipeError(f"{path}: {_in_words(first_mistake(error))}") from error
    except ValueError as error:
        raise RecipeError(f"{path}: {error}.") from error
    return Recipe(path.stem, path.name, read.knobs, read.budget, read.measured)


def recipe_knobs(recipe: Path | str | None) -> Mapping[str, Any]:
    """The knobs of a recipe, by its name or its file; of none, none.

    Raises:
        RecipeError: There is no such recipe.
        ConfigError: One of its knobs is wrong; the text names its file.
    """
    if recipe is None:
        return {}
    read = find_recipe(recipe)
    Setting.from_knobs(read.knobs, where=f"{read.source}: knobs")
    return read.knobs


def over_recipe(recipe: Path | str | None, knobs: Mapping[str, object]) -> dict[str, Any]:
    """`knobs`, and of the recipe's those that are of use beside them; raises as `recipe_knobs`."""
    return override(recipe_knobs(recipe), knobs)


def _in_order(name: str) -> tuple[str, int, str]:
    """`digits-5s` before `digits-15s`."""
    family, _, budget = name.rpartition("-")
    seconds = budget.removesuffix("s")
    return family, int(seconds) if seconds.isdecimal() else 0, name


def _table_at(path: tuple[int | str, ...]) -> type[Frozen]:
    """What the table at `path` must be like."""
    known = {(): _File, ("measured",): Measured, ("measured", "averaged"): MeasuredAverage}
    return known.get(path, Interval)


def _in_words(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *tables, name = error["loc"]
        known = _table_at(tuple(tables)).model_fields
        return f"{key}: no such key; {did_you_mean(str(name), known)}"
    return f"{key}: {describe(error)}"
