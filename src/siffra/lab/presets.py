"""The presets of a lab: how long and how often is trained, and what is left out or stood in for."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from siffra.errors import ConfigError, LabFileError, did_you_mean
from siffra.lab.format import ExperimentTable, QuestionTable
from siffra.lab.labfile import LabFile
from siffra.lab.surroundings import RECIPE

PRESETS: Mapping[str, tuple[int | None, int]] = {
    "quick": (3, 5),
    "standard": (20, 5),
    "full": (None, 5),
}
"""The cap on epochs (None: no cap) and the number of seeds, by name."""


def length_of(lab: LabFile, preset: str) -> tuple[int | None, int]:
    """A lab's cap on epochs (None: no cap) and number of seeds in this preset.

    Raises:
        ConfigError: There is no such preset.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset: found {preset!r}; {did_you_mean(preset, PRESETS)}")
    epochs, seeds = PRESETS[preset]
    own = getattr(lab.presets, preset)
    return own.epochs or epochs, own.seeds or seeds


def is_due(table: QuestionTable | ExperimentTable, preset: str) -> bool:
    """Whether this preset is one of those in which `table` is asked without being picked."""
    presets = list(PRESETS)
    return presets.index(preset) >= presets.index(table.from_preset)


def questions_of(lab: LabFile, preset: str) -> tuple[QuestionTable, ...]:
    """A lab's questions, with the recipes that stand in for others in this preset.

    Raises:
        LabFileError: One is to stand in for a recipe that no question names.
    """
    stand_ins = getattr(lab.presets, preset).recipes
    named: set[str] = set()

    def stood_in(value: Any) -> Any:
        """`value`, a part of a question, with other names wherever a recipe is named."""
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: stood_in(part) for name, part in value})
        if isinstance(value, list | tuple):
            return type(value)(stood_in(part) for part in value)
        if not isinstance(value, Mapping):
            return value
        return {
            name: instead(part) if name == RECIPE else stood_in(part)
            for name, part in value.items()
        }

    def instead(recipe: Any) -> Any:
        if isinstance(recipe, list | tuple):  # as a knob that is varied has them
            return type(recipe)(instead(one) for one in recipe)
        named.add(str(recipe))
        return stand_ins.get(recipe, recipe)

    questions = tuple(stood_in(table) for table in lab.questions)
    if unknown := next((name for name in stand_ins if name not in named), None):
        raise LabFileError(
            f"{lab.source}: presets.{preset}.recipes.{unknown}: no question names that recipe; "
            f"{did_you_mean(unknown, named)}"
        )
    return questions
