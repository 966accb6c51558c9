"""Packed numbers at the ends of their types, and past them."""

import numpy as np
import pytest

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine
from siffra.engine.native import pointwise
from siffra.engine.native.conv import LANES
from siffra.engine.native.conv_fused import is_fused
from siffra.engine.native.conv_fused_forward import DEAD
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.layers import layer_layouts
from siffra.engine.native.limits import EXACT, number_type
from siffra.engine.native.simd import load
from siffra.engine.native.simd_math import load_numbers, store
from siffra.engine.native.sparse import _COLUMN, SparseColumns, SparseRows, index_type
from siffra.engine.network import Conv, build_network
from siffra.engine.torch.engine import TorchEngine
from siffra.errors import ConfigError
from siffra.system.jit import compiled


@pytest.mark.parametrize(
    ("count", "kind"),
    [
        (1, np.uint8), (256, np.uint8), (257, np.uint16), (65_536, np.uint16),
        (65_537, np.uint32), (EXACT, np.uint32),
    ],
)  # fmt: skip
def test_positions_of_a_window_get_the_least_type_that_holds_them(count, kind):
    found = number_type(count, "positions", np.uint8, np.uint16, np.uint32, most=EXACT)

    assert found is kind
    assert np.arange(count - 1, count).astype(found)[0] == count - 1


@pytest.mark.parametrize(
    ("count", "kinds", "most"),
    [
        (EXACT + 1, (np.uint8, np.uint16, np.uint32), EXACT),
        ((1 << 31) + 1, (np.int32,), None),
        ((1 << 32) + 1, (np.uint16, np.uint32), None),
    ],
)
def test_one_more_than_a_type_holds_is_refused(count, kinds, most):
    with pytest.raises(ConfigError, match=f"^positions: found {count:,}; .* at most. Take smaller"):
        number_type(count, "positions", *kinds, most=most)
    assert number_type(count - 1, "positions", *kinds, most=most) is kinds[-1]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_lanes_keep_the_largest_number_of_each_type(kind):
    most = min(int(np.iinfo(kind).max), EXACT - 1)
    numbers = np.full(LANES, most, np.float32)
    numbers[1], packed, back = 0, np.zeros(LANES, kind), np.zeros(LANES, np.float32)

    _pack(numbers, packed, back)

    assert packed.tolist() == back.tolist() == numbers.tolist()
    assert packed[0] == most


@compiled
def _pack(numbers, packed, back):
    store(packed, 0, load(numbers, 0, LANES))
    store(back, 0, load_numbers(packed, 0, LANES))


@pytest.mark.parametrize("window", [256, 257, 65_536, 65_537, 70_000])
def test_the_gradient_reaches_the_position_that_won_and_no_other(window):
    z = np.zeros(window * LANES, np.float32)
    winners = np.linspace(0, window - 1, LANES).astype(int)
    z.reshape(window, LANES)[winners, np.arange(LANES)] = 1
    members, places = np.arange(window) * LANES, np.zeros(1, np.int64)
    norm = np.zeros((3, LANES), np.float32)
    norm[0] = 1
    kind = number_type(window, "", np.uint8, np.uint16, np.uint32)
    out, choices = np.zeros(LANES, np.float32), np.zeros(LANES, kind)
    sizes = z.size, LANES, window
    sums, products = np.zeros((2, 1, LANES), np.float32)
    terms = np.zeros((3, LANES), np.float32)
    terms[0] = 1

    pointwise.forward(None, True)(z, 1, sizes, members, places, norm[0], norm[1], out, choices)
    pointwise.backward(None, True)(
        z, 1, sizes, (members, places, np.zeros(0, np.int64)), norm,
        np.arange(1, LANES + 1, dtype=np.float32), choices, terms, True, sums, products,
    )  # fmt: skip

    assert choices.tolist() == winners.tolist()
    expected = np.zeros((window, LANES))
    expected[winners, np.arange(LANES)] = np.arange(1, LANES + 1)
    np.testing.assert_array_equal(z.reshape(window, LANES), expected)


def test_a_window_of_more_than_65536_positions_trains_as_pytorch_s_does():
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (4, 257, 256, 1)).astype(np.uint8), np.arange(4) % 3)
    knobs = {
        "model": "conv", "kernel_size": 3, "filters": 3, "padding": "same",
        "global_pooling": "max", "batch_size": 4, "learning_rate": 0.3, "epochs": 2,
    }  # fmt: skip
    dataset = Dataset("large", 3, images, images, images, {}, "0" * 64)

    found, expected = (losses(engine, knobs, dataset) for engine in (NativeEngine(), TorchEngine()))

    # A logit is a sum of four products, a position of nine: a few eps of rounding a step.
    np.testing.assert_allclose(found, expected, rtol=3e-6)


def losses(engine: Engine, knobs: dict, dataset: Dataset) -> list[float]:
    setting, found = Setting.from_knobs(knobs), []
    engine.fit(
        setting.model, setting.training, dataset, 0, lambda end, _: found.append(end.loss)
    )  # fmt: skip
    return found


def test_augmented_images_whose_floats_lanes_cannot_number_are_refused():
    side = 4096  # with the zeros around it more than 2^24 floats
    images = Images(np.zeros((1, side, side, 1), np.uint8), np.zeros(1, np.int64))
    dataset = Dataset("huge", 2, images, images, images, {}, "0" * 64)
    knobs = {"neurons": 1, "augment": "shifts", "augment_move": 1, "batch_size": 1, "epochs": 1}

    with pytest.raises(ConfigError, match=r"^floats of an augmented image: found 16,801,801; "):
        losses(NativeEngine(), knobs, dataset)


@pytest.mark.parametrize(("pixels", "kind"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_a_sparse_row_holds_its_last_pixel(pixels, kind):
    images = np.zeros((2, pixels), np.uint8)
    images[1, -1] = 7

    rows = SparseRows.of(images)

    assert rows.indices.dtype == index_type(pixels) == kind
    assert rows.indices[0] == pixels - 1


def test_what_is_fixed_by_what_may_be_built_holds_all_there_is():
    assert np.iinfo(SparseColumns.room_for(4, np.uint8).rows.dtype).max >= _COLUMN - 1
    for pool in (1, 2, 3):
        knobs = {"model": "conv", "kernel_size": 3, "filters": 2, "pool_size": pool}
        network = build_network(Setting.from_knobs(knobs).model, (12, 12, 1), 2)
        conv, layout = network.layers[0], layer_layouts(network)[0]
        assert isinstance(conv, Conv)
        assert is_fused(conv, layout) == (pool**2 <= 4 < DEAD)
