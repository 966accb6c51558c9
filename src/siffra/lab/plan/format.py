"""The format of a lab file: its tables, and what can be told of them without models and data.

Keys, types, names of knobs and ids are checked here. What needs the models and the data set is
checked when the lab is planned (`siffra.lab.plan.planning`). docs/labs.md describes the format.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, PositiveInt, ValidationInfo, model_validator

from siffra.config.metrics import METRICS
from siffra.config.validation import Frozen
from siffra.data.dataset import SETS
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED
from siffra.lab.plan.keys import (
    ARRAY,
    SOME,
    Against,
    Candidates,
    Change,
    Day,
    Duration,
    Id,
    Knobs,
    Level,
    LevelList,
    LevelRef,
    Lists,
    Measured,
    MetricOf,
    Positive,
    PresetName,
    SetName,
    ShiftName,
    StandIns,
    Table,
    Texts,
    around,
    with_known_keys,
)
from siffra.lab.plan.plan import Direction, Figure
from siffra.lab.plan.program_tables import Metrics, RunningTable, check_claim
from siffra.lab.plan.references import RECIPE
from siffra.lab.plan.texts import safe_name

EXPERIMENTS = "experiments"
"""The id by which the experiments are picked among the questions."""

MOST_SEEDS = 1000
MOST_LEVELS = 1000


class Reported(Frozen):
    """Figures by an author: accuracies, fractions by set, and `seconds`, the training time.

    Of a program they are values of its metrics.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Measured] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    seconds: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_figures(cls, table: object, info: ValidationInfo) -> Any:
        program = around(info).program
        return with_known_keys(table, (*(program.metrics if program else SETS), *cls.model_fields))

    def figures(self) -> dict[str, float]:
        """Those that were given, by name."""
        seconds = {} if self.seconds is None else {"seconds": self.seconds}
        return {**self.__pydantic_extra__, **seconds}


class ReportedLevel(Reported):
    """Figures by an author for one level, `at`."""

    at: LevelRef


class ClaimTable(Table):
    """A claim as it is written; `siffra.lab.plan.plan.Claim` says what the keys mean."""

    id: Id
    say: Texts
    reported: Texts | None = None
    metric: MetricOf
    on: SetName = "test"
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    level: Level
    against: Against
    times: Positive | None = None
    plus: Change | None = None
    direction: Direction
    margin: Positive | None = None
    epochs: PositiveInt | None = None
    by: Texts | None = None

    @model_validator(mode="after")
    def _what_is_measured_of_a_program(self, info: ValidationInfo) -> Self:
        if around(info).program:
            metric, keys = around(info).metrics[self.metric], self.model_fields_set
            check_claim(metric, keys, self.against, self.direction, self.margin)
        return self

    @model_validator(mode="after")
    def _keys_that_belong_together(self, info: ValidationInfo) -> Self:
        if around(info).program:
            return self
        if (self.target is not None) != METRICS[self.metric].has_target:
            verb = "has no" if self.target is not None else "needs a"
            raise ValueError(f"metric `{self.metric}` {verb} `target`")
        if self.metric in ("seconds", "collapse") and "on" in self.model_fields_set:
            what = "training time" if self.metric == "seconds" else "collapse"
            raise ValueError(f"metric `{self.metric}` has no `on`: {what} is the same for all sets")
        if self.metric == "drop" and self.on == "test":
            raise ValueError("metric `drop` is from test to another set: `on` says which")
        return self

    @model_validator(mode="after")
    def _what_an_exact_test_of_shares_can_show(self, info: ValidationInfo) -> Self:
        if self.metric != "collapse" or around(info).program:
            return self
        if not isinstance(self.against, tuple):
            raise ValueError(
                "metric `collapse` compares levels: `against` must name one, as { neurons = 16 }"
            )
        if self.direction not in ("better", "worse"):
            raise ValueError(
                f"metric `collapse` cannot be shown to be {self.direction}; its direction is "
                "better or worse"
            )
        for key in ("margin", "times", "plus"):
            if getattr(self, key) is not None:
                raise ValueError(f"metric `collapse` has no `{key}`")
        return self

    @model_validator(mode="after")
    def _a_level_moved_as_the_metric_is_compared(self, info: ValidationInfo) -> Self:
        fitting, other = "times", "plus"
        if not around(info).metrics[self.metric].is_ratio:
            fitting, other = other, fitting
        if getattr(self, other) is not None:
            scale = "ratio" if fitting == "times" else "difference"
            raise ValueError(
                f"metric `{self.metric}` is compared as a {scale}: use `{fitting}`, not `{other}`"
            )
        if getattr(self, fitting) is not None and not isinstance(self.against, tuple):
            raise ValueError(
                f"`{fitting}` moves what a level has, but `against` is a number: move that instead"
            )
        return self

    @model_validator(mode="after")
    def _a_number_that_the_metric_can_have(self, info: ValidationInfo) -> Self:
        if isinstance(self.against, tuple) or around(info).program:
            return self
        found = f"`against` is {self.against:g}"
        metric = METRICS[self.metric]
        if metric.is_ratio:
            if self.against <= 0:
                raise ValueError(f"{found}; for metric `{self.metric}` it must be above 0")
            return self
        if not metric.least <= self.against <= 1:
            span = f"it must lie between {metric.least} and 1"
            hint = "a fraction (0.97, not 97)"
            raise ValueError(f"{found}; for metric `{self.metric}` {span}: {hint}")
        return self


