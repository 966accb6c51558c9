"""What was computed before is computed anew only where its runs have changed."""

from dataclasses import replace

import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.config import Setting
from siffra.lab.answers import answer
from siffra.lab.stats import levels
from siffra.lab.stats.levels import Memo

RATES = [Setting.from_knobs({"learning_rate": rate, "epochs": 2}) for rate in (0.1, 0.2, 0.4)]
LEVELS = [make_level({"learning_rate": s.training.learning_rate}, s) for s in RATES]
FIRST = make_question(LEVELS[:2], [make_claim()])
SECOND = replace(make_question(LEVELS[1:], [make_claim()]), id="second")
PLAN = make_plan(FIRST, SECOND)


def records(seeds: int):
    return {
        (setting, seed): make_record(setting, seed, accuracy=0.9 + 0.01 * i + 0.001 * (seed % 3))
        for i, setting in enumerate(RATES)
        for seed in range(seeds)
    }


def test_a_value_stays_while_its_inputs_are_the_same_objects():
    memo, a, b = Memo(), [1], [1]
    computed = iter("xyz")

    assert memo.get("key", [a], lambda: next(computed)) == "x"
    assert memo.get("key", [a], lambda: next(computed)) == "x"
    assert memo.get("key", [b], lambda: next(computed)) == "y"  # equal, and yet another
    assert memo.get("key", [b, a], lambda: next(computed)) == "z"


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, seeds=(0, 1), looks=(2, 4, 8))])
def test_run_by_run_the_answers_are_those_of_all_runs_at_once(plan):
    memo, found = Memo(), {}
    for place, record in records(5).items():
        found[place] = record
        assert repr(answer(plan, found, None, memo)) == repr(answer(plan, found))

    place = next(iter(found))
    found[place] = make_record(*place, accuracy=0.5)  # made again

    assert repr(answer(plan, found, None, memo)) == repr(answer(plan, found))


def test_a_level_without_new_runs_is_not_looked_at_again(monkeypatch):
    memo, found = Memo(), records(4)
    answer(PLAN, found, None, memo)
    looked_at = []
    original = levels.answer_level

    def note(plan, question, level, runs):
        looked_at.append((question.id, level.knobs["learning_rate"]))
        return original(plan, question, level, runs)

    monkeypatch.setattr(levels, "answer_level", note)
    answer(PLAN, found | {(RATES[2], 4): make_record(RATES[2], 4)}, None, memo)

    assert looked_at == [("second", 0.4)]
