"""What gives away that data is not what it is taken for: axes, scales, grounds, duplicates."""

import numpy as np
import pytest

from siffra.api import dataset
from siffra.data.load import DataSource, load_dataset
from siffra.errors import DataError

RNG = np.random.default_rng(4)


def images(count: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.integers(0, 256, (count, *shape), np.uint8), np.arange(count) % 2


def codes(data) -> list[str]:
    return [note.code for note in data.notes]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_channels_first_are_turned_and_it_is_said(channels):
    x, y = images(40, channels, 8, 9)

    data = dataset((x, y))
    as_meant = dataset((np.moveaxis(x, 1, -1), y))

    assert data.image_shape == (8, 9, channels)
    assert data.fingerprint == as_meant.fingerprint
    assert codes(data) == ["channels_first"]
    assert f"images of shape {channels}x8x9 are read as {channels} channels" in data.notes[0].text
    assert codes(as_meant) == []


def test_so_are_those_in_a_file(arrays, write):
    arrays |= {name: np.stack([arrays[name]] * 3, axis=1) for name in ("x_train", "x_test")}

    data = load_dataset(DataSource(path=write(arrays), moved=1.0))

    assert (data.image_shape, codes(data)) == ((6, 5, 3), ["channels_first"])


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((3, 3, 3), "channels_unclear"),
        ((3, 8, 4), "channels_unclear"),
        ((8, 8, 8), "many_channels"),
        ((1, 64), "thin_images"),
        ((8, 8, 1), None),
        ((8, 8), None),
        ((8, 9, 3), None),
    ],
)
def test_axes_that_could_be_others_are_said(shape, code):
    data = dataset(images(40, *shape), shifts={})

    assert codes(data) == ([code] if code else [])


@pytest.mark.parametrize("factor", [1 / 255, 255.0])
def test_sets_of_another_scale_are_refused(factor):
    (x, y), (x_test, y_test) = images(60, 8, 8), images(20, 8, 8)

    with pytest.raises(DataError, match=r"test images go from .*; scale all of them alike"):
        dataset(((x * 1.0, y), (x_test * factor, y_test)))


@pytest.mark.parametrize(
    ("other", "is_told"),
    [
        (lambda x: (x / 255 - 0.5) / 0.5, True),
        (lambda x: (x / 255 - x.mean() / 255) / (x / 255).std(), True),
        (lambda x: x / 255 * 4, True),
        (lambda x: x / 255, False),
    ],
)
def test_sets_that_are_spread_otherwise_are_said(other, is_told):
    (x, y), (x_test, y_test) = images(60, 8, 8), images(20, 8, 8)

    forth = dataset(((x / 255, y), (other(x_test), y_test)))
    back = dataset(((other(x), y), (x_test / 255, y_test)))

    assert [codes(forth), codes(back)] == [["scale_differs"] if is_told else []] * 2


def test_a_test_set_on_the_other_ground_is_said():
    (x, y), (x_test, y_test) = images(60, 8, 8), images(20, 8, 8)
    for each in (x, x_test):
        each[:, [0, -1], :] = each[:, :, [0, -1]] = 3

    assert codes(dataset(((x, y), (255 - x_test, y_test)))) == ["ground_differs"]
    assert codes(dataset(((x, y), (x_test, y_test)))) == []
    assert codes(dataset(((255 - x, y), (255 - x_test, y_test)))) == []


def test_bytes_that_are_nearly_black_are_said():
    x, y = images(40, 8, 8)

    assert codes(dataset((x // 16, y))) == ["narrow_range"]
    assert codes(dataset((x // 16 * 16, y))) == []


def test_images_that_are_trained_and_tested_on_are_counted():
    (x, y), (x_test, y_test) = images(60, 8, 8), images(20, 8, 8)
    x_test[3], x_test[7] = x[11], x[50]
    x_test[5] = x[12]
    x_test[5, 4, 4] ^= 1

    data = dataset(((x, y), (x_test, y_test)), validation=0.02)

    assert codes(data) == ["duplicates"]
    assert data.notes[0].text.startswith("2 of 20 test images are also among the training images")


def test_columns_of_another_scale_are_said():
    x, y = RNG.random((60, 3)), np.arange(60) % 2
    x_test = RNG.random((20, 3))
    x_test[:, 1] += 5
    x_test[:, 2] = 0.5 + x_test[:, 2] / 255

    data = dataset(((x, y), (x_test, np.arange(20) % 2)))

    assert codes(data) == ["columns_beyond", "columns_narrow"]
    assert "`column 2`" in data.notes[0].text
    assert "`column 3`" in data.notes[1].text


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1e308, 1e308), (-1.7e308, 1.7e308), (-1e-310, 1e-310), (2.0**53, 2.0**53 + 64)],
)
def test_ranges_at_the_ends_of_float64_are_scaled_like_any(low, high):
    share = np.arange(41) / 40
    x = np.stack([low * (1 - share) + high * share, np.full(41, high)], axis=1)
    y = np.arange(41) % 2

    data = dataset((x, y))

    every = np.concatenate([images.x[:, 0, 0, 0] for images in data.sets.values()])
    assert data.constant == ("column 2",)
    assert np.isfinite(every).all()
    assert (every.min(), every.max()) == (0, 1)
    # Each of the training rows is as far along as it was: to a 64th where so few numbers are.
    found = np.sort(data.train.x[:, 0, 0, 0])
    assert np.diff(found).max() < 0.3
    for images in data.sets.values():
        assert not images.x[:, 0, 1, 0].any()


def test_what_lies_far_beyond_the_training_rows_is_cut_off_without_overflow():
    x = np.stack([np.linspace(-1e308, 0, 40), np.full(40, 1e308)], axis=1)
    beyond = np.tile([[1.7e308, -1.7e308]], (4, 1))
    beyond[::2, 0] = -1.7e308

    data = dataset(((x, np.arange(40) % 2), (beyond, np.arange(4) % 2)))

    np.testing.assert_array_equal(data.test.x[:, 0, :, 0], [[0, 0], [1, 0]] * 2)
