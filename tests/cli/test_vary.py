"""`siffra vary`: a question in, a table, a plot, verdicts and a sentence out."""

import json

import pytest

KNOBS = ("--epochs", 3, "--batch-size", 9)
QUESTION = ("vary", "learning_rate=0.001,0.1", *KNOBS, "--moved", 2, "--threads", 1)


def test_it_answers_in_the_terminal(siffra, own_data):
    ended = siffra(*QUESTION, "--data", own_data, "--seeds", 3)

    sentence, table, plot, verdicts, fixed = ended.out.strip().split("\n\n")
    assert "After 3 epochs, " in sentence
    heading, rule, *levels = table.splitlines()
    assert " ".join(heading.split()) == "Learning rate test % moved % rotated % run time (s) n"
    assert set(rule) == {"─", " "}
    assert [line.split()[0] for line in levels] == ["0.001", "0.1"]
    assert [line.split()[-1] for line in levels] == ["3", "3"]
    # Where an interval is wide, or lopsided as times' are, its ends are given instead.
    assert all("±" in line or "–" in line for line in levels)
    assert plot.count("●") == 1 + len(levels)  # one in the legend
    assert len(verdicts.splitlines()) == 1
    assert "n = 3" in verdicts
    assert fixed.startswith("Held fixed: ")
    assert ended.err.startswith("6 runs; about ")


def test_with_check_the_exit_code_is_the_verdict(siffra, own_data):
    checked = siffra(*QUESTION, "--data", own_data, "--seeds", 2, "--check")

    assert checked.code == 4  # too few seeds to decide anything
    assert siffra(*QUESTION, "--data", own_data, "--seeds", 2).out == checked.out


def test_asked_again_it_trains_nothing(siffra, own_data):
    first = siffra(*QUESTION, "--data", own_data, "--seeds", 2)
    again = siffra(*QUESTION, "--data", own_data, "--seeds", 2)

    assert again.out == first.out
    assert again.err == "4 runs, 4 of them stored.\n"


def test_more_seeds_reuse_the_first_ones(siffra, own_data):
    siffra(*QUESTION, "--data", own_data, "--seeds", 2)

    assert siffra(*QUESTION, "--data", own_data, "--seeds", 3).err.startswith(
        "6 runs, 4 of them stored; about "
    )


def test_with_looks_it_adds_seeds_and_goes_on_where_it_was(siffra, own_data):
    # Two batch sizes that hardly differ.
    question = ("vary", "batch_size=9,10", "--epochs", 1, "--moved", 2, "--threads", 1)
    options = ("--data", own_data, "--max-seeds", 10)
    siffra(*question, "--data", own_data, "--seeds", 6)

    first = siffra(*question, *options, "--json")
    again = siffra(*question, *options, "--json")

    assert first.err.startswith("14 runs, 12 of them stored; about ")
    assert "Then undecided claims get more seeds, with looks at 7 and 10.\n" in first.err
    assert again.out == first.out
    assert again.err.startswith("20 runs, 20 of them stored.\nThen undecided claims")
    found = json.loads(first.out)
    assert [look["seeds"] for look in found["looks"]] == [5, 7, 10]
    assert "--max-seeds 10" in found["command"]


def test_json(siffra, own_data):
    ended = siffra(*QUESTION, "--data", own_data, "--seeds", 2, "--json")

    (question,) = json.loads(ended.out)["questions"]
    assert [level["knobs"] for level in question["levels"]] == [
        {"learning_rate": 0.001},
        {"learning_rate": 0.1},
    ]
    (claim,) = question["claims"]
    assert claim["n"] == 2
    assert claim["fixed"]["batch_size"] == 9


def test_several_knobs_are_tried_in_every_combination(siffra, small):
    ended = siffra(
        *("vary", "neurons=4,[4,4]", "optimizer=sgd,momentum", "--seeds", 2),
        *(*small, "--json"),
    )

    (question,) = json.loads(ended.out)["questions"]
    assert len(question["levels"]) == 4


def test_it_speaks_swedish(siffra, own_data, tmp_path):
    ended = siffra(
        *("vary", "batch_norm=false,true", *KNOBS, "--moved", 2, "--threads", 1, "--seeds", 2),
        *("--data", own_data, "--lang", "sv", "--out", tmp_path),
    )

    assert ended.code == 0, ended.err
    assert ended.out.startswith("Efter 3 epoker")
    assert "\nBatchnormalisering " in ended.out
    assert [line.split()[0] for line in ended.out.split("\n\n")[1].splitlines()[2:]] == ["av", "på"]
    assert "Hölls fast: den täta modellen" in ended.out
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["language"] == "sv"
    report = (tmp_path / "report.md").read_text("utf-8")
    assert report.startswith("# Batchnormalisering: av och på\n")
    assert "oggrannhet på testmängden, batchnormalisering på mot batchnormalisering av" in report
    assert "Förinställning" not in report
    assert "batch_norm" not in report.partition("```")[0]


def test_out_writes_the_whole_report(siffra, own_data, tmp_path):
    out = tmp_path / "report"

    siffra(*QUESTION, "--data", own_data, "--seeds", 2, "--out", out)

    names = {path.name for path in out.iterdir()}
    assert {"report.html", "report.md", "results.json", "runs.csv", "runs.parquet"} <= names
    figures = {path.stem for path in (out / "figures").iterdir()}
    assert figures == {"vary-curves", "vary-levels", "vary-shifts", "vary-mistakes"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learning_rate=0.1,0.1"], "0.1 is given twice"),
        (["learning_rate=0.1,0.2", "--learning-rate", "0.3"], "both varied and fixed"),
        (["kernel_size=3,50", "--model", "conv"], "kernel_size: 50 is larger than"),
        (["strides=1,2"], "a dense model has no such knob"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_question_that_cannot_be_asked_trains_nothing(siffra, own_data, arguments, message):
    ended = siffra("vary", *arguments, "--data", own_data, "--moved", 2)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
