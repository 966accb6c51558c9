"""What `siffra.engine.base` promises, asked of every engine."""

from dataclasses import replace

import numpy as np
import pytest
from estimators import Nearest
from modules import make
from reference import ReferenceEngine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from small import LAYERS, NETWORKS, TRAININGS, small_dataset, unlabelled

from siffra.config import Setting, as_model
from siffra.config.setting import override
from siffra.data.dataset import Images
from siffra.engine.base import EpochEnd, Fitted
from siffra.engine.native.engine import NativeEngine, NativeSteps
from siffra.engine.network import build_network
from siffra.engine.schedule import training_orders
from siffra.engine.sklearn.engine import SklearnEngine
from siffra.engine.torch.engine import TorchEngine, TorchFitted, TorchSteps
from siffra.errors import ConfigError, ModelFileError

DATASET = small_dataset()
NETWORK_ENGINES = {
    engine.name: engine for engine in (NativeEngine(), TorchEngine(1, "cpu"), ReferenceEngine())
}
ENGINES = NETWORK_ENGINES | {"sklearn": SklearnEngine(2)}
ESTIMATORS = (
    {"model": as_model(RandomForestClassifier), "n_estimators": 5, "max_features": 0.2},
    {"model": as_model(SGDClassifier), "loss": "log_loss", "tol": 0.1},
    {"model": as_model(Nearest)},
)
"""What the sklearn engine fits instead of networks; the last one gives no probabilities."""
MODULE = {"model": as_model(make)}
"""What the torch engine trains beside siffra's own networks."""
CASES = [
    *((name, knobs) for name in NETWORK_ENGINES for knobs in (*NETWORKS, *LAYERS, *TRAININGS)),
    ("torch", MODULE),
    *(("sklearn", knobs) for knobs in ESTIMATORS),
]


def fit(engine, knobs, seed=1, on_epoch=lambda end, fitted: None, dataset=DATASET):
    usual = {"batch_size": 8, "epochs": 2, "learning_rate": 0.1}
    setting = Setting.from_knobs(override(usual, knobs))
    return engine.fit(setting.model, setting.training, dataset, seed, on_epoch)


def same(a: Fitted, b: Fitted) -> bool:
    left, right = a.weights(), b.weights()
    if not left:  # an estimator's is known by what it says
        return bool((a.predict(DATASET.test.x) == b.predict(DATASET.test.x)).all())
    return all((left[name] == right[name]).all() for name in left)


@pytest.fixture(params=NETWORK_ENGINES)
def engine(request):
    return ENGINES[request.param]


@pytest.fixture(params=[*NETWORKS, *LAYERS, *TRAININGS], ids=str)
def knobs(request):
    return request.param


@pytest.mark.parametrize(
    ("engine", "knobs"),
    [(ENGINES[name], knobs) for name, knobs in CASES],
    ids=[f"{name}-{knobs}" for name, knobs in CASES],
)
class TestEveryModelOfEveryEngine:
    def test_equal_seeds_give_equal_bits_and_others_do_not(self, engine, knobs):
        first, again, other = (fit(engine, knobs, seed) for seed in (1, 1, 2))

        assert same(first, again)
        assert not same(first, other)


