import dataclasses
import re
from dataclasses import replace

import numpy as np
import pytest
from report.fake_answers import (
    answer_sentence,
    made_answer,
    make_answers,
    make_claim,
    make_question,
    short_study,
    study,
)

from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.edges import Edge
from siffra.report.build_question import build_claim, build_question
from siffra.report.render.terminal import answer_text
from siffra.report.text.decided import factor_words
from siffra.report.text.labels import level_name
from siffra.report.text.messages import words_in
from siffra.report.text.narrative import answer_sentences
from siffra.report.text.tables import levels_table
from siffra.report.text.verdicts import summary_sentence, verdict_name
from siffra.system.load import Load


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def verdict_sentence(answer, question, language="en"):
    return build_claim(answer, question, words_in(language)).sentence


def question(name, answers):
    return next(q for q in answers.questions if q.question.id == name)


def claim(name, answers):
    return next((c, q.question) for q in answers.questions for c in q.claims if c.claim.id == name)


@pytest.fixture(scope="module")
def answers():
    return study()


def test_what_was_decided_comes_first_and_then_how_the_levels_stand(answers):
    said = plain(answer_sentence(question("a", answers)))

    assert said.startswith("Shown: 90 % on the test set takes ")
    assert "19.4 percentage points lower with learning rate 0.02 than with 0.7" in said
    assert (
        "After 20 epochs, accuracy on the test set is highest with learning rate 1, 96.5 ± 0.5 %: "
        "shown above all others but learning rate 0.7 (96.4 ± 0.6 %)."
    ) in said


def test_a_best_value_at_the_edge_is_flagged(answers):
    said = answer_sentence(question("a", answers))

    assert "The largest value tried for learning rate has the highest mean on validation" in said


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            "With learning rate 0.02 and 1, the batch size chosen is the smallest value tried",
        ),
        ("sv", "Med inlärningshastighet 0,02 och 1 är det valda värdet på batchstorlek det minsta"),
    ],
)
def test_a_value_chosen_anew_at_the_edge_is_flagged_with_its_levels(answers, language, told):
    found = question("a", answers)
    edges = [(Edge("batch_size", "smallest"),), (), (Edge("batch_size", "smallest"),)]
    levels = tuple(
        dataclasses.replace(level, edge=edge)
        for level, edge in zip(found.levels, edges, strict=True)
    )

    assert told in answer_sentence(dataclasses.replace(found, levels=levels), language)


def test_a_question_about_time_is_answered_with_time(answers):
    found = question("c", answers)
    claimed = plain(answer_sentence(found))
    unclaimed = plain(answer_sentence(dataclasses.replace(found, claims=())))

    factor = (
        r"takes [\d.]+ times as long with the conv.* as with the dense model \([\d.]+ to [\d.]+"
    )
    assert re.match(
        f"Shown: training {factor} times\\)\\. After 20 epochs, training takes ", claimed
    )
    assert re.match(f"After 20 epochs, training {factor} times\\): [\\d.]+ ± ", unclaimed)


def test_a_ratio_of_times_that_may_be_anything_has_no_upper_end():
    wide = Estimate(28.8, 1.02, 9000.0, 0.95, (4.0, 15.0, 400.0), "ratio", 0)

    assert factor_words(words_in("en"), wide) == {
        "factor": "29 times",
        "interval": "at least 1.02 times",
    }
    assert factor_words(words_in("sv"), wide)["interval"] == "minst 1,02 gånger"


def test_levels_of_which_none_is_shown_to_be_above_are_not_ranked(answers):
    said = answer_sentence(question("d", answers))

    assert (
        "5 seeds are too few to rank the convolutional model and the dense model on the test"
        in said
    )


def test_the_shifted_sets_are_answered_where_they_are_asked_about(answers):
    assert "the moved set" in answer_sentence(question("d", answers))
    assert "the moved set" not in answer_sentence(question("e", answers))


def test_collapsed_runs_are_told(answers):
    said = answer_sentence(question("g", answers))

    assert "With 16 and 23 hidden layers, 10 of 10 runs collapsed" in said


def test_diverged_runs_are_told():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 8.0)])

    said = answer_sentence(make_answers([rates]).questions[0])

    assert "With learning rate 8, 5 of 5 runs diverged." in said


