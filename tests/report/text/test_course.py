"""How far a lab with looks came: why it stopped, and what deciding the rest would take."""

from dataclasses import replace

import pytest
from report.fake_answers import (
    make_answers,
    make_claim,
    make_question,
    report_on,
    short_study,
)

from siffra.lab.answers import Answers, Look, OpenClaim
from siffra.lab.stats.families import Grade
from siffra.report.render.terminal import lab_text
from siffra.report.text.course import course_text, undecided
from siffra.report.text.messages import words_in
from siffra.report.text.tables import looks_table, undecided_table

EN, SV = words_in("en"), words_in("sv")
CLAIMS = [make_claim("a1", "8 beat 16."), make_claim("a2", "8 beat 32.", against=(2,))]
LAB = make_answers(
    [make_question("a", [{"neurons": n} for n in (8, 16, 32)], claims=CLAIMS)], seeds=5
)
SECONDS = [[record.seconds for record in level.records] for level in LAB.questions[0].levels]
EACH = [sum(seconds) / 5 for seconds in SECONDS]


def lab(*left: OpenClaim, time: float | None = 300.0) -> Answers:
    """The lab with looks of which these claims are left."""
    plan = replace(LAB.plan, looks=(5, 7, 10), time=time)
    return replace(LAB, plan=plan, looks=(Look(5, 0.018, 0, 2),), open=left)


LIKELY = OpenClaim((0, 0), seeds=7, forecast=10, levels=(0, 1))
UNLIKELY = OpenClaim((0, 1), seeds=7, forecast=None, levels=(0, 2))


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_says_why_it_stopped_and_what_the_rest_would_take():
    text = plain(course_text(EN, lab(LIKELY, UNLIKELY)))

    assert text.startswith(
        "Stopped after 5 min of training: 2 claims that are not shown yet could be judged again "
        "with more seeds. "
    )
    assert "1 of them would more likely than not be shown by 10 seeds, which take about" in text
    assert text.endswith(" 1 is unlikely to be shown by 10.")
    assert course_text(SV, lab(LIKELY)).startswith("Stoppad efter 5")


def test_a_run_that_several_claims_need_is_counted_once():
    second = OpenClaim((0, 1), seeds=7, forecast=7, levels=(0, 2))

    text = plain(course_text(EN, lab(LIKELY, second)))

    # Five more of 8 and 16 neurons, of which the second claim needs two, and two more of 32.
    more = 5 * EACH[0] + 5 * EACH[1] + 2 * EACH[2]
    minutes, seconds = divmod(more, 60)
    assert seconds
    assert f"which take about {int(minutes) + 1} min more of training" in text


def test_without_a_budget_nothing_is_said_to_have_stopped_it():
    assert course_text(EN, lab(LIKELY, time=None)).startswith(
        "1 claim that is not shown yet could be judged again with more seeds. "
    )


def graded(grade: Grade | None) -> Answers:
    """The lab with no looks left, its claims of this grade."""
    claims = tuple(replace(claim, grade=grade) for claim in LAB.questions[0].claims)
    return replace(lab(), questions=(replace(LAB.questions[0], claims=claims),))


def test_a_lab_that_is_through_says_so():
    text = course_text(EN, graded("likely"))
    assert text.startswith("Every claim that has not been shown has had its last")
    assert course_text(EN, graded("shown")) == "Every claim that was tested is decided."


@pytest.mark.parametrize("changes", [{"looks": ()}, {"missing": 3}])
def test_a_lab_without_looks_or_with_missing_runs_says_nothing(changes):
    assert course_text(EN, replace(lab(LIKELY), **changes)) == ""


def test_each_open_claim_has_its_own_price_and_those_without_one_come_last():
    first, last = undecided(lab(UNLIKELY, LIKELY))

    assert (first.question, first.claim, first.n, first.seeds) == ("a", "a1", 5, 10)
    assert first.seconds == pytest.approx(5 * (EACH[0] + EACH[1]))
    assert (last.claim, last.seeds, last.seconds) == ("a2", None, None)


def test_report_and_terminal_have_it():
    report = report_on(lab(UNLIKELY, LIKELY))
    table, looks = undecided_table(EN, report), looks_table(EN, report.looks)

    assert table is not None
    assert looks is not None
    assert [cell.text for cell in table.head] == ["Claim", "n", "Seeds", "Training"]
    assert [row[0].text for row in table.rows] == ["8 beat 16.", "8 beat 32."]
    assert [cell.text for cell in table.rows[1][1:]] == ["5", "–", "–"]
    assert [cell.text for cell in looks.rows[0]][2:] == ["0", "2", "0"]
    (question,) = LAB.questions
    other = replace(question, question=replace(question.question, id="other"))
    twice = replace(lab(LIKELY), questions=(question, other))
    assert "Stopped after 5 min of training" in lab_text(report_on(twice))
    assert undecided_table(EN, report_on(lab())) is None


class TestOutOfTime:
    """A lab that had no time for a first look at everything: nothing is provisional or missing."""

    LAB = short_study()

    def test_it_says_so_and_what_that_would_take(self):
        text = plain(course_text(EN, self.LAB))

        assert text.startswith("Nothing more fits into the budget of 2 h: 8 claims that are not ")
        assert text.endswith(
            "There was not enough time for a first look at everything, which takes about 2 h "
            "30 min more of training: 4 claims have had none."
        )
        assert "Tiden räckte inte för en första analys av allt" in course_text(SV, self.LAB)

    def test_claims_without_a_look_are_not_among_those_that_are_unlikely_to_be_shown(self):
        seen = [claim for claim in self.LAB.open if not claim.is_unseen]
        unlikely = sum(claim.forecast is None for claim in seen)
        assert f"{unlikely} is unlikely" in plain(course_text(EN, self.LAB))

    def test_without_claims_that_lack_one_it_is_about_the_rest(self):
        decided = replace(self.LAB, open=())
        assert plain(course_text(EN, decided)).endswith(
            "first look at everything, which takes about 2 h 30 min more of training."
        )

    def test_even_where_no_claim_has_had_a_look(self):
        assert course_text(EN, replace(self.LAB, looks=())).startswith("Nothing more fits")

    def test_the_table_has_their_first_looks_by_what_these_take(self):
        table = undecided_table(EN, report_on(self.LAB))
        assert table is not None
        rows = [[plain(cell.text) for cell in row] for row in table.rows]
        assert ["conv is better on moved.", "0", "5 (first look)", "52 min"] in rows

    def test_results_say_it(self):
        report = report_on(self.LAB)
        assert (report.missing, report.first_look) == (0, 9000.0)
        assert report.questions[2].untrained == (1,)
        assert report.questions[2].first_look == 1800.0
        (claim,) = report.questions[2].claims
        assert (claim.verdict, claim.reason, claim.first_look) == ("inconclusive", "no time", 3120)
        assert [e.first_look for e in report.experiments] == [None, None, 60, 120, 180]
        remark = plain(report.experiments[2].remarks)
        assert remark == "not enough time: about 1 min more of training"
