"""The labs of a class in one table: claims matched, told apart, counted, and safe to show."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from report.render.test_report import HOSTILE, Page

from siffra.errors import SiffraError
from siffra.report.class_view.labs import class_lab, read_class
from siffra.report.class_view.render import class_text, sign, write_class
from siffra.report.class_view.table import ClassView, class_view
from siffra.report.model import Report
from siffra.report.text.messages import words_in

EN, SV = words_in("en"), words_in("sv")


def make_claim(name: str = "a1", say: str = "More is better.", **changes: Any) -> dict[str, Any]:
    """A claim about 16 neurons against 8, supported with five seeds."""
    return {
        "id": name, "say": say, "verdict": "supported", "grade": "shown", "metric": "accuracy",
        "on": "test", "target": None, "level": [1], "against": [0], "direction": "better",
        "margin": 0.002, "epochs": 1, "n": 5,
    } | changes  # fmt: skip


def make_report(
    *claims: dict[str, Any],
    author: str = "",
    name: str = "a",
    levels: Sequence[int] = (8, 16),
    epochs: float = 2,
    held: dict[str, Any] | None = None,
    seeds: int = 5,
    **about: Any,
) -> dict[str, Any]:
    """What `results.json` has of a lab that asks what neurons do."""
    held = {"learning_rate": 0.7} | (held or {})
    question = {
        "id": name, "ask": "What do neurons do?", "answer": "", "vary": ["neurons"],
        "claims": claims,
        "levels": [
            {
                "n": seeds, "accuracy": {}, "knobs": {"neurons": n},
                "seconds": {"mean": None, "interval": [None, None], "values": []},
                "settings": [{"neurons": n, "epochs": epochs, **held}],
                "keys": [f"{n} {seed} {epochs} {held}" for seed in range(seeds)],
            }
            for n in levels
        ],
    }  # fmt: skip
    return {
        "schema_version": 3, "title": "A lab", "author": author, "command": "siffra lab",
        "preset": "quick", "epochs": 3, "seeds": list(range(seeds)), "runs": 2 * seeds,
        "machine": None, "versions": {"siffra": "1.0"}, "questions": [question],
    } | about  # fmt: skip


def seen(*reports: dict[str, Any], words=EN) -> ClassView:
    labs = [class_lab(Report.model_validate(found), str(i)) for i, found in enumerate(reports)]
    return class_view(labs, words)


def one_row(shown: ClassView):
    (row,) = shown.rows
    assert not shown.alone
    return row


class TestOneClaim:
    """What is one claim, and what is not."""

    def test_the_claims_of_a_common_file_are_one_each_and_are_counted(self):
        supported, refuted = make_claim(), make_claim(verdict="refuted", grade="likely")

        row = one_row(seen(make_report(supported), make_report(supported), make_report(refuted)))

        assert (row.supported, row.tested) == (2, 3)
        assert [sign(cell) for cell in row.cells] == ["✓", "✓", "(✗)"]
        assert row.verdicts == {"supported": 2, "likely_refuted": 1}
        assert row.disagrees

    def test_other_names_and_words_for_the_same_comparison_make_no_other_claim(self):
        other = make_claim("mine", "Sixteen beat eight.")

        row = one_row(seen(make_report(make_claim()), make_report(other, name="q7")))

        assert row.tested == 2
        assert row.say == "More is better."

    def test_the_same_comparison_stands_wherever_its_levels_stand_and_1_is_1_0(self):
        moved = make_claim("mine", "So!", level=[2], against=[1])
        held = {"learning_rate": 1.0}

        row = one_row(
            seen(
                make_report(make_claim(), held={"learning_rate": 1}),
                make_report(moved, levels=(4, 8, 16), held=held, name="q"),
            )
        )

        assert row.tested == 2

    def test_one_name_for_other_words_about_something_else_makes_two_claims(self):
        other = make_claim(say="Less drops out.", direction="worse")
        asked = make_report(other)
        asked["questions"][0]["ask"] = "Does it overfit?"

        shown = seen(make_report(make_claim()), asked)

        assert not shown.rows
        assert [(lone.lab, lone.say) for lone in shown.alone] == [
            (0, "More is better."),
            (1, "Less drops out."),
        ]

    def test_a_students_own_claim_in_a_common_question_stands_in_its_row_apart(self):
        own = make_claim(say="More is worse.", direction="worse", verdict="refuted")
        usual = make_report(make_claim())

        row = one_row(seen(usual, usual, make_report(own)))

        assert row.cells[2]
        assert row.cells[2].differs == "direction"
        assert sign(row.cells[2]) == "✗*"
        assert (row.supported, row.tested, row.disagrees) == (2, 2, False)

    def test_what_only_one_makes_is_listed_apart(self):
        own = make_claim("own", "Fewer are worse.", direction="not worse", margin=0.1)

        shown = seen(make_report(make_claim()), make_report(make_claim(), own))

        assert one_row(shown.model_copy(update={"alone": ()})).tested == 2
        assert [(lone.lab, lone.say) for lone in shown.alone] == [(1, "Fewer are worse.")]

    def test_two_alike_claims_of_one_lab_are_two_rows(self):
        twice = make_report(make_claim(), make_claim("a2"))

        shown = seen(twice, twice)

        assert [row.tested for row in shown.rows] == [2, 2]


class TestApart:
    """What is of one claim, and does not compare."""

    def test_another_length_of_training_is_said_and_not_counted(self):
        short, long = make_report(make_claim(), epochs=3), make_report(make_claim(), epochs=100)

        row = one_row(seen(short, long, long))

        assert row.cells[0]
        assert row.cells[0].differs == "3 epochs"
        assert row.tested == 2

    def test_what_was_held_fixed_at_another_value_is_said(self):
        usual = make_report(make_claim())

        row = one_row(seen(usual, usual, make_report(make_claim(), held={"learning_rate": 0.1})))

        assert row.cells[2]
        assert row.cells[2].differs == "fixed knobs"

    def test_what_was_not_tested_is_no_vote(self):
        untested = make_claim(verdict="not tested", grade=None, reason="too short")

        row = one_row(seen(make_report(make_claim()), make_report(untested)))

        assert (row.supported, row.tested) == (1, 1)
        assert row.cells[1]
        assert row.cells[1].verdict_text == "not tested at this length"

    def test_settings_that_are_not_alike_are_said_with_whose_they_are(self):
        usual = make_report(make_claim(), author="Anna")
        other = make_report(make_claim(), author="Bo", preset="full", epochs=2, seeds=7)

        shown = seen(usual, usual | {"author": "Cia"}, other)

        assert "Preset: quick (Anna and Cia); full (Bo)." in shown.unlike
        assert "Seeds: 5 (Anna and Cia); 7 (Bo)." in shown.unlike
        assert len(shown.unlike) == 2


def test_the_same_runs_are_one_result_however_many_have_them():
    usual, other = make_report(make_claim()), make_report(make_claim(), seeds=7)
    for level in other["questions"][0]["levels"]:
        level["keys"] = [f"another machine {key}" for key in level["keys"]]

    assert one_row(seen(usual, usual, usual)).runs_text == "the same runs"
    assert one_row(seen(usual, usual, other)).runs_text == "2 sets of runs"
    assert one_row(seen(usual, other)).runs_text == ""
    assert "rest on 10 different runs, which the labs use 20 times" in seen(usual, usual).summary


def test_open_is_no_disagreement():
    row = one_row(
        seen(make_report(make_claim()), make_report(make_claim(verdict="inconclusive", grade=None)))
    )

    assert not row.disagrees


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        """Three labs: one by its author, two by where they lie; and what is none."""

        def write(name: str, content: Any) -> None:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))

        write("1/results.json", make_report(make_claim(), author="Cia"))
        write("1/report.html", "")
        write("bo/siffra-report/results.json", make_report(make_claim()))
        write("anna.json", make_report(make_claim(verdict="refuted")))
        write("broken.json", '{"title": ')
        write("foreign.json", [1, 2])
        write("newer.json", make_report() | {"schema_version": 99})
        write("notes.txt", "no report")
        write(".hidden/results.json", "no report")
        return tmp_path / "in"

    def test_labs_are_called_after_their_authors_or_their_places(self, folder):
        labs, _ = read_class(folder, folder.parent / "out", EN)

        assert [lab.name for lab in labs] == ["anna", "bo", "Cia"]
        assert [lab.link_to("a") for lab in labs] == [
            "../in/anna.json",
            "../in/bo/siffra-report/results.json",
            "../in/1/report.html#question-a",
        ]

    def test_what_is_no_report_is_a_line_each(self, folder):
        _, notes = read_class(folder, folder.parent, EN)

        assert len(notes) == 3
        for name, why in zip(
            ("broken", "foreign", "newer"),
            ("not the results", "not the results", "update siffra"),
            strict=True,
        ):
            (note,) = (note for note in notes if f"{name}.json" in note)
            assert why in note
            assert "\n" not in note

    def test_an_older_report_is_shown_and_said(self, folder):
        older = make_report(make_claim(), author="Old")
        older["schema_version"] = 2
        (folder / "older.json").write_text(json.dumps(older))

        labs, notes = read_class(folder, folder, EN)

        assert "Old" in [lab.name for lab in labs]
        assert any("by an older siffra (schema_version 2)" in note for note in notes)

    def test_a_file_that_is_there_twice_is_counted_once_and_said(self, folder):
        (folder / "copy.json").write_bytes((folder / "anna.json").read_bytes())

        labs, notes = read_class(folder, folder, EN)

        assert len(labs) == 3
        assert any("copy.json: the same file as" in note for note in notes)

    def test_two_labs_of_one_author_are_told_apart_and_said(self, folder):
        again = make_report(make_claim(), author=" cia", title="Again")
        (folder / "again.json").write_text(json.dumps(again))

        labs, notes = read_class(folder, folder, EN)

        assert [lab.name for lab in labs][2:] == ["Cia (1)", "cia (again)"]
        assert "Cia: 2 labs have this author (1 and again); each is a column." in notes

    @pytest.mark.parametrize("words", [EN, SV])
    def test_the_table_is_written_in_four_forms(self, folder, words):
        out = folder / "out"

        shown = write_class(folder, out, words.language)

        assert sorted(path.name for path in out.iterdir()) == [
            "class.html", "class.json", "class.md",
        ]  # fmt: skip
        assert ClassView.model_validate_json((out / "class.json").read_text()) == shown
        page = Page((out / "class.html").read_text())
        assert "More is better." in page.text
        assert "More is better." in (out / "class.md").read_text()
        assert "More is better." in class_text(shown, words)
        # Written into the folder itself, it is none of its labs the next time.
        assert write_class(folder, out, words.language) == shown

    def test_an_empty_folder_is_one_clear_line(self, tmp_path):
        with pytest.raises(SiffraError, match="no report"):
            read_class(tmp_path, tmp_path, EN)
        with pytest.raises(SiffraError, match="no such folder"):
            read_class(tmp_path / "nowhere", tmp_path, EN)


def test_nothing_that_students_write_becomes_markup(tmp_path):
    report = make_report(make_claim(say=HOSTILE), author=HOSTILE, title=HOSTILE, course=HOSTILE)
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(report | {"date": name}))

    write_class(tmp_path, tmp_path / "out")

    page = Page((tmp_path / "out" / "class.html").read_text())
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)</script>" in page.text
    markdown = (tmp_path / "out" / "class.md").read_text()
    assert "<script" not in markdown
    assert r"\[y\](http" in markdown


@pytest.mark.parametrize(
    "change",
    [
        {"level": [7], "against": [9]},
        {"metric": "no such metric"},
        {"interval": [None, 1.0], "confidence": 0.95, "scale": "ratio"},
        {"against": 0.9},
        {"say": "", "id": ""},
    ],
)
def test_claims_that_no_siffra_wrote_are_no_reason_to_fail(change):
    shown = seen(make_report(make_claim(**change)), make_report(make_claim()))

    assert class_text(shown, EN)
