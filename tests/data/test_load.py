"""Loading: MNIST as shipped, a user's own file, and every way in which a file can be wrong."""

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from siffra.data.load import MNIST, DataSource, load_dataset
from siffra.data.shifts import rotations, translations, warp
from siffra.errors import DataError

# Of the four original files, as data/MNIST-LICENSE.md says.
ORIGINAL_MNIST = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@pytest.fixture(scope="module")
def mnist():
    return load_dataset()


class TestMnist:
    @pytest.mark.parametrize("name", ORIGINAL_MNIST)
    def test_is_the_original_pixel_for_pixel(self, name):
        with np.load(MNIST) as arrays:
            array = arrays[name]
        idx = struct.pack(f">{1 + array.ndim}I", 0x800 | array.ndim, *array.shape)

        assert hashlib.sha256(idx + array.tobytes()).hexdigest() == ORIGINAL_MNIST[name]

    def test_has_the_sets_that_the_study_had(self, mnist):
        sizes = {name: len(images) for name, images in mnist.sets.items()}

        assert sizes == {
            "train": 48_000,
            "val": 12_000,
            "test": 10_000,
            "moved": 10_000,
            "rotated": 10_000,
        }
        assert (mnist.name, mnist.classes, mnist.image_shape) == ("mnist", 10, (28, 28, 1))
        assert [i.x.dtype.name for i in mnist.sets.values()] == ["uint8"] * 3 + ["float32"] * 2
        assert {i.y.dtype.name for i in mnist.sets.values()} == {"int64"}

    def test_holds_out_the_last_fifth_in_order(self, mnist):
        with np.load(MNIST) as arrays:
            np.testing.assert_array_equal(mnist.train.x[..., 0], arrays["x_train"][:48_000])
            np.testing.assert_array_equal(mnist.val.y, arrays["y_train"][48_000:])

    def test_shifted_sets_are_the_test_images_put_through_what_was_drawn(self, mnist):
        pixels, degrees = mnist.drawn["moved"], mnist.drawn["rotated"]
        x = mnist.test.x

        np.testing.assert_array_equal(mnist.shifted["moved"].x, warp(x, translations(*pixels.T)))
        np.testing.assert_array_equal(mnist.shifted["rotated"].x, warp(x, rotations(degrees)))
        np.testing.assert_array_equal(mnist.shifted["moved"].y, mnist.test.y)
        # 10,000 uniform draws come within a thousandth of their range's ends.
        assert 9.98 < np.abs(pixels).max() <= 10
        assert 35.9 < np.abs(degrees).max() <= 36


class TestOwnFiles:
    def test_keras_names(self, arrays, write):
        data = load_dataset(DataSource(path=write(arrays), moved=2.0))

        assert (data.name, data.classes, data.image_shape) == ("mine", 3, (6, 5, 1))
        assert (len(data.train), len(data.val), len(data.test)) == (16, 4, 6)
        np.testing.assert_array_equal(data.test.x[..., 0], arrays["x_test"])

    def test_medmnist_names_with_its_own_validation_images_and_column_labels(self, arrays, write):
        medmnist = {
            "train_images": arrays["x_train"],
            "train_labels": arrays["y_train"][:, None],
            "val_images": arrays["x_test"][:3],
            "val_labels": arrays["y_test"][:3, None],
            "test_images": arrays["x_test"][3:],
            "test_labels": arrays["y_test"][3:, None],
        }

        data = load_dataset(DataSource(path=write(medmnist), moved=2.0))

        assert (len(data.train), len(data.val), len(data.test)) == (20, 3, 3)
        np.testing.assert_array_equal(data.val.y, arrays["y_test"][:3])

    def test_colour_images(self, arrays, write):
        arrays |= {n: np.stack([arrays[n]] * 3, axis=-1) for n in ("x_train", "x_test")}

        data = load_dataset(DataSource(path=write(arrays), moved=2.0))

        assert data.image_shape == (6, 5, 3)
        assert data.shifted["rotated"].x.shape == (6, 6, 5, 3)

    @pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.uint64, ">i4"])
    def test_labels_of_any_integer_type(self, arrays, write, dtype):
        arrays["y_train"] = arrays["y_train"].astype(dtype)

        data = load_dataset(DataSource(path=write(arrays), moved=2.0))

        assert data.train.y.dtype == np.int64

    def test_the_fingerprint_is_of_the_content_and_not_of_the_file(self, arrays, write):
        def of(name="mine.npz", **source):
            return load_dataset(
                DataSource(path=write(arrays, name), moved=2.0, **source)
            ).fingerprint

        first = of()
        assert of("other.npz") == first
        assert of(split="seed") == first
        assert len({first, of(seed=1), of(rotated=35.0), of(validation=0.3)}) == 4
        arrays["x_test"][0, 0, 0] ^= 1
        assert of() != first

    def test_a_seed_moves_and_turns_independently(self, arrays, write):
        path = write(arrays)
        one, other = (load_dataset(DataSource(path=path, moved=m, seed=5)) for m in (1.0, 2.0))

        np.testing.assert_array_equal(one.shifted["rotated"].x, other.shifted["rotated"].x)
        np.testing.assert_allclose(2 * one.drawn["moved"], other.drawn["moved"])

    def test_no_shift_gives_the_test_images(self, arrays, write):
        data = load_dataset(DataSource(path=write(arrays), moved=0, rotated=0))

        np.testing.assert_array_equal(data.shifted["moved"].x, data.test.x / np.float32(255))
        np.testing.assert_array_equal(data.shifted["rotated"].x, data.shifted["moved"].x)