@pytest.mark.parametrize(
    ("engine", "knobs"),
    [
        *((engine, NETWORKS[3]) for engine in NETWORK_ENGINES.values()),
        (ENGINES["torch"], MODULE),
        *((ENGINES["sklearn"], knobs) for knobs in ESTIMATORS),
    ],
)
class TestEveryEngine:
    def test_every_epoch_is_told(self, engine, knobs):
        ends: list[EpochEnd] = []
        last = []

        def on_epoch(end, fitted):
            ends.append(end)
            last[:] = [fitted.predict(DATASET.test.x)]

        fitted = fit(engine, knobs, on_epoch=on_epoch)

        assert [end.epoch for end in ends] == ([1] if engine.name == "sklearn" else [1, 2])
        assert all(end.seconds > 0 and 0 <= end.accuracy <= 1 for end in ends)
        assert all(np.isfinite(end.loss) and end.loss >= 0 for end in ends)
        assert (last[0] == fitted.predict(DATASET.test.x)).all()

    def test_asking_for_predictions_does_not_change_the_training(self, engine, knobs):
        quiet = fit(engine, knobs)
        asked = fit(engine, knobs, on_epoch=lambda end, f: f.predict(DATASET.test.x))

        assert same(quiet, asked)

    def test_it_trains_on_one_thread_as_well(self, engine, knobs):
        alone = engine.on_one_thread

        assert (alone.name, alone.version, alone.threads) == (engine.name, engine.version, 1)

    def test_what_a_callback_raises_ends_the_training(self, engine, knobs):
        def stop(end, fitted):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(engine, knobs, on_epoch=stop)

    def test_predictions_are_probabilities(self, engine, knobs):
        p = fit(engine, knobs).predict(DATASET.test.x)

        assert p.shape == (31, 3)
        assert p.dtype == np.float32
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)

    def test_a_pixel_counts_a_255th(self, engine, knobs):
        fitted = fit(engine, knobs)
        as_float = DATASET.test.x / np.float32(255)

        # One rounding more or less of each pixel, then of each sum over at most 240 of them.
        np.testing.assert_allclose(
            fitted.predict(DATASET.test.x), fitted.predict(as_float), atol=1e-5
        )

    def test_kept_images_are_predicted_as_the_network_then_is(self, engine, knobs):
        kept, told = {}, []

        def on_epoch(end, fitted):
            if not kept:
                kept["test"] = fitted.keep(DATASET.test)
                kept["as float"] = fitted.keep(unlabelled(DATASET.test.x / np.float32(255)))
            kept["train"] = fitted.keep(DATASET.train)  # nothing of the others is lost
            for name, x in {"test": DATASET.test.x, "train": DATASET.train.x}.items():
                told.append((kept[name](), fitted.predict(x)))
            told.append((kept["as float"](), fitted.predict(DATASET.test.x / np.float32(255))))

        fit(engine, knobs, on_epoch=on_epoch)

        assert all((again == expected).all() for again, expected in told)

    def test_no_images_have_no_predictions(self, engine, knobs):
        fitted = fit(engine, knobs)

        for none in (
            fitted.predict(DATASET.test.x[:0]),
            fitted.keep(unlabelled(DATASET.test.x[:0]))(),
        ):
            assert none.shape == (0, 3)

    def test_it_learns(self, engine, knobs):
        p = fit(engine, knobs).predict(DATASET.train.x)

        assert (p.argmax(axis=1) == DATASET.train.y).mean() > 0.5  # a third by chance


class TestEnginesOfNetworks:
    def test_epochs_are_told_one_by_one_with_the_network_as_it_then_is(self, engine):
        ends: list[EpochEnd] = []
        weights = []

        def on_epoch(end, fitted):
            ends.append(end)
            weights.append(fitted.weights()["dense_1.kernel"])

        fitted = fit(engine, {"epochs": 3}, on_epoch=on_epoch)

        assert [end.epoch for end in ends] == [1, 2, 3]
        assert all(end.seconds > 0 and 0 <= end.accuracy <= 1 for end in ends)
        assert not (weights[0] == weights[1]).all()
        assert (weights[2] == fitted.weights()["dense_1.kernel"]).all()

    def test_a_training_may_end_within_an_epoch(self, engine):
        ends: list[EpochEnd] = []

        # 53 images are 7 batches of 8, the last of 5; 1.3 of that are 9 steps.
        fitted = fit(engine, {"epochs": 1.3}, on_epoch=lambda end, fitted: ends.append(end))

        assert [end.epoch for end in ends] == [1, 2]
        hits = ends[1].accuracy * 16  # of the images that were used, two batches
        assert hits == pytest.approx(round(hits))
        assert not same(fitted, fit(engine, {"epochs": 1}))

    @pytest.mark.parametrize(
        "knobs",
        [{}, {"model": "conv", "kernel_size": 3}, {"augment": "move", "augment_move": 2}],
        ids=str,
    )
    def test_floats_are_trained_on_as_the_bytes_that_they_stand_for(self, engine, knobs):
        train = Images(DATASET.train.x / np.float32(255), DATASET.train.y)

        of_bytes = fit(engine, knobs).weights()
        of_floats = fit(engine, knobs, dataset=replace(DATASET, train=train)).weights()

        for name, array in of_bytes.items():
            # One rounding more or less of each pixel, in 14 steps.
            np.testing.assert_allclose(of_floats[name], array, atol=1e-5)

    def test_saved_weights_make_the_same_network(self, engine, knobs):
        fitted = fit(engine, knobs)
        model = Setting.from_knobs(knobs).model
        shapes = {name: array.shape for name, array in fitted.weights().items()}

        loaded = engine.load(model, DATASET.image_shape, 3, fitted.weights())

        assert shapes == build_network(model, DATASET.image_shape, 3).weights
        assert (loaded.predict(DATASET.test.x) == fitted.predict(DATASET.test.x)).all() or (
            engine.name == "reference"  # keeps float64, saves float32
        )
        assert same(loaded, fitted)

    @pytest.mark.parametrize(
        "knobs",
        [{}, {"model": "conv", "filters": 3, "kernel_size": 3}, {"optimizer": "muon"}],
        ids=["dense", "conv", "muon"],
    )
    def test_divergence_is_a_result_that_the_loss_and_the_predictions_tell(self, engine, knobs):
        ends: list[EpochEnd] = []
        # Of NumPy's warnings, which are errors here, only the reference may have any.
        with np.errstate(all="ignore" if engine.name == "reference" else "warn"):
            fitted = fit(
                engine,
                # So deep that even float64 overflows.
                {**knobs, "neurons": [16] * 12, "learning_rate": 1e30, "epochs": 2},
                on_epoch=lambda end, f: ends.append(end),
            )
            shares = fitted.predict(DATASET.test.x)

        assert len(ends) == 2
        assert not np.isfinite(ends[-1].loss)
        assert np.isnan(shares).any()

    def test_a_kernel_that_does_not_fit_is_refused(self, engine):
        with pytest.raises(ConfigError, match=r"11 is larger than .* 12x10"):
            fit(engine, {"model": "conv", "kernel_size": 11})


