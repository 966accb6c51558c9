"""From a lab file that asks to look into networks to the figures, with real trainings."""

import sqlite3

import pytest

LAB = """
title = "Bars"

[data]
path = "{data}"
moved = 2

[base]
batch_size = 9
epochs = 1

[[questions]]
id = "q"
ask = "Do more neurons help?"
vary = {{ neurons = [2, 4] }}
figures = ["shifts", "map", "mistakes", "calibration", "weights"]
"""

FIGURES = ["q-calibration", "q-map", "q-mistakes", "q-shifts", "q-weights"]
MISSING = "4 of the 4 networks of this question have no diagnostics yet"


@pytest.fixture
def lab(tmp_path, own_data):
    path = tmp_path / "lab.toml"
    path.write_text(LAB.format(data=own_data.as_posix()))
    return path


def figures(folder):
    return sorted(path.stem for path in folder.glob("figures/*"))


def test_networks_are_looked_into_as_they_end_and_found_again(siffra, lab, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"

    ran = siffra("lab", lab, "--seeds", 2, "--out", out)
    written = siffra("report", lab, "--seeds", 2, "--out", again)

    assert (ran.code, written.code) == (0, 0), ran.err + written.err
    assert figures(out) == figures(again) == FIGURES
    assert (out / "report.html").read_text("utf-8") == (again / "report.html").read_text("utf-8")


def test_a_store_of_before_still_gives_a_report_and_the_lab_adds_what_is_missing(
    siffra, lab, tmp_path
):
    out = tmp_path / "out"
    siffra("lab", lab, "--seeds", 2, "--out", out)
    with sqlite3.connect(tmp_path / "runs.sqlite") as db:
        db.execute("DELETE FROM examination")

    old = siffra("report", lab, "--seeds", 2, "--out", tmp_path / "old")
    told = (tmp_path / "old" / "report.html").read_text("utf-8")
    new = siffra("lab", lab, "--seeds", 2, "--out", out)

    assert old.code == 0, old.err
    assert MISSING in told
    assert figures(tmp_path / "old") == []
    assert "4 runs" in new.err
    assert MISSING not in (out / "report.html").read_text("utf-8")
    assert figures(out) == FIGURES
