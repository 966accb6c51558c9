"""A whole lab's time, part by part: a small one is really run, and runs are counted once."""

import pytest

from benchmarks.lab import LabCost, Spent, lines, measure_lab
from siffra.errors import BenchError

LAB = """
title = "Rates"
[[questions]]
id = "q"
ask = { en = "Does a higher rate do better?" }
vary = { learning_rate = [0.001, 0.5] }
fixed = { neurons = 4, epochs = 1, batch_size = 500 }

[[questions.claims]]
id = "a"
say = { en = "It does." }
metric = "accuracy"
level = { learning_rate = 0.5 }
against = { learning_rate = 0.001 }
direction = "better"

[[questions.claims]]
id = "b"
say = { en = "It takes as long." }
metric = "seconds"
level = { learning_rate = 0.5 }
against = { learning_rate = 0.001 }
direction = "same"
"""

COST = LabCost(
    cores=2,
    first=Spent(wall=100.0, cpu=180.0),
    again=Spent(wall=12.0, cpu=10.0),
    runs=40,
    training=100.0,
    scoring=30.0,
    compiling=5.0,
    turns=15.0,
    shown=3,
    likely=1,
    tested=6,
)


def test_a_lab_is_run_and_asked_again(tmp_path):
    file = tmp_path / "lab.toml"
    file.write_text(LAB)
    (folder := tmp_path / "empty").mkdir()

    cost = measure_lab([str(file), "--seeds", "7"], folder, lambda text: None)

    assert (cost.runs, cost.tested) == (14, 2)
    assert cost.shown >= 1
    assert cost.turns > 0
    assert 0 < cost.training + cost.scoring + cost.turns < cost.first.cpu
    assert cost.again.cpu < cost.first.cpu


def test_the_parts_add_up_to_all_processor_seconds():
    assert sum(COST.parts.values()) == pytest.approx(180.0)
    assert COST.parts["all else"] == pytest.approx(20.0)


def test_it_is_said_with_the_largest_part_first():
    total, first, *_, claims = lines(COST)

    assert total == "40 runs, 100 s, of which 180 processor seconds: 90% of 2 cores"
    assert first.split() == ["training", "100.0", "s", "55.6%"]
    assert claims.startswith("3 of 6 of the author's claims are shown, 1 more are likely;")


def test_a_lab_that_fails_says_why(tmp_path):
    with pytest.raises(BenchError, match=r"none\.toml"):
        measure_lab([str(tmp_path / "none.toml")], tmp_path, lambda text: None)
