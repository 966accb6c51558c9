"""IDX files, whole and broken, as anybody may have written them."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from siffra.data.load import DataSource, load_dataset
from siffra.errors import DataError

RNG = np.random.default_rng(0)
X = {
    "train": RNG.integers(0, 256, (30, 12, 11), np.uint8),
    "t10k": RNG.integers(0, 256, (6, 12, 11), np.uint8),
}
Y = {"train": np.arange(30, dtype=np.uint8) % 3, "t10k": np.arange(6, dtype=np.uint8) % 3}


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.tobytes()


def write(folder: Path, prefix: str = "", packed: bool = True, dot: str = "-") -> Path:
    folder.mkdir(exist_ok=True)
    for name in X:
        for what, array in (("images", X[name]), ("labels", Y[name])):
            path = folder / f"{prefix}{name}-{what}{dot}idx{array.ndim}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(idx(array), mtime=0) if packed else idx(array))
    return folder


def load(path: Path):
    return load_dataset(DataSource(path=path, moved=2.0))


@pytest.mark.parametrize(("packed", "dot"), [(True, "-"), (False, "-"), (False, ".")])
def test_the_four_files_are_the_data_set(tmp_path, packed, dot):
    data = load(write(tmp_path / "fashion", packed=packed, dot=dot))

    assert (data.name, data.classes, data.class_names) == ("fashion", 3, ())
    np.testing.assert_array_equal(np.concatenate([data.train.x, data.val.x])[..., 0], X["train"])
    np.testing.assert_array_equal(data.test.x[..., 0], X["t10k"])
    np.testing.assert_array_equal(data.test.y, Y["t10k"])
    assert list(data.shifted) == ["moved", "rotated"]


@pytest.mark.parametrize("name", ["emnist-letters", "emnist-letters-train-images-idx3-ubyte.gz"])
def test_one_of_several_sets_is_named_by_its_prefix_or_a_file(tmp_path, name):
    write(tmp_path, "emnist-letters-")
    write(tmp_path, "emnist-digits-")

    data = load(tmp_path / name)

    assert len(data.test) == 6
    with pytest.raises(DataError, match=r"several data sets \(emnist-digits, emnist-letters\)"):
        load(tmp_path)


def test_labels_that_do_not_count_from_0_become_names(tmp_path):
    folder = write(tmp_path / "letters")
    for name, labels in Y.items():
        path = folder / f"{name}-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(idx(labels + np.uint8(1))))

    data = load(folder)

    assert data.class_names == ("1", "2", "3")
    np.testing.assert_array_equal(data.test.y, Y["t10k"])


IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
HUGE = struct.pack(">BBBBIII", 0, 0, 8, 3, 2**31, 2**31, 2**31)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (IMAGES, idx(X["t10k"])[:-1], "claims 6x12x11 numbers, more than there can be in so short"),
        (IMAGES, idx(X["t10k"]) + b"1", "its header says 792 bytes and there are more"),
        (IMAGES, HUGE, "2147483648x2147483648x2147483648 numbers, more than there can be in so"),
        (IMAGES, b"\0\0\x0d\x03" + b"\0" * 20, "starts with 00000d03; an IDX file of images"),
        (IMAGES, b"", "starts with nothing"),
        (IMAGES, b"\0\0\x08\x03\0", "cut short"),
        (IMAGES, idx(X["t10k"][:0]), "it is empty (0x12x11)"),
        (IMAGES, idx(X["t10k"][:, :5]), "images are 5x11 and those of train-images-idx3-ubyte 12x"),
        (LABELS, idx(Y["t10k"][:5]), "6 images and t10k-labels-idx1-ubyte 5 labels"),
        (LABELS, idx(X["t10k"]), "an IDX file of labels starts with 00000801"),
        (IMAGES + ".gz", gzip.compress(idx(X["t10k"]), mtime=0)[:-30], "cut short or damaged"),
        (IMAGES + ".gz", gzip.compress(idx(X["t10k"])[:-1], mtime=0), "bytes and there are 791"),
        (IMAGES + ".gz", gzip.compress(HUGE, mtime=0), "more than there can be in so short a file"),
        (IMAGES + ".gz", idx(X["t10k"]), "not a gzip file"),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused_in_one_line(tmp_path, name, content, said):
    write(tmp_path, packed=False)
    if name.endswith(".gz"):
        (tmp_path / IMAGES).unlink()
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as raised:
        load(tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("siffra.data.idx.LIMIT", 2**20)
    write(tmp_path, packed=False)
    (tmp_path / IMAGES).unlink()
    zeros = np.zeros((2, 1024, 1024), np.uint8)
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(idx(zeros), mtime=0))

    with pytest.raises(DataError, match="2x1024x1024 numbers, more than siffra reads"):
        load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / f"{LABELS}.gz").unlink()

    with pytest.raises(DataError, match=r"no file t10k-labels-idx1-ubyte\(.gz\); found t10k-im"):
        load(tmp_path)
