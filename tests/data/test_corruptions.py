"""Noise by its moments, a blur by the normal density, contrast and patches by hand."""

import math

import numpy as np
import pytest

from siffra.data.corruptions import blurred, faded, noisy, occluded


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_noise_has_the_deviation_that_was_asked_for():
    grey = np.full((50, 20, 20, 1), 0.5, np.float32)  # 5 deviations from either end

    noise = noisy(grey, 0.1, rng()).astype(float) - 0.5

    count = noise.size
    assert abs(noise.mean()) < 4 * 0.1 / math.sqrt(count)
    assert abs(noise.std() - 0.1) < 4 * 0.1 / math.sqrt(2 * count)
    assert abs((noise**4).mean() / noise.std() ** 4 - 3) < 4 * math.sqrt(24 / count)


def test_noise_is_cut_off_where_numbers_end():
    black = np.zeros((4, 30, 30, 1), np.uint8)

    found = noisy(black, 0.2, rng())

    assert found.dtype == np.float32
    assert found.min() == 0
    assert 0.45 < (found == 0).mean() < 0.55


def test_a_blurred_point_is_the_normal_density():
    point = np.zeros((1, 41, 41, 1), np.float32)
    point[0, 20, 20] = 1

    found = blurred(point, 3.0)[0, :, :, 0].astype(float)

    # Sampled at whole pixels and cut off at four deviations, which leaves out 6e-5.
    away = np.arange(-20, 21)
    density = np.exp(-(away**2) / 18) / (3 * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(found, np.outer(density, density), atol=1e-5)
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_a_blur_keeps_to_its_image_and_channel():
    x = np.zeros((2, 9, 9, 2), np.uint8)
    x[0, 4, 4, 0] = 255

    found = blurred(x, 1.0)

    assert found[0, :, :, 0].sum() == pytest.approx(1, abs=1e-3)
    assert not found[0, :, :, 1].any()
    assert not found[1].any()


def test_contrast_is_lost_towards_the_mean_of_each_image():
    x = np.array([[[[0.0], [1.0]]], [[[0.2], [0.4]]]], np.float32)

    found = faded(x, 0.75)

    np.testing.assert_allclose(found.reshape(2, 2), [[0.375, 0.625], [0.275, 0.325]], rtol=1e-6)


def test_a_patch_hides_its_share_of_the_area_and_nothing_else():
    x = np.full((200, 20, 12, 3), 255, np.uint8)

    found, places = occluded(x, 0.25, rng())

    for image, (left, top) in zip(found, places, strict=True):
        patch = np.ones((20, 12, 3), np.float32)
        patch[top : top + 10, left : left + 6] = 0
        np.testing.assert_array_equal(image, patch)
    assert {tuple(place) for place in places.T.max(axis=1, keepdims=True).T} == {(6, 10)}
    assert places.min() == 0


def test_the_smallest_patch_is_a_pixel():
    found, _ = occluded(np.ones((5, 8, 8, 1), np.float32), 0.001, rng())

    assert (found == 0).sum(axis=(1, 2, 3)).tolist() == [1] * 5
