"""The warp against scipy.ndimage, and against what slicing, np.rot90 and algebra say."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from siffra.data.shifts import (
    compose,
    moved,
    rotated,
    rotations,
    scaled,
    slid,
    translations,
    warp,
)

# The kernel works in float64 and rounds once, to a float32 of at most 1: half an eps, and as
# much again for whatever it is compared with.
ROUNDING = float(np.finfo(np.float32).eps)

sides = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


def random_images(seed: int, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype is np.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    return rng.random(shape, np.float32)


def random_maps(seed: int, count: int) -> np.ndarray:
    """Turned, stretched by half to double, sheared and moved by up to 8 pixels."""
    rng = np.random.default_rng(seed)
    stretched = np.tile(np.eye(3), (count, 1, 1))
    stretched[:, 0, 0], stretched[:, 1, 1] = rng.uniform(0.5, 2, (2, count))
    sheared = np.tile(np.eye(3), (count, 1, 1))
    sheared[:, 0, 1] = rng.uniform(-0.5, 0.5, count)
    turned = rotations(rng.uniform(-180, 180, count))
    return compose(stretched, sheared, turned, translations(*rng.uniform(-8, 8, (2, count))))


def as_scipy_warps(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The same with scipy, whose coordinates are (row, column) from the first pixel."""
    _, height, width, channels = images.shape
    centre = np.array([height - 1, width - 1]) / 2
    out = np.empty(images.shape)
    for i, inverse in enumerate(np.linalg.inv(maps)):
        matrix = inverse[1::-1, 1::-1]
        offset = inverse[1::-1, 2] + centre - matrix @ centre
        for channel in range(channels):
            out[i, :, :, channel] = ndimage.affine_transform(
                images[i, :, :, channel].astype(float),
                matrix,
                offset,
                order=1,
                mode="grid-constant",
            )
    return out / 255 if images.dtype == np.uint8 else out


@given(
    height=sides,
    width=sides,
    channels=st.integers(1, 3),
    dtype=st.sampled_from([np.uint8, np.float32]),
    seed=seeds,
)
def test_any_affine_map_agrees_with_scipy(height, width, channels, dtype, seed):
    images = random_images(seed, (4, height, width, channels), dtype)
    maps = random_maps(seed, 4)

    warped = warp(images, maps)

    np.testing.assert_allclose(warped, as_scipy_warps(images, maps), rtol=0, atol=ROUNDING)
    assert warped.dtype == np.float32
    assert warped.min() >= 0
    assert warped.max() <= 1


@given(height=sides, width=sides, seed=seeds)
def test_the_identity_returns_the_image(height, width, seed):
    images = random_images(seed, (2, height, width, 2))

    np.testing.assert_array_equal(warp(images, translations(np.zeros(2), np.zeros(2))), images)


def test_every_uint8_value_becomes_its_share_of_255():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)

    unmoved = warp(values, rotations(np.zeros(1)))

    np.testing.assert_array_equal(unmoved, values / np.float32(255))


@given(height=sides, width=sides, dx=st.integers(-13, 13), dy=st.integers(-13, 13), seed=seeds)
def test_whole_pixels_right_and_down_are_a_slice_of_the_padded_image(height, width, dx, dy, seed):
    images = random_images(seed, (1, height, width, 1))
    pad = 13
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))

    shifted = warp(images, translations(np.array([dx]), np.array([dy])))

    top, left = pad - dy, pad - dx
    np.testing.assert_array_equal(shifted, padded[:, top : top + height, left : left + width])


@given(side=sides, quarters=st.integers(-3, 3), seed=seeds)
def test_quarter_turns_are_rot90(side, quarters, seed):
    images = random_images(seed, (1, side, side, 2))

    turned = warp(images, rotations(np.array([90.0 * quarters])))

    np.testing.assert_allclose(
        turned, np.rot90(images, quarters, axes=(1, 2)), rtol=0, atol=ROUNDING
    )