def test_a_difference_that_all_seeds_show_makes_a_winner_whatever_they_share():
    # The levels' own intervals overlap widely; seed by seed they differ by the same.
    shared = np.array([0.95, 0.96, 0.97, 0.98, 0.99])
    levels = np.array([shared, shared - 0.005])

    assert "1 neuron is better" in answer_sentence(made_answer({"test": levels, "val": levels}))


def test_a_lowest_level_that_is_all_over_the_place_hides_no_winner():
    noise = np.array([0, 0.0001, 0.0002, 0.0003, 0.0004])
    collapsing = np.array([0.1, 0.9, 0.1, 0.9, 0.1])
    levels = np.array([0.97 + noise, 0.95 + noise, collapsing])

    said = plain(answer_sentence(made_answer({"test": levels, "val": levels})))

    assert "with 1 neuron, 97.02 ± 0.02 %: shown above all others but 3 neurons (42" in said


def test_each_set_has_an_order_of_its_own():
    noise = np.array([0, 0.0001, 0.0002, 0.0003, 0.0004])
    val = np.array([0.97 + noise, 0.95 + noise, 0.94 + noise])
    moved = np.array([0.30 + noise, 0.20 + noise, 0.301 + 10 * noise[::-1]])
    found = made_answer({"val": val, "test": val, "moved": moved})
    asked = dataclasses.replace(found.question, claims=(make_claim("m", "so", on="moved"),))

    said = plain(answer_sentence(dataclasses.replace(found, question=asked)))

    assert "1 neuron is best on the test set: 97.02 ± 0.02 %, 2.00 percentage points (" in said
    assert "the moved set is highest with 3 neurons, 30.3" in said
    assert "shown above all others but 1 neuron (30.02" in said


@pytest.mark.parametrize(
    ("epochs", "said"),
    [(1, "After one epoch, "), (1.7066666666666668, "After 1.71 epochs, ")],
)
def test_it_says_how_long_was_trained_not_how_often_was_scored(epochs, said):
    noise = np.array([0, 0.0001])
    found = made_answer({"val": np.array([0.9 + noise]), "test": np.array([0.9 + noise])})
    training = found.levels[0].records[0].training.model_copy(update={"epochs": epochs})
    runs = tuple(r.model_copy(update={"training": training}) for r in found.levels[0].records)
    level = dataclasses.replace(found.levels[0], records=runs)

    assert plain(answer_sentence(dataclasses.replace(found, levels=(level,)))).startswith(said)


def test_single_runs_decide_nothing():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 1.0)])

    said = answer_sentence(make_answers([rates], seeds=1).questions[0])

    assert "single runs decide nothing" in said


def test_without_runs_nothing_is_claimed():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 1.0)])
    answer = make_answers([rates]).questions[0]
    levels = tuple(dataclasses.replace(level, records=()) for level in answer.levels)

    assert answer_sentence(dataclasses.replace(answer, levels=levels)) == "Not run yet."


def test_a_verdict_says_what_was_compared_and_on_what_it_rests(answers):
    said = plain(verdict_sentence(*claim("a2", answers)))

    assert said.startswith(
        "Supported: accuracy on the test set, learning rate 0.02 against learning rate 0.7; −19.4"
    )
    assert "% interval −" in said
    assert "n = 5" in said


def test_a_claim_about_a_longer_training_is_not_tested_at_this_length(answers):
    said = verdict_sentence(*claim("a3", answers))

    assert said.startswith("Not tested at this length: ")
    assert "100 epochs" in said


def test_an_inconclusive_claim_says_how_many_seeds_would_decide_it(answers):
    assert "seeds would more likely than not decide it" in verdict_sentence(*claim("a4", answers))


def test_a_target_that_was_not_reached_is_told(answers):
    said = verdict_sentence(*claim("a1", answers))

    assert "learning rate 0.02 against learning rate 0.7" in said
    assert "the level named first did not reach the target in 5 seeds" in said


def test_where_neither_side_reached_it_no_number_of_seeds_is_promised(answers):
    found, asked = claim("a1", answers)
    silent = dataclasses.replace(found, verdict="inconclusive", reason="never reached")

    said = verdict_sentence(silent, asked)

    assert "in at least one seed neither side reached the target" in said
    assert "decide it" not in said


