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
from siffra.errors import ConfigError, ModelFileError, SiffraWarning

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


def in_double():
    return linear().double()


def without_numbers():
    with torch.device("meta"):
        return linear()


class Changed(nn.ModuleList):
    """A network whose outputs are changed at the end, by `change(outputs, self)`."""

    def __init__(self, change, *unused):
        super().__init__([linear(), *unused])
        self.change = change

    def forward(self, x):
        return self.change(self[0](x), self)


def detached():
    return Changed(lambda logits, module: logits.detach())


def whole_numbers():
    return Changed(lambda logits, module: logits.long())


def of_unknown_size():
    return Changed(lambda logits, module: logits, nn.LazyLinear(3))


def needs_more_than_one():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(PIXELS), nn.Linear(PIXELS, 3))


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (fails, "test_own:fails fails: RuntimeError: no luck."),
        (no_module, "test_own:no_module made a int, not a nn.Module."),
        (nothing_to_train, "made a module without parameters: nothing to train."),
        (wrong_outputs, r"gives (53, 7) for 53 images; it must give logits, (53, 3)."),
        (in_double, "fails on a batch of 53: RuntimeError: mat1 and mat2 must have the same dtype"),
        (without_numbers, "made a module on PyTorch's device `meta`, whose parameters have no num"),
        (detached, "gives logits that no parameter is trained by"),
        (whole_numbers, "gives int64; it must give logits in floating point."),
        (of_unknown_size, "makes no use of its lazy layer's `1.weight`"),
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


ENDS = {
    "softmax": lambda z, _: z.softmax(1),
    "softmax by hand": lambda z, _: z.exp() / z.exp().sum(1, keepdim=True),
    "log-softmax": lambda z, _: z.log_softmax(1),
    "sigmoid": lambda z, _: z.sigmoid().reshape(-1, 3),
    "tanh": lambda z, _: z.tanh(),
    "softmax when it predicts": lambda z, m: z if m.training else z.softmax(1),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_module_that_gives_no_logits_is_trained_with_a_warning(end):
    change = ENDS[end]

    def squashed():
        return Changed(change)

    with pytest.warns(SiffraWarning) as told:
        fit(squashed)

    (message,) = (str(warning.message) for warning in told)
    assert f"squashed gives what a {end.split()[0]} gives" in message
    assert ("when it predicts" in message) == end.endswith("predicts")


def rectified():
    return Changed(lambda logits, module: logits.relu())


def starting_at(logit):
    last = nn.Linear(PIXELS, 3)
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, logit)
    return nn.Sequential(nn.Flatten(), last)


def evenly_zero():
    return starting_at(0)


def small_and_positive():
    return starting_at(0.4)


@pytest.mark.parametrize("factory", [linear, make, rectified, evenly_zero, small_and_positive])
def test_logits_that_happen_to_be_small_are_no_reason_to_warn(factory):
    fit(factory)  # pytest makes a warning an error


def lazy():
    return nn.Sequential(
        nn.LazyConv2d(3, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.Dropout(0.1), nn.LazyLinear(3)
    )


def sized():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(3 * 10 * 8, 3),
    )


def test_lazy_layers_have_their_sizes_before_they_are_counted_and_saved():
    fitted, other = fit(lazy), fit(sized)
    model = Setting.from_knobs({"model": as_model(lazy)}).model

    loaded = TorchEngine(threads=1).load(model, DATASET.image_shape, 3, fitted.weights())

    assert fitted.parameters == other.parameters
    assert (loaded.predict(DATASET.test.x) == fitted.predict(DATASET.test.x)).all()


class InType(nn.Module):
    """A network that computes in numbers of some `kind`."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.network = kind, linear().to(kind)

    def forward(self, x):
        return self.network(x.to(self.kind))


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_a_module_may_compute_in_another_type(kind):
    def typed():
        return InType(kind)

    fitted = fit(typed)
    model = Setting.from_knobs({"model": as_model(typed)}).model
    loaded = TorchEngine(threads=1).load(model, DATASET.image_shape, 3, fitted.weights())

    assert fitted.predict(DATASET.test.x).dtype == np.float32
    assert (loaded.predict(DATASET.test.x) == fitted.predict(DATASET.test.x)).all()


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.float64])
def test_weights_of_another_type_than_the_module_s_are_refused(kind):
    model = Setting.from_knobs({"model": as_model(linear)}).model
    weights = {name: array.astype(kind) for name, array in fit(linear).weights().items()}

    with pytest.raises(ModelFileError, match=r"weights: `1.weight` is \w+; that of .* is float32"):
        TorchEngine(threads=1).load(model, DATASET.image_shape, 3, weights)
