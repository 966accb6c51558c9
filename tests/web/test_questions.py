"""What the page asks becomes the plan that the command line would make of it."""

import pytest
from pydantic import ValidationError
from small_lab import small_dataset

from siffra.cli.knobs import parse_levels, parse_value
from siffra.config import KNOBS, choices
from siffra.data.load import DataSource
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.presets import LabOptions
from siffra.report.text.messages import LANGUAGES
from siffra.web.errors import CODES, ApiError
from siffra.web.pages import page_words
from siffra.web.questions import Ask, ask_of, defaults, knobs, plan_ask

DATA = small_dataset()


def planned(**ask):
    return plan_ask(Ask(**ask), DATA, DataSource())


@pytest.mark.parametrize(
    ("ask", "levels", "options"),
    [
        ({"vary": {"learning_rate": [1, 0.5]}, "fixed": {"epochs": 3}},
         ["learning_rate=1,0.5"], {"epochs": "3"}),
        ({"vary": {"neurons": [8, [8, 8]]}, "seeds": 3}, ["neurons=8,[8,8]"], {}),
        ({"vary": {"optimizer": ["sgd", "adam"], "batch_size": [4, 8]}},
         ["optimizer=sgd,adam", "batch_size=4,8"], {}),
    ],
)  # fmt: skip
def test_it_is_what_the_command_line_makes_of_it(ask, levels, options):
    fixed = {name: parse_value(KNOBS[name], text) for name, text in options.items()}
    typed = plan_vary(
        parse_levels(levels), fixed, DATA, LabOptions(seeds=ask.get("seeds", 5)), data=DataSource()
    )

    assert planned(**ask) == typed


def test_what_was_asked_can_be_read_from_the_plan():
    ask = {"vary": {"neurons": [8, [8, 8]], "learning_rate": [0.1, 1.0]}, "seeds": 4}

    again = ask_of(planned(**ask), "mnist")

    assert again is not None
    assert again.vary == ask["vary"]
    assert set(plan_ask(again, DATA, DataSource()).runs) == set(planned(**ask).runs)


@pytest.mark.parametrize(
    "ask",
    [
        {"vary": {"no_such_knob": [1, 2]}},
        {"vary": {"learning_rate": [0.1]}},
        {"vary": {"learning_rate": [0.1, 0.1]}},
        {"vary": {"learning_rate": [0.1, -1]}},
        {"vary": {"learning_rate": [0.1, 1]}, "fixed": {"learning_rate": 1}},
        {"vary": {"neurons": [True, False]}},
        {"vary": {"optimizer": ["sgd", "none_such"]}},
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(ask):
    with pytest.raises(ApiError) as refused:
        planned(**ask)

    assert refused.value.code == "impossible"
    assert refused.value.why
    assert "\n" not in refused.value.why


@pytest.mark.parametrize(
    "value", ["<b>", "a b", "A", "x" * 40, "", None, {}, [[1]], ["a"], float("inf"), 1j]
)
def test_no_other_text_can_come_into_siffra_s_messages(value):
    with pytest.raises(ValidationError):
        Ask(vary={"learning_rate": [1, value]})
    with pytest.raises(ValidationError):
        Ask(vary={"learning_rate": [1, 2]}, fixed={"neurons": value})


def test_every_knob_of_words_says_which_words():
    for knob in knobs():
        assert (knob["choices"] is not None) == (knob["type"] == "str"), knob
    assert {"sgd", "momentum"} <= set(choices("optimizer") or ())


def test_defaults_are_those_of_each_model():
    assert defaults()["dense"]["neurons"] == 32
    assert defaults()["conv"]["kernel_size"] == 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_its_text_on_the_page(language):
    words = page_words(language)

    assert [code for code in CODES if f"ui.error.{code}" not in words] == []


def test_the_page_has_the_same_texts_in_every_language():
    english, swedish = (page_words(language).texts for language in LANGUAGES)

    assert set(english) == set(swedish)
