"""`siffra report --compare` and `--class`: folders in, a page and lines out, nothing trained."""

import json

import pytest


@pytest.fixture
def reports(tmp_path):
    """Two reports of a lab with one claim, of which the verdict changed."""
    for name, verdict in (("one", "supported"), ("two", "inconclusive")):
        claim = {
            "id": "a1", "say": "More is better.", "verdict": verdict, "metric": "accuracy",
            "on": "test", "target": None, "level": [1], "against": [0], "direction": "better",
            "margin": 0.002, "epochs": 1, "n": 3, "estimate": 0.01, "interval": [0.005, 0.015],
            "confidence": 0.95, "scale": "difference", "values": [0.01, 0.01, 0.01],
        }  # fmt: skip
        question = {"id": "a", "ask": "Does it?", "answer": "Yes.", "claims": [claim], "levels": []}
        found = {
            "title": "A lab", "command": "siffra lab", "preset": "quick", "epochs": 3,
            "seeds": [0, 1, 2], "runs": 6, "machine": None, "versions": {}, "questions": [question],
        }  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(found))
    return tmp_path


def test_it_tells_what_changed_and_where_the_page_is(siffra, reports):
    out = reports / "both"
    ran = siffra("report", "--compare", reports / "one", reports / "two", "--out", out)

    assert ran.code == 0, ran.err
    assert "The two have one claim in common. One verdict changed." in ran.out
    assert "supported → open" in ran.out
    assert ran.out.rstrip().endswith(f"report: {out}/comparison.html")
    assert sorted(path.name for path in out.iterdir()) == ["comparison.html", "comparison.md"]


def test_it_speaks_swedish(siffra, reports):
    folders = reports / "one", reports / "two"
    ran = siffra("report", "--compare", *folders, "--out", reports / "both", "--lang", "sv")

    assert "Ett utslag ändrades." in ran.out
    assert "stöds → öppet" in ran.out


def test_a_folder_without_a_report_is_one_clear_line(siffra, reports):
    ran = siffra("report", "--compare", reports / "one", reports, "--out", reports / "both")

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "no such file; name the folder of a report" in ran.err


def test_all_reports_of_a_folder_are_one_table(siffra, reports):
    out = reports / "class"
    ran = siffra("report", "--class", reports, "--out", out)

    assert ran.code == 0, ran.err
    assert "2 labs. One claim is made by several of them." in ran.out
    assert "1 of 2: More is better." in ran.out
    assert ran.out.rstrip().endswith(f"report: {out}/class.html")


@pytest.mark.parametrize("beside", [["--seeds", "3"], ["--pdf"], ["--compare", "a", "b"]])
def test_a_table_of_a_class_has_no_use_for_the_options_of_a_lab(siffra, reports, beside):
    ran = siffra("report", "--class", reports, *beside)

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert beside[0] in ran.err