@pytest.mark.parametrize(
    ("needed", "told"), [(19, 19), (20, 20), (21, 30), (100, 100), (227, 300), (1000, 1000)]
)
def test_a_forecast_of_many_seeds_is_told_roughly(answers, needed, told):
    found, asked = claim("a4", answers)

    said = verdict_sentence(dataclasses.replace(found, seeds_needed=needed), asked)

    assert f"; about {told} seeds would more likely than not decide it" in said


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "more seeds are unlikely to decide it;"), ("sv", "fler frön lär inte avgöra det")],
)
def test_where_one_side_never_reached_it_a_longer_training_is_advised(answers, language, told):
    found, asked = claim("a1", answers)
    unreached = dataclasses.replace(found, verdict="inconclusive", reason="unreached")

    said = verdict_sentence(unreached, asked, language)

    assert told in said
    assert words_in(language)("needs_many") not in said


@pytest.mark.parametrize("language", ["en", "sv"])
def test_run_times_of_a_busy_machine_are_marked_in_the_table(answers, language):
    question = answers.questions[0]
    busy = Load(wall=9.0, cpu=3.0, waited=6.0)
    first, *others = question.levels
    disturbed = tuple(r.model_copy(update={"load": busy}) for r in first.records)
    found = dataclasses.replace(
        question, levels=(dataclasses.replace(first, records=disturbed), *others)
    )
    words = words_in(language)
    text = answer_text(build_question(found, words), words)

    assert answer_sentence(found, language) == answer_sentence(question, language)
    assert "\n* " in text
    assert sum("*  " in line for line in text.splitlines()) == 1
    assert "5 of 5 on a busy machine" not in text
    table = levels_table(words, build_question(found, words))
    seconds = [cell.text for row in table.rows for cell in row if cell.text.endswith("*")]
    assert len(seconds) == 1
    assert table.note == f"* {words('busy.note')}"


def test_a_level_far_below_the_highest_is_open_for_want_of_seeds_and_that_is_said():
    """Five seeds do not show more than 20 points: 94 is then not `above` 20, and looks absurd."""
    near = [0.94, 0.95, 0.94, 0.95, 0.94]
    far = [0.20, 0.90, 0.21, 0.19, 0.2]  # one pair differs by less, so that five decide nothing
    third = [0.90, 0.91, 0.90, 0.91, 0.90]
    found = made_answer({"val": [near, far, third], "test": [near, far, third]})

    said = answer_sentence(found)

    assert "shown above all others but 2 neurons (34 (0–73) %)" in plain(said)
    assert said.endswith(
        "; a difference of more than 20 percentage points, as from 2 neurons, "
        "takes 7 seeds to show."
    )


def test_an_accuracy_of_the_runs_that_train_says_how_many_they_are():
    near, far = [0.94, 0.95, 0.94, 0.95, 0.94], [0.20, 0.90, 0.21, 0.19, 0.2]
    third = [0.90, 0.91, 0.90, 0.91, 0.90]
    found = made_answer({"val": [near, far, third], "test": [near, far, third]})
    level = found.levels[1]
    first, *others = level.records
    records = (first.model_copy(update={"diverged": True}), *others)
    hit = dataclasses.replace(level, records=records)
    found = dataclasses.replace(found, levels=(found.levels[0], hit, found.levels[2]))

    assert "in the 4 of 5 runs that train)" in answer_sentence(found)


def test_levels_that_are_averaged_are_called_their_mean(answers):
    said = verdict_sentence(*claim("a6", answers))

    assert "against the mean of learning rate 0.02 and 1" in said


def test_the_summary_counts_every_verdict(answers):
    assert summary_sentence(answers) == (
        "Of 11 claims 4 are supported, 2 refuted; 1 is likely; 3 stay open; 1 is not tested."
    )


def with_siffras_own(answers):
    """The same lab, of whose questions the last has siffra's own claims."""
    *others, last = answers.questions
    own = dataclasses.replace(last.question, by={"en": "siffra"})
    return dataclasses.replace(
        answers, questions=(*others, dataclasses.replace(last, question=own))
    )


