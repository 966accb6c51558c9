"""What no text needs is found wherever it stands, and ids become names of files."""

import pytest

from siffra.lab.plan.texts import safe_name, unprintable


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066"])
def test_what_makes_a_terminal_do_things_is_found(character):
    table = {"title": "t", "questions": [{"id": "a"}, {"ask": {"sv": f"så{character}"}}]}
    assert unprintable(table) == (("questions", 1, "ask", "sv"), character)


def test_keys_are_looked_at_too():
    assert unprintable({"base": {"a\x1b": 1}}) == (("base",), "\x1b")


def test_what_people_write_is_none_of_it():
    table = {
        "note": "Två rader,\r\n\tmed indrag: é, 学習, –, \N{NO-BREAK SPACE}, 🙂",
        "n": [1, 2.5],
    }
    assert unprintable(table) is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a-curves", "a-curves"), ("../../etc/x", "etc-x"), ('1"><b>', "q-1-b"), ("å", "q-")],
)
def test_file_names_hold_nothing_but_letters_digits_and_hyphens(name, safe):
    assert safe_name(name) == safe
