"""What is in memory: arrays, frames, scikit-learn's bunches."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_wine

from siffra.api import dataset
from siffra.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), np.arange(40) % 2


def test_digits_are_images():
    bunch: Any = load_digits()

    data = dataset(bunch, name="digits")

    assert (data.name, data.classes, data.class_names) == ("digits", 10, ())
    assert (data.image_shape, data.features) == ((8, 8, 1), ())
    # Their pixels go from 0 to 16.
    levels = np.unique(np.concatenate([data.train.x, data.val.x, data.test.x]))
    np.testing.assert_allclose(levels * 16, np.arange(17), atol=1e-6)
    assert len(data.train) + len(data.val) + len(data.test) == len(bunch.target)
    assert data.strengths == {"moved": 3, "rotated": 36.0}


@pytest.mark.parametrize("as_frame", [False, True])
def test_wine_is_a_table(as_frame):
    data = dataset(load_wine(as_frame=as_frame), shifts={"noise": 0.2})

    assert data.class_names == ("class_0", "class_1", "class_2")
    assert data.features[:2] == ("alcohol", "malic_acid")
    assert list(data.shifted) == ["noisy"]


def test_a_frame_has_names_for_its_columns():
    data = dataset((pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(["no", "yes"] * 20)))

    assert (data.features, data.class_names) == (("a", "b", "c"), ("no", "yes"))


def test_two_pairs_are_for_training_and_testing():
    images = RNG.integers(0, 256, (40, 12, 12), np.uint8)

    data = dataset(((images[10:], Y[10:]), (images[:10], Y[:10])))

    np.testing.assert_array_equal(data.test.x[..., 0], images[:10])
    assert data.train.x.dtype == np.uint8


def test_what_is_given_is_not_what_is_kept():
    x = RNG.integers(0, 256, (40, 12, 12), np.uint8)
    data = dataset(((x[:30], Y[:30]), (x[30:], Y[30:])))
    before = data.test.x.copy()

    x[:] = 0

    np.testing.assert_array_equal(data.test.x, before)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((X, Y[:9]), "40 examples and 9 labels"),
        ((X[:, 0], Y), "x has shape (40,)"),
        ((X.astype(str), Y), "it must hold numbers"),
        ((np.where(X > 2, np.nan, X), Y), "missing or infinite values, the first in row"),
        ((X, X[:, 0]), "labels must be names or whole numbers"),
        ((X, X), "y has shape (40, 3)"),
        ((X, np.zeros(40)), "every row has class 0"),
        (([[1, 2], [3]], [0, 1]), "sequence"),
        ({"data": X}, "no `target`; found data"),
        ([1, 2, 3], "found list"),
        (((X, Y), (X[:, :2], Y)), "examples are 2 and those of train 3"),
        ((X, np.arange(40)), "too few to hold out 20% for test"),
    ],
)
def test_what_makes_no_data_set_is_refused_in_one_line(data, said):
    with pytest.raises(DataError) as raised:
        dataset(data)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match=r"shifts: found `nose`; did you mean `noise`\?"):
        dataset((X, Y), shifts={"nose": 1})
    with pytest.raises(DataError, match=r"noisy = 3.0; it must be above 0 and at most 1"):
        dataset((X, Y), shifts={"noise": 3})
    with pytest.raises(ConfigError, match="data: found int"):
        dataset(3)  # pyright: ignore[reportArgumentType]
