"""Pictures of any size and polarity become images like the data set's own."""

import io
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from siffra.data import pictures
from siffra.data.dataset import Images
from siffra.data.pictures import fit_digit, ground_of, read_picture
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


def shares_read(pages, digits, labels):
    """Of pages, one for each digit: the share told right and the share told wrong.

    A page is told right if, among real digits, the one most like it is of its own class.
    """
    fitted = [fit_digit(page, 28, 28) for page in pages]
    right = wrong = 0
    for image, label in zip(fitted, labels, strict=False):
        if image is not None:
            nearest = labels[np.argmax([correlation(image, digit) for digit in digits])]
            right, wrong = right + (nearest == label), wrong + (nearest != label)
    return right / len(fitted), wrong / len(fitted)


def photograph(digit, light=lambda y, x: 1.0, paper=230, ink=40, noise=3, ruled=None):
    """A sheet, 450 x 350, with a digit in its middle, under `light` at (y, x) from 0 to 1."""
    rows, columns = np.arange(450), np.arange(350)
    page = np.full((450, 350), float(paper))
    if ruled:
        page[rows % 45 < 2] = ruled
    strokes = np.zeros_like(page)
    strokes[125:325, 75:275] = upscaled(digit, 200) / 255
    page = np.minimum(page, paper * (1 - strokes) + ink * strokes)
    page = page * light(rows[:, np.newaxis] / 449, columns / 349)
    page += np.random.default_rng(0).normal(0, noise, page.shape)
    return np.clip(page, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("darkest", [1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.5])
@pytest.mark.parametrize("slope", [(0, 1), (1, 0), (0.6, 0.4)], ids=["right", "down", "aslant"])
def test_a_digit_is_read_whose_light_falls_to_one_side(digits, labels, slope, darkest):
    down, right = slope
    pages = [
        photograph(digit, lambda y, x: 1 - (1 - darkest) * (down * y + right * x))
        for digit in digits[:10]
    ]

    assert shares_read(pages, digits, labels) == (1, 0)


def test_a_digit_is_read_on_a_sheet_with_dark_corners(digits, labels):
    pages = [
        photograph(digit, lambda y, x: 1 - 0.8 * ((y - 0.5) ** 2 + (x - 0.5) ** 2))
        for digit in digits[:10]
    ]

    assert shares_read(pages, digits, labels) == (1, 0)


EDGES = {
    "table at the left": lambda y, x: np.where(x < 0.1, 0.25, 1.0 + 0 * y),
    "table below": lambda y, x: np.where(y > 0.9, 0.25, 1.0 + 0 * x),
    "table aslant": lambda y, x: np.where(x + 0.1 * y > 0.95, 0.25, 1.0),
    "table at a corner": lambda y, x: np.where(x + y < 0.25, 0.25, 1.0),
    "table and slope": lambda y, x: np.where(x < 0.1, 0.25, 1 - 0.2 * y),
    "hard shadow": lambda y, x: np.where(x + 0.3 * y > 0.8, 0.75, 1.0),
    "spot": lambda y, x: 0.8 + 0.3 * np.exp(-((x - 0.3) ** 2 + (y - 0.3) ** 2) / 0.05),
}


@pytest.mark.parametrize("light", EDGES.values(), ids=EDGES.keys())
def test_what_lies_beside_a_digit_is_never_read_as_a_part_of_it(digits, labels, light):
    pages = [photograph(digit, light) for digit in digits[:10]]

    assert shares_read(pages, digits, labels)[1] == 0


@pytest.mark.parametrize("shade", [200, 170, 120, 60])
def test_ruled_paper_is_read_or_refused(digits, labels, shade):
    pages = [photograph(digit, ruled=shade) for digit in digits[:10]]

    right, wrong = shares_read(pages, digits, labels)
    assert wrong == 0
    assert right == 1 or shade < 200


def without_digit(kind):
    rng = np.random.default_rng(0)
    empty = np.zeros((28, 28), np.uint8)
    match kind:
        case "blank, uneven light":
            return photograph(empty, lambda y, x: 1 - 0.3 * x)
        case "blank, rough":
            return photograph(empty, noise=15)
        case "ruled":
            return photograph(empty, ruled=100)
        case "noise":
            return rng.integers(0, 256, (300, 200), np.uint8)
        case "two digits":
            page = photograph(np.eye(28, dtype=np.uint8) * 255)
            return np.concatenate([page, page], axis=1)
        case _:
            coarse = Image.fromarray(rng.integers(0, 256, (9, 7), np.uint8))
            return np.asarray(coarse.resize((300, 400), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    "kind", ["blank, uneven light", "blank, rough", "ruled", "noise", "two digits", "clouds"]
)
def test_what_is_no_single_digit_is_refused(kind):
    assert fit_digit(without_digit(kind), 28, 28) is None


def test_a_digit_that_is_cut_out_closely_is_read(digits, labels):
    pages = []
    for digit in digits:
        rows, columns = (np.flatnonzero((digit > 25).any(axis=axis)) for axis in (1, 0))
        pages.append(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])

    right, wrong = shares_read(pages, digits, labels)
    assert (right, wrong) == (1, 0)


@pytest.mark.parametrize("turned_over", [False, True])
def test_a_model_of_dark_digits_is_given_dark_digits(digits, tmp_path, turned_over):
    picture = digits[0] if turned_over else 255 - digits[0]
    small = read_picture(saved(tmp_path / "small.png", picture), MNIST, "light")
    large = read_picture(saved(tmp_path / "large.png", upscaled(picture, 300)), MNIST, "light")

    np.testing.assert_array_equal(small[:, :, 0], 255 - digits[0])
    assert correlation(large, 255 - digits[0]) > 0.9


@pytest.mark.parametrize("picture", [lambda digit: digit, lambda digit: 255 - digit])
def test_where_grounds_are_mixed_nothing_is_turned_over(digits, tmp_path, picture):
    path = saved(tmp_path / "x.png", picture(digits[0]))

    np.testing.assert_array_equal(read_picture(path, MNIST, "mixed")[:, :, 0], picture(digits[0]))


def images_of(x):
    return Images(x, np.zeros(len(x), int))


def test_the_ground_is_what_nearly_all_images_stand_on(digits):
    grey = digits[..., np.newaxis]
    half = np.concatenate([grey, 255 - grey])

    assert ground_of(images_of(grey)) == "dark"
    assert ground_of(images_of(255 - grey)) == "light"
    assert ground_of(images_of((255 - grey) / np.float32(255))) == "light"
    assert ground_of(images_of(half)) == "mixed"
    assert ground_of(images_of(np.repeat(255 - grey, 3, axis=3))) == "mixed"


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("shape", [MNIST, (40, 40, 1)])
def test_an_empty_picture_is_refused(tmp_path, shape, shade):
    path = saved(tmp_path / "empty.png", np.full((28, 28), shade, np.uint8))

    with pytest.raises(DataError, match="one even shade"):
        read_picture(path, shape)


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
