"""The presets of a lab: how long and how often is trained, and what is left out or stood in for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from siffra.errors import ConfigError, LabFileError, did_you_mean
from siffra.lab.plan.format import MOST_SEEDS, ExperimentTable, QuestionTable
from siffra.lab.plan.labfile import LabFile
from siffra.lab.plan.references import RECIPE
from siffra.lab.stats.interim import looks_to


@dataclass(frozen=True, slots=True)
class Preset:
    """How long a lab trains: its cap on epochs (None: no cap) and its time budget in seconds.

    Whether it judges long trainings by the mean over their last epochs: see `Plan.averages`.
    """

    epochs: int | None
    time: float
    averages: bool = False


PRESETS: Mapping[str, Preset] = {
    "quick": Preset(3, 300.0),
    "standard": Preset(20, 1200.0),
    "full": Preset(None, 3600.0, averages=True),
}
DEFAULT_SEEDS = 5
"""Of a question that is not a lab's."""
USUAL_MOST_SEEDS = 40
"""At the last look, unless `LabOptions.max_seeds` says another number."""
_FEWEST_MOST_SEEDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """What of a lab is run, how long and how often; None and () leave it to the lab file.

    Attributes:
        preset: `quick`, `standard` or `full`: a cap on epochs and a time budget. None: the one
            that the lab file names, `full` if it names none.
        epochs: Train every run for exactly this many, whatever the preset and the lab file say.
        seeds: A fixed number, judged once; they are 0, 1, 2, ...
        time: The time budget in seconds of training on this machine: each setting gets five
            seeds, and open claims get more for as long as it lasts. A lab's claims that are decided
            soonest go first where it does not last for that.
        max_seeds: The most that a claim gets; None: 40.
        only: Ids of questions and experiments to run (`experiments` for all of those).
        examines: Diagnose networks as their training ends. None: a lab's, and those of a question
            of its own not.

    A question of its own (`plan_vary`) has no preset and no parts to choose from, and a fixed
    number of seeds unless `time` or `max_seeds` is given.
    """

    preset: str | None = None
    epochs: int | None = None
    seeds: int | None = None
    time: float | None = None
    max_seeds: int | None = None
    only: tuple[str, ...] = ()
    examines: bool | None = None


AS_WRITTEN = LabOptions()
"""What a lab file says, and nothing else."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """A plan's `seeds`, `looks` and `time`, see `Plan`."""

    seeds: tuple[int, ...]
    looks: tuple[int, ...] = ()
    time: float | None = None


def length_of(lab: LabFile, preset: str, options: LabOptions) -> tuple[int | None, Sampling]:
    """A lab's cap on epochs (None: no cap) in this preset, and how its runs are sampled.

    Raises:
        ConfigError: There is no such preset, or an option is wrong.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset: found {preset!r}; {did_you_mean(preset, PRESETS)}")
    usual, ours = PRESETS[preset], getattr(lab.presets, preset)
    return ours.epochs or usual.epochs, sampling(options, ours.seeds, ours.time or usual.time)


def sampling(
    options: LabOptions, usual_seeds: int | None, usual_time: float | None = None
) -> Sampling:
    """How many seeds the `options` ask for, or else what is usual: a fixed number if there is one.

    Raises:
        ConfigError: An option is wrong, or two do not go together.
    """
    grows = options.time is not None or options.max_seeds is not None
    if options.seeds is not None and grows:
        both = "time" if options.time is not None else "max_seeds"
        raise ConfigError(f"seeds: it fixes their number; leave out {both}, or seeds.")
    fixed = options.seeds if grows or options.seeds is not None else usual_seeds
    if fixed is not None:
        if not 1 <= fixed <= MOST_SEEDS:
            raise ConfigError(f"seeds: found {fixed}; it must be from 1 to {MOST_SEEDS:,}.")
        return Sampling(tuple(range(fixed)))
    most = USUAL_MOST_SEEDS if options.max_seeds is None else options.max_seeds
    if not _FEWEST_MOST_SEEDS <= most <= MOST_SEEDS:
        raise ConfigError(
            f"max_seeds: found {most}; it must be from {_FEWEST_MOST_SEEDS} to {MOST_SEEDS:,}."
        )
    looks = looks_to(most)
    return Sampling(tuple(range(looks[0])), looks, options.time or usual_time)


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

    def stood_in(value: object, names: set[str]) -> Any:
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

    def instead(recipe: object, names: set[str]) -> Any:
        if isinstance(recipe, list | tuple):  # as a knob that is varied has them
            return type(recipe)(instead(part, names) for part in recipe)
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
