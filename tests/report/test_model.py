"""A report is read back as it was written, in whatever version of its format."""

import json
from pathlib import Path

import pytest
from report.fake_answers import report_on, study
from report.fake_examinations import make_examined

from siffra.errors import SiffraError
from siffra.report.model import SCHEMA_VERSION, Report, read_report
from siffra.report.render.report import report_of
from siffra.report.text.messages import words_in

RESULTS = Path(__file__).parent / "results"
LEFT_OUT = {"learned", "prior", "left_out"}
"""What estimates had while variances were moderated, and claims while runs were timed."""


def contains(whole, part, where=""):
    """See that `whole` has everything of `part`, by its names and with its values."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in LEFT_OUT:
                continue
            assert name in whole, f"{where}.{name}"
            contains(whole[name], value, f"{where}.{name}")
    elif isinstance(part, list):
        assert len(whole) == len(part), where
        for i, (ours, theirs) in enumerate(zip(whole, part, strict=True)):
            contains(ours, theirs, f"{where}[{i}]")
    else:
        assert whole == part, where


@pytest.mark.parametrize("language", ["en", "sv"])
def test_what_was_written_is_what_is_read(tmp_path, language):
    answers = study(seeds=2, epochs=2)
    report = report_of(answers, words_in(language), make_examined(answers))
    (tmp_path / "results.json").write_text(report.dump(), "utf-8")

    read = read_report(tmp_path)

    assert read.dump() == report.dump()
    assert read.schema_version == SCHEMA_VERSION
    assert read.questions[2].figures


@pytest.mark.parametrize("version", [1, 2])
def test_a_report_of_an_earlier_version_is_read_with_all_that_it_has(version):
    file = RESULTS / f"version-{version}.json"

    report = read_report(file)

    contains(json.loads(report.dump()), json.loads(file.read_text("utf-8")))
    decided = [c for q in report.questions for c in q.claims if c.verdict == "supported"]
    assert decided
    assert {(claim.grade, claim.code) for claim in decided} == {(None, "supported")}


def test_what_a_later_siffra_added_is_left_out(tmp_path):
    found = json.loads(report_on(study(seeds=2, epochs=2)).dump())
    found["mood"] = found["questions"][0]["mood"] = "good"
    (tmp_path / "results.json").write_text(json.dumps(found), "utf-8")

    assert read_report(tmp_path) == Report.model_validate(found)


def test_a_report_of_a_later_version_is_refused_in_one_line(tmp_path):
    found = json.loads(report_on(study(seeds=2, epochs=2)).dump())
    found["schema_version"] = SCHEMA_VERSION + 1
    (tmp_path / "results.json").write_text(json.dumps(found), "utf-8")

    with pytest.raises(SiffraError, match=r"schema_version is 4, and this siffra reads 3 at most"):
        read_report(tmp_path)