def test_claims_that_are_not_the_authors_are_counted_apart(answers):
    divided = with_siffras_own(answers)

    assert summary_sentence(divided) == (
        "Of the lab author's 10 claims 4 are supported, 2 refuted; 1 is likely; 2 stay open; "
        "1 is not tested. "
        "The only claim by siffra: open."
    )
    assert summary_sentence(divided, "sv").startswith(
        "Av labbförfattarens 10 påståenden stöds 4, 2 mo"
    )
    alone = dataclasses.replace(divided, questions=divided.questions[-1:])
    assert summary_sentence(alone) == "The only claim by siffra: open."
    assert summary_sentence(alone, "sv") == "Det enda påståendet från siffra: öppet."


def test_a_lab_without_claims_says_so():
    bare = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])])

    assert summary_sentence(bare) == "This lab makes no claims."


def test_a_number_is_compared_in_the_claims_own_unit():
    claims = [
        make_claim("a1", "so", against=0.95),
        make_claim("a2", "so", against=12.0, metric="seconds", margin=0.05),
    ]
    lab = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)], claims=claims)])

    assert "8 neurons against 95 %" in plain(verdict_sentence(*claim("a1", lab)))
    assert "8 neurons against 12 s" in plain(verdict_sentence(*claim("a2", lab)))


def test_swedish_says_it_too(answers):
    swedish = plain(answer_sentence(question("a", answers), "sv"))

    assert swedish.startswith("Visat: 90 % på testmängden tar ")
    assert "visat högre än alla andra utom inlärningshastighet 0,7 (96,4" in swedish
    assert verdict_name(words_in("sv"), claim("a2", answers)[0]) == "stöds"


class TestOutOfTime:
    """Levels for which there was no time: that is said first, and nothing is called best."""

    LAB = short_study()

    @pytest.mark.parametrize(
        ("language", "start"),
        [
            (
                "en",
                "Not judged for lack of time: the convolutional model (no run); a first look at ",
            ),
            (
                "sv",
                "Ej bedömt av tidsbrist: faltningsmodellen (ingen körning); en första analys av ",
            ),
        ],
    )
    def test_the_levels_are_named_and_the_time_that_they_would_take(self, language, start):
        said = plain(answer_sentence(question("d", self.LAB), language))
        assert said.startswith(start)
        assert "30 min" in said
        assert "95.8" in said.replace(",", ".")  # of the level that was trained

    def test_a_question_without_any_run_says_only_that(self):
        answer = question("d", self.LAB)
        none = [replace(level, records=(), tried=()) for level in answer.levels]
        answer = replace(answer, levels=tuple(none), untrained=(0, 1))
        assert plain(answer_sentence(answer)) == (
            "There was not enough time: a first look takes about 30 min more of training."
        )

    def test_a_claim_says_what_its_first_look_would_take(self):
        sentence = plain(verdict_sentence(*claim("d1", self.LAB)))
        assert sentence.startswith("Open: ")
        assert "not enough time: a first look takes about 52 min more of training" in sentence
        text = plain(verdict_sentence(*claim("d1", self.LAB), "sv"))
        assert "en första analys kräver ytterligare omkring 52 min träning" in text

    def test_a_level_is_above_all_others_of_those_that_were_trained(self):
        whole = question("a", study())
        short = replace(whole, untrained=(2,), first_look=60.0, first_runs=5)
        said = plain(answer_sentence(short))
        assert "(of the levels that are judged)" in said

    def test_of_a_level_with_a_few_runs_nothing_is_said_but_how_many_they_are(self):
        whole = question("d", study())
        level = replace(whole.levels[1], records=whole.levels[1].records[:3])
        levels = (whole.levels[0], level, *whole.levels[2:])
        few = replace(whole, levels=levels, untrained=(1,), first_look=60.0, first_runs=5)
        named = level_name(words_in("en"), level.level)
        sentences = answer_sentences(replace(few, claims=()), words_in("en"))
        assert plain(sentences[0]).startswith(
            f"Not judged for lack of time: {named} (fewer than 5 runs: 3)"
        )
        assert not any(named in sentence for sentence in sentences[1:])
        remarks = [each.remarks for each in build_question(few, words_in("en")).levels]
        assert remarks == ["", "fewer than 5 runs: not judged"]

    def test_no_level_is_marked_as_best_and_no_edge_or_interaction_told(self):
        for name in "cdefg":
            found = build_question(question(name, self.LAB), words_in("en"))
            assert found.best is None
            assert found.edge == found.interactions == ()
            assert "best on validation" not in "".join(level.remarks for level in found.levels)
        assert build_question(question("a", self.LAB), words_in("en")).best is not None
