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


def test_frames_may_have_columns_of_several_types():
    frame = pd.DataFrame(
        {"a": X[:, 0], "b": X[:, 1] > 0, "c": pd.array(range(0, 80, 2), "Int64"), "d": Y}
    )

    data = dataset((frame, pd.Series(["no", "yes", "no", "maybe"] * 10)))

    assert data.features == ("a", "b", "c", "d")
    assert (data.ranges[1], data.ranges[2][0]) == ((0, 1), 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(b=pd.array([1] * 39 + [None], "Int64")), "`b` is missing in row 39"),
        (lambda f: f.assign(b=["1"] * 40), "column `b` has '1' in row 0; it must hold numbers"),
        (lambda f: f.assign(b=pd.Timestamp(0)), "column `b` has Timestamp"),
    ],
)
def test_the_column_of_a_frame_that_is_none_of_numbers_is_named(change, said):
    with pytest.raises(DataError) as raised:
        dataset((change(pd.DataFrame(X, columns=["a", "b", "c"])), Y))

    assert said in str(raised.value)


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "Y_{}")])
def test_mappings_and_archives_of_arrays_are_what_their_names_say(tmp_path, names):
    images = RNG.integers(0, 256, (50, 12, 12), np.uint8)
    labels = np.arange(50) % 2
    parts = {"train": slice(10, None), "test": slice(10)}
    arrays = {
        name.format(part): values[rows]
        for part, rows in parts.items()
        for name, values in zip(names, (images, labels), strict=True)
    }
    np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]

    with np.load(tmp_path / "a.npz") as archive:
        opened = dataset(archive)
    mapped = dataset(arrays)

    assert opened.fingerprint == mapped.fingerprint
    np.testing.assert_array_equal(mapped.test.x[..., 0], images[:10])
    np.testing.assert_array_equal(dataset(tmp_path / "a.npz").test.x, mapped.test.x)


def test_an_archive_of_x_and_y_alone_is_parted_by_class(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y, class_names=np.array(["no", "yes"]), z=Y)

    data = dataset(tmp_path / "a.npz")

    assert (data.features, data.class_names) == (
        ("column 1", "column 2", "column 3"),
        ("no", "yes"),
    )
    assert [np.bincount(images.y).tolist() for images in data.sets.values()] == [
        [13, 13], [3, 3], [4, 4],
    ]  # fmt: skip
    assert [note.code for note in data.notes] == ["arrays_left_out"]
    assert dataset((X, Y)).fingerprint == data.fingerprint


def test_tensors_are_taken_wherever_they_come_from():
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)

    whole = dataset((x, torch.tensor(Y)))

    assert whole.fingerprint == dataset((X, Y)).fingerprint
    assert dataset((list(x), Y)).fingerprint == whole.fingerprint
    assert dataset((x.to(torch.bfloat16), Y)).features == whole.features


def test_columns_are_told_apart_by_name_and_not_by_place():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    test = pd.DataFrame(X[:10] + 0.01, columns=["a", "b", "c"])

    data = dataset(((frame, Y), (test[["c", "a", "b"]], Y[:10])))

    assert data.fingerprint == dataset(((frame, Y), (test, Y[:10]))).fingerprint
    with pytest.raises(DataError, match="no column `a`, which train has"):
        dataset(((frame, Y), (test.rename(columns={"a": "q"}), Y[:10])))


def test_an_index_column_of_a_frame_is_left_out():
    frame = pd.DataFrame({"Unnamed: 0": range(40), "a": X[:, 0], "b": X[:, 1]})

    data = dataset((frame, Y))

    assert (data.features, data.left_out) == (("a", "b"), ("Unnamed: 0",))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((np.ma.masked_greater(X, 1), Y), "values are masked, and so missing"),
        ((pd.DataFrame(X), pd.Series(Y).sort_values()), "the same index in another order"),
        ((X.astype(np.longdouble) * 1e308 * 10, Y), "missing or infinite values"),
        ((np.zeros((8, 8, 3, 40)), Y), "its last axis has 40: put it first"),
        (
            {"data": X, "target": Y, "target_names": ["a", "b", "c"]},
            "are 3, and there are 2 classes",
        ),
        ({"x": X, "X": X, "y": Y}, "there are both `x` and `X`"),
        ((X, np.array([None] * 40)), "the label of row 1 is missing"),
    ],
)
def test_what_would_be_misread_is_refused_in_one_line(data, said):
    with pytest.raises(DataError) as raised:
        dataset(data)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_noted_is_logged_once_where_the_data_is_used(caplog):
    frame = pd.DataFrame({"Id": range(40), "a": X[:, 0]})

    dataset((frame, Y), name="mine")

    assert [(r.name, r.getMessage()[:38]) for r in caplog.records] == [
        ("siffra.data", "note on data: omitted as row numbers o")
    ]
