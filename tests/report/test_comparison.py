"""Two reports set side by side: read back, matched, told apart, and safe to show."""

import dataclasses
import json
import math
import re
from typing import Any

import pytest
from report.fake_answers import make_answers, make_claim, make_question, report_on
from report.render.test_report import HOSTILE, Page

from siffra.config import Setting
from siffra.errors import SiffraError
from siffra.lab.plan.plan import Experiment
from siffra.report.comparison import compare, comparison_text, write_comparison
from siffra.report.intervals import WIDTH, picture
from siffra.report.model import Report, read_report
from siffra.report.model.claims import Claim
from siffra.report.render.report import write_report
from siffra.report.text.messages import words_in

EN, SV = words_in("en"), words_in("sv")


def lab(*claims, levels=(8, 16), name="a", base=None, length=2, **about):
    question = make_question(
        name, [{"neurons": n} for n in levels], ["levels"], base=base, claims=claims, epochs=length
    )
    return make_answers([question], **{"seeds": 5, **about})


def results(answers) -> Report:
    return Report.model_validate_json(report_on(answers).dump())


def compared(first, second, words=EN):
    return compare(results(first), results(second), ("one", "two"), words)


WORSE = make_claim("a1", "8 are better than 16.")
MARGIN = make_claim("a1", "8 are better than 16.", margin=0.9)


def test_the_same_report_twice_has_no_change():
    shown = compared(lab(WORSE), lab(WORSE))

    assert shown.summary == "The two have one claim in common. No verdict changed."
    assert shown.changed == []
    assert not shown.alone


def test_a_changed_verdict_is_told_with_both():
    answers = lab(WORSE)
    (question,) = answers.questions
    was, undecided = (
        question.claims[0],
        dataclasses.replace(question.claims[0], verdict="inconclusive"),
    )
    other = dataclasses.replace(
        answers, questions=(dataclasses.replace(question, claims=(undecided,)),)
    )

    shown = compared(answers, other)

    assert was.verdict == "refuted"
    assert shown.summary.endswith("One verdict changed.")
    assert shown.changes == (("refuted", "refuted", "inconclusive", "open", 1),)
    told = comparison_text(shown, EN)
    assert re.search(r"\(a\) refuted → open +8 are better than 16\.", told)


def test_estimates_stand_beside_each_other_with_their_intervals():
    (question,) = compared(lab(WORSE), lab(WORSE, seeds=6)).questions
    (claim,) = question.claims

    for found, seeds in ((claim.first, 5), (claim.second, 6)):
        assert re.search(rf"percentage points \(.*interval.*n.=.{seeds}\)", found.evidence)
    assert claim.first.evidence != claim.second.evidence


def test_levels_that_both_have_stand_beside_each_other():
    (question,) = compared(lab(levels=(8, 16, 32)), lab(levels=(16, 32, 64))).questions

    assert question.table is not None
    assert [row[0].text for row in question.table.rows] == ["16", "32"]
    assert [cell.text for cell in question.table.head[1:3]] == ["Test (%), one", "Test (%), two"]


def test_what_only_one_has_is_told():
    first, second = lab(WORSE, make_claim("a2", "More.")), lab(WORSE)
    shown = compare(results(first), results(second), ("one", "two"), EN)
    other = compare(results(first), results(lab(WORSE, name="b")), ("one", "two"), EN)

    assert shown.alone == ("Only in one: claims a2.",)
    assert other.summary == "The two have no claims in common."
    assert other.alone == ("Only in one: questions a.", "Only in two: questions b.")


def test_a_claim_that_means_something_else_is_marked_and_not_drawn():
    (question,) = compared(lab(WORSE), lab(MARGIN)).questions

    assert question.claims[0].differs.endswith("differences: margin.")
    assert question.claims[0].picture is None


