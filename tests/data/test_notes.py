"""Notes: the same in both languages, documented, and harmless whatever a file has in it."""

import string
from pathlib import Path

import pytest

from siffra.data.notes import note, texts

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("table", ["note", "summary"])
def test_both_languages_say_the_same(table):
    english, swedish = texts(table)["en"], texts(table)["sv"]

    assert list(english) == list(swedish)
    for code, text in english.items():
        # A plural is for English alone.
        assert places(text) - {"noun"} == places(swedish[code]), code


def test_every_code_is_documented():
    documented = DOCS.read_text("utf-8")

    assert [code for code in texts("note")["en"] if f"`{code}`" not in documented] == []


def test_a_note_is_one_line_that_steers_no_terminal():
    odd = note("constant_columns", columns="a\x1b[2J\nb\u202e")

    assert odd.text.isprintable()
    assert odd.as_json()["code"] == "constant_columns"
    assert odd.texts["sv"].isprintable()
