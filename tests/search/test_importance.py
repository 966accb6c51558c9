"""Which knobs mattered, among made-up candidates whose scores follow one knob."""

import math
from dataclasses import replace

import optuna
import pytest

from siffra.config import Setting
from siffra.config.setting import override
from siffra.search.importance import importance
from siffra.search.race import FIRST_SEED, Candidate, Run
from siffra.search.space import Space, knob_of, quiet_optuna

SPACE = Space(10.0, 36.0)


@pytest.fixture(scope="module")
def candidate(propose):
    """`candidate(number)`: from nothing; the better the nearer its learning rate is to 0.1."""

    def candidate(number, **fixed):
        parameters, knobs = propose(replace(SPACE, fixed=fixed), [], number)
        setting = Setting.from_knobs(override(knobs, fixed))
        score = 0.9 - 0.2 * abs(math.log10(setting.training.learning_rate / 0.1))
        run = Run(25, FIRST_SEED, {"test": score}, 1.0)
        return Candidate(number, setting, parameters, "", 100, 25, [run])

    return candidate


def kind(candidate):
    return candidate.setting.knobs()["model"], candidate.setting.training.optimizer


@pytest.fixture(scope="module")
def proposed(candidate):
    return [candidate(number) for number in range(480)]


def some(proposed, **counts):
    """So many of each kind, named as `conv_muon`."""
    return [
        each
        for name, count in counts.items()
        for each in [c for c in proposed if "_".join(kind(c)) == name][:count]
    ]


def test_it_goes_by_candidates_of_the_winners_model_and_optimizer(proposed):
    seen = some(proposed, conv_muon=45, conv_adamw=9, dense_muon=9)

    result = importance(SPACE, seen, seen[0])

    assert result.within == {"model": "conv", "optimizer": "muon"}
    assert result.candidates == 45
    assert max(result.shares, key=lambda name: result.shares[name]) == "learning_rate_muon"
    assert "filters_1" in result.shares
    assert sum(result.shares.values()) == pytest.approx(1)


def test_one_candidate_of_another_kind_hides_nothing(proposed):
    alike = some(proposed, conv_muon=20)

    alone = importance(SPACE, alike, alike[0])
    beside = importance(SPACE, [*alike, *some(proposed, dense_sgd=1)], alike[0])

    assert beside == alone


def test_too_few_of_the_optimizer_are_seen_among_those_of_the_model(proposed):
    seen = some(proposed, conv_muon=9, conv_adamw=9, dense_sgd=9)

    result = importance(SPACE, seen, seen[0])

    assert (result.within, result.candidates) == ({"model": "conv"}, 18)
    assert {"optimizer", "filters_1"} <= result.shares.keys()
    assert {"learning_rate_muon", "momentum_muon"} <= set(result.unjudged)


def test_too_few_of_the_model_are_seen_among_all(proposed):
    seen = some(proposed, conv_muon=9, dense_sgd=9)

    result = importance(SPACE, seen, seen[0])

    assert (result.within, result.candidates) == ({}, 18)
    assert {"model", "optimizer", "batch_size"} <= result.shares.keys()
    assert {"filters_1", "kernel_size_1", "learning_rate_muon"} <= set(result.unjudged)


def test_every_parameter_of_the_winner_is_judged_or_named(proposed):
    seen = some(proposed, conv_muon=20)
    winner = max(seen, key=lambda c: c.parameters["conv_layers"])

    result = importance(SPACE, seen, winner)

    judged = winner.parameters.keys() & result.shares.keys()
    assert judged | set(result.unjudged) | {"model", "optimizer"} == winner.parameters.keys()
    assert judged.isdisjoint(result.unjudged)
    assert "filters_4" in result.unjudged  # some have fewer convolutions


def test_nothing_is_said_of_a_handful(proposed):
    seen = some(proposed, conv_muon=15)

    result = importance(SPACE, seen, seen[0])

    assert (result.shares, result.unjudged, result.candidates) == ({}, (), 15)


def test_nothing_is_said_where_all_do_equally_well(proposed):
    """Where no candidate is better than the others, Optuna warns and calls all knobs equal."""
    seen = [
        replace(each, runs=[replace(each.runs[0], accuracy={"test": 1.0})])
        for each in some(proposed, conv_muon=20)
    ]

    result = importance(SPACE, seen, seen[0])

    assert (result.shares, result.candidates) == ({}, 20)


def test_what_fixed_knobs_took_the_place_of_did_not_matter(candidate):
    fixed = {"model": "dense", "layers": 1, "neurons": 32, "batch_size": 32, "augment": "none"}
    seen = [candidate(number, **fixed) for number in range(40)]

    result = importance(replace(SPACE, fixed=fixed), seen, seen[0])

    knobs = {knob_of(name)[0] for name in (*result.shares, *result.unjudged)}
    assert {kind(each)[0] for each in seen} == {"dense"}
    assert {"activation", "dropout", "learning_rate"} <= knobs
    assert knobs.isdisjoint({"model", "layers", "batch_size", "filters", "conv_layers", "padding"})
    assert not any(knob.startswith("augment") for knob in knobs)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("filters_2", ("filters", "2")),
        ("learning_rate_muon", ("learning_rate", "muon")),
        ("weight_decay", ("weight_decay", "")),
        ("weight_decay_adamw", ("weight_decay", "adamw")),
        ("layers_after", ("layers", "")),
        ("augment_move", ("augment_move", "")),
    ],
)
def test_the_knob_that_a_parameter_is_of(parameter, expected):
    assert knob_of(parameter) == expected


def test_optuna_logs_as_before_for_others_who_use_it(tmp_path):
    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(optuna.logging.DEBUG)
        with quiet_optuna():
            assert optuna.logging.get_verbosity() == optuna.logging.WARNING
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)
