import math
import re
from pathlib import Path

import pytest

import siffra.report
from siffra.config import KNOBS, choices
from siffra.errors import SiffraError
from siffra.lab.plan.references import RECIPE
from siffra.report.text.labels import knob_name, knobs_name, value_name
from siffra.report.text.messages import LANGUAGES, words_in

REPORT = Path(siffra.report.__file__).parent


def placeholders(text):
    return sorted(re.findall(r"{(\w+)}", text))


def test_every_language_says_the_same_things():
    english, swedish = (words_in(language)._catalogue for language in LANGUAGES)

    assert english.keys() == swedish.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(swedish[key]), key


def test_every_key_that_code_and_templates_name_is_in_the_catalogue():
    catalogue = words_in("en")._catalogue
    sources = [*REPORT.rglob("*.py"), *REPORT.glob("templates/*")]
    used = {
        key for path in sources for key in re.findall(r'words\("([\w.]+)"', path.read_text("utf-8"))
    }

    assert len(used) > 50
    assert used <= catalogue.keys()


def test_an_unknown_language_is_one_clear_line():
    with pytest.raises(SiffraError, match=r"no report in language `se`; known: en, sv\."):
        words_in("se")


def test_a_text_falls_back_to_a_language_it_has():
    assert words_in("sv").say({"en": "digits"}) == "digits"
    assert words_in("sv").say({"en": "digits", "sv": "siffror"}) == "siffror"
    assert words_in("sv").say({}) == ""


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "english", "swedish"),
    [
        (97.125, 1, False, "97.1", "97,1"),
        (-3.2, 1, True, "−3.2", "−3,2"),
        (3.2, 1, True, "+3.2", "+3,2"),
        (-0.04, 1, True, "0.0", "0,0"),
        (math.inf, 1, True, "∞", "∞"),
        (math.nan, 1, False, "unknown", "okänt"),
    ],
)
def test_numbers_are_written_as_the_language_does(value, decimals, signed, english, swedish):
    assert words_in("en").number(value, decimals, signed=signed) == english
    assert words_in("sv").number(value, decimals, signed=signed) == swedish


def test_a_listing_reads_as_a_sentence():
    words = words_in("en")

    assert [words.listing(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_listing_of_what_has_commas_has_semicolons():
    items = ["4 layers, 32 neurons", "2 layers, 64 neurons", "1 layer"]
    said = words_in("en").listing(items)
    assert said == "4 layers, 32 neurons; 2 layers, 64 neurons and 1 layer"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.02, "0.02"), (1024, "1024"), (48000.5, "48000.5"), (1.7066666666666668, "1.71")],
)
def test_digits_that_nobody_typed_are_left_out(value, said):
    assert value_name(words_in("en"), value) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "recipe digits-5s, batch normalisation off, augmentation none, global pooling max"),
        ("sv", "recept digits-5s, batchnormalisering av, augmentering ingen, global pooling max"),
    ],
)
def test_knobs_and_their_values_are_told_in_the_language(language, said):
    knobs = {
        "recipe": "digits-5s", "batch_norm": False, "augment": "none", "global_pooling": "max"
    }  # fmt: skip

    assert knobs_name(words_in(language), knobs) == said
    assert all(f"knob.{name}" in words_in(language) for name in (*KNOBS, RECIPE))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "optimizer SGD, schedule one-cycle, activation ReLU, padding same size"),
        ("sv", "optimerare SGD, schema encykel, aktivering ReLU, utfyllnad samma storlek"),
    ],
)
def test_values_are_told_as_words_or_by_their_proper_names(language, said):
    knobs = {"optimizer": "sgd", "schedule": "one_cycle", "activation": "relu", "padding": "same"}

    assert knobs_name(words_in(language), knobs) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_a_knob_takes_has_one_in_the_language(language):
    words = words_in(language)
    same_in_all = {"momentum", "tanh"}

    taken = {value for name in KNOBS for value in choices(name) or ()}

    assert {value for value in taken if f"value.{value}" not in words} == same_in_all


def test_layers_are_called_hidden_where_a_knob_is_named_alone():
    names = [knob_name(words_in(language), "layers") for language in LANGUAGES]
    assert names == ["hidden layers", "dolda lager"]
