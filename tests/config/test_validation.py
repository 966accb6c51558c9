"""What is wrong with a value is said in siffra's words, and never in pydantic's."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siffra.config.validation import describe, first_mistake, shown

PYDANTICS_WORDS = (
    "input should",
    "valid ",
    "tuple",
    "dict",
    "instance",
    "validation",
    "value error",
    "pattern",
    "class",
    "parse",
    "string",
    "integer",
)


class Inner(BaseModel):
    x: int = 0


class Everything(BaseModel):
    """A field of each kind that siffra's formats have."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    whole: int = 0
    number: float = 0.0
    either: int | float = 0
    flag: bool = False
    text: Annotated[str, Field(min_length=1, max_length=4)] = "a"
    file: Annotated[Path | None, Field(strict=False)] = None
    pair: Annotated[tuple[int, ...], Field(strict=False, min_length=2, max_length=3)] = (1, 2)
    listed: list[int] = []
    table: Annotated[dict[str, Any], Field(min_length=1)] = {"a": 1}
    inner: Inner = Inner()
    word: Literal["red", "green"] = "red"
    above: Annotated[int, Field(gt=0)] = 1
    rate: Annotated[float, Field(ge=1e-30, le=1e30)] = 1.0
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    below: Annotated[float, Field(lt=1)] = 0.0
    many: Annotated[int, Field(le=1_000_000)] = 1
    day: dt.date = dt.date(2020, 1, 1)


WRONG = (
    ("whole", 1.5, "found 1.5; it must be a whole number."),
    ("whole", True, "found true; it must be a whole number."),
    ("whole", "3", "found '3'; it must be a whole number, without quotes."),
    ("whole", "x", "found 'x'; it must be a whole number."),
    ("whole", dt.date(2020, 1, 1), "found 2020-01-01; it must be a whole number."),
    ("number", "0.5", "found '0.5'; it must be a number, without quotes."),
    ("number", [1, 2], "found [1, 2]; it must be a number."),
    ("number", float("inf"), "found inf; it must be a finite number."),
    ("either", "3", "found '3'; it must be a number, without quotes."),
    ("either", float("nan"), "found nan; it must be a finite number."),
    ("flag", 1, "found 1; it must be true or false."),
    ("text", 5, "found 5; it must be a text in quotes."),
    ("text", "", "found ''; it must not be empty."),
    ("text", "abcde", "found 'abcde'; it has 5 characters, and 4 is the most."),
    ("file", 5, "found 5; it must be the path of a file."),
    ("pair", 4, "found 4; it must be a list, as [1, 2]."),
    ("pair", {"a": 4}, "found a table; it must be a list, as [1, 2]."),
    ("pair", [4], "found [4]; it needs 2 values at least."),
    ("pair", [1, 2, 3, 4], "found [1, 2, 3, 4]; it may have 3 values at most."),
    ("listed", "ab", "found 'ab'; it must be a list, as [1, 2]."),
    ("table", 3, "found 3; it must be a table."),
    ("table", {}, "found an empty table; it needs one entry at least."),
    ("inner", 3, "found 3; it must be a table."),
    ("word", "gren", "found 'gren'; did you mean `green`?"),
    ("word", 3, "found 3; it must be red or green."),
    ("above", 0, "found 0; it must be above 0."),
    ("rate", 0.0, "found 0.0; it must be above 0."),
    ("rate", 1e-40, "found 1e-40; it must be at least 1e-30."),
    ("rate", 1e31, "found 1e+31; it must be at most 1e+30."),
    ("share", -0.5, "found -0.5; it must be at least 0."),
    ("share", 97.0, "found 97.0; it must be at most 1: a fraction, as 0.97."),
    ("below", 1.0, "found 1.0; it must be below 1."),
    ("many", 10**7, "found 10000000; it must be at most 1,000,000."),
    ("day", "x", "found 'x'; it must be a date."),
    ("nix", 3, "no such key."),
)


@pytest.mark.parametrize(("field", "value", "expected"), WRONG)
def test_a_wrong_value_is_told_with_what_would_be_right(field, value, expected):
    with pytest.raises(ValidationError) as caught:
        Everything(**{field: value})

    told = describe(first_mistake(caught.value))

    assert told == expected
    assert not [word for word in PYDANTICS_WORDS if word in told.lower()]


def test_every_field_above_has_a_wrong_value():
    assert set(Everything.model_fields) <= {field for field, _, _ in WRONG}


def test_of_a_value_of_two_kinds_the_more_general_is_asked_for():
    with pytest.raises(ValidationError) as caught:
        Everything(either="x")  # pyright: ignore[reportArgumentType]

    assert first_mistake(caught.value)["loc"] == ("either", "float")


def test_a_long_value_is_cut_to_a_line():
    assert len(shown("x" * 10**6)) < 80
    assert len(shown(list(range(10**6)))) < 80
