"""A setting put together from what a lab says in several places, or refused with the place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from siffra.config import KNOBS, Estimator, Setting, SteplessModel, knobs_of
from siffra.config.recipes import find_recipe
from siffra.config.setting import override
from siffra.data.dataset import Dataset
from siffra.engine.network import network_for
from siffra.errors import ConfigError, LabFileError, RecipeError
from siffra.lab.plan.references import RECIPE

_BASE = "base"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a setting's knobs, and where they were written; `base` gives way to the others.

    Knobs of a recipe are a base whose `file` is the recipe's.
    """

    where: str
    knobs: Mapping[str, Any]
    file: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """How long a run may be: at most `epochs` (None: as long as it says), or `exact`ly.

    A recipe's length is part of the recipe, and only cut if it is to be exact. An estimator has
    none.
    """

    epochs: int | None = None
    exact: bool = False

    def __call__(self, setting: Setting, *, is_recipe: bool = False) -> Setting:
        """`setting`, shortened if need be."""
        if isinstance(setting.model, SteplessModel):
            return setting
        stated = setting.training.epochs
        is_shorter = self.epochs is not None and self.epochs < stated and not is_recipe
        epochs = self.epochs if self.epochs and (self.exact or is_shorter) else stated
        return replace(setting, training=setting.training.model_copy(update={"epochs": epochs}))


def assemble(
    parts: Sequence[Part],
    dataset: Dataset,
    cut: Cut | None = None,
    source: str = "",
    about: str = "",
) -> tuple[Setting, int | float]:
    """Put a setting together; later parts override earlier ones, and must fit its model.

    Returns it as it is to be run, with the number of epochs that it had before it was `cut`.

    Of the part `base`, knobs that are of no use beside the others are left out. Where a part
    names a recipe, that takes the place of the base and of all parts before it: it is whole.

    Raises:
        ConfigError: No such setting can be made, or built for the data set's images.
        LabFileError: The same, from a lab file: the text names `source` and the key.
    """
    stated = parts
    try:
        stated = _on_recipe(parts)
        base = {name: v for part in stated if part.where == _BASE for name, v in part.knobs.items()}
        over = {name: v for part in stated if part.where != _BASE for name, v in part.knobs.items()}
        setting = Setting.from_knobs(override(base, over))
        network_for(setting.model, setting.training, dataset)
    except ConfigError as error:
        if not source:
            raise
        located = _located(str(error).removesuffix("."), stated)
        raise LabFileError(f"{source}: {located} ({about}).") from error
    length = setting.training.epochs
    return (cut(setting, is_recipe=stated is not parts) if cut else setting), length


def of_use(
    fixed: Mapping[str, object], knobs: Mapping[str, object], vary: Mapping[str, Sequence[object]]
) -> Mapping[str, Any]:
    """`fixed` for the level with `knobs`: an estimator among networks has no use for theirs."""
    models = vary.get("model", ())
    model = knobs.get("model")
    if not isinstance(model, Estimator) or all(isinstance(each, Estimator) for each in models):
        return fixed
    return {k: v for k, v in fixed.items() if k in knobs_of(model) and k not in KNOBS}


def _on_recipe(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts with a recipe's knobs for their base, where one of them names a recipe."""
    naming = [number for number, part in enumerate(parts) if RECIPE in part.knobs]
    if not naming:
        return parts
    name = parts[naming[-1]].knobs[RECIPE]
    try:
        recipe = find_recipe(str(name))
    except RecipeError as error:
        raise ConfigError(f"{RECIPE}: {error}") from error
    others = [
        Part(part.where, {knob: v for knob, v in part.knobs.items() if knob != RECIPE})
        for part in parts[naming[-1] :]
    ]
    return [Part(_BASE, recipe.knobs, recipe.source), *others]


def _located(mistake: str, parts: Sequence[Part]) -> str:
    """`told` behind the key that it is about; if it begins with a knob's name, where that is."""
    name = mistake.partition(":")[0]
    named = [part for part in parts if name in part.knobs]
    place = named[-1] if named else next(part for part in reversed(parts) if part.knobs)
    if place.file:
        return f"recipe {place.file}: knobs{'.' if named else ': '}{mistake}"
    return f"{place.where}.{mistake}" if named else f"{place.where}: {mistake}"
