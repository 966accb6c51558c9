"""What an examination says of networks whose every answer can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from siffra.data.dataset import Dataset, Images
from siffra.data.shifts import slid
from siffra.engine.base import Fitted
from siffra.training.diagnostics import MOST_FEATURES, MOST_MISTAKES, examine
from siffra.training.examination import BINS, DEGREES, MAP_PIXELS, PIXELS, Examination

SIDE, CLASSES = 21, 3
MIDDLE = SIDE // 2


class SeesColumns(Fitted):
    """Says class 0, 1, 2 for ink in the left, middle and right third; class 0 if there is none."""

    def __init__(self, weights: dict[str, np.ndarray] | None = None) -> None:
        self._weights = weights or {"dense_1.kernel": np.zeros((SIDE * SIDE, 2), np.float32)}

    def predict(self, images: np.ndarray) -> np.ndarray:
        ink = images.astype(np.float32).sum(axis=(1, 3)).reshape(-1, CLASSES, SIDE // CLASSES)
        shares = ink.sum(axis=2) + 1e-3
        return shares / shares.sum(axis=1, keepdims=True)

    def weights(self) -> dict[str, np.ndarray]:
        return self._weights


class SaysOne(SeesColumns):
    """Says class 1 to everything, surer with every image."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        sure = np.linspace(0.4, 0.999, len(images), dtype=np.float32)
        return np.stack([(1 - sure) / 2, sure, (1 - sure) / 2], axis=1)


class Diverged(SeesColumns):
    def predict(self, images: np.ndarray) -> np.ndarray:
        return np.full((len(images), CLASSES), np.nan, np.float32)