def sorted_labels(arrays):
    return {"y_train": np.repeat([0, 1, 2], [8, 8, 4])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: {"x_train": a["x_train"] / 255}, "test images go from 0 to 254 and training"),
        (
            lambda a: {"x_train": a["x_train"].astype("U")},
            "`x_train` is <U3; images must be numbers",
        ),
        (lambda a: {"x_test": a["x_test"][0, 0]}, "`x_test` has shape (5,)"),
        (
            lambda a: {"x_test": a["x_test"][0]},
            "`x_test` has shape (6, 5) and `x_train` (20, 6, 5)",
        ),
        (lambda a: {"x_train": a["x_train"].reshape(20, 6, 5, 1, 1)}, "(20, 6, 5, 1, 1)"),
        (lambda a: {"x_test": a["x_test"][:0]}, "`x_test` has shape (0, 6, 5); it must hold"),
        (lambda a: {"y_test": a["y_test"][:5]}, "6 images and `y_test` 5 labels"),
        (
            lambda a: {"x_test": a["x_test"][:, :5]},
            "`x_test` are 5x5x1 and those of `x_train` 6x5x1",
        ),
        (lambda a: {"y_train": a["y_train"].astype(int) - 1}, "goes from -1 to 1"),
        (lambda a: {"y_train": a["y_train"] + np.uint64(2**63)}, "class numbers must count from 0"),
        (lambda a: {"y_train": a["y_train"] / 2}, "is float64; class numbers must be integers"),
        (lambda a: {"y_train": a["y_train"] > 0}, "is bool; class numbers must be integers"),
        (lambda a: {"y_train": a["y_train"].astype("U")}, "is <U3; class numbers must be integers"),
        (
            lambda a: {"y_train": np.eye(3)[a["y_train"]]},
            "has shape (20, 3); there must be one class",
        ),
        (lambda a: {"y_train": np.array([])}, "`y_train` is float64"),
        (lambda a: {"y_train": np.array([], int)}, "`y_train` is empty"),
        (lambda a: {"y_train": np.array(3)}, "`y_train` has shape ()"),
        (lambda a: {"y_train": a["y_train"] + 1, "y_test": a["y_test"] + 1}, "has class 0, though"),
        (lambda a: {"y_train": a["y_train"] * 50}, "no training image has class 1"),
        (lambda a: {"y_test": a["y_test"] + 1}, "class 3 is among the test images but no training"),
        (lambda a: {"y_train": a["y_train"] * 0, "y_test": a["y_test"] * 0}, "two classes or more"),
        (sorted_labels, "class 2 is among the validation images but no training image has it"),
        (lambda a: {"x_train": a["x_train"][:1], "y_train": a["y_train"][:1]}, "1 training images"),
        (lambda a: {"x_train": np.array([None] * 20)}, "`x_train` holds pickled Python objects"),
        (
            lambda a: {"x_val": a["x_test"]},
            "no `y_val`; found x_train, y_train, x_test, y_test, x_val",
        ),
    ],
)
def test_what_makes_no_data_set_is_refused_in_one_line(arrays, write, change, said):
    path = write(arrays | change(arrays))

    with pytest.raises(DataError) as raised:
        load_dataset(DataSource(path=path, moved=2.0))

    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("missing", ["x_train", "y_train", "x_test", "y_test"])
def test_a_missing_array_is_named_with_what_was_found(arrays, write, missing):
    del arrays[missing]

    with pytest.raises(DataError, match=f"no `{missing}`; found {', '.join(arrays)}; it needs"):
        load_dataset(DataSource(path=write(arrays)))


def test_an_archive_without_arrays_says_so(write):
    with pytest.raises(DataError, match="no `x_train`; found nothing"):
        load_dataset(DataSource(path=write({})))


def test_images_sorted_by_class_can_be_split_by_seed(arrays, write):
    path = write(arrays | sorted_labels(arrays))

    data = load_dataset(DataSource(path=path, moved=2.0, split="seed"))

    assert data.split == "seed"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"moved": 5.0}, "moved = 5.0; it must be 0 or more pixels, and less than 5 for images"),
        ({"moved": -1.0}, "moved = -1.0"),
        ({"moved": float("nan")}, "moved = nan"),
        ({"moved": float("inf")}, "moved = inf"),
        ({"rotated": 181.0}, "rotated = 181.0; it must be from 0 to 180 degrees"),
        ({"rotated": float("nan")}, "rotated = nan"),
        ({"validation": 0.0}, "validation = 0.0; it must be a share between 0 and 1"),
        ({"validation": 1.5}, "validation = 1.5"),
        ({"validation": float("nan")}, "validation = nan"),
        ({"validation": 0.01}, "20 training images are too few to hold out 1%"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(arrays, write, wrong, said):
    with pytest.raises(DataError) as raised:
        load_dataset(DataSource(**{"path": write(arrays), "moved": 2.0} | wrong))

    assert said in str(raised.value)


def test_a_source_can_be_had_without_compilers_and_statistics():
    code = (
        "import siffra.data.load, sys; "
        "sys.exit(bool({'numba', 'scipy.ndimage', 'scipy.linalg', 'scipy.stats'} & {*sys.modules}))"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_source_takes_toml_values():
    source = DataSource.model_validate({"path": "mine.npz", "moved": 5, "split": "seed"})

    assert source == DataSource(path=Path("mine.npz"), moved=5.0, split="seed")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", [b"own\xff.npz", b"f\xff/own.npz"])
def test_a_name_that_is_no_text_is_refused_before_anything_is_read(tmp_path, name):
    """A kept lab, a record and a report could not hold it."""
    source = DataSource(path=Path(os.fsdecode(bytes(tmp_path) + b"/" + name)))
    with pytest.raises(DataError, match="this name is not UTF-8 text; rename the file or folder"):
        load_dataset(source)
