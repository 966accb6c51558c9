"""Reports on labs of programs: levels and experiments by metric, beside what was reported."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report.fake_answers import report_on

from siffra.api import judge
from siffra.engine.command.metrics import ExternalResult
from siffra.lab.answers import answer
from siffra.lab.execute.results import Cost
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.report.comparison import compare
from siffra.report.figures import figure_of, figures_of_experiments
from siffra.report.model import Report
from siffra.report.text.messages import words_in
from siffra.report.text.methods import methods
from siffra.report.text.narrative import answer_sentences
from siffra.report.text.progress import looks_note
from siffra.report.text.provenance import all_records
from siffra.report.text.tables import experiments_table, levels_table
from siffra.training.external import external_record

EN, SV = words_in("en"), words_in("sv")
LAB = """
title = "t"
[base]
command = "python train.py {lr} {seed}"
[metrics.loss]
better = "lower"
margin = 0.01
[metrics.speed]
better = "higher"
scale = "ratio"
unit = "images/s"
[[questions]]
id = "a"
ask = "?"
vary = { lr = [0.1, 0.3] }
reported = [{ at = { lr = 0.3 }, loss = 0.75 }]
[[questions.claims]]
id = "c"
say = "!"
level = { lr = 0.3 }
against = { lr = 0.1 }
direction = "better"
[[experiments]]
id = "low"
name = "Low"
knobs = { lr = 0.1 }
reported = { loss = 1.5, seconds = 3 }
[[experiments]]
id = "high"
name = "High"
knobs = { lr = 0.3 }
"""


@pytest.fixture
def answered(tmp_path):
    """The answers of that lab, or one with some of it put otherwise."""

    def make(old: str = "", new: str = ""):
        (tmp_path / "my.toml").write_text(LAB.replace(old, new) if old else LAB)
        plan = plan_lab(read_lab(tmp_path / "my.toml"), None, LabOptions(seeds=6))
        records = {}
        for number, run in enumerate(plan.runs):
            lr = run.setting.knobs()["lr"]
            metrics = {"loss": 1 - lr + 0.001 * (run.seed % 3), "speed": 100 * lr + run.seed}
            result = ExternalResult(metrics=metrics, seconds=2 + run.seed)
            record = external_record(f"{number:064x}", run.setting, run.seed, result, main="loss")
            records[run.setting, run.seed] = record
        return answer(plan, records)

    return make


def results(answers) -> Report:
    return Report.model_validate_json(report_on(answers).dump())


def stored_before(tmp_path, content: str):
    """The answers of a lab whose first level has 10 runs of before, and the second 5."""
    (tmp_path / "my.toml").write_text(content)
    plan = plan_lab(read_lab(tmp_path / "my.toml"), None, LabOptions())
    records = {}
    for number, run in enumerate(plan.possible_runs):
        lr = run.setting.knobs()["lr"]
        if run.seed < (10 if lr == 0.1 else 5):
            metrics = {"loss": 1 - lr + 0.001 * (run.seed * lr % 0.7), "speed": 1 + run.seed * lr}
            result = ExternalResult(metrics=metrics, seconds=2)
            record = external_record(f"{number:064x}", run.setting, run.seed, result, main="loss")
            records[run.setting, run.seed] = record
    return answer(plan, records)


def columns(table):
    return {
        head.text: [cell.text for cell in cells]
        for head, *cells in zip(table.head, *table.rows, strict=True)
    }


def test_what_was_reported_stands_beside_its_metric(answered):
    (question,) = report_on(answered()).questions
    table = levels_table(EN, question)

    assert [cell.text for cell in table.head] == [
        "lr", "loss", "reported", "speed", "Run time (s)", "n",
    ]  # fmt: skip
    assert columns(table)["reported"] == ["", "0.75"]


def test_what_was_reported_of_a_fraction_is_in_per_cent_as_its_metric_is(answered):
    (question,) = report_on(answered("margin = 0.01", 'margin = 0.01\nunit = "fraction"')).questions

    assert columns(levels_table(EN, question))["reported"] == ["", "75"]


def test_what_was_reported_is_drawn_beside_its_metric(answered):
    (question,) = answered().questions
    drawn = figure_of("levels", question, EN, None).draw()

    hollow = [line for line in drawn.axes[0].lines if line.get_marker() == "D"]
    assert [np.asarray(line.get_ydata()).tolist() for line in hollow] == [[0.75]]


def test_two_knobs_make_a_heat_map_of_every_metric():
    rows = [
        {"lr": lr, "width": width, "seed": seed, "loss": 1 - lr + width / 100 + seed / 1000}
        for lr in (0.1, 0.3)
        for width in (8, 16, 32)
        for seed in range(6)
    ]
    rows = [{**row, "speed": 1000 - 10 * row["width"] + row["seed"]} for row in rows]
    metrics = ["loss:lower", "speed:higher,scale=ratio,unit=images/s"]

    (question,) = judge(rows, metric=metrics).answers.questions
    sketch = figure_of("heatmap", question, EN, None)
    axes = sketch.draw().axes

    assert question.question.figures == ("heatmap",)
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in axes[:2]]
    assert titles == ["loss", "speed"]
    assert [bar.get_ylabel() for bar in axes[2:]] == ["loss", "images/s"]
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("lr", "width")
    shown = [float(text.get_text()) for text in axes[0].texts]
    # Row by row, from 8 units upwards; the mean of the seeds adds 0.0025.
    assert shown == pytest.approx([0.9825, 0.7825, 1.0625, 0.8625, 1.2225, 1.0225], abs=6e-4)
    assert sketch.caption.startswith(
        "Every combination of lr and width that was run: means over 6 seeds. loss ranges from 0.78"
    )


def test_experiments_have_a_column_for_each_metric(answered):
    found = columns(experiments_table(EN, report_on(answered()).experiments))

    assert [text[:3] for text in found["loss"]] == ["0.9", "0.7"]
    assert found["n"] == ["6", "6"]
    assert "speed" in found


def test_the_figure_of_experiments_has_a_panel_for_each_metric(answered):
    (sketch,) = figures_of_experiments(answered(), EN, None)
    drawn = sketch.draw()

    assert sketch.name == "experiments"
    assert sketch.caption.startswith("Best loss: High, with 0.7")
    assert "best speed: High, with 3" in sketch.caption
    assert [axis.get_title() for axis in drawn.axes] == ["loss", "speed"]
    assert [axis.get_ylabel() for axis in drawn.axes] == ["loss", "images/s"]


def test_a_report_says_runs_and_the_program_and_nothing_of_networks(answered):
    report = report_on(answered())
    told = " ".join([report.summary, *(p for part in report.methods for p in part.paragraphs)])

    assert dict(report.facts)["Program"] == "python train.py {lr} {seed}"
    assert report.command == "siffra lab my.toml --preset full --seeds 6"
    assert not re.search("network|accuracy|test set", told)


class TestCompared:
    def test_levels_and_experiments_stand_side_by_side_by_metric(self, answered):
        shown = compare(results(answered()), results(answered()), ("one", "two"), EN)

        head = [cell.text for cell in shown.questions[0].table.head]
        assert head == [
            "", "loss, one", "loss, two", "speed, one", "speed, two",
            "Run time (s), one", "Run time (s), two",
        ]  # fmt: skip
        assert [cell.text for cell in shown.experiments.head][:3] == [
            "Experiment", "loss, one", "loss, two",
        ]  # fmt: skip
        assert shown.changed == []

    def test_numbers_are_in_the_language_of_the_comparison(self, answered):
        shown = compare(results(answered()), results(answered()), ("one", "two"), SV)

        assert all("," in row[1].text for row in shown.questions[0].table.rows)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('better = "lower"', 'better = "higher"'),
            ('better = "lower"', 'better = "lower"\nscale = "ratio"'),
            ("margin = 0.01", "margin = 0.02"),
        ],
    )
    def test_a_metric_that_is_judged_otherwise_makes_another_claim(self, answered, old, new):
        first, second = results(answered()), results(answered(old, new))
        shown = compare(first, second, ("one", "two"), EN)

        assert len(shown.differing) == 1
        assert shown.changed == []


CLAIM = LAB[LAB.index("[[questions.claims]]") : LAB.index("[[experiments]]")]


def test_a_question_without_claims_gets_an_answer_all_the_same(tmp_path):
    (question,) = report_on(stored_before(tmp_path, LAB.replace(CLAIM, ""))).questions

    assert question.lead.startswith("Shown: loss is")
    assert [(claim.id, claim.by) for claim in question.claims] == [
        ("a-loss-2", "siffra"),
        ("a-speed-2", "siffra"),
    ]


def test_of_what_no_claim_compares_no_test_is_told(answered):
    (question,) = answered().questions
    asked = replace(question.question, claims=())

    for words, said in ((EN, "Nothing was tested"), (SV, "Inget prövades")):
        lead, *_ = answer_sentences(replace(question, question=asked, claims=()), words)
        assert lead.startswith(said)


def test_runs_of_before_with_further_seeds_are_told_of(tmp_path, answered):
    answers = stored_before(tmp_path, LAB)
    assert answers.questions[0].claims[0].look == 5
    unclaimed = replace(answers.questions[0], claims=())
    for each, told in (
        (answers, True),
        (replace(answers, questions=(unclaimed,), looks=()), True),
        (answered(), False),
    ):
        seeds, *_ = methods(EN, each, all_records(each), None)
        assert ("further seeds that were stored already" in seeds.paragraphs[0]) is told


def test_more_seeds_are_announced_only_where_a_claim_may_need_them(tmp_path):
    plan = stored_before(tmp_path, LAB).plan
    cost = Cost(runs=10, have=0, seconds=1.0)
    (question,) = plan.questions

    assert "undecided claims get more seeds" in looks_note(EN, plan, cost)
    assert looks_note(EN, replace(plan, questions=(replace(question, claims=()),)), cost) == ""
