"""The study of the method: siffra's functions judge its labs as the twin does; the page is made."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.method import shipped, twin
from benchmarks.method.cells import CELLS, LIMITS, MIXED, real
from benchmarks.method.coverage import study_bounds, study_coverage
from benchmarks.method.draws import normal
from benchmarks.method.errors import study_calibration, study_errors, study_orders
from benchmarks.method.order import study_order
from benchmarks.method.page import page
from benchmarks.method.peers import study_peers
from benchmarks.method.pictures import draw_decided, draw_order, draw_power
from benchmarks.method.power import students, study_decided, study_power
from benchmarks.method.runs import CONFIGURATIONS, read_runs
from benchmarks.method.sections import Study
from benchmarks.method.sentences import (
    QUESTIONS,
    is_wrong,
    made_answer,
    made_plan,
    made_records,
    study_sentences,
)
from benchmarks.method.twin import LOOKS
from siffra.lab.answers import answer

RUNS = read_runs()
ALL = {**CELLS, **MIXED, **LIMITS, **real(RUNS)}


def quiet(_text: str) -> None:
    pass


@pytest.mark.parametrize("looks", [(5,), LOOKS], ids=["one look", "looks"])
@pytest.mark.parametrize("name", ALL)
def test_siffra_judges_as_the_twin_does(name, looks):
    drawn = ALL[name](np.random.default_rng(22), 2)
    ours, theirs = shipped.judge(drawn.labs, looks), twin.judge(drawn.labs, looks)
    assert ours.shown.tolist() == theirs.shown.tolist()
    assert ours.likely.tolist() == theirs.likely.tolist()
    assert ours.look.tolist() == theirs.look.tolist()
    assert ours.by_share.tolist() == theirs.by_share.tolist()


def test_labs_that_are_shared_out_are_judged_alike():
    drawn = CELLS["20 % collapse (20)"](np.random.default_rng(1), 5)
    with ThreadPoolExecutor(2) as executor:
        found = shipped.in_parallel(executor, 2)(drawn.labs, (10,))
    assert found.shown.tolist() == shipped.judge(drawn.labs, (10,)).shown.tolist()


def test_the_table_has_every_run_of_every_configuration():
    for name, (knobs, seeds) in CONFIGURATIONS.items():
        epochs = knobs["epochs"]
        assert RUNS[name].curve.shape == RUNS[name].epoch_seconds.shape == (seeds, epochs)
        assert RUNS[name].accuracy["test"].shape == (seeds,)


def test_labs_like_a_students_have_the_effects_and_spreads_of_the_study():
    drawn = students(np.random.default_rng(2), 400)
    effect, runs = np.asarray(drawn.truth.effect), drawn.labs.differences
    # Claim f5, the fifth column's neighbours apart: -17.5 points, seen to vary by 0.7.
    column = int(np.abs(effect.mean(axis=0) + 0.175).argmin())
    assert effect[:, column].mean() == pytest.approx(-0.175, abs=0.001)
    assert np.median(runs[:, column].std(axis=1)) == pytest.approx(0.0077, abs=0.001)


def test_single_runs_are_wrong_more_often_the_closer_the_networks_are():
    pairs = [pair for pair in study_order(RUNS, twin.judge) if pair.on == "test"]
    rank, _ = np.asarray(stats.spearmanr([p.gap for p in pairs], [p.wrong for p in pairs]))
    assert rank < -0.8
    assert all(0 <= pair.wrong <= 0.55 for pair in pairs)


def test_errors_count_labs_and_verdicts():
    (at_first, at_looks) = study_errors(
        {"none": CELLS["no variance (20)"]}, shipped.judge, 2, 3, quiet
    )
    assert (at_first.siffra.labs, at_first.twin.labs) == (2, 6)
    assert at_looks.compared == at_looks.agreed == 40
    assert at_looks.siffra.shown == 40
    assert at_looks.siffra.wrong == at_looks.siffra.wrong_claims == 0


def test_more_seeds_find_more():
    rows = {(row.design, row.size): row for row in study_power(twin.judge, 20, quiet)}
    assert rows["10 seeds", 1.5].shown > rows["5 seeds", 1.5].shown
    assert rows["looks at 5 to 40", 6.0].seeds < 10


def test_made_up_questions_are_answered_by_all_of_the_lab():
    kind = QUESTIONS["5 levels, 20 % of runs collapse"]
    plan = made_plan(kind)
    records = made_records(np.random.default_rng(3), plan, kind)
    (question,) = answer(plan, records).questions
    assert [len(each.records) for each in question.levels] == [5] * 5
    collapsed = [record.collapsed for record in records.values()]
    assert 0 < sum(collapsed) < 15


def test_a_made_up_question_with_claims_ends_when_they_are_shown():
    worse = QUESTIONS["5 levels, one 3 spreads worse, 4 claims"]
    question = made_answer(np.random.default_rng(3), made_plan(worse), worse)

    assert {claim.verdict for claim in question.claims} == {"supported"}
    first, *others = [len(level.records) for level in question.levels]
    assert first == max(others) < LOOKS[-1]
    assert min(others) < max(others)


def test_a_sentence_is_wrong_that_parts_levels_which_are_alike():
    alike = QUESTIONS["5 levels, one 3 spreads worse, 4 claims"]
    question = made_answer(np.random.default_rng(3), made_plan(alike), alike)
    assert not is_wrong(question, alike)

    apart = replace(alike, draw=lambda rng, shape: normal(rng, shape) + rng.normal(0, 0.1))
    assert is_wrong(made_answer(np.random.default_rng(3), made_plan(apart), apart), alike)


def test_the_page_and_its_pictures_come_from_the_study(tmp_path):
    judge = twin.judge
    few = {name: CELLS[name] for name in ("normal (20)", "no variance (20)")}
    study = Study(
        runs=RUNS,
        labs=4,
        errors=study_errors(few, judge, 4, 2, quiet),
        real=study_errors({"dense (20)": real(RUNS)["dense (20)"]}, judge, 4, 2, quiet),
        mixed=study_errors(MIXED, judge, 4, 2, quiet),
        limits=study_errors(LIMITS, judge, 4, 2, quiet),
        orders=study_orders(few, 4, quiet),
        peers=study_peers(judge, 4, Path("no such python"), quiet),
        power=study_power(judge, 4, quiet),
        decided=study_decided(judge, 4, quiet),
        coverage=study_coverage(RUNS, 20, quiet),
        bounds=study_bounds(judge, 4),
        order=study_order(RUNS, judge),
        sentences=study_sentences(2, quiet),
        calibration=study_calibration(1),
    )
    text = page(study)
    assert "| no variance (20) | 0.0 % (0.0–36.9) |" in text
    assert "3,520 of 3,520 claims" in " ".join(text.split())
    written = (Path(__file__).parents[2] / "docs" / "method.md").read_text("utf-8")
    assert "`make method ARGS=--write`" in text
    assert text.split("\n\n")[:4] == written.split("\n\n")[:4]
    draw_order(study.order, tmp_path / "order.svg")
    draw_power(study.power, tmp_path / "power.svg")
    draw_decided(study.decided, tmp_path / "decided.svg")
    assert all(path.read_text().count("<svg") == 1 for path in tmp_path.iterdir())
