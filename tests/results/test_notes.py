"""Notes on tables of runs, and refusals of them, say the same in both languages."""

import re
import string
from pathlib import Path

import pytest

import siffra
from siffra.data.notes import texts

PACKAGE = Path(siffra.__file__).parent
TABLES = [
    ("note", "siffra.results"),
    ("refusal", "siffra.results"),
    ("remedy", "siffra.results"),
    ("refusal", "siffra.data"),
]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("table", "package"), TABLES)
def test_both_languages_say_the_same(table, package):
    english, swedish = (texts(table, package)[language] for language in ("en", "sv"))

    assert list(english) == list(swedish)
    for code, text in english.items():
        assert places(text) == places(swedish[code]), code
        assert text != swedish[code], code


def test_every_refusal_has_a_text_and_every_text_a_refusal():
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py")]
    known = {code for table, package in TABLES[1:] for code in texts(table, package)["en"]}
    quoted = {word for text in sources for word in re.findall(r'"([a-z0-9_]+)"', text)}
    made = {f"too_many_{what}" for what in ("rows", "columns", "cells")}

    assert known - quoted - made == set()
    for text in sources:
        for code in re.findall(r'\b(?:refused|remedy)\(\s*"([a-z0-9_]+)"', text):
            assert code in known


def test_readers_of_results_raise_nothing_that_has_no_text():
    for folder in ("results", "data/csv_file.py", "data/arrow.py", "lab/plan/given.py"):
        for path in (PACKAGE / folder).rglob("*.py") if "." not in folder else [PACKAGE / folder]:
            assert not re.search(r"raise (Results|Data|Config)Error\(", path.read_text("utf-8")), (
                path
            )
