"""The keys of a lab file, one by one: what a text, an id, a level or a duration may be."""

import re
from collections.abc import Collection
from datetime import date
from typing import Annotated, Any, Literal, LiteralString

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from siffra.config import no_such_knob
from siffra.config.durations import seconds_of
from siffra.config.validation import Frozen, shown
from siffra.data.dataset import SETS
from siffra.data.shifted import SHIFTS
from siffra.errors import ConfigError, did_you_mean
from siffra.lab.plan.references import RECIPE, Surroundings

LANGUAGES = ("en", "sv")


def around(info: ValidationInfo) -> Surroundings:
    """What the lab file that is checked names, and lies outside of it."""
    assert isinstance(info.context, Surroundings)
    return info.context


def _known_knob(name: str, info: ValidationInfo) -> str:
    program, known = around(info).program, around(info).knobs
    if name not in known:
        why = program.why_no_knob(name) if program else no_such_knob(name, known)
        raise PydanticCustomError("unknown_knob", "{why}", {"why": why})
    return name


def _resolved(knobs: dict[str, object], info: ValidationInfo) -> dict[str, Any]:
    return around(info).resolved(knobs)


def _resolved_stand_ins(recipes: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    recipe_of = around(info).recipe
    return {recipe_of(old): recipe_of(new) for old, new in recipes.items()}


def _without_recipe(lists: dict[str, object]) -> dict[str, Any]:
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


def _by_language(value: object) -> Any:
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


def _listed(value: object) -> Any:
    """One level as a list of them."""
    return [value] if isinstance(value, dict | str) else value


def _metric(name: object, info: ValidationInfo) -> Any:
    """A metric that there is; unless one is named, the main one."""
    known, program = around(info).metrics, around(info).program
    if name is None:
        return next(iter(known))
    if isinstance(name, str) and name not in known:
        hint = program.why_no_metric(name) if program else did_you_mean(name, known)
        values = {"found": shown(name), "hint": hint}
        raise PydanticCustomError("unknown_name", "found {found}; {hint}", values)
    return name


def _level(value: object) -> Any:
    if not isinstance(value, dict | list | tuple | str):
        raise _not_of_kind(value, "a level: a table, as { neurons = 16 }, or its name")
    return _listed(value)


def _yardstick(value: object) -> Any:
    if not isinstance(value, dict | list | tuple | str | int | float):
        raise _not_of_kind(value, "a number, or a level: a table, as { neurons = 16 }, or its name")
    return _listed(value)


def _level_list(value: object) -> Any:
    if not isinstance(value, list | tuple):
        raise _not_of_kind(value, "a list of tables, as [{ neurons = 16 }, { neurons = 64 }]")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _not_of_kind(value, 'a duration, as "5m", or a number of seconds')
    try:
        return seconds_of(value, "")
    except ConfigError as error:
        why = str(error).removeprefix(": ")
        raise PydanticCustomError("no_duration", "{why}", {"why": why}) from error


def _within(least: float, most: float) -> AfterValidator:
    """As siffra's own metrics are; those of a program may have any value."""

    def check(value: float, info: ValidationInfo) -> float:
        if not around(info).program and value < least:
            raise PydanticKnownError("greater_than_equal", {"ge": least})
        if not around(info).program and value > most:
            raise PydanticKnownError("less_than_equal", {"le": most})
        return value

    return AfterValidator(check)


def _not_of_kind(value: object, wanted: str) -> PydanticCustomError:
    return PydanticCustomError(
        "not_of_kind",
        "found {found}; it must be {wanted}",
        {"found": shown(value), "wanted": wanted},
    )


# An array in TOML is a list, a tuple here; what is in it is checked as strictly as ever.
ARRAY = Field(strict=False)
SOME = Field(strict=False, min_length=1)


def _day(value: object) -> Any:
    return value.isoformat() if isinstance(value, date) else value


_ID = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")
Id = Annotated[str, Field(max_length=40), AfterValidator(_is_id)]
Texts = Annotated[
    dict[
        Annotated[str, _one_of(LANGUAGES, "no such language; {hint}")],
        Annotated[str, Field(min_length=1)],
    ],
    BeforeValidator(_by_language),
    Field(min_length=1),
]
"""A text by language; a plain string is English."""

Day = Annotated[str, Field(min_length=1, max_length=40), BeforeValidator(_day)]
"""A date as TOML has it, 2026-11-30, or a text."""

_Knob = Annotated[str, AfterValidator(_known_knob)]
Knobs = Annotated[dict[_Knob, Any], AfterValidator(_resolved)]
Lists = Annotated[dict[_Knob, Annotated[tuple[Any, ...], SOME]], AfterValidator(_resolved)]
"""The values that each knob takes."""
Candidates = Annotated[Lists, AfterValidator(_without_recipe)]
"""Those of retuned knobs."""
StandIns = Annotated[dict[str, str], AfterValidator(_resolved_stand_ins)]
"""Recipes by those in whose place they stand."""

_SomeKnobs = Annotated[Knobs, Field(min_length=1)]


class LevelTable(Frozen):
    """A level as it is written: its knobs and, unless one of those is called that, its `name`."""

    name: Texts = Field(default_factory=dict)
    # Its keys stand in the level's own table, which mistakes in them are to name.
    knobs: _SomeKnobs = Field(alias="<knobs>")

    @model_validator(mode="before")
    @classmethod
    def _name_apart(cls, table: object, info: ValidationInfo) -> Any:
        if not isinstance(table, dict) or "name" not in table or "name" in around(info).knobs:
            return {"<knobs>": table}
        knobs = {knob: value for knob, value in table.items() if knob != "name"}
        return {"name": table["name"], "<knobs>": knobs}


LevelList = Annotated[
    Annotated[tuple[LevelTable, ...], SOME],
    BeforeValidator(_level_list),
]

LevelRef = Annotated[
    Annotated[_SomeKnobs, Tag("<knobs>")] | Annotated[str, Tag("<name>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<knobs>"),
]
"""A level of a question, by its knobs or its name."""
_Levels = Annotated[tuple[LevelRef, ...], SOME]
Level = Annotated[_Levels, BeforeValidator(_level)]
"""One level or a list of them."""
Against = Annotated[
    Annotated[_Levels, Tag("<levels>")] | Annotated[float, Tag("<number>")],
    Discriminator(lambda value: "<levels>" if isinstance(value, list | tuple) else "<number>"),
    BeforeValidator(_yardstick),
]
"""The same, or a number."""

MetricOf = Annotated[str, BeforeValidator(_metric), Field(default=None, validate_default=True)]
Measured = Annotated[float, _within(0, 1)]
"""A value of a metric."""
Change = Annotated[float, _within(-1, 1)]
"""A difference of such values."""
Positive = Annotated[float, Field(gt=0)]
Duration = Annotated[float, BeforeValidator(_seconds)]
"""In seconds, whether written as `90` or as `"90s"`."""
SetName = Annotated[str, _one_of(SETS, "found {found}; {hint}")]
ShiftName = Annotated[str, _one_of(SHIFTS, "no such key; {hint}")]
PresetName = Literal["quick", "standard", "full"]


def with_known_keys(table: object, known: Collection[str]) -> Any:
    """The `table` as it is, or its first key that is not `known` refused."""
    for key in table if isinstance(table, dict) else ():
        if key not in known:
            hint = did_you_mean(key, known)
            raise PydanticCustomError(
                "unknown_key", "no such key; {hint}", {"key": key, "hint": hint}
            )
    return table


class Table(Frozen):
    """A table of a lab file, which has no other keys than its own."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, table: object) -> Any:
        return with_known_keys(table, cls.model_fields)
