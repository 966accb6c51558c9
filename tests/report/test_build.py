"""From answers to a report: its numbers are those that were found, and its dump is strict JSON."""

import json
from dataclasses import replace

import pytest
from report.fake_answers import make_answers, make_question, report_on, study

from siffra.training.scores import epochs_to


@pytest.fixture(scope="module")
def answers():
    return study(seeds=2, epochs=2)


def test_results_have_the_documented_shape(answers):
    results = json.loads(report_on(answers).dump())

    assert {"preset", "epochs", "seeds", "machine", "versions", "questions", "experiments"} <= (
        results.keys()
    )
    question = results["questions"][0]
    assert {"id", "ask", "claims", "levels"} <= question.keys()
    assert {"say", "verdict", "estimate", "interval", "n", "fixed"} <= question["claims"][0].keys()
    assert question["claims"][0]["fixed"]["batch_size"] == 140
    assert results["versions"]["numpy"] == "2.4.6"


def test_verdicts_are_counted_in_all_and_by_whose_the_claims_are(answers):
    *others, last = answers.questions
    own = replace(last, question=replace(last.question, by={"en": "siffra"}))
    results = json.loads(report_on(replace(answers, questions=(*others, own))).dump())

    author, siffra = results["claims_by"]
    assert (author["by"], siffra["by"]) == (None, "siffra")
    assert sum(siffra["verdicts"].values()) == len(own.claims) == 1
    assert results["verdicts"] == {
        verdict: n + siffra["verdicts"][verdict] for verdict, n in author["verdicts"].items()
    }
    assert [question["by"] for question in results["questions"][-2:]] == [None, "siffra"]


def test_results_carry_the_numbers_that_were_found(answers):
    results = json.loads(report_on(answers).dump())

    claim = results["questions"][0]["claims"][1]
    estimate = answers.questions[0].claims[1].estimate
    assert estimate is not None
    assert claim["estimate"] == estimate.value
    assert claim["interval"] == [estimate.low, estimate.high]
    assert claim["n"] == 2


def test_results_have_when_runs_reached_the_targets_of_claims(answers):
    results = json.loads(report_on(answers).dump())

    for level, seen in zip(
        results["questions"][0]["levels"], answers.questions[0].levels, strict=True
    ):
        (target,) = level["targets"]
        curves = [[epoch.accuracy["test"] for epoch in r.epochs] for r in seen.records]
        assert (target["on"], target["target"]) == ("test", 0.9)
        assert target["epochs"]["values"] == [epochs_to(0.9, curve) for curve in curves]
        assert target["never"] == target["seconds"]["values"].count(None)
    assert results["questions"][1]["levels"][0]["targets"] == []


def test_what_is_not_finite_is_null_and_the_json_is_strict():
    one_run = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=1)

    text = report_on(one_run).dump()

    results = json.loads(text, parse_constant=pytest.fail)
    assert results["questions"][0]["levels"][0]["seconds"]["interval"] == [None, None]
