"""The study of the method: its table can be read, and it draws and judges labs as siffra does."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.method.cautions import METHODS, study_cautions
from benchmarks.method.coverage import study_coverage
from benchmarks.method.errors import ErrorRate, lab
from benchmarks.method.labs import Quantity, draw, judge, quantities
from benchmarks.method.order import study_order
from benchmarks.method.page import Study, page
from benchmarks.method.pictures import draw_order, draw_power
from benchmarks.method.power import Power
from benchmarks.method.runs import CONFIGURATIONS, read_runs


def quiet(_text: str) -> None:
    pass


@pytest.fixture(scope="module")
def runs():
    return read_runs()


def test_the_table_has_every_run_of_every_configuration(runs):
    for name, (knobs, seeds) in CONFIGURATIONS.items():
        epochs = knobs["epochs"]
        assert runs[name].curve.shape == runs[name].epoch_seconds.shape == (seeds, epochs)
        assert runs[name].accuracy["test"].shape == (seeds,)


def test_a_lab_of_one_claim_is_a_t_test(runs):
    quantity = quantities(runs["dense"])["test"]
    differences = np.array([[0.004, 0.009, 0.007, 0.006, 0.008]])
    (found,) = judge([quantity], differences, [5])
    _, p = np.asarray(stats.ttest_1samp(differences[0], 0))
    assert p < 0.05
    assert (found.verdict, found.seeds) == ("supported", 5)


def test_claims_of_one_set_share_their_first_level(runs):
    measured = lab([runs["dense"]])
    assert [q.on for q in measured] == ["test"] * 10 + ["moved"] * 5 + ["test"] * 5
    rng = np.random.default_rng(0)
    drawn = np.array([draw(rng, measured, 3)[:, 0] for _ in range(2000)])
    # Two differences from the same level correlate by a half; from different ones not at all.
    correlation = np.corrcoef(drawn.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.08)
    assert correlation[0, 10] == pytest.approx(0.0, abs=0.08)


def test_a_lab_with_looks_stops_where_it_is_decided():
    quantity = Quantity("accuracy", "test", np.array([0.9]))
    noise = np.random.default_rng(0).normal(0, 0.002, (2, 20))
    clear, close = judge([quantity] * 2, noise + np.array([[0.2], [0.001]]), [5, 10, 20])
    assert (clear.verdict, clear.seeds) == ("supported", 5)
    assert close.seeds > 5


def test_single_runs_are_wrong_more_often_the_closer_the_networks_are(runs):
    pairs = [pair for pair in study_order(runs) if pair.on == "test"]
    rank, _ = np.asarray(stats.spearmanr([p.gap for p in pairs], [p.wrong for p in pairs]))
    assert rank < -0.8
    assert all(0 <= pair.wrong <= 0.55 for pair in pairs)


def test_the_page_and_its_pictures_come_from_the_study(runs, tmp_path):
    study = Study(
        runs=runs,
        labs=10,
        errors=[
            ErrorRate("dense", "5 seeds", True, 10, 1, 0),
            ErrorRate("dense", "5 seeds", False, 10, 2, None),
        ],
        coverage=study_coverage(runs, 2, quiet),
        power=[
            Power("5 seeds, plain t", 1.0, 0.5, 5.0),
            Power("until decided, 5 to 20", 1.0, 0.9, 9.0),
        ],
        order=study_order(runs),
        cautions=study_cautions(3, quiet),
    )
    text = page(study)
    assert "| dense | 10.0 % (0.3–44.5)" in text
    written = (Path(__file__).parents[2] / "docs" / "method.md").read_text("utf-8")
    assert "`make method ARGS=--write`" in text
    assert text.split("\n\n")[:3] == written.split("\n\n")[:3]
    assert " / ".join(METHODS) in text.replace("\n", " ")
    draw_order(study.order, tmp_path / "order.svg")
    draw_power(study.power, tmp_path / "power.svg")
    assert (tmp_path / "order.svg").read_text().count("<svg") == 1
