"""Numbers as programs print them, and how coarse they are."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.engine.command.printed import Objects, Printed, read_number, read_object


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("0.25", 0.25, 0.01),
        ("0.250", 0.25, 0.001),
        ("7", 7.0, 1.0),
        ("7.", 7.0, 1.0),
        ("0.25.", 0.25, 0.01),  # the end of a sentence
        (".5", 0.5, 0.1),
        ("-1.5e-3", -0.0015, 1e-4),
        ("2E2", 200.0, 100.0),
        (" +91.2 ", 91.2, 0.1),
    ],
)
def test_a_number_has_a_step(text, value, step):
    assert read_number(text) == Printed(value, step)


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "-Infinity", "1e999"])
def test_one_that_is_not_finite_has_none(text):
    found = read_number(text)

    assert found
    assert not math.isfinite(found.value)
    assert found.step == 0


@pytest.mark.parametrize(
    "text", ["", ".", "-", "e3", "1,5", "1_000", "0x10", "12%", "1..2", "٣", "1e9999999999"]
)
def test_what_is_no_number_is_not_taken_for_one(text):
    assert read_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_prints_is_read_exactly(value):
    found = read_number(repr(value))

    assert found
    assert found.value == value


@given(st.dictionaries(st.text(), st.floats() | st.integers(-(10**30), 10**30)))
def test_objects_are_read_as_python_writes_them(values):
    found = read_object(json.dumps(values))

    assert found is not None
    for name, value in values.items():
        number = found[name]
        assert isinstance(number, Printed)
        assert number.value == float(value) or (math.isnan(number.value) and math.isnan(value))


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", '{"a": 1} {', "{'a': 1}", '{"a":' * 10**5])
def test_what_is_no_object_is_not_taken_for_one(text):
    assert read_object(text) is None


def test_only_numbers_are_numbers():
    assert read_object('{"a": "1", "b": true, "c": null}') == {"a": "1", "b": True, "c": None}


def read_lines(text: str) -> list[dict[str, object]]:
    objects = Objects()
    return [found for line in text.splitlines() if (found := objects.read(line)) is not None]


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text())))
def test_objects_are_read_from_one_line_or_several(values):
    in_lines = [json.dumps(each, indent=2) for each in values]
    assert read_lines("\n".join(in_lines)) == [read_object(json.dumps(each)) for each in values]


def test_what_opens_and_is_never_closed_hides_nothing():
    assert read_lines('{\n{"a": 1}\n{\nfurther\n}\n{"a": 1}') == 2 * [read_object('{"a": 1}')]
    assert read_lines("{\n" + ("x" * 10**6 + "\n") * 3 + '  {"a": 1}') == [read_object('{"a": 1}')]