class TestNotTheSameClaim:
    def test_a_level_that_another_took_the_place_of_is_noticed(self):
        shown = compared(lab(WORSE), lab(WORSE, levels=(8, 32)))

        ((_, claim),) = shown.differing
        assert claim.differs.endswith("differences: reference levels.")
        assert claim.picture is None
        assert not claim.changed
        assert shown.summary == (
            "The two have one claim in common. One claim is not the same in both."
        )
        assert claim.differs in comparison_text(shown, EN)

    def test_a_level_put_before_the_others_makes_no_other_claim(self):
        moved = make_claim("a1", "8 are better than 16.", level=(1,), against=(2,))

        shown = compared(lab(WORSE), lab(moved, levels=(4, 8, 16)))

        assert not shown.differing
        assert shown.summary == "The two have one claim in common. No verdict changed."

    def test_the_mean_of_levels_is_the_same_in_any_order(self):
        several = make_claim("a1", "More.", level=(0, 1), against=(2,))
        turned = make_claim("a1", "More.", level=(1, 0), against=(2,))

        shown = compared(lab(several, levels=(8, 16, 4)), lab(turned, levels=(16, 8, 4)))

        assert not shown.differing

    def test_what_was_held_fixed_is_part_of_a_claim(self):
        shown = compared(lab(WORSE), lab(WORSE, base={"learning_rate": 0.5}))

        ((question, claim),) = shown.differing
        assert claim.differs.endswith("differences: fixed knobs.")
        assert question.fixed == (
            "Not held fixed at the same values: learning rate 0.7 / learning rate 0.5."
        )

    def test_the_length_of_training_is_told_and_the_claim_stays_the_same(self):
        shown = compared(lab(WORSE), lab(WORSE, length=3))

        assert not shown.differing
        assert shown.questions[0].fixed == "Not held fixed at the same values: 2 epochs / 3 epochs."

    def test_a_claim_about_a_longer_training_is_another(self):
        short, long, any_length = (
            make_claim("a1", "8 are better than 16.", epochs=n) for n in (2, 3, 1)
        )

        ((_, claim),) = compared(lab(short), lab(long), SV).differing
        assert not compared(lab(any_length), lab(long), SV).differing

        assert claim.differs.endswith("skillnader: träningslängd.")

    def test_a_level_put_in_does_not_hide_or_feign_what_was_held_fixed(self):
        """With a level of another depth the layers are no longer held fixed for all."""
        claim = make_claim("a1", "8 are better than 16.")
        levels = [{"neurons": 8}, {"neurons": 16}, {"neurons": 8, "layers": 2}]

        def asked(levels, **base):
            base = {"label_smoothing": 0.1, **base}
            return make_answers(
                [make_question("a", levels, ["levels"], base=base, claims=[claim], epochs=2)]
            )

        first = asked(levels[:2])

        assert not compared(first, asked(levels)).differing
        ((_, found),) = compared(first, asked(levels, label_smoothing=0.0)).differing
        assert found.differs.endswith("differences: fixed knobs.")

    @pytest.mark.parametrize("base", [{"learning_rate": 0.5}, {"label_smoothing": 0.1}])
    def test_reports_without_whole_settings_are_compared_by_what_all_levels_share(self, base):
        def older(answers):
            found = json.loads(report_on(answers).dump())
            for level in found["questions"][0]["levels"]:
                del level["settings"]
            return Report.model_validate(found)

        first, same, other = (older(lab(WORSE, base=b)) for b in ({}, {}, base))

        assert not compare(first, same, ("one", "two"), EN).differing
        ((question, claim),) = compare(first, other, ("one", "two"), EN).differing
        assert claim.differs.endswith("differences: fixed knobs.")
        assert question.fixed in (
            "Not held fixed at the same values: learning rate 0.7 / learning rate 0.5.",
            "Not held fixed at the same values: – / label smoothing 0.1.",
        )


def test_experiments_that_both_have_stand_beside_each_other():
    def experiment(name, **knobs):
        setting = Setting.from_knobs({"epochs": 2, **knobs})
        return Experiment(name, {"en": f"Number {name}"}, {}, setting, {})

    question = make_question("a", [{"neurons": n} for n in (8, 16)], ["levels"], epochs=2)
    first = make_answers([question], [experiment("1"), experiment("2")], seeds=3)
    second = make_answers([question], [experiment("2", neurons=64), experiment("3")], seeds=3)

    shown = compared(first, second)

    assert shown.experiments is not None
    (row,) = shown.experiments.rows
    assert (row[0].text, row[0].note) == ("Number 2", "32 neurons / 64 neurons")
    ours, theirs = (found.experiments[i] for found, i in ((first, 1), (second, 0)))
    for cell, found in zip(row[1:3], (ours, theirs), strict=True):
        (shown_as,) = re.findall(r"^[\d.]+", cell.text.strip())
        assert float(shown_as) == pytest.approx(100 * found.accuracy["test"].mean, abs=0.06)
    assert shown.alone == ("Only in one: experiments 1.", "Only in two: experiments 3.")
    assert compared(lab(WORSE), lab(WORSE)).experiments is None


def test_what_was_written_is_what_is_read():
    answers = lab(WORSE)
    read = results(answers).questions[0].claims[0]

    (claim,) = answers.questions[0].claims
    found = read.as_estimated()
    assert claim.estimate is not None
    assert found is not None
    assert (found.value, found.low, found.high) == (
        claim.estimate.value,
        claim.estimate.low,
        claim.estimate.high,
    )
    assert read.as_planned().margin == claim.claim.margin


