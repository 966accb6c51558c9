"""What a plan would take: what like runs took, else what is known of its work."""

from dataclasses import replace
from typing import Any

import pytest
from made_runs import make_timing
from small_lab import SETTINGS, LoggingEngine, small_dataset, small_plan

from siffra.config import Setting
from siffra.lab.execute.cost import EngineCosts
from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.results import Cost
from siffra.lab.execute.runner import run_plan

DATASET = small_dataset()
TRAINING = 3 * len(DATASET.train)
"""Passes of an image through a network, forward or back, in an epoch."""
CURVES = sum(len(images) for name, images in DATASET.sets.items() if name != "train")
"""And forward, for the scores after an epoch: the sets are small, and scored as a whole."""
END = (CURVES + len(DATASET.val)) / (TRAINING + CURVES)
"""What the scores in the end are worth, in epochs: the training set counts as validation does."""


def test_it_counts_what_there_is(engine, store):
    assert estimate(small_plan(), DATASET, engine, store).have == 0
    run_plan(small_plan((0, 1)), DATASET, engine, store)

    cost = estimate(small_plan(), DATASET, engine, store)

    assert (cost.runs, cost.have) == (12, 6)
    assert estimate(small_plan((0, 1)), DATASET, engine, store) == Cost(runs=6, have=6, seconds=0)


def test_it_is_what_like_runs_took_an_epoch(engine, store):
    records = run_plan(small_plan((0,), SETTINGS[:1]), DATASET, engine, store).records
    (record,) = records.values()
    longer = SETTINGS[0].training.model_copy(update={"epochs": 50, "learning_rate": 0.3})
    asked = small_plan((5, 6), (replace(SETTINGS[0], training=longer),))

    cost = estimate(asked, DATASET, engine, store)

    an_epoch = (record.seconds + record.scoring_seconds) / (len(record.epochs) + END)
    assert cost.seconds == pytest.approx(2 * (50 + END) * an_epoch)


def test_it_grows_with_the_work_for_models_never_run(engine, store):
    def seconds(**knobs: Any) -> float:
        setting = SETTINGS[0].from_knobs({"batch_size": 8, "epochs": 2} | knobs)
        return estimate(small_plan((0,), (setting,)), DATASET, engine, store).seconds

    assert seconds(epochs=4) == pytest.approx(seconds() * (4 + END) / (2 + END))
    assert 0 < seconds() < seconds(neurons=4096) < seconds(neurons=4096, layers=2)
    assert seconds(batch_size=2) > seconds()


def test_it_is_corrected_by_models_that_were_run(store, tmp_path):
    other = SETTINGS[0].from_knobs({"batch_size": 8, "neurons": 5, "epochs": 2})
    asked = small_plan((0,), (other,))
    engine = LoggingEngine(tmp_path / "log")
    run_plan(small_plan((0,)), DATASET, engine, store)

    taken = estimate(small_plan((1,), SETTINGS[:1]), DATASET, engine, store).seconds
    predicted = estimate(asked, DATASET, engine, store).seconds

    # One neuron more is a little more work, whatever the machine's own speed.
    assert taken < predicted < 1.5 * taken


def test_a_model_is_corrected_by_the_one_that_is_nearest_in_work(engine, store):
    small, large = (Setting.from_knobs({"neurons": n, "epochs": 1}) for n in (4, 4096))
    near_small, near_large = (Setting.from_knobs({"neurons": n, "epochs": 1}) for n in (5, 4000))
    costs = EngineCosts(DATASET, engine, store)
    counted = [costs.seconds(setting) for setting in (small, large, near_small, near_large)]
    records = run_plan(small_plan((0,), (small,)), DATASET, engine, store).records
    (record,) = records.values()

    for setting, times, seconds in ((small, 10, counted[0]), (large, 2, counted[1])):
        like = {"model": setting.model, "training": setting.training, "scoring_seconds": 0.0}
        costs.learn(setting, record.model_copy(update={**like, "seconds": times * seconds}))

    assert costs.seconds(near_small) == pytest.approx(10 * counted[2])
    assert costs.seconds(near_large) == pytest.approx(2 * counted[3])


def test_what_was_timed_by_turns_is_predicted_by_that(engine, store):
    timed, nearby = (Setting.from_knobs({"neurons": n, "epochs": 100}) for n in (64, 70))
    other = Setting.from_knobs({"neurons": 4, "epochs": 100})
    costs = EngineCosts(DATASET, engine, store)
    counted = costs.seconds(timed), costs.seconds(nearby), costs.seconds(other)

    costs.learn_times(
        make_timing(timed, other, number=i, seconds=(s, 10 * s)) for i, s in enumerate((2, 3, 9))
    )

    # A hundred epochs of the median, with the scores after each, and those in the end.
    an_epoch = 3 * (TRAINING + CURVES) / TRAINING
    assert costs.seconds(timed) == pytest.approx((100 + END) * an_epoch)
    assert costs.seconds(other) == pytest.approx(10 * costs.seconds(timed))
    # What was not timed is counted, and corrected by the nearest that was.
    times_longer = costs.seconds(timed) / counted[0]
    assert costs.seconds(nearby) == pytest.approx(times_longer * counted[1])


def test_runs_of_a_few_epochs_say_how_long_many_take(engine, store):
    """Scoring in the end is paid once: a run of one epoch takes more than a hundredth of 100."""
    short, long = (Setting.from_knobs({"neurons": 6, "epochs": n}) for n in (1, 100))
    (record,) = run_plan(small_plan((0,), (short,)), DATASET, engine, store).records.values()
    costs = EngineCosts(DATASET, engine, store)

    took = record.seconds + record.scoring_seconds
    assert costs.seconds(short) == pytest.approx(took)
    assert costs.seconds(long) < 100 * took


def test_what_a_lab_learns_is_what_the_next_one_finds_in_the_store(engine, store):
    costs = EngineCosts(DATASET, engine, store)
    assert not costs.knows(SETTINGS[0])
    assert not costs.knows_kind("dense")
    for seed in range(3):
        for record in run_plan(small_plan((seed,)), DATASET, engine, store).records.values():
            costs.learn(record.setting, record)
        found = EngineCosts(DATASET, engine, store)
        assert found.knows(SETTINGS[0])
        assert found.knows_kind("dense")
        assert costs.seconds(SETTINGS[0]) == pytest.approx(found.seconds(SETTINGS[0]))