class QuestionTable(Table):
    """A question as it is written: either `vary` (all combinations) or `levels` (a list)."""

    id: Id
    ask: Texts
    note: Texts | None = None
    by: Texts | None = None
    fixed: Knobs = Field(default_factory=dict)
    vary: Annotated[Lists, Field(min_length=1)] | None = None
    levels: LevelList | None = None
    retune: Candidates = Field(default_factory=dict)
    figures: Annotated[tuple[Figure, ...], SOME] | None = None
    reported: Annotated[tuple[ReportedLevel, ...], ARRAY] = ()
    claims: Annotated[tuple[ClaimTable, ...], ARRAY] = ()
    from_preset: PresetName = "quick"

    @model_validator(mode="after")
    def _levels_to_compare(self) -> Self:
        if self.vary is None and self.levels is None:
            raise ValueError("it needs `vary` or `levels`")
        if self.vary is not None and self.levels is not None:
            raise ValueError("it has both `vary` and `levels`; remove one of them")
        for number, level in enumerate(self.levels or (), start=1):
            missing = [knob for knob in self.varied if knob not in level.knobs]
            # Models have different knobs, and a recipe has them all: such levels need not name
            # the same.
            is_whole = not level.knobs.keys().isdisjoint(("model", RECIPE))
            if missing and (not is_whole or self._needs_all_knobs):
                raise ValueError(f"levels[{number}] has no `{missing[0]}`, which other levels have")
        levels = len(self.levels) if self.levels else _combinations(self.vary)
        if levels < 2:
            raise ValueError("there is only one level; a comparison needs at least two")
        if (settings := levels * _combinations(self.retune)) > MOST_LEVELS:
            raise ValueError(
                f"this makes {settings:,} settings; at most {MOST_LEVELS:,} are allowed"
            )
        if self.figures and "heatmap" in self.figures and len(self.varied) != 2:
            raise ValueError(f"a heatmap needs two varied knobs, found {len(self.varied)}")
        return self

    @model_validator(mode="after")
    def _names_of_their_own(self) -> Self:
        seen: dict[str, int] = {}
        for number, level in enumerate(self.levels or (), start=1):
            for name in set(level.name.values()):
                if (other := seen.setdefault(name, number)) != number:
                    raise ValueError(
                        f"levels[{other}] and levels[{number}] are both called `{name}`"
                    )
        return self

    @model_validator(mode="after")
    def _one_role_for_each_knob(self) -> Self:
        roles = {"varied": self.varied, "fixed": self.fixed, "retuned": self.retune}
        for (first, ours), (second, theirs) in itertools.combinations(roles.items(), 2):
            for knob in ours:
                if knob in theirs:
                    raise ValueError(f"`{knob}` is both {first} and {second}")
        return self

    @model_validator(mode="after")
    def _id_of_its_own(self) -> Self:
        if safe_name(self.id) == EXPERIMENTS:
            raise ValueError(f"the id `{self.id}` is reserved for the lab's experiments")
        return self

    @property
    def _needs_all_knobs(self) -> bool:
        return bool(self.figures and "heatmap" in self.figures)

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the varied knobs."""
        if self.levels is not None:
            return tuple(dict.fromkeys(knob for level in self.levels for knob in level.knobs))
        return tuple(self.vary or ())


class ExperimentTable(Table):
    """An experiment as it is written."""

    id: Id
    name: Texts
    note: Texts | None = None
    knobs: Knobs
    reported: Reported = Reported.model_construct()
    from_preset: PresetName = "quick"


class PresetTable(Table):
    """What a lab changes in a preset: the cap on epochs, and the number of seeds or the time.

    `time` is the budget in seconds. `recipes` has the recipes that stand in for others in its
    questions: a recipe's length is its own, which no cap touches.
    """

    epochs: PositiveInt | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    time: Duration | None = None
    recipes: StandIns = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.seeds is not None and self.time is not None:
            raise ValueError(
                "`seeds` fixes the number of seeds, `time` is a budget; give one of them"
            )
        return self


class PresetTables(Table):
    """The presets that there are."""

    quick: PresetTable = PresetTable()
    standard: PresetTable = PresetTable()
    full: PresetTable = PresetTable()


class Tables(Table):
    """A whole lab file as it is written."""

    title: Texts
    author: Texts = Field(default_factory=dict)
    course: Texts = Field(default_factory=dict)
    date: Day = ""
    preset: PresetName = "full"
    data: DataSource = DataSource()
    shifts: dict[ShiftName, Positive] | None = None
    base: Knobs = Field(default_factory=dict)
    metrics: Metrics = Field(default_factory=dict)
    command: RunningTable = RunningTable()
    presets: PresetTables = PresetTables()
    questions: Annotated[tuple[QuestionTable, ...], ARRAY] = ()
    experiments: Annotated[tuple[ExperimentTable, ...], ARRAY] = ()

    @model_validator(mode="after")
    def _shifts_in_one_place(self) -> Self:
        for name, shift in SHIFTED.items() if self.shifts is not None else ():
            if name in self.data.model_fields_set:
                raise ValueError(
                    f"data.{name}: `[shifts]` says which shifts there are; use `{shift.key}`"
                )
        return self

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not self.questions and not self.experiments:
            raise ValueError("the lab is empty: it needs `[[questions]]` or `[[experiments]]`")
        for what, ids in (
            ("questions", [q.id for q in self.questions]),
            ("claims", [c.id for q in self.questions for c in q.claims]),
            ("experiments", [e.id for e in self.experiments]),
        ):
            for name in ids:
                if ids.count(name) > 1:
                    raise ValueError(f"{ids.count(name)} {what} have the id `{name}`")
        return self

    @model_validator(mode="after")
    def _files_of_their_own(self) -> Self:
        seen: dict[str, str] = {}
        for name in (question.id for question in self.questions):
            other = seen.setdefault(safe_name(name), name)
            if other != name:
                raise ValueError(
                    f"the figures of questions `{other}` and `{name}` would be the same files; "
                    "change one of the ids"
                )
        return self


def _combinations(lists: Mapping[str, tuple[object, ...]] | None) -> int:
    return math.prod(len(values) for values in (lists or {}).values())
