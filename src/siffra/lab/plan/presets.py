"""The presets of a lab: how long and how often is trained, and what is left out or stood in for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from siffra.errors import ConfigError, LabFileError, did_you_mean
from siffra.lab.plan.format import ExperimentTable, QuestionTable
from siffra.lab.plan.labfile import LabFile
from siffra.lab.plan.references import RECIPE

PRESETS: Mapping[str, tuple[int | None, int]] = {
    "quick": (3, 5),
    "standard": (20, 5),
    "full": (None, 5),
}
"""The cap on epochs (None: no cap) and the number of seeds, by name."""
DEFAULT_SEEDS = 5
"""Of a question that is no lab's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """What of a lab is run, how long and how often; None and () leave it to the lab file.

    Attributes:
        preset: `quick`, `standard` or `full`: a cap on epochs and a number of seeds. None: the one
            that the lab file names, `full` if it names none.
        epochs: Train every run for exactly so many, whatever the preset and the lab file say.
        seeds: How many; they are 0, 1, 2, ...
        until_decided: Add seeds for the claims that are still open, at looks that double.
        max_seeds: Seeds at the last of those looks; None: four times those of the first.
        only: Ids of questions and experiments to run (`experiments` for all of those).
        examines: Diagnose networks as their training ends. None: a lab's, and those of a question
            of its own not.

    A question of its own (`plan_vary`) has no preset and no parts to choose from.
    """

    preset: str | None = None
    epochs: int | None = None
    seeds: int | None = None
    until_decided: bool = False
    max_seeds: int | None = None
    only: tuple[str, ...] = ()
    examines: bool | None = None


AS_WRITTEN = LabOptions()
"""What a lab file says, and nothing else."""


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


def questions_of(
    lab: LabFile, preset: str, asked: Collection[str]
) -> tuple[tuple[QuestionTable, ...], dict[str, str]]:
    """A lab's questions, with the recipes that stand in for others in this preset.

    Returns:
        All questions, and those recipes by the ones in whose place they stand, as far as the
        questions that are `asked` name them.

    Raises:
        LabFileError: One is to stand in for a recipe that no question names.
    """
    stand_ins = getattr(lab.presets, preset).recipes
    named: dict[str, set[str]] = {table.id: set() for table in lab.questions}

    def stood_in(value: Any, names: set[str]) -> Any:
        """`value`, a part of a question, with other names wherever a recipe is named."""
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: stood_in(part, names) for name, part in value})
        if isinstance(value, list | tuple):
            return type(value)(stood_in(part, names) for part in value)
        if not isinstance(value, Mapping):
            return value
        return {
            name: instead(part, names) if name == RECIPE else stood_in(part, names)
            for name, part in value.items()
        }

    def instead(recipe: Any, names: set[str]) -> Any:
        if isinstance(recipe, list | tuple):  # as a knob that is varied has them
            return type(recipe)(instead(one, names) for one in recipe)
        names.add(str(recipe))
        return stand_ins.get(recipe, recipe)

    questions = tuple(stood_in(table, named[table.id]) for table in lab.questions)
    known = set[str]().union(*named.values())
    if unknown := next((name for name in stand_ins if name not in known), None):
        raise LabFileError(
            f"{lab.source}: presets.{preset}.recipes.{unknown}: no question names that recipe; "
            f"{did_you_mean(unknown, known)}"
        )
    used = set[str]().union(*(named[name] for name in asked))
    return questions, {old: new for old, new in stand_ins.items() if old in used}
