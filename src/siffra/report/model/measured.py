"""What was measured over seeds: the numbers of a level and of an experiment, with their texts."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from siffra.config.metrics import Better
from siffra.lab.stats import summaries
from siffra.lab.stats.comparison import Scale


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[int | float | None, BeforeValidator(_finite)]
Interval = tuple[Number, Number]
Knobs = dict[str, Any]
"""Values by knob: numbers, texts, or lists of them."""


class Part(BaseModel):
    """A part of a report; whatever a later siffra adds to it is no reason not to read it."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class Summary(Part):
    """A mean over seeds with its 95 % interval."""

    mean: Number
    """Of times it is the geometric mean."""
    interval: Interval
    """Its low and its high end; null for a single seed."""
    values: tuple[Number, ...]
    """One a seed."""
    text: str = ""
    """The mean with what its interval supports: in per cent, points or seconds."""

    def as_estimated(self) -> summaries.Summary:
        """The summary with NaN for what is null."""
        mean, low, high = (or_nan(x) for x in (self.mean, *self.interval))
        return summaries.Summary(mean, low, high, tuple(or_nan(x) for x in self.values))


class ShiftCurve(Part):
    """Accuracy on test images that are moved or turned by more and more."""

    at: tuple[Number, ...]
    """Pixels or degrees."""
    mean: tuple[Number, ...]
    """Mean accuracy over seeds."""
    interval: tuple[Interval, ...]
    """Their 95 % intervals."""


class Times(Part):
    """When runs reached a target."""

    median: Number
    """Null where half of the runs or more never reached it."""
    values: tuple[Number, ...]
    """One a run; null for a run that never reached it."""


class Target(Part):
    """An accuracy that a claim names, and when the runs of a level first had it."""

    on: str
    """The set that it was reached on."""
    target: float
    """The accuracy."""
    epochs: Times
    """In epochs."""
    seconds: Times
    """In seconds of training."""
    never: int
    """How many runs did not reach it."""


class Metric(Part):
    """What is measured of trainings that siffra does not do itself."""

    name: str
    """Its name: a table's column, or what a program calls it."""
    better: Better = "higher"
    """Whether `higher` or `lower` values are better."""
    margin: Number = None
    """The smallest difference that matters, of a ratio as a share; null if not known."""
    scale: Scale = "difference"
    """Whether two values are compared by their `difference` or their `ratio`."""
    unit: str = ""
    """Its unit; `fraction` for one that is shown in per cent."""
    step: float = 0.0
    """The coarseness with which it was measured."""


class Share(Part):
    """Of so many runs so many, with the share of all such runs that this is compatible with."""

    k: int
    """So many."""
    n: int
    """Of this many runs."""
    low: float
    """The low end of the exact 95 % interval (Clopper and Pearson)."""
    high: float
    """Its high end."""


class Measured(Part):
    """What was measured over seeds, of a level or of an experiment."""

    n: int
    """How many runs there are, one a seed."""
    seeds: tuple[int, ...] = ()
    """Their seeds."""
    keys: tuple[str, ...] = ()
    """Their keys, as in `runs.csv`."""
    accuracy: dict[str, Summary]
    """After the last epoch, by set, over the runs that did not diverge."""
    metrics: dict[str, Summary] = {}
    """The question's own metrics, by name, over the runs that have them."""
    seconds: Summary
    """Training time."""
    diverged: int = 0
    """How many runs diverged."""
    collapsed: int = 0
    """How many runs collapsed (their networks give every image the same class) or failed."""
    collapse: Share | None = None
    """The share of runs that collapse; null without runs."""
    busy: int = 0
    """How many runs were made on a busy machine, so that their times may be too long."""
    diverged_seeds: tuple[int, ...] = ()
    """The seeds of those that diverged."""
    shifts: dict[str, ShiftCurve] | None = None
    """Shift curves by direction (`x`, `y`, `any`, `turned`); null if networks were not examined."""
    reported: dict[str, float] = {}
    """What the lab's author reported: accuracy by set or values of metrics, and `seconds`."""
    failure_text: str = ""
    """How many runs failed, why, and the last line that one of them printed; empty if none did."""
    remarks: str = ""
    """What is unusual, or chosen, in a few words."""


class Level(Measured):
    """One combination of the varied knobs."""

    name: str = ""
    """What it is called in tables."""
    label: str = ""
    """What the lab file calls it; empty if it has no name of its own."""
    knobs: Knobs
    """The varied knobs."""
    fixed: Knobs = {}
    """The knobs that this level holds fixed, and not all levels."""
    settings: tuple[Knobs, ...] = ()
    """All knobs of each setting that it was trained with; several if knobs were retuned."""
    best: bool = False
    """Whether it is the best on validation."""
    targets: tuple[Target, ...] = ()
    """When its runs reached the targets that the question's claims name."""
    retuned: Knobs = {}
    """The values of the retuned knobs that were chosen, on the tuning seeds."""
    edge: tuple[str, ...] = ()
    """The retuned knobs of which the smallest or largest value tried was chosen."""


class Experiment(Measured):
    """A setting that the lab's author ran."""

    id: str
    """Its id in the lab file."""
    name: str
    """What the author calls it."""
    note: str = ""
    """What the author notes of it."""
    knobs: Knobs
    """All of its knobs."""
    knobs_text: str = ""
    """The knobs in words."""
    first_look: Number = None
    """The seconds that a first look at it would take; null if there was time for it."""
    named: tuple[Metric, ...] = ()
    """What is measured of it, the main one first, if siffra does not train it itself."""


def or_nan(value: int | float | None) -> float:
    """NaN for what is null."""
    return math.nan if value is None else value
