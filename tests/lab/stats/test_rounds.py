from dataclasses import replace

import numpy as np
import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.lab.answers import answer
from siffra.lab.stats.rounds import judge_rounds, next_round

LEVELS = [make_level({"neurons": n}) for n in (4, 8, 16)]
CLAIMS = [make_claim(id="plain"), make_claim(id="close", level=(1,), against=(2,))]
LOOKS = (5, 10, 20)
PLAN = replace(make_plan(make_question(LEVELS, CLAIMS)), looks=LOOKS)


def records(upto=20, neurons=(4, 8, 16), spread=0.003):
    """Accuracy 0.7 with 4 neurons, else 0.9: of all seeds below `upto`, at these levels."""
    made = {}
    for level in LEVELS:
        width = level.knobs["neurons"]
        noise = np.random.default_rng(width).normal(0, spread, 20)
        accuracy = (0.7 if width == 4 else 0.9) + noise
        for seed in range(upto if width in neurons else 5):
            made[level.settings[0], seed] = make_record(
                level.settings[0], seed, accuracy=accuracy[seed]
            )
    return made


def conduct(plan):
    """What a lab would make, round by round."""
    whole, made = records(), {}
    rounds = []
    current = plan
    while current:
        rounds.append(current)
        made |= {(run.setting, run.seed): whole[run.setting, run.seed] for run in current.runs}
        current = next_round(plan, made)
    return rounds, made


def test_only_what_is_open_gets_more_seeds():
    rounds, made = conduct(PLAN)

    assert [len(r.seeds) for r in rounds] == [5, 5, 10]
    assert [[lv.knobs["neurons"] for q in r.questions for lv in q.levels] for r in rounds] == [
        [4, 8, 16],
        [8, 16],
        [8, 16],
    ]
    answers = answer(PLAN, made)
    plain, close = answers.questions[0].claims
    assert (plain.verdict, plain.look, len(plain.estimate.values)) == ("refuted", 5, 5)
    assert (close.look, len(close.estimate.values)) == (None, 20)
    assert close.verdict == "inconclusive"
    assert (close.seeds_needed or 0) > 20
    assert [len(level.records) for level in answers.questions[0].levels] == [5, 20, 20]
    assert [(look.seeds, look.decided, look.open) for look in answers.looks] == [
        (5, 1, 1),
        (10, 0, 1),
        (20, 0, 1),
    ]
    assert answers.looks[-1].spent == pytest.approx(0.05)
    assert answers.missing == 0


def test_what_was_decided_stays_as_later_seeds_come():
    _, made = conduct(PLAN)
    early = {key: record for key, record in made.items() if key[1] < 5}
    assert answer(PLAN, early).questions[0].claims[0] == answer(PLAN, made).questions[0].claims[0]


@pytest.mark.parametrize("killed_at", [3, 5, 7, 10, 15])
def test_a_lab_that_was_killed_goes_on_to_the_same_end(killed_at):
    _, whole = conduct(PLAN)
    made = {key: record for key, record in whole.items() if key[1] < killed_at}

    current = PLAN
    while current:
        made |= {(r.setting, r.seed): whole[r.setting, r.seed] for r in current.runs}
        current = next_round(PLAN, made)

    assert made.keys() == whole.keys()
    assert answer(PLAN, made) == answer(PLAN, whole)


def test_a_look_under_way_judges_nothing_yet():
    made = {key: record for key, record in records().items() if key[1] < 7}
    answers = answer(PLAN, made)
    assert [look.seeds for look in answers.looks] == [5]
    assert len(answers.questions[0].claims[1].estimate.values) == 5
    assert answers.missing == 2 * 3


def test_runs_that_it_did_not_ask_for_change_nothing():
    _, made = conduct(PLAN)
    assert answer(PLAN, records()).questions[0].claims == answer(PLAN, made).questions[0].claims


def test_a_lab_that_is_decided_looks_no_more():
    plan = replace(PLAN, questions=(make_question(LEVELS[:2], CLAIMS[:1]),))
    rounds, made = conduct(plan)
    assert len(rounds) == 1
    assert judge_rounds(plan, made).open == frozenset()


def test_more_seeds_are_not_spent_on_a_target_that_is_never_reached():
    claim = make_claim("epochs_to", target=0.99)
    plan = replace(PLAN, questions=(make_question(LEVELS[:2], [claim]),))
    assert next_round(plan, records(upto=5)) is None


def reaching(*epochs):
    """Runs of 20 epochs whose accuracy is 0.9 from these on (21: never), level by level."""
    return {
        (level.settings[0], seed): make_record(
            level.settings[0], seed, curve=[0.5] * (at - 1) + [0.9] * (21 - at)
        )
        for level, by_seed in zip(LEVELS, epochs, strict=False)
        for seed, at in enumerate(by_seed)
    }


@pytest.mark.parametrize(
    ("epochs", "goes_on"),
    [
        (((21, 2, 3, 2, 3), (10, 9, 10, 11, 10)), False),  # the one that is ahead
        (((2, 9, 3, 9, 10), (10, 9, 10, 11, 21)), True),  # the one that is behind
    ],
)
def test_more_seeds_are_not_spent_where_runs_that_never_got_there_leave_it_open(epochs, goes_on):
    plan = replace(PLAN, questions=(make_question(LEVELS[:2], [make_claim("epochs_to")]),))
    made = reaching(*epochs)

    (found,) = answer(plan, made).questions[0].claims

    assert found.verdict == "inconclusive"
    assert (found.reason == "unreached") is not goes_on
    assert (next_round(plan, made) is not None) is goes_on


def test_without_looks_there_is_one_round():
    plan = make_plan(make_question(LEVELS, CLAIMS))
    assert next_round(plan, records(upto=5)) is None
    answers = answer(plan, records(upto=5))
    assert answers.looks == ()
    assert {claim.look for claim in answers.questions[0].claims} == {None}


def test_looking_does_not_raise_the_share_of_labs_that_err():
    """Nothing differs; the promise is 5 % of labs, however often they look."""
    rng = np.random.default_rng(11)
    claims = [make_claim(id=str(i), level=(i,), against=(0,), margin=1e-9) for i in (1, 2)]
    plan = replace(PLAN, questions=(make_question(LEVELS, claims),))
    labs, wrong = 60, 0
    for _ in range(labs):
        made = {
            (level.settings[0], seed): make_record(
                level.settings[0], seed, accuracy=float(rng.normal(0.9, 0.01))
            )
            for level in LEVELS
            for seed in range(20)
        }
        found = judge_rounds(plan, made).claims.values()
        wrong += any(claim.verdict != "inconclusive" for claim in found)
    # Three standard errors of a share of 0.05; `python -m benchmarks.method` has more labs.
    assert wrong / labs <= 0.05 + 3 * (0.05 * 0.95 / labs) ** 0.5
