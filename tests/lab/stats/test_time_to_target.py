"""When runs reached their targets, against cases worked out by hand."""

import math

from made_runs import make_claim, make_level, make_question, make_record

from siffra.config import Setting
from siffra.lab.stats.time_to_target import targets_of, time_to_target

SIX = Setting.from_knobs({"epochs": 6})


def reaching(*epochs):
    """Runs of six epochs of two seconds that reach 0.9 after so many (7: never)."""
    curves = [[0.5] * (epoch - 1) + [0.9] * (7 - epoch) for epoch in epochs]
    return [
        make_record(SIX, seed, curve=curve, epoch_seconds=2.0) for seed, curve in enumerate(curves)
    ]


def test_a_run_that_never_got_there_is_later_than_all_others():
    found = time_to_target(reaching(2, 7, 4, 3, 7), make_claim("epochs_to"))

    assert found.epochs == (2, math.inf, 4, 3, math.inf)
    assert found.seconds == (4.0, math.inf, 8.0, 6.0, math.inf)
    assert (found.never, found.median_epochs, found.median_seconds) == (2, 4, 8.0)


def test_of_an_even_number_of_runs_the_two_in_the_middle_are_averaged():
    found = time_to_target(reaching(1, 2, 3, 7), make_claim("seconds_to"))

    assert (found.median_epochs, found.median_seconds) == (2.5, 5.0)


def test_where_half_never_got_there_so_does_the_median():
    found = time_to_target(reaching(1, 2, 7, 7), make_claim("epochs_to"))

    assert (found.never, found.median_epochs, found.median_seconds) == (2, math.inf, math.inf)


def test_of_no_runs_nothing_is_known():
    found = time_to_target([], make_claim("epochs_to"))

    assert math.isnan(found.median_epochs)
    assert (found.epochs, found.never) == ((), 0)


def test_a_target_that_several_claims_name_is_one():
    claims = [
        make_claim("epochs_to", target=0.9),
        make_claim("accuracy"),
        make_claim("seconds_to", target=0.9),
        make_claim("seconds_to", target=0.8),
        make_claim("epochs_to", target=0.9, on="val"),
    ]
    question = make_question([make_level({"neurons": n}) for n in (4, 8)], claims)

    assert [(claim.on, claim.target) for claim in targets_of(question)] == [
        ("test", 0.9),
        ("test", 0.8),
        ("val", 0.9),
    ]
