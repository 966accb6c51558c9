"""A data set's fingerprint follows its content, and its split follows the seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.data.dataset import Dataset, Images, fingerprint


def images(count: int, first: int = 0, dtype: type = np.uint8) -> Images:
    """Images that hold their own number in every pixel, in 2 classes."""
    numbers = np.arange(first, first + count)
    x = np.ones((count, 3, 4, 1), dtype) * numbers[:, None, None, None].astype(dtype)
    return Images(x, numbers.astype(np.int64) % 2)


def dataset(**changes) -> Dataset:
    sets = {
        "train": images(8),
        "val": images(2, first=8),
        "test": images(4, first=10),
    }
    shifted = {name: images(4, dtype=np.float32) for name in ("moved", "rotated")}
    told = fingerprint(2, {**sets, **shifted})
    return Dataset("mine", 2, **sets, shifted=shifted, fingerprint=told, **changes)


def test_sets_come_in_the_order_of_reports():
    data = dataset()

    assert list(data.sets) == ["train", "val", "test", "moved", "rotated"]
    assert data.sets["moved"] is data.shifted["moved"]
    assert data.image_shape == (3, 4, 1)
    assert len(data.train) == 8


@pytest.mark.parametrize("name", ["train", "val", "test", "moved", "rotated"])
@pytest.mark.parametrize("part", ["x", "y"])
def test_the_fingerprint_changes_with_any_pixel_and_any_label(name, part):
    sets = dict(dataset().sets)
    changed = getattr(sets[name], part).copy()
    changed[-1] += 1

    altered = sets | {name: replace(sets[name], **{part: changed})}

    assert fingerprint(2, altered) != fingerprint(2, sets)


def test_the_fingerprint_changes_with_shape_dtype_classes_and_the_roles_of_sets():
    sets = dict(dataset().sets)
    test = sets["test"]
    others = [
        (2, sets | {"test": Images(test.x.reshape(4, 4, 3, 1), test.y)}),
        (2, sets | {"test": Images(test.x.view(np.int8), test.y)}),
        (3, sets),
        (2, sets | {"moved": sets["val"], "val": sets["moved"]}),
    ]

    assert len({fingerprint(2, sets)} | {fingerprint(*other) for other in others}) == 5


def test_the_fingerprint_does_not_depend_on_memory_layout():
    ours = images(4)

    assert Images(np.asfortranarray(ours.x), ours.y).fingerprint == ours.fingerprint


def test_a_fixed_split_is_the_same_for_every_seed():
    data = dataset()

    assert data.split_for(7) is data


@given(seed=st.integers(0, 2**32))
def test_a_split_by_seed_parts_the_same_images_anew(seed):
    data = dataset(split="seed")

    parted = data.split_for(seed)

    assert (len(parted.train), len(parted.val)) == (8, 2)
    together = np.concatenate([parted.train.x, parted.val.x])[:, 0, 0, 0]
    assert sorted(together) == list(range(10))
    for part in (parted.train, parted.val):
        np.testing.assert_array_equal(part.y, part.x[:, 0, 0, 0] % 2)
    assert parted.test is data.test
    assert parted.shifted is data.shifted


def test_splits_differ_by_seed_and_repeat_with_it():
    data = dataset(split="seed")

    one, again, other = data.split_for(1), data.split_for(1), data.split_for(2)

    assert one.fingerprint == again.fingerprint != other.fingerprint != data.fingerprint
    np.testing.assert_array_equal(one.train.x, again.train.x)
    assert (one.train.x != other.train.x).any()


def test_a_split_that_was_made_stays():
    parted = dataset(split="seed").split_for(1)

    assert parted.split_for(2) is parted