def test_ends_that_no_json_can_hold_come_back_as_what_they_were():
    read = results(lab(WORSE)).questions[0].claims[0]

    open_above = read.model_copy(update={"interval": (0.5, None)}).as_estimated()
    single = read.model_copy(update={"interval": (None, None), "n": 1}).as_estimated()

    assert open_above is not None
    assert open_above.high == math.inf
    assert single is not None
    assert math.isnan(single.low)


@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_comparison_is_a_page_and_its_markdown(tmp_path, language):
    write_report(lab(WORSE), tmp_path / "one")
    write_report(lab(WORSE, seeds=4), tmp_path / "two")

    out = tmp_path / "both"
    write_comparison(tmp_path / "one", tmp_path / "two" / "results.json", out, language)

    assert sorted(path.name for path in out.iterdir()) == ["comparison.html", "comparison.md"]
    page = Page((out / "comparison.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert all(address.startswith("#") for address in page.addresses)
    assert page.tags.count("svg") == 1
    assert "one" in page.text
    assert ("Two reports" if language == "en" else "Två rapporter") in page.text


def test_nothing_that_a_report_says_becomes_markup(tmp_path):
    for name in ("one", "two"):
        found = json.loads(report_on(lab(WORSE)).dump())
        question = found["questions"][0]
        found |= {"title": HOSTILE, "preset": HOSTILE, "command": HOSTILE}
        question |= {"id": HOSTILE, "ask": HOSTILE}
        question["claims"][0]["say"] = HOSTILE
        question["levels"][0]["knobs"] = {HOSTILE: HOSTILE}
        question["fixed"] = {HOSTILE: name}
        found["experiments"] = [{**question["levels"][0], "id": HOSTILE, "name": HOSTILE}]
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(found), "utf-8")

    write_comparison(tmp_path / "one", tmp_path / "two", tmp_path)

    page = Page((tmp_path / "comparison.html").read_text("utf-8"))
    assert not {"script", "img"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert "alert(1)" in page.text
    markdown = (tmp_path / "comparison.md").read_text("utf-8")
    assert not re.search(r"<script|<img|!\[y\]|^# x", markdown, re.MULTILINE)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no such file; name the folder of a report"),
        (b"\xff\xfe\xff", "cannot be read: it is no text"),
        (b"{", "not the results of a siffra report"),
        (b'{"title": "x"}', "not the results of a siffra report"),
    ],
)
def test_what_is_no_report_is_one_clear_line(tmp_path, content, complaint):
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)

    with pytest.raises(SiffraError, match=complaint) as caught:
        read_report(tmp_path)

    assert "\n" not in str(caught.value)


def claim(low, value, high, n=3, **about: Any) -> Claim:
    """A claim of a report, with this interval (None: open, or unknown of one seed)."""
    usual: dict[str, Any] = {"metric": "accuracy", "scale": "difference", "margin": 0.01}
    return Claim(
        id="a", say="x", verdict="inconclusive", on="test", target=None, level=(0,), against=(1,),
        direction="better", epochs=1, estimate=value, interval=(low, high), confidence=0.95,
        values=(value,) * n, n=n, **(usual | about),
    )  # fmt: skip


UNTESTED = claim(0.0, 0.0, 0.0).model_copy(update={"estimate": None, "interval": None})


class TestPicture:
    def test_no_difference_is_in_the_middle_and_equal_things_are_equally_far(self):
        drawn = picture(claim(0.0, 0.05, 0.1), UNTESTED)

        assert drawn is not None
        bar, missing = drawn.bars
        assert bar is not None
        assert missing is None
        assert drawn.zero == bar.low == WIDTH / 2
        assert bar.value - drawn.zero == pytest.approx((bar.high - drawn.zero) / 2, abs=0.01)
        assert drawn.zero - drawn.margin_low == pytest.approx((bar.high - bar.low) / 10, abs=0.02)

    def test_ratios_are_placed_by_their_logarithms(self):
        drawn = picture(
            claim(0.5, 1.0, 2.0, scale="ratio", metric="seconds", margin=0.05), UNTESTED
        )

        assert drawn is not None
        assert drawn.bars[0] is not None
        assert drawn.bars[0].value == WIDTH / 2
        assert drawn.bars[0].low + drawn.bars[0].high == pytest.approx(WIDTH)

    def test_open_ends_stay_in_the_picture(self):
        drawn = picture(
            claim(0.0, 1.5, None, scale="ratio", metric="seconds", margin=0.05), UNTESTED
        )

        assert drawn is not None
        assert drawn.bars[0] is not None
        assert (drawn.bars[0].low, drawn.bars[0].high) == (0.0, WIDTH)

    def test_without_intervals_there_is_none(self):
        assert picture(claim(None, 0.1, None, n=1), UNTESTED) is None
