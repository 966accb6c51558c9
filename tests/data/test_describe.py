"""What `siffra data` prints, worked out by hand on a tiny data set."""

import numpy as np
import pytest

from siffra.data.dataset import Dataset, Images
from siffra.data.describe import describe


def test_counts_shapes_and_ink():
    # Two images with ink, one without; moving keeps all of the first's and half of the second's.
    test = np.zeros((3, 1, 2, 1), np.uint8)
    test[0, 0] = [[255], [0]]
    test[1, 0] = [[255], [255]]
    moved = np.zeros((3, 1, 2, 1), np.float32)
    moved[0, 0] = [[0], [1]]
    moved[1, 0] = [[0], [1]]
    labels = np.array([0, 2, 2])
    plain = Images(test, labels)
    data = Dataset(
        "tiny",
        3,
        train=plain,
        val=plain,
        test=plain,
        shifted={
            "moved": Images(moved, labels),
            "rotated": Images(test / np.float32(255), labels),
        },
        fingerprint="",
    )

    rows = {row.name: row for row in describe(data)}

    assert list(rows) == list(data.sets)
    assert rows["test"].images == 3
    assert rows["test"].shape == (1, 2, 1)
    assert rows["test"].per_class == (1, 0, 2)
    assert (rows["test"].dtype, rows["moved"].dtype) == ("uint8", "float32")
    assert rows["test"].ink_kept is None
    assert rows["moved"].ink_kept == pytest.approx(0.75)
    assert rows["rotated"].ink_kept == pytest.approx(1.0)
    assert rows["train"].fingerprint == rows["test"].fingerprint == data.test.fingerprint


def test_blank_images_have_no_ink_to_keep():
    blank = Images(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1]))
    data = Dataset("blank", 2, blank, blank, blank, {"moved": blank}, fingerprint="")

    assert describe(data)[3].ink_kept is None
