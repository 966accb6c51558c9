"""Events in words: runs have the names of their levels."""

import pytest
from report.fake_answers import study

from siffra.lab.execute.events import Event, Progress
from siffra.lab.plan.plan import PlannedRun, PlannedTiming
from siffra.report.text.messages import words_in
from siffra.report.text.progress import Telling


@pytest.fixture(scope="module")
def plan():
    return study().plan


def run_of(plan, question=0, level=0, seed=3):
    return PlannedRun(plan.questions[question].levels[level].settings[0], seed)


def test_a_run_has_the_name_of_its_level_behind_that_of_its_question(plan):
    telling = Telling(words_in("en"), plan)
    first = plan.questions[0]

    name = telling.name(Event("started", run_of(plan)))

    assert name == f"{first.id}: learning rate 0.02, seed 3"


def test_of_one_question_the_name_of_the_level_is_enough(plan):
    from dataclasses import replace

    telling = Telling(words_in("sv"), replace(plan, questions=plan.questions[:1]))

    assert telling.name(Event("started", run_of(plan))) == "inlärningshastighet 0,02, frö 3"


def test_a_round_of_times_says_of_how_many_settings(plan):
    timing = PlannedTiming(tuple(run_of(plan, level=n).setting for n in (0, 1)), 4)

    line = Telling(words_in("en"), plan).line(Event("timed", timing))

    assert line == "training times of 2 settings, round 5: measured"


def test_decided_claims_are_counted_where_there_are_looks(plan):
    telling = Telling(words_in("en"), plan)

    with_looks = Event("epoch", run_of(plan), progress=Progress(decided=3, claims=9))

    assert telling.decided(with_looks) == "3 of 9 claims decided"
    assert telling.decided(Event("epoch", run_of(plan))) == ""


def test_a_lost_run_is_told_and_made_again(plan):
    telling = Telling(words_in("en"), plan)
    event = Event("lost", run_of(plan), reason="killed by signal 9", losses=1)

    assert telling.trouble(event).endswith("seed 3: worker lost (killed by signal 9), retrying")
    assert telling.line(event).endswith("seed 3: starting again")
