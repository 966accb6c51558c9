"""The format of a lab file: its tables, and what can be told of them without models and data.

Keys, types, names of knobs and ids are checked here. What needs the models and the data set is
checked when the lab is planned (`siffra.lab.plan.planning`). docs/labs.md describes the format.
"""

import itertools
import math
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from siffra.config import KNOBS, no_such_knob
from siffra.config.metrics import METRICS, MetricName
from siffra.config.validation import Frozen, shown
from siffra.data.dataset import SETS
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED, SHIFTS
from siffra.errors import did_you_mean
from siffra.lab.plan.plan import Direction, Figure
from siffra.lab.plan.references import RECIPE, Surroundings
from siffra.lab.plan.texts import safe_name

EXPERIMENTS = "experiments"
"""The id by which the experiments are picked among the questions."""

MOST_SEEDS = 1000
MOST_LEVELS = 1000
LANGUAGES = ("en", "sv")


def _around(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings)
    return info.context


def _known_knob(name: str, info: ValidationInfo) -> str:
    known = {*KNOBS, RECIPE, *_around(info).knobs}
    if name not in known:
        why = no_such_knob(name, known)
        raise PydanticCustomError("unknown_knob", "{why}", {"why": why})
    return name


def _resolved(knobs: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    return _around(info).resolved(knobs)


def _resolved_stand_ins(recipes: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    found = _around(info).recipe
    return {found(old): found(new) for old, new in recipes.items()}


def _without_recipe(lists: dict[str, Any]) -> dict[str, Any]:
    if RECIPE in lists:
        raise ValueError(
            f"a `{RECIPE}` sets every knob of a level, so it cannot be retuned; vary it, or retune "
            "its knobs"
        )
    return lists


def _one_of(known: Collection[str], message: LiteralString) -> AfterValidator:
    """Takes a name that is `known`; the `message` about any other may have {found} and {hint}."""

    def check(name: str) -> str:
        if name not in known:
            values = {"found": shown(name), "hint": did_you_mean(name, known)}
            raise PydanticCustomError("unknown_name", message, values)
        return name

    return AfterValidator(check)


def _by_language(value: Any) -> Any:
    if isinstance(value, str):
        return {"en": value}
    if not isinstance(value, dict):
        raise _not_of_kind(value, "a quoted string, or a table with one string per language")
    return value


def _is_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise PydanticCustomError(
            "no_id",
            "found {found}; an id has letters from a to z, digits, - and _, and begins with a "
            "letter or a digit",
            {"found": shown(text)},
        )
    return text


def _listed(value: Any) -> Any:
    """One level as a list of them."""
    return [value] if isinstance(value, dict) else value


def _level(value: Any) -> Any:
    if not isinstance(value, dict | list | tuple):
        raise _not_of_kind(value, "a table that names a level, as { neurons = 16 }")
    return _listed(value)


def _yardstick(value: Any) -> Any:
    if not isinstance(value, dict | list | tuple | int | float):
        raise _not_of_kind(value, "a number, or a table that names a level, as { neurons = 16 }")
    return _listed(value)


def _level_list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise _not_of_kind(value, "a list of tables, as [{ neurons = 16 }, { neurons = 64 }]")
    return value


def _not_of_kind(value: Any, wanted: str) -> PydanticCustomError:
    return PydanticCustomError(
        "not_of_kind",
        "found {found}; it must be {wanted}",
        {"found": shown(value), "wanted": wanted},
    )


# An array in TOML is a list, a tuple here; what is in it is checked as strictly as ever.
_ARRAY = Field(strict=False)
_SOME = Field(strict=False, min_length=1)

_ID = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")
_Id = Annotated[str, Field(max_length=40), AfterValidator(_is_id)]
_Text = Annotated[
    dict[
        Annotated[str, _one_of(LANGUAGES, "no such language; {hint}")],
        Annotated[str, Field(min_length=1)],
    ],
    BeforeValidator(_by_language),
    Field(min_length=1),
]
_Knob = Annotated[str, AfterValidator(_known_knob)]
Knobs = Annotated[dict[_Knob, Any], AfterValidator(_resolved)]
_Lists = Annotated[
    dict[_Knob, Annotated[tuple[Any, ...], _SOME]], AfterValidator(_resolved)
]  # the values that each knob takes
_Levels = Annotated[tuple[Annotated[Knobs, Field(min_length=1)], ...], _SOME]
_Against = Annotated[
    Annotated[_Levels, Tag("<levels>")] | Annotated[float, Tag("<number>")],
    Discriminator(lambda value: "<levels>" if isinstance(value, list | tuple) else "<number>"),
    BeforeValidator(_yardstick),
]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Set = Annotated[str, _one_of(SETS, "found {found}; {hint}")]
_Shift = Annotated[str, _one_of(SHIFTS, "no such key; {hint}")]
_Strength = Annotated[float, Field(gt=0)]
_Preset = Literal["quick", "standard", "full"]


def _with_known_keys(table: Any, known: Collection[str]) -> Any:
    for key in table if isinstance(table, dict) else ():
        if key not in known:
            hint = did_you_mean(key, known)
            raise PydanticCustomError(
                "unknown_key", "no such key; {hint}", {"key": key, "hint": hint}
            )
    return table


class _Table(Frozen):
    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, table: Any) -> Any:
        return _with_known_keys(table, cls.model_fields)


class Reported(Frozen):
    """Figures by an author: accuracies, fractions by set, and `seconds`, the training time."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, _Fraction] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_figures(cls, table: Any) -> Any:
        return _with_known_keys(table, (*SETS, *cls.model_fields))

    def figures(self) -> dict[str, float]:
        """Those that were given, by name."""
        given = self.model_dump(exclude_none=True)
        return {name: given[name] for name in (*SETS, "seconds") if name in given}


class ReportedLevel(Reported):
    """Figures by an author for the level that has the knobs `at`."""

    at: Annotated[Knobs, Field(min_length=1)]


class ClaimTable(_Table):
    """A claim as it is written; `siffra.lab.plan.plan.Claim` says what the keys mean."""

    id: _Id
    say: _Text
    reported: _Text | None = None
    metric: MetricName = "accuracy"
    on: _Set = "test"
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    level: Annotated[_Levels, BeforeValidator(_level)]
    against: _Against
    direction: Direction
    margin: Annotated[float, Field(gt=0)] | None = None
    epochs: PositiveInt | None = None

    @model_validator(mode="after")
    def _keys_that_belong_together(self) -> Self:
        if (self.target is not None) != METRICS[self.metric].has_target:
            verb = "has no" if self.target is not None else "needs a"
            raise ValueError(f"metric `{self.metric}` {verb} `target`")
        if self.metric == "seconds" and "on" in self.model_fields_set:
            raise ValueError("metric `seconds` has no `on`: training time is the same for all sets")
        if self.metric == "drop" and self.on == "test":
            raise ValueError("metric `drop` is from test to another set: `on` says which")
        return self

    @model_validator(mode="after")
    def _a_number_that_the_metric_can_have(self) -> Self:
        if isinstance(self.against, tuple):
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


class QuestionTable(_Table):
    """A question as it is written: either `vary` (all combinations) or `levels` (a list)."""

    id: _Id
    ask: _Text
    note: _Text | None = None
    by: _Text | None = None
    fixed: Knobs = Field(default_factory=dict)
    vary: Annotated[_Lists, Field(min_length=1)] | None = None
    levels: Annotated[_Levels, BeforeValidator(_level_list)] | None = None
    retune: Annotated[_Lists, AfterValidator(_without_recipe)] = Field(default_factory=dict)
    figures: Annotated[tuple[Figure, ...], _SOME] | None = None
    reported: Annotated[tuple[ReportedLevel, ...], _ARRAY] = ()
    claims: Annotated[tuple[ClaimTable, ...], _ARRAY] = ()
    from_preset: _Preset = "quick"

    @model_validator(mode="after")
    def _levels_to_compare(self) -> Self:
        if self.vary is None and self.levels is None:
            raise ValueError("it needs `vary` or `levels`")
        if self.vary is not None and self.levels is not None:
            raise ValueError("it has both `vary` and `levels`; remove one of them")
        for number, level in enumerate(self.levels or (), start=1):
            missing = [knob for knob in self.varied if knob not in level]
            # Models have different knobs, and a recipe has them all: such levels need not name
            # the same.
            if missing and (level.keys().isdisjoint(("model", RECIPE)) or self._needs_all_knobs):
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
            return tuple(dict.fromkeys(knob for level in self.levels for knob in level))
        return tuple(self.vary or ())


class ExperimentTable(_Table):
    """An experiment as it is written."""

    id: _Id
    name: _Text
    note: _Text | None = None
    knobs: Knobs
    reported: Reported = Reported()
    from_preset: _Preset = "quick"


class PresetTable(_Table):
    """What a lab changes in a preset: the cap on epochs, the number of seeds.

    `recipes` has those that stand in for others in its questions: a recipe's length is its own,
    which no cap touches.
    """

    epochs: PositiveInt | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    recipes: Annotated[dict[str, str], AfterValidator(_resolved_stand_ins)] = Field(
        default_factory=dict
    )


class PresetTables(_Table):
    """The presets that there are."""

    quick: PresetTable = PresetTable()
    standard: PresetTable = PresetTable()
    full: PresetTable = PresetTable()


class Tables(_Table):
    """A whole lab file as it is written."""

    title: _Text
    preset: _Preset = "full"
    data: DataSource = DataSource()
    shifts: dict[_Shift, _Strength] | None = None
    base: Knobs = Field(default_factory=dict)
    presets: PresetTables = PresetTables()
    questions: Annotated[tuple[QuestionTable, ...], _ARRAY] = ()
    experiments: Annotated[tuple[ExperimentTable, ...], _ARRAY] = ()

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


def _combinations(lists: Mapping[str, tuple[Any, ...]] | None) -> int:
    return math.prod(len(values) for values in (lists or {}).values())
