"""Averages over views, of networks whose every answer can be worked out by hand."""

import numpy as np
import pytest
from scipy import ndimage

from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Fitted
from siffra.training.test_time_averaging import VIEWS, View, predict_averaged, try_averaging

SIDE, CLASSES = 9, 3


class SeesColumns(Fitted):
    """Each third of the image has its class; probabilities are the shares of the ink in them."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.asked.append(len(images))
        white = 255 if images.dtype == np.uint8 else 1
        ink = images.astype(np.float32).sum(axis=(1, 3)).reshape(-1, CLASSES, SIDE // CLASSES)
        return (ink.sum(axis=2) / white).astype(np.float32)

    def weights(self) -> dict[str, np.ndarray]:
        return {}


def dot(row: int, column: int) -> np.ndarray:
    image = np.zeros((1, SIDE, SIDE, 1), np.uint8)
    image[0, row, column] = 255
    return image


def test_an_average_is_worked_out_by_hand():
    """A dot at the edge of the first third: moved to the right by a pixel, it is in the second."""
    views = (View(), View(dx=1), View(dx=-1), View(dy=1), View(dy=-1))

    (shares,) = predict_averaged(SeesColumns(), dot(4, 2), views)

    np.testing.assert_allclose(shares, [4 / 5, 1 / 5, 0], rtol=1e-6)


def test_what_leaves_the_image_is_lost():
    (shares,) = predict_averaged(SeesColumns(), dot(0, 8), (View(), View(dx=1), View(dy=-1)))

    np.testing.assert_allclose(shares, [0, 0, 1 / 3], rtol=1e-6)


def test_a_quarter_turn_counter_clockwise_takes_the_right_to_the_top():
    turned = predict_averaged(SeesColumns(), dot(4, 7), (View(degrees=90),))

    np.testing.assert_allclose(turned, [[0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_images_and_views_are_averaged_as_one_after_the_other(dtype):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, SIDE, SIDE, 1)).astype(np.uint8)
    white = images / np.float32(255)
    fitted = SeesColumns()

    found = predict_averaged(fitted, images if dtype == np.uint8 else white)

    assert fitted.asked == [5 * len(VIEWS)]  # in one go
    shown = [np.mean([fitted.predict(_seen(image, v)) for v in VIEWS], axis=0) for image in white]
    # Bilinear in float64 there, and the same rounded to float32 here, summed over 27 pixels.
    np.testing.assert_allclose(found, np.concatenate(shown), rtol=1e-5)


def _seen(image: np.ndarray, view: View) -> np.ndarray:
    """SciPy's view of an image, (1, height, width, 1)."""
    angle = np.deg2rad(view.degrees)
    # By rows and columns, from where each pixel comes.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([(SIDE - 1) / 2, (SIDE - 1) / 2])
    offset = centre - turn @ (centre + np.array([view.dy, view.dx]))
    seen = ndimage.affine_transform(
        image[:, :, 0].astype(float),
        turn,
        offset.tolist(),
        order=1,
        mode="grid-constant",
    )
    return seen[None, :, :, None].astype(np.float32)


def test_many_images_are_averaged_part_by_part(monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (7, SIDE, SIDE, 1)).astype(np.uint8)
    at_once = predict_averaged(SeesColumns(), images)
    monkeypatch.setattr("siffra.training.test_time_averaging.AT_ONCE", 3 * len(VIEWS) * SIDE**2)
    fitted = SeesColumns()

    in_parts = predict_averaged(fitted, images)

    assert fitted.asked == [3 * len(VIEWS), 3 * len(VIEWS), len(VIEWS)]
    np.testing.assert_array_equal(in_parts, at_once)


def test_views_are_the_image_its_moves_by_a_pixel_and_small_turns_either_way():
    assert VIEWS[0] == View()
    assert sorted((view.dx, view.dy) for view in VIEWS[1:5]) == [(-1, 0), (0, -1), (0, 1), (1, 0)]
    assert [view.degrees for view in VIEWS[5:]] == [5, -5]


def dataset(features: tuple[str, ...] = ()) -> Dataset:
    """A dot in each third of the image; the noisy set has one of them under a wrong label."""
    x = np.concatenate([dot(4, 1), dot(4, 4), dot(4, 8)])
    test = Images(x, np.array([0, 1, 2]))
    wrong = Images(x, np.array([0, 1, 1]))
    shifted = {"noisy": wrong}
    return Dataset("dots", CLASSES, test, test, test, shifted, "0", features=features)


def test_every_set_that_is_shifted_is_scored_and_both_ways_are_timed():
    found = try_averaging(SeesColumns(), dataset())

    assert found.accuracy == {"test": 1.0, "noisy": pytest.approx(2 / 3)}
    assert found.seconds > 0
    assert found.plain_seconds > 0


def test_rows_of_a_table_have_no_views():
    with pytest.raises(ValueError, match="rows of a table have no views"):
        try_averaging(SeesColumns(), dataset(features=("a", "b")))
