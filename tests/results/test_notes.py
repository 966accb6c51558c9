"""Notes on tables of runs say the same in both languages."""

import string

import pytest

from siffra.data.notes import texts

ENGLISH, SWEDISH = (texts("note", "siffra.results")[language] for language in ("en", "sv"))


def test_both_languages_have_the_same_notes():
    assert list(ENGLISH) == list(SWEDISH)


@pytest.mark.parametrize("code", ENGLISH)
def test_both_languages_say_the_same(code):
    places = [
        {name for _, name, _, _ in string.Formatter().parse(text[code]) if name}
        for text in (ENGLISH, SWEDISH)
    ]

    assert places[0] == places[1]
