"""Shifted sets on disk: whole or not at all, and never over another file."""

import os

import numpy as np
import pytest

from siffra.data.export import export_shifted
from siffra.data.load import DataSource, load_dataset
from siffra.errors import DataError


@pytest.fixture
def dataset(arrays, write):
    return load_dataset(DataSource(path=write(arrays), moved=2.0))


def test_other_tools_find_images_labels_and_draws(dataset, tmp_path):
    path = tmp_path / "shifted.npz"

    export_shifted(dataset, path)

    with np.load(path) as written:
        assert set(written) == {
            "x_moved",
            "y_moved",
            "moved_px",
            "x_rotated",
            "y_rotated",
            "rotated_degrees",
        }
        np.testing.assert_array_equal(written["x_moved"], dataset.shifted["moved"].x)
        np.testing.assert_array_equal(written["y_rotated"], dataset.shifted["rotated"].y)
        np.testing.assert_array_equal(written["moved_px"], dataset.drawn["moved"])
        np.testing.assert_array_equal(written["rotated_degrees"], dataset.drawn["rotated"])


def test_another_file_is_overwritten_only_when_told(dataset, tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("all my work")

    with pytest.raises(DataError, match="there is such a file already"):
        export_shifted(dataset, path)
    assert path.read_text() == "all my work"

    export_shifted(dataset, path, overwrite=True)
    assert path.read_bytes().startswith(b"PK")


def test_a_failure_leaves_the_old_file_and_no_other(dataset, tmp_path, monkeypatch):
    path = tmp_path / "out" / "shifted.npz"
    path.parent.mkdir()
    path.write_text("old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)

    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        export_shifted(dataset, path, overwrite=True)
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["shifted.npz"]


def test_folders_are_refused(dataset, tmp_path):
    with pytest.raises(DataError, match="this is a folder"):
        export_shifted(dataset, tmp_path)
    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        export_shifted(dataset, tmp_path / "nowhere" / "shifted.npz")


@pytest.mark.parametrize("name", ["sets.csv", "sets.H5", "sets.pt"])
def test_names_of_other_formats_are_refused(dataset, tmp_path, name):
    with pytest.raises(DataError, match=r"written as .npz, not .*; name it sets.npz"):
        export_shifted(dataset, tmp_path / name)

    assert not (tmp_path / name).exists()
