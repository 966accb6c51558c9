"""A question's table: the columns that its claims ask for."""

import dataclasses

from report.fake_answers import make_answers, make_claim, make_question

from siffra.lab.stats.edges import Edge
from siffra.report.build_question import build_question
from siffra.report.render.terminal import answer_text
from siffra.report.text.messages import words_in
from siffra.report.text.tables import levels_table
from siffra.training.run import Record
from siffra.training.scores import epochs_to

WORDS = words_in("en")
TARGET = make_claim("t", "A low rate takes longer.", metric="epochs_to", target=0.9)


def asked(claims, seeds=3):
    levels = [{"learning_rate": rate} for rate in (0.3, 0.7)]
    return make_answers([make_question("a", levels, claims=claims)], seeds=seeds).questions[0]


def columns(answer, language="en"):
    words = words_in(language)
    table = levels_table(words, build_question(answer, words))
    return {head.text: cells for head, *cells in zip(table.head, *table.rows, strict=True)}


def reached(record: Record) -> int:
    found = epochs_to(0.9, [epoch.accuracy["test"] for epoch in record.epochs])
    assert found is not None
    return found


def test_a_target_has_the_median_epochs_and_seconds_of_each_level():
    answer = asked([TARGET])
    found = columns(answer)

    for level, epochs, seconds in zip(
        answer.levels,
        found["Median epochs to 90\N{NO-BREAK SPACE}% (test)"],
        found["Median seconds to 90\N{NO-BREAK SPACE}% (test)"],
        strict=True,
    ):
        middle = sorted(level.records, key=reached)[1]
        assert epochs.text == str(reached(middle))
        assert epochs.note == ""
        times = sorted(sum(e.seconds for e in r.epochs[: reached(r)]) for r in level.records)
        assert abs(float(seconds.text) - times[1]) <= 0.05


def test_runs_that_never_got_there_are_counted():
    never = dataclasses.replace(TARGET, target=1.0)
    found = columns(asked([never]))

    cells = found["Median epochs to 100\N{NO-BREAK SPACE}% (test)"]
    assert [(cell.text, cell.note) for cell in cells] == [("–", "3 of 3 never")] * 2


def test_without_a_target_there_is_no_such_column():
    assert not [name for name in columns(asked([])) if "to 90" in name]


def test_in_swedish():
    assert "Epoker till 90\N{NO-BREAK SPACE}% (test), median" in columns(asked([TARGET]), "sv")


def test_the_best_level_is_remarked_with_the_edge_that_it_lies_at():
    answer = asked([])
    edge = (Edge("learning_rate", "largest"),)
    at_the_edge = dataclasses.replace(answer, best=1, edge=edge)

    for language, said in (
        ("en", "best on validation; learning rate: largest value tried"),
        ("sv", "bäst på validering; inlärningshastighet: det största som provades"),
    ):
        first, second = columns(at_the_edge, language)[
            "Learning rate" if language == "en" else "Inlärningshastighet"
        ]
        assert (first.note, second.note) == ("", said)


def test_a_value_that_was_chosen_at_the_edge_is_remarked_at_its_level():
    answer = asked([])
    level = dataclasses.replace(
        answer.levels[0],
        retuned={"batch_size": 10},
        edge=(Edge("batch_size", "smallest"),),
    )
    retuned = dataclasses.replace(answer, best=1, edge=(), levels=(level, answer.levels[1]))

    first, _ = columns(retuned)["Learning rate"]

    assert first.note == "batch size = 10; batch size: smallest value tried"


class TestCollapsed:
    def test_where_a_run_collapsed_each_level_says_how_many_with_the_interval(self):
        layers = make_question("g", [{"layers": n} for n in (1, 16)])
        answer = make_answers([layers], seeds=5).questions[0]

        first, second = columns(answer)["Collapsed"]

        # Of none, and of all of five, one end is that of a one-sided bound: 0.05^(1/5) = 0.55.
        assert (first.text, first.note) == ("0 of 5", "0–45\N{NO-BREAK SPACE}%")
        assert (second.text, second.note) == ("5 of 5", "55–100\N{NO-BREAK SPACE}%")
        assert columns(answer, "sv")["Kollapsade"][1].text == "5 av 5"

    def test_elsewhere_there_is_no_such_column(self):
        assert "Collapsed" not in columns(asked([]))

    def test_so_in_the_terminal(self):
        layers = make_question("g", [{"layers": n} for n in (1, 16)])
        answer = make_answers([layers], seeds=5).questions[0]

        text = answer_text(build_question(answer, WORDS), WORDS)

        assert "run time (s)  collapsed  n" in text
        assert "5 of 5  5" in text


def test_times_of_whole_runs_are_marked_as_such():
    assert "Run time (s)" in columns(asked([]))


def test_where_no_level_has_a_median_of_seconds_there_is_no_column_of_dashes():
    found = columns(asked([dataclasses.replace(TARGET, target=0.9999)]))

    assert not any("seconds to" in name for name in found)
    assert any("epochs to" in name for name in found)  # which says how many never got there