def test_native_refuses_weights_of_another_model():
    engine = NativeEngine()
    model = Setting.from_knobs({"neurons": 7}).model
    weights = fit(engine, {"neurons": 6}).weights()

    with pytest.raises(ModelFileError, match="dense_1"):
        engine.load(model, DATASET.image_shape, 3, weights)


STEPPING = (NativeEngine(1), TorchEngine(1, "cpu"))


def weights_of(steps: NativeSteps | TorchSteps, engine):
    if isinstance(steps, NativeSteps):
        return steps.trainer.parameters.unflatten(steps.trainer.averaged)
    return TorchFitted(steps.training.kept, engine).weights()


@pytest.mark.parametrize("engine", STEPPING, ids=lambda engine: engine.name)
class TestSteps:
    @pytest.mark.parametrize("knobs", [NETWORKS[1], LAYERS[-1], *TRAININGS], ids=str)
    def test_taken_by_turns_with_another_training_s_they_end_where_fit_does(self, engine, knobs):
        usual = {"batch_size": 8, "epochs": 2, "learning_rate": 0.1}
        setting = Setting.from_knobs(override(usual, knobs))
        other = Setting.from_knobs({"model": "conv", "filters": 3, "kernel_size": 3})
        fitted = engine.fit(setting.model, setting.training, DATASET, 1, lambda *_: None)

        steps = engine.steps(setting.model, setting.training, DATASET, 1)
        others = engine.steps(other.model, other.training, DATASET, 2)
        for order in training_orders(setting.training, len(DATASET.train), 1):
            steps.begin_epoch()
            for start in range(0, len(order), 16):  # two batches at a time
                steps.take(order[start : start + 16])
                others.begin_epoch()
                others.take(order[:32])

        found = weights_of(steps, engine)
        assert found
        for name, weights in fitted.weights().items():
            np.testing.assert_array_equal(found[name], weights, err_msg=name)

    def test_they_leave_the_engine_as_it_was(self, engine):
        setting = Setting.from_knobs({"neurons": 3})
        before = fit(engine, {})

        steps = engine.steps(setting.model, setting.training, DATASET, 1)
        steps.begin_epoch()
        steps.take(np.arange(20))

        assert same(before, fit(engine, {}))


@pytest.mark.parametrize("engine", [ReferenceEngine(), SklearnEngine(1)])
def test_a_training_that_is_all_or_nothing_has_no_steps(engine):
    setting = Setting.from_knobs(ESTIMATORS[0])

    assert engine.steps(setting.model, setting.training, DATASET, 1) is None
