"""TOML of anybody's: what cannot be taken is told in a line."""

import pytest

from siffra.config.recipes import recipe_knobs
from siffra.config.toml_text import parse_toml
from siffra.errors import LabFileError, RecipeError
from siffra.lab.plan.labfile import read_lab

CASES = {
    "nine thousand digits": (b"a = " + b"9" * 9000, "too large"),
    "as many in hexadecimal": (b"a = 0x" + b"f" * 9000, "too large"),
    "of 65 bits, deep within": (b"a = [{ b = [1, 9223372036854775808] }]", "too large"),
    "nested": (b"a = " + b"[" * 90_000, "nested too deeply|no value behind"),
    "nested by a key": (b"a" + b".a" * 5_000 + b" = 1", "nested too deeply"),
    "no TOML": (b"a b", "not TOML"),
    "no UTF-8": (b'a = 1\nb = "\xff"', "line 2 is not UTF-8"),
    "no date": (b"a = 2020-13-45", "not TOML"),
}


def test_what_is_within_limits_is_read():
    content = b"\xef\xbb\xbfa = [9223372036854775807, -9223372036854775808, true]"

    assert parse_toml(content) == {"a": [2**63 - 1, -(2**63), True]}


@pytest.mark.parametrize(("content", "complaint"), CASES.values(), ids=CASES)
def test_a_lab_file_and_a_recipe_say_in_a_line_why_they_cannot_be_read(
    tmp_path, content, complaint
):
    path = tmp_path / "own.toml"
    path.write_bytes(content)

    with pytest.raises(LabFileError, match=complaint) as lab:
        read_lab(path)
    with pytest.raises(RecipeError, match=complaint) as recipe:
        recipe_knobs(path)

    for refused in (lab, recipe):
        assert "own.toml: " in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('a = 1\ntitle = "x\n', 2, "a text does not end in its line (a quote may be missing)"),
        ("a = 'x", 1, "a text does not end"),
        ("lr,seed\n0.1,0", 1, "a name needs `=` and a value behind it"),
        ("a = x", 1, "there is no value behind `=`; texts stand in quotes"),
        ("a = 1\na = 2", 2, "that name is there already"),
        ("[a]\nb = 1\n[a]", 3, "that table is there already"),
        ("[a\nb = 1", 1, "the name of a table needs a `]` at its end"),
        ("a = [1, 2\nb = 3", 2, "a list does not end (a `]` or a comma may be missing)"),
        ("a = { b = 1", 1, "a table in braces ends in its line"),
        ("a = 0,5", 1, "more stands there than one value; decimals have a point, as 0.5"),
        ("= 3", 1, "a line begins with a name or with `[`"),
        ('a = "\\q"', 1, "a backslash in a text is written twice"),
    ],
)
def test_a_slip_is_told_with_its_line_and_what_is_missing(text, line, why):
    with pytest.raises(ValueError, match=r"^not TOML: ") as caught:
        parse_toml(text.encode())

    where, _, told = str(caught.value).removeprefix("not TOML: ").partition(": ")
    assert where in (f"line {line}", "at its end")
    assert told.startswith(why)


def test_a_table_of_results_is_told_to_be_no_lab_file(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("lr,seed,accuracy\n0.1,0,0.9\n", encoding="utf-8")

    with pytest.raises(LabFileError, match=r"runs\.csv: a lab file is a TOML file, not \.csv\."):
        read_lab(path)
