"""A run's record says all that was seen, and its key all that decided it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from made_runs import make_record, program_record
from pydantic import ValidationError
from reference import ReferenceEngine
from small import small_dataset

from siffra.config import Setting
from siffra.engine.base import EpochEnd, Fitted
from siffra.engine.native.engine import NativeEngine
from siffra.engine.torch.engine import TorchEngine
from siffra.system.load import Load, LoadMeter, Reading
from siffra.training.run import SCORING, Record, run, run_key, setting_id
from siffra.training.scored_sets import scored_sets
from siffra.training.scores import accuracy, known

DATASET = small_dataset()
SETTING = Setting.from_knobs({"neurons": 7, "batch_size": 8, "epochs": 3, "learning_rate": 0.1})


@pytest.fixture(scope="module")
def result():
    return run(SETTING, DATASET, 5, NativeEngine())


def test_final_scores_are_those_of_the_returned_network(result):
    record, fitted = result

    for name in ("val", "test", "moved", "rotated"):
        images = DATASET.sets[name]
        right = (fitted.predict(images.x).argmax(axis=1) == images.y).mean()
        assert record.accuracy[name] == pytest.approx(right, abs=1e-12)
        assert accuracy(np.array(record.confusion[name])) == record.accuracy[name]
        assert np.array(record.confusion[name]).sum() == len(images.y)


def test_training_images_are_scored_on_as_many_as_validation_has(result):
    record, _ = result

    assert np.array(record.confusion["train"]).sum() == len(DATASET.val.y)


def test_the_last_epoch_of_a_small_data_set_ends_where_the_run_ends(result):
    record, _ = result

    assert len(record.epochs) == 3
    for name in ("val", "test", "moved", "rotated"):
        assert record.epochs[-1].accuracy[name] == record.accuracy[name]
    assert record.seconds == sum(epoch.seconds for epoch in record.epochs)


def test_curves_are_scored_on_a_fixed_random_part_of_a_large_set(monkeypatch):
    scored = {}

    class Watched(NativeEngine):
        def fit(self, model, training, dataset, seed, on_epoch):
            fitted = super().fit(model, training, dataset, seed, lambda end, fitted: None)
            keep = fitted.keep
            fitted.keep = lambda images: (
                scored.setdefault(len(images), images.x),
                keep(images),
            )[1]
            on_epoch(EpochEnd(1, 1.0, 1.0, 1.0), fitted)
            return fitted

    monkeypatch.setattr("siffra.training.scored_sets.CURVE_IMAGES", 7)  # test has 31, train 53

    record, _ = run(SETTING, replace(DATASET), 5, Watched())  # whose sets are not yet chosen

    part = scored[7]
    numbers = [np.flatnonzero((DATASET.val.x == image).all(axis=(1, 2, 3)))[0] for image in part]
    assert numbers == sorted(set(numbers))
    assert len(set(np.diff(numbers))) > 1  # not evenly spaced: files may repeat their classes
    assert all(0 <= share <= 1 for share in known(record.epochs[0].accuracy.values()))


def test_the_machine_says_how_many_threads_were_used():
    record, _ = run(SETTING, DATASET, 5, NativeEngine(threads=1))

    assert record.machine.threads == 1


def test_a_record_survives_json(result):
    record, _ = result

    assert Record.model_validate_json(record.model_dump_json()) == record


def test_runs_that_were_scored_in_another_way_are_another_settings(result):
    record, _ = result
    before = record.model_dump(mode="json")
    del before["scoring"]  # as records were written when there was one way

    old = Record.model_validate_json(json.dumps(before))

    assert (old.scoring, record.scoring) == (1, SCORING)
    assert setting_id(old) != setting_id(record)


def test_epochs_are_told_as_they_end():
    told = []

    record, _ = run(SETTING, DATASET, 5, NativeEngine(), lambda n, epoch: told.append((n, epoch)))

    assert told == list(enumerate(record.epochs, start=1))


def test_a_run_repeats_itself(result):
    record, _ = result

    again, _ = run(SETTING, DATASET, 5, NativeEngine())

    assert again.key == record.key
    assert again.confusion == record.confusion
    assert [epoch.loss for epoch in again.epochs] == [epoch.loss for epoch in record.epochs]


@pytest.mark.parametrize("engine", [NativeEngine(), TorchEngine()], ids=["native", "torch"])
@pytest.mark.parametrize(
    "knobs",
    [{"neurons": 7}, {"model": "conv", "filters": 3, "kernel_size": 3}],
    ids=["dense", "conv"],
)
def test_a_diverged_run_has_no_accuracy_and_is_valid_json(engine, knobs):
    wild = Setting.from_knobs({**knobs, "epochs": 2, "learning_rate": 1e30})

    record, _ = run(wild, DATASET, 0, engine)

    assert record.diverged
    assert record.epochs[-1].loss is None
    for scored in (record, record.epochs[-1]):
        assert scored.accuracy == dict.fromkeys(DATASET.sets)
    assert record.confusion == {}
    assert Record.model_validate_json(record.model_dump_json()) == record
    json.loads(record.model_dump_json(), parse_constant=pytest.fail)  # no NaN, no Infinity


class Breaks(Fitted):
    """A network whose probabilities are no numbers from the call `at` on."""

    def __init__(self, at: int) -> None:
        self._left = at

    def predict(self, images: np.ndarray) -> np.ndarray:
        self._left -= 1
        return np.full((len(images), 3), np.nan if self._left < 0 else 1 / 3, np.float32)

    def weights(self) -> dict[str, np.ndarray]:
        return {}


class Steady(NativeEngine):
    """Three epochs of finite losses, with a network that breaks or one lost loss."""

    def __init__(self, fitted: Fitted, losses: tuple[float, ...] = (1.0, 1.0, 1.0)) -> None:
        super().__init__()
        self._made, self._losses = fitted, losses

    def prepare(self, model, training, dataset):
        pass

    def fit(self, model, training, dataset, seed, on_epoch):
        for number, loss in enumerate(self._losses, start=1):
            on_epoch(EpochEnd(number, loss, 0.5, 1.0), self._made)
        return self._made


CURVES = len(scored_sets(DATASET).curves)


@pytest.mark.parametrize(
    ("engine", "scored"),
    [
        (Steady(Breaks(at=10**9)), [True, True, True, True]),
        # Finite losses: what diverged by the last step is seen in the predictions alone.
        (Steady(Breaks(at=3 * CURVES)), [True, True, True, False]),
        (Steady(Breaks(at=3 * CURVES + 1)), [True, True, True, False]),
        (Steady(Breaks(at=2 * CURVES - 1)), [True, False, False, False]),
        # A loss that is a number again does not bring the accuracy back.
        (Steady(Breaks(at=10**9), (1.0, math.nan, 1.0)), [True, False, False, False]),
        (Steady(Breaks(at=10**9), (math.inf, 1.0, 1.0)), [False, False, False, False]),
    ],
)
def test_from_where_a_run_diverges_on_it_has_no_accuracy(engine, scored):
    record, _ = run(Setting.from_knobs({"neurons": 7, "epochs": 3}), DATASET, 0, engine)

    of_epochs = [set(epoch.accuracy.values()) != {None} for epoch in record.epochs]
    assert [*of_epochs, set(record.accuracy.values()) != {None}] == scored
    assert record.diverged == (not scored[-1])
    assert bool(record.confusion) == scored[-1]
    assert all(epoch.accuracy.keys() == record.accuracy.keys() for epoch in record.epochs)


def test_an_older_record_of_a_diverged_run_is_read_as_having_no_accuracy(result):
    record, _ = result
    older = json.loads(record.model_dump_json())
    older["diverged"] = True
    older["epochs"] = [older["epochs"][0], {**older["epochs"][0], "loss": None}]

    read = Record.model_validate_json(json.dumps(older))

    assert set(read.accuracy.values()) == {None}
    assert read.confusion == {}
    assert read.epochs[0].accuracy == record.epochs[0].accuracy
    assert set(read.epochs[1].accuracy.values()) == {None}
    assert Record.model_validate_json(read.model_dump_json()) == read


def test_stored_runs_of_convolutions_keep_their_keys_when_only_dense_networks_changed():
    """The keys were worked out by version 5 of the engine."""
    convolution, dense = (Setting.from_knobs({"model": kind}) for kind in ("conv", "dense"))
    keys = {
        kind: run_key(setting, DATASET, 3, NativeEngine())
        for kind, setting in (("conv", convolution), ("dense", dense))
    }

    assert keys["conv"] == "be7d04efd38afa8c9ae1882398fe0f3087bd75e8ffd4af6cac591fae88eca35c"
    assert keys["dense"] != "c785817497763004e85af73b6b90d4f36c8dae42cfbbba19501c71d8a06900d3"


def test_the_key_changes_with_all_that_decides_a_run():
    def key(knobs=(), seed=0, engine=None, dataset=DATASET):
        setting = Setting.from_knobs({"neurons": 7, **dict(knobs)})
        return run_key(setting, dataset, seed, engine or NativeEngine())

    newer = NativeEngine()
    newer.version_of = lambda model: newer.version + 1
    keys = [
        key(),
        key({"learning_rate": 0.1}),
        key({"neurons": 8}),
        key({"epochs": 2}),
        key(seed=1),
        key(engine=ReferenceEngine()),
        key(engine=newer),
    ]

    assert len(set(keys)) == len(keys)
    assert key() == key({"layers": 1, "optimizer": "sgd", "learning_rate": 0.7})
    assert len(key()) == 64


@pytest.mark.parametrize(
    ("knobs", "key"),
    [
        ({}, "2937091f7563691a6d8c27794f479647f0c9175c8c9142400e2376535f2ecaa0"),
        ({"model": "conv"}, "80a9363f57a86b45703543c69b80ac19fb14ed29fa06830f778021cfc1de45bf"),
        (
            {"model": "conv", "batch_norm": True, "activation": "gelu", "optimizer": "adamw",
             "schedule": "cosine", "label_smoothing": 0.1},
            "87b71cefcc0d0ce4396e02c6457f791102b3d786dd692e5a53c64c1043423d27",
        ),
    ],
    ids=["dense", "conv", "many knobs"],
)  # fmt: skip
def test_the_keys_of_runs_made_before_there_were_more_knobs_are_what_they_were(
    knobs, key, monkeypatch
):
    """Made by siffra before it had `loss`, `normalization` and steps of the learning rate."""
    engine = NativeEngine()
    monkeypatch.setattr(engine, "version_of", lambda model: 5)

    assert run_key(Setting.from_knobs(knobs), small_dataset(), 0, engine) == key


def test_the_load_of_training_alone_is_kept(monkeypatch):
    """By a clock that goes on by one at each look; scoring and what is told lie between."""
    ticks = iter(range(100))

    def read():
        now = next(ticks)
        return Reading(float(now), 2.0 * now, {1: 0.5 * now})

    monkeypatch.setattr(
        "siffra.training.run.LoadMeter", lambda **told: LoadMeter(**told, read=read)
    )

    def on_epoch(number, epoch):
        next(ticks)

    record, _ = run(SETTING, DATASET, 0, NativeEngine(), on_epoch)

    assert record.load is not None
    assert (record.load.wall, record.load.cpu, record.load.waited) == (3.0, 6.0, 1.5)
    assert record.is_busy


def test_records_of_before_loads_were_measured_say_nothing_of_them(result):
    record, _ = result
    assert Record.model_validate_json(record.model_dump_json()) == record
    old = record.model_dump(mode="json")
    del old["load"]

    read = Record.model_validate_json(json.dumps(old))

    assert (read.load, read.is_busy) == (None, False)
    assert "load" not in read.model_dump(mode="json")
    assert not read.model_copy(update={"load": Load(wall=1, cpu=1, waited=0)}).is_busy


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("accuracy", "test"), 1e9),
        (("accuracy", "test"), -0.1),
        (("epochs",), []),
        (("epochs", 0, "accuracy", "val"), 1.5),
        (("epochs", 0, "seconds"), -1.0),
        (("seconds",), -1.0),
        (("scoring_seconds",), float("inf")),
    ],
)
def test_a_record_that_cannot_be_is_none(place, value):
    document = json.loads(make_record(SETTING).model_dump_json())
    Record.model_validate_json(json.dumps(document))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value

    with pytest.raises(ValidationError) as refused:
        Record.model_validate_json(json.dumps(document))

    # Of an accuracy, which holds them by set, the whole.
    loc = refused.value.errors()[0]["loc"]
    assert loc == place[: len(loc)]


def test_a_long_constant_training_has_the_mean_accuracy_of_its_last_tenth_too():
    setting = Setting.from_knobs({"neurons": 7, "batch_size": 8, "epochs": 30})
    at_ends: list[dict[str, float]] = []

    class Watched(NativeEngine):
        def fit(self, model, training, dataset, seed, on_epoch):
            def watch(end, fitted):
                at_ends.append(
                    {
                        name: float((fitted.predict(part.x).argmax(axis=1) == part.y).mean())
                        for name, part in scored_sets(dataset).whole.items()
                    }
                )
                on_epoch(end, fitted)

            return super().fit(model, training, dataset, seed, watch)

    record, _ = run(setting, DATASET, 1, Watched())

    last = at_ends[27:]
    assert record.accuracy == pytest.approx(last[-1], abs=1e-12)
    assert record.late == {
        name: pytest.approx(sum(each[name] for each in last) / 3, abs=1e-12) for name in last[0]
    }
    assert record.averaged.accuracy == record.late
    assert record.averaged.confusion == record.confusion
    assert Record.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize(
    "knobs",
    [{"epochs": 19}, {"epochs": 20, "schedule": "cosine"}, {"epochs": 20, "ema": 0.9}],
    ids=str,
)
def test_other_trainings_have_no_late_accuracy_and_their_records_are_as_they_were(knobs):
    record, _ = run(Setting.from_knobs({"neurons": 7, **knobs}), DATASET, 1, NativeEngine())

    assert (record.late, record.scoring) == ({}, SCORING)
    assert record.averaged is record
    assert "late" not in record.model_dump_json()


def test_a_long_training_that_diverges_has_no_late_accuracy():
    setting = Setting.from_knobs({"neurons": 7, "epochs": 20})

    record, _ = run(setting, DATASET, 0, Steady(Breaks(at=0), (math.nan,) * 20))

    assert record.diverged
    assert (record.late, record.averaged) == ({}, record)


def test_a_curve_that_was_stored_with_a_gap_is_read_without_it():
    record = program_record(0.1)
    stored = record.model_dump(mode="json")
    stored["curves"]["loss"].append([3, None])

    assert Record.model_validate_json(json.dumps(stored)) == record


@pytest.mark.parametrize(
    "curves", ["x", None, [1], {"loss": 5}, {"loss": [5]}, {"loss": [["x", 1]]}, {"loss": [[1]]}]
)
def test_curves_that_are_damaged_make_a_record_that_cannot_be_read(curves):
    stored = program_record(0.1).model_dump(mode="json") | {"curves": curves}

    with pytest.raises(ValidationError, match="curves"):
        Record.model_validate_json(json.dumps(stored))