@given(height=sides, width=sides, seed=seeds)
def test_half_a_turn_of_an_oblong_image_is_both_flips(height, width, seed):
    images = random_images(seed, (1, height, width, 1))

    turned = warp(images, rotations(np.array([180.0])))

    np.testing.assert_allclose(turned, images[:, ::-1, ::-1], rtol=0, atol=ROUNDING)


@given(share=st.floats(0, 1), height=sides, width=sides, seed=seeds)
def test_a_warp_is_linear(share, height, width, seed):
    one, other = (random_images(seed + i, (3, height, width, 1)) for i in range(2))
    maps = random_maps(seed, 3)
    mixed = (share * one + (1 - share) * other).astype(np.float32)

    apart = share * warp(one, maps) + (1 - share) * warp(other, maps)

    # Three more roundings: of the mixed image and of the two that are mixed afterwards.
    np.testing.assert_allclose(warp(mixed, maps), apart, rtol=0, atol=4 * ROUNDING)


def test_half_a_pixel_is_the_mean_of_two_and_fades_at_the_border():
    images = np.array([1.0, 0.5, 0.0, 1.0], np.float32).reshape(1, 1, 4, 1)

    shifted = warp(images, translations(np.array([0.5]), np.array([0.0])))

    np.testing.assert_array_equal(shifted.ravel(), [0.5, 0.75, 0.25, 0.5])


def test_what_leaves_the_image_does_not_come_back():
    images = np.ones((2, 5, 7, 1), np.float32)

    gone = warp(images, translations(np.array([7.0, 0.0]), np.array([0.0, -5.0])))

    assert not gone.any()


def test_composition_applies_the_first_map_first():
    dot = np.zeros((1, 5, 5, 1), np.float32)
    dot[0, 2, 2] = 1
    right, quarter = translations(np.array([1.0]), np.zeros(1)), rotations(np.array([90.0]))

    moved_then_turned = warp(dot, compose(right, quarter))
    turned_then_moved = warp(dot, compose(quarter, right))

    assert np.unravel_index(moved_then_turned.argmax(), (5, 5)) == (1, 2)
    assert np.unravel_index(turned_then_moved.argmax(), (5, 5)) == (2, 3)


def test_the_result_goes_where_it_is_told():
    images, maps = random_images(0, (3, 4, 5, 2)), random_maps(0, 3)
    out = np.full(images.shape, np.nan, np.float32)

    assert warp(images, maps, out=out) is out
    np.testing.assert_array_equal(out, warp(images, maps))


def test_no_images_warp_to_no_images():
    assert warp(np.empty((0, 3, 3, 1), np.uint8), np.empty((0, 3, 3))).shape == (0, 3, 3, 1)


def test_the_number_of_threads_does_not_matter():
    images, maps = random_images(0, (50, 9, 9, 1)), random_maps(0, 50)
    with_all = warp(images, maps)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        with_one = warp(images, maps)
    finally:
        numba.set_num_threads(threads)

    np.testing.assert_array_equal(with_all, with_one)


def test_views_of_larger_arrays_are_warped_as_they_are():
    images, maps = random_images(0, (6, 4, 5, 1)), random_maps(0, 3)

    np.testing.assert_array_equal(warp(images[::2], maps), warp(images[::2].copy(), maps))


@pytest.mark.parametrize("shift", [moved, rotated])
class TestDrawnShifts:
    def test_equal_generators_give_equal_bits(self, shift):
        images = random_images(0, (5, 8, 8, 1))

        first, drawn_first = shift(images, 3.0, np.random.default_rng(1))
        second, drawn_second = shift(images, 3.0, np.random.default_rng(1))

        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(drawn_first, drawn_second)

    def test_draws_fill_the_range_evenly(self, shift):
        count, limit = 4000, 3.0

        _, drawn = shift(np.zeros((count, 1, 1, 1), np.uint8), limit, np.random.default_rng(2))

        assert np.abs(drawn).max() <= limit
        # A uniform mean and mean square, within 5 standard errors.
        assert abs(drawn.mean()) < 5 * limit / np.sqrt(3 * drawn.size)
        mean_square = limit**2 / 3
        error = limit**2 * np.sqrt(4 / 45 / drawn.size)
        assert abs((drawn**2).mean() - mean_square) < 5 * error

    def test_a_range_of_zero_changes_nothing(self, shift):
        images = random_images(0, (2, 4, 6, 1))

        unchanged, _ = shift(images, 0.0, np.random.default_rng(0))

        np.testing.assert_array_equal(unchanged, images)


