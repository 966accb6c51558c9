"""What a question held fixed is told whole, and for which levels: a verdict holds for that."""

import dataclasses

import pytest
from report.fake_answers import make_answers, make_question, report_on

from siffra.report.render.notebook import lab_html
from siffra.report.render.terminal import lab_text
from siffra.report.text.labels import (
    held_fixed,
    levels_name,
    one_number_each,
    short_level_name,
    varied_heading,
)
from siffra.report.text.messages import capital, words_in
from siffra.report.text.tables import levels_table

MODELS = make_question("d", [{"model": "dense"}, {"model": "conv"}], epochs=3)
SHARED = "learning rate 0.7, batch size 140, 3 epochs, optimizer SGD"
DENSE = "with the dense model: 1 hidden layer, 32 neurons"
CONV = (
    "with the convolutional model: 1 convolutional layer, 16 filters, kernel size 8, strides 1, "
    "0 hidden layers"
)


def told(question, language="en"):
    return held_fixed(words_in(language), question)


def test_a_recipe_is_called_the_same_in_sentences_legends_and_tables():
    question = make_question("r", [{"neurons": n} for n in (8, 16)])
    level = dataclasses.replace(question.levels[0], knobs={"recipe": "digits-1s"})
    question = dataclasses.replace(question, levels=(level, question.levels[1]))
    answers = make_answers([question], seeds=2)
    for language, name in (("en", "recipe digits-1s"), ("sv", "recept digits-1s")):
        words = words_in(language)
        table = levels_table(words, report_on(answers, language).questions[0])
        assert levels_name(words, [level]) == short_level_name(words, level) == name
        assert table.rows[0][0].text == capital(name)


def test_what_all_levels_share_is_told_once():
    question = make_question("a", [{"neurons": n} for n in (8, 16)], epochs=3)

    assert told(question) == f"the dense model, 1 hidden layer, {SHARED}"


def test_what_only_one_model_has_is_told_with_it():
    assert told(MODELS) == f"{SHARED}; {DENSE}; {CONV}"


def test_swedish_says_it_too():
    assert "; med den täta modellen: 1 dolt lager, 32 neuroner; med falt" in told(MODELS, "sv")


def test_levels_are_told_by_what_they_share_where_that_is_enough():
    levels = [{"model": m, "batch_size": b} for m in ("dense", "conv") for b in (8, 16)]

    question = make_question("a", levels, epochs=3)

    assert told(question) == f"{SHARED.replace('batch size 140, ', '')}; {DENSE}; {CONV}"


def test_what_follows_from_a_level_is_told_with_it():
    question = make_question("a", [{"optimizer": o} for o in ("sgd", "momentum")], epochs=3)

    assert told(question).endswith(
        "; with optimizer SGD: learning rate 0.7"
        "; with optimizer momentum: learning rate 0.1, momentum 0.9"
    )


def test_what_all_but_a_few_levels_have_is_told_by_those():
    adam = {"optimizer": "adam"}
    levels = [adam, {**adam, "augment": "none"}, {**adam, "label_smoothing": 0.0}]
    question = make_question("a", levels, base={"augment": "move", "label_smoothing": 0.1})

    assert told(question).endswith(
        "; with all but label smoothing 0: label smoothing 0.1"
        "; with all but augmentation none: augmentation move"
    )


def test_a_retuned_knob_is_not_held_fixed():
    question = dataclasses.replace(MODELS, retune=("neurons",))

    assert "32 neurons" not in told(question)
    assert told(question).endswith("; neurons tuned per level, on validation")


@pytest.mark.parametrize("number", [1, 2], ids=["one question", "several"])
def test_terminals_and_notebooks_tell_it(number):
    answers = make_answers([MODELS, dataclasses.replace(MODELS, id="e")][:number], seeds=2)

    for text in (lab_text(report_on(answers), verbose=True), lab_html(report_on(answers))):
        assert text.count(f"Held fixed: {told(MODELS)}") == number


def test_the_results_have_it_by_level():
    (question,) = report_on(make_answers([MODELS], seeds=2)).questions
    dense, conv = (level.fixed for level in question.levels)
    assert dense == {"layers": 1, "neurons": 32}
    assert conv == {
        "conv_layers": 1, "filters": 16, "kernel_size": 8, "strides": 1, "layers": 0,
    }  # fmt: skip
    assert not question.fixed.keys() & {*dense, *conv}


def named_question():
    question = make_question("a", [{"neurons": n, "layers": m} for n, m in ((8, 1), (64, 2))])
    names = ({"en": "small"}, {"en": "large", "sv": "stor"})
    levels = [
        dataclasses.replace(level, name=name)
        for level, name in zip(question.levels, names, strict=True)
    ]
    return dataclasses.replace(question, levels=tuple(levels))


def test_a_level_is_called_by_its_name_and_its_knobs_are_told_once():
    question = named_question()

    assert levels_name(words_in("en"), question.levels) == "small and large"
    assert short_level_name(words_in("sv"), question.levels[1]) == "stor"
    assert varied_heading(words_in("en"), question) == "Level"
    assert told(question).endswith(
        "; with small: 8 neurons, 1 hidden layer; with large: 64 neurons, 2 hidden layers"
    )


def test_levels_with_names_have_no_place_on_an_axis_of_numbers():
    question = make_question("a", [{"neurons": n} for n in (8, 16)])
    first, second = question.levels
    named = dataclasses.replace(first, name={"en": "small"})

    assert one_number_each(question)
    assert not one_number_each(dataclasses.replace(question, levels=(named, second)))


def test_a_report_has_names_of_levels_in_words_and_as_data():
    report = report_on(make_answers([named_question()]))

    assert [level.label for level in report.questions[0].levels] == ["small", "large"]
    assert "\nsmall " in lab_text(report)
    assert ">small<" in lab_html(report).lower()