def dots(columns: list[int]) -> Images:
    """Images with one white pixel in the middle row, at `columns`; its third is the class."""
    x = np.zeros((len(columns), SIDE, SIDE, 1), np.uint8)
    x[np.arange(len(columns)), MIDDLE, columns] = 255
    return Images(x, np.array(columns) * CLASSES // SIDE)


def dataset(test: Images) -> Dataset:
    shifted = {"moved": test, "rotated": test}
    return Dataset("dots", CLASSES, test, test, test, shifted, "0")


def examined(fitted: Fitted, columns: list[int]) -> Examination:
    return examine(fitted, dataset(dots(columns)))


def test_moving_costs_what_it_costs_by_hand():
    columns = list(range(SIDE)) * 5
    found = examined(SeesColumns(), columns)

    # Up and down nothing is lost, as long as the pixel stays in the image (10 rows each way).
    assert found.moved["y"] == (1.0,) * len(PIXELS)
    for dx, share in zip(MAP_PIXELS, found.map[MAP_PIXELS.index(0)], strict=True):
        gone = np.array(columns[:SIDE]) + dx
        seen = np.where((gone >= 0) & (gone < SIDE), gone * CLASSES // SIDE, 0)
        assert share == pytest.approx(np.mean(seen == np.array(columns[:SIDE]) * CLASSES // SIDE))


def test_sideways_is_to_the_left_and_to_the_right():
    """A dot in the middle third stays there for as long as it moves by 3 pixels or less."""
    found = examined(SeesColumns(), [MIDDLE] * 40)

    assert found.moved["x"] == (1.0,) * 4 + (0.0,) * 7


def test_any_direction_is_neither_as_bad_as_sideways_nor_as_harmless_as_up():
    found = examined(SeesColumns(), list(range(SIDE)) * 20)

    for x, y, anywhere in list(zip(*found.moved.values(), strict=True))[2:]:
        assert x < anywhere < y


def test_turning_by_half_a_circle_takes_left_for_right():
    found = examined(SeesColumns(), [2, MIDDLE, SIDE - 3, SIDE - 3])

    by_angle = dict(zip(DEGREES, found.turned, strict=True))
    assert by_angle[0] == 1.0
    assert by_angle[180] == by_angle[-180] == 0.25
    assert by_angle[90] == by_angle[-90] == 0.25  # all in the middle column


def test_mistakes_are_the_surest_first_and_no_right_answer_is_among_them():
    test = dots(list(range(SIDE)) * 2)
    found = examine(SaysOne(), dataset(test)).mistakes["test"]

    wrong = [i for i in range(2 * SIDE) if test.y[i] != 1]
    assert [m.image for m in found] == wrong[::-1][:MOST_MISTAKES]
    assert all(m.predicted == 1 and m.true == test.y[m.image] for m in found)
    sure = SaysOne().predict(test.x).max(axis=1)
    assert [m.confidence for m in found] == pytest.approx([sure[m.image] for m in found], abs=1e-6)


def test_confidence_adds_up():
    test = dots(list(range(SIDE)) * 4)
    found = examine(SaysOne(), dataset(test)).confidence["rotated"]

    sure = SaysOne().predict(test.x).max(axis=1).astype(float)
    expected, _ = np.histogram(sure, np.linspace(0, 1, BINS + 1))
    assert found.images == tuple(expected)
    assert sum(found.right) == np.sum(test.y == 1)
    assert sum(found.confidence) == pytest.approx(sure.sum(), abs=1e-5)


def test_features_are_the_largest_weights_as_pictures():
    kernel = np.random.default_rng(0).normal(size=(SIDE * SIDE, 40)).astype(np.float32)
    kernel[:, 7] *= 3
    found = examined(SeesColumns({"dense_1.kernel": kernel}), [1, 2]).features

    assert found is not None
    pictures = found.pictures()
    assert pictures.shape == (MOST_FEATURES, SIDE, SIDE)
    # A rounding to one of 127 steps errs by at most half a step.
    largest = kernel[:, 7].reshape(SIDE, SIDE)
    np.testing.assert_allclose(pictures[0], largest / np.abs(largest).max(), atol=0.5 / 127 + 1e-6)


def test_a_kernels_channels_are_averaged():
    kernel = np.stack([np.full((3, 3, 2), 1.0), np.full((3, 3, 2), -0.5)], axis=-1)
    found = examined(SeesColumns({"conv_1.kernel": kernel}), [1]).features

    assert found is not None
    np.testing.assert_allclose(found.pictures()[:, 1, 1], [1, -0.5], atol=0.5 / 127)


def test_weights_that_do_not_lie_on_the_image_are_no_pictures():
    assert examined(SeesColumns({"dense_1.kernel": np.ones((5, 2))}), [1]).features is None


def test_of_a_diverged_network_there_is_nothing_to_be_found():
    weights = {"dense_1.kernel": np.full((SIDE * SIDE, 2), np.nan, np.float32)}

    found = examined(Diverged(weights), [1, 10])

    assert not any(found.model_dump().values())


@pytest.mark.parametrize("value", [np.inf, np.finfo(np.float32).max])
def test_the_largest_weights_are_pictures_too(value):
    weights = np.zeros((SIDE * SIDE, 2), np.float32)
    weights[0] = value, -1.0

    found = examined(SeesColumns({"dense_1.kernel": weights}), [1, 10]).features

    assert found is not None
    assert np.isfinite(found.pictures()).all()


def test_what_is_stored_comes_back():
    found = examined(SeesColumns(), [1, 5, 20])

    assert Examination.model_validate_json(found.model_dump_json()) == found


def test_of_many_images_a_part_is_used_and_always_the_same():
    many = dots(list(np.random.default_rng(0).integers(0, SIDE, 1500)))

    assert examine(SeesColumns(), dataset(many)) == examine(SeesColumns(), dataset(many))


def test_images_are_moved_and_turned_once_for_all_networks(monkeypatch):
    images = dots([0, 5, 9, 20])
    moved = []
    monkeypatch.setattr(
        "siffra.training.diagnostics.slid", lambda *args: moved.append(1) or slid(*args)
    )

    first, second = (examine(network, dataset(images)) for network in (SeesColumns(), SaysOne()))

    assert len(moved) == 4 * len(PIXELS) + len(MAP_PIXELS) ** 2
    assert first.map != second.map
    # Too many to be kept, they are made anew, and the same.
    monkeypatch.setattr("siffra.training.diagnostics.MOST_KEPT", 0)
    assert examine(SeesColumns(), dataset(dots([0, 5, 9, 20]))) == first


def test_rows_of_a_table_are_neither_moved_nor_turned():
    rows = replace(dataset(dots([0, 5, 9])), shifted={"noisy": dots([1])}, features=("a",) * SIDE)

    found = examine(SaysOne(), rows)

    assert (found.moved, found.turned, found.map, found.features) == ({}, (), (), None)
    assert list(found.confidence) == list(found.mistakes) == ["test", "noisy"]
    assert Examination.model_validate_json(found.model_dump_json()) == found
