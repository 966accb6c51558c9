"""Pictures of any size and polarity become images like the data set's own."""

import io
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from siffra.data import pictures
from siffra.data.pictures import fit_digit, read_picture
from siffra.errors import DataError

MNIST = (28, 28, 1)


@pytest.fixture(scope="module")
def archive():
    with np.load(io.BytesIO(files("siffra.data").joinpath("mnist.npz").read_bytes())) as archive:
        return {name: archive[name][:60] for name in ("x_test", "y_test")}


@pytest.fixture
def digits(archive):
    return archive["x_test"]


@pytest.fixture
def labels(archive):
    return archive["y_test"]


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def upscaled(pixels, size):
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC))


def correlation(image, other):
    return np.corrcoef(image.ravel(), other.ravel())[0, 1]


def test_a_picture_of_the_models_own_size_is_used_as_it_stands(digits, tmp_path):
    for number, digit in enumerate(digits[:10]):
        image = read_picture(saved(tmp_path / f"{number}.png", digit), MNIST)

        np.testing.assert_array_equal(image[:, :, 0], digit)


def test_dark_on_light_is_inverted(digits, tmp_path):
    image = read_picture(saved(tmp_path / "dark.png", 255 - digits[0]), MNIST)

    np.testing.assert_array_equal(image[:, :, 0], digits[0])


# Enlarging and shrinking again blurs a digit and may move it by a pixel. The measure is whether
# it is still the same digit: among 60 real ones, the one most like it is of its own class.
@pytest.mark.parametrize("size", [56, 300])
@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels,
        lambda pixels: 255 - pixels,
        lambda pixels: np.pad(pixels, ((200, 10), (40, 90))),
        lambda pixels: 240 - (pixels * 0.7).astype(np.uint8),
    ],
    ids=["enlarged", "dark-on-light", "off-centre", "pencil"],
)
def test_a_digit_comes_back_from_a_larger_picture(digits, labels, tmp_path, size, change):
    fitted = [
        read_picture(saved(tmp_path / "digit.png", change(upscaled(digit, size))), MNIST)
        for digit in digits
    ]

    alike = np.array([[correlation(image, digit) for digit in digits] for image in fitted])
    np.testing.assert_array_equal(labels[alike.argmax(axis=1)], labels)


def test_a_colour_jpeg_photograph_is_read(digits, tmp_path):
    rng = np.random.default_rng(0)
    page = 230 - 0.8 * upscaled(digits[3], 400).astype(float)
    page = page[:, :, None] * [1.0, 0.95, 0.85] + rng.normal(0, 4, (400, 400, 3))
    path = saved(tmp_path / "photo.jpg", np.clip(page, 0, 255).astype(np.uint8), quality=70)

    assert correlation(read_picture(path, MNIST), digits[3]) > 0.9


def test_a_drawing_on_transparent_ground_is_dark_on_light(digits, tmp_path):
    alpha = upscaled(digits[5], 100)
    path = saved(tmp_path / "drawing.png", np.dstack([np.zeros((100, 100, 3), np.uint8), alpha]))

    assert correlation(read_picture(path, MNIST), digits[5]) > 0.9


def test_sixteen_bit_grey_is_read(digits, tmp_path):
    path = saved(tmp_path / "deep.png", digits[7].astype(np.uint16) * 257)

    np.testing.assert_array_equal(read_picture(path, MNIST)[:, :, 0], digits[7])


@pytest.mark.parametrize("scale", [np.uint8(1), 1 / 255])
def test_npy_holds_bytes_or_fractions(digits, tmp_path, scale):
    np.save(tmp_path / "digit.npy", digits[2] * scale)

    np.testing.assert_array_equal(read_picture(tmp_path / "digit.npy", MNIST)[:, :, 0], digits[2])


def test_colour_models_get_colour(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :, 2] = 200

    image = read_picture(saved(tmp_path / "blue.png", pixels), (32, 32, 3))

    assert image.shape == (32, 32, 3)
    assert (image == [0, 0, 200]).all()


@given(
    top=st.integers(1, 60),
    left=st.integers(1, 60),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
)
def test_a_fitted_block_has_side_20_and_its_mass_at_the_centre(top, left, height, width):
    page = np.zeros((140, 140), np.uint8)
    page[top : top + height, left : left + width] = 255

    image = fit_digit(page, 28, 28)

    assert image is not None
    rows, columns = np.nonzero(image)
    # MNIST's own digits: longer side 20, centre of mass at (14, 14) to the nearest pixel.
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for indices in np.nonzero(image):
        centre = np.average(indices, weights=image[rows, columns])
        assert abs(centre - 14) <= 0.5 + 1e-9


def broken(tmp_path, kind):
    path = tmp_path / {"array": "x.npy", "objects": "x.npy", "floats": "x.npy"}.get(kind, "x.png")
    match kind:
        case "text":
            path.write_text("no picture")
        case "empty":
            path.touch()
        case "cut":
            image = io.BytesIO()
            noise = np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8)
            Image.fromarray(noise).save(image, "PNG")
            path.write_bytes(image.getvalue()[:2000])
        case "folder":
            path.mkdir()
        case "blank":
            saved(path, np.full((50, 50), 255, np.uint8))
        case "array":
            np.save(path, np.zeros((2, 3, 4, 5), np.uint8))
        case "objects":
            np.save(path, np.array([{}], dtype=object), allow_pickle=True)
        case "floats":
            np.save(path, np.full((28, 28), 7.0))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("text", "no picture that can be read"),
        ("empty", "no picture that can be read"),
        ("cut", "cannot be read: "),
        ("folder", "is a folder"),
        ("blank", "one even shade"),
        ("array", r"shape \(2, 3, 4, 5\)"),
        ("objects", "no array that can be read"),
        ("floats", "outside 0 to 1"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(tmp_path, kind, message):
    path = broken(tmp_path, kind)

    with pytest.raises(DataError, match=message) as caught:
        read_picture(path, MNIST)

    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000_000)
    path = saved(tmp_path / "huge.png", np.zeros((2000, 1000), np.uint8))

    with pytest.raises(DataError, match="1000x2000, larger than 1 million pixels"):
        read_picture(path, MNIST)
