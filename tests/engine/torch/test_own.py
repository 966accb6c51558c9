"""Modules of the user's: trained from PyTorch's own draws, and refused in a line.

What all engines promise is asked of them in `test_contract.py`.
"""

import numpy as np
import pytest
import torch
from modules import make
from small import small_dataset
from torch import nn

from siffra.config import Setting, as_model
from siffra.engine.native.engine import NativeEngine
from siffra.engine.torch.engine import TorchEngine
from siffra.errors import ConfigError, ModelFileError

DATASET = small_dataset()
PIXELS = 12 * 10 * 2


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 3))


def fit(factory, seed=1, on_epoch=lambda end, fitted: None, **knobs):
    knobs = {
        "model": as_model(factory),
        "batch_size": 8,
        "epochs": 2,
        "learning_rate": 0.1,
        **knobs,
    }
    setting = Setting.from_knobs(knobs)
    TorchEngine(threads=1).prepare(setting.model, setting.training, DATASET)
    return TorchEngine(threads=1).fit(setting.model, setting.training, DATASET, seed, on_epoch)


def same(a, b):
    left, right = a.weights(), b.weights()
    return all((left[name] == right[name]).all() for name in left)


def test_asking_for_predictions_does_not_change_the_training():
    def ask(end, fitted):
        torch.rand(3)  # nor does whoever asks, by drawing something
        fitted.predict(DATASET.test.x)

    assert same(fit(make), fit(make, on_epoch=ask))


def test_its_arguments_and_all_knobs_of_training_count():
    fitted = fit(make, width=4, optimizer="muon", ema=0.5, augment="move", augment_move=2)

    assert fitted.weights()["0.weight"].shape == (4, 2, 3, 3)
    assert fitted.parameters == (4 * 2 * 9 + 4) + 2 * 4 + (4 * 120 * 3 + 3)
    assert fitted.weights()["1.num_batches_tracked"] == 14  # steps: a count is not averaged
    p = fitted.predict(DATASET.test.x)
    assert p.shape == (31, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_it_trains_as_pytorch_does():
    setting = Setting.from_knobs(
        {"model": as_model(linear), "batch_size": 53, "epochs": 1, "learning_rate": 0.1}
    )
    fitted = TorchEngine(threads=1).fit(
        setting.model, setting.training, DATASET, 3, lambda end, fitted: None
    )
    torch.manual_seed(3)
    module = linear()
    x = torch.tensor(DATASET.train.x).permute(0, 3, 1, 2) / 255
    nn.functional.cross_entropy(module(x), torch.tensor(DATASET.train.y)).backward()
    torch.optim.SGD(module.parameters(), 0.1).step()

    # One step: of a sum of 53 products of numbers below 1, some tens of roundings.
    for name, tensor in module.state_dict().items():
        np.testing.assert_allclose(fitted.weights()[name], tensor, atol=1e-6)


def test_saved_weights_make_the_same_network():
    fitted = fit(make)
    model = Setting.from_knobs({"model": as_model(make)}).model
    engine = TorchEngine(threads=1)

    loaded = engine.load(model, DATASET.image_shape, 3, fitted.weights())

    assert (loaded.predict(DATASET.test.x) == fitted.predict(DATASET.test.x)).all()
    with pytest.raises(ModelFileError, match="they are not those of"):
        engine.load(model, DATASET.image_shape, 4, fitted.weights())


def test_the_native_engine_names_the_one_that_can():
    setting = Setting.from_knobs({"model": as_model(linear)})

    with pytest.raises(ConfigError, match="it needs `--engine torch`"):
        NativeEngine().prepare(setting.model, setting.training, DATASET)


def fails():
    raise RuntimeError("no luck")


def no_module():
    return 3


def nothing_to_train():
    return nn.Flatten()


def wrong_outputs():
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 7))


def wrong_inputs():
    return nn.Sequential(nn.Flatten(), nn.Linear(5, 3))


def needs_more_than_one():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(PIXELS), nn.Linear(PIXELS, 3))


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (fails, "test_own:fails fails: RuntimeError: no luck."),
        (no_module, "test_own:no_module made a int, not a nn.Module."),
        (nothing_to_train, "made a module without parameters: nothing to train."),
        (wrong_outputs, r"gives (53, 7) for 53 images; it must give logits, (53, 3)."),
        (wrong_inputs, "fails on a batch of 53: RuntimeError: mat1 and mat2 shapes"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_line(factory, told):
    with pytest.raises(ConfigError) as error:
        fit(factory, batch_size=53)

    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_module_that_cannot_take_the_last_batch_is_found_before_the_training():
    with pytest.raises(ConfigError, match="needs_more_than_one fails on a batch of 1: ValueError"):
        fit(needs_more_than_one, batch_size=52)