def test_what_was_drawn_makes_the_same_images_again():
    images, rng = random_images(0, (5, 8, 8, 1)), np.random.default_rng(3)

    shifted, pixels = moved(images, 2.0, rng)
    turned, degrees = rotated(images, 30.0, rng)

    np.testing.assert_array_equal(warp(images, translations(pixels[:, 0], pixels[:, 1])), shifted)
    np.testing.assert_array_equal(warp(images, rotations(degrees)), turned)


@pytest.mark.parametrize(
    ("images", "maps", "out", "said"),
    [
        (np.zeros((2, 3, 3), np.uint8), np.eye(3)[None], None, "`images` must be"),
        (np.zeros((1, 3, 3, 1)), np.eye(3)[None], None, "float64"),
        (np.zeros((2, 3, 3, 1), np.uint8), np.eye(3)[None], None, r"\(2, 3, 3\), got \(1, 3, 3\)"),
        (np.zeros((1, 3, 3, 1), np.uint8), np.zeros((1, 3, 3)), None, "last row"),
        (np.zeros((1, 3, 3, 1), np.uint8), np.diag([0.0, 1, 1])[None], None, "inverse"),
        (np.zeros((1, 3, 3, 1), np.uint8), np.diag([np.nan, 1, 1])[None], None, "finite"),
        (np.zeros((1, 3, 3, 1), np.uint8), np.eye(3)[None], np.zeros((1, 3, 3, 1)), "`out` must"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, maps, out, said):
    with pytest.raises(ValueError, match=said):
        warp(images, maps, out)


def test_warping_an_image_onto_itself_is_refused():
    images = np.zeros((1, 3, 3, 1), np.float32)

    with pytest.raises(ValueError, match="share memory"):
        warp(images, np.eye(3)[None], out=images)


class TestSlid:
    @given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
    @settings(deadline=None)
    def test_it_is_the_warp_of_a_move_by_whole_pixels(self, dx, dy):
        images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 2), np.uint8)
        ones = np.ones(len(images))

        found = slid(images, dx, dy)

        assert found.dtype == np.uint8
        expected = warp(images, translations(dx * ones, dy * ones))
        # The warp works out where pixels come from in float64; to a rounding, these are whole.
        np.testing.assert_allclose(found / np.float32(255), expected, atol=1e-6)

    def test_the_original_stays_as_it_was(self):
        images = np.full((1, 4, 4, 1), 9, np.uint8)

        slid(images, 0, 0)[:] = 0

        assert (images == 9).all()


def test_scaled_images_are_those_of_scipy_zoomed_about_their_centre():
    images = random_images(3, (40, 9, 7, 1))

    found, factors = scaled(images, 0.5, np.random.default_rng(0))

    assert (factors.min() >= 1 / 1.5, factors.max() <= 1.5) == (True, True)
    assert abs(np.log(factors).mean()) < 3 * np.log(1.5) / np.sqrt(3 * 40)
    for image, result, factor in zip(images, found, factors, strict=True):
        centre = np.array([4.0, 3.0])
        zoomed = ndimage.affine_transform(
            image[:, :, 0].astype(float),
            np.eye(2) / factor,
            centre - centre / factor,
            order=1,
            mode="grid-constant",
        )
        np.testing.assert_allclose(result[:, :, 0], zoomed, atol=2 * ROUNDING)
