"""TOML of anybody's: what cannot be taken is told in a line."""

import pytest

from siffra.config.recipe import recipe_knobs
from siffra.errors import LabFileError, RecipeError
from siffra.lab.labfile import read_lab
from siffra.toml_text import parse_toml

CASES = {
    "nine thousand digits": (b"a = " + b"9" * 9000, "too large"),
    "as many in hexadecimal": (b"a = 0x" + b"f" * 9000, "too large"),
    "of 65 bits, deep within": (b"a = [{ b = [1, 9223372036854775808] }]", "too large"),
    "nested": (b"a = " + b"[" * 90_000, "nested too deeply|Invalid value"),
    "nested by a key": (b"a" + b".a" * 20_000 + b" = 1", "nested too deeply"),
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
