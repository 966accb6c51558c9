"""A file is there whole or not at all, and nothing is left beside it."""

from pathlib import Path

import pytest

from siffra.errors import DataError, ModelFileError
from siffra.whole_files import expect_room, replacing, write_whole


def test_what_is_there_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    write_whole(path, b"new", DataError)

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_what_ends_the_writing_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write():
        with replacing(path, DataError) as file:
            file.write(b"half of it")
            assert path.read_bytes() == b"old"
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_systems_refusal_is_one_line_of_the_class_that_is_asked_for(tmp_path):
    def write():
        with replacing(tmp_path / "file", ModelFileError):
            raise OSError(28, "No space left on device")

    with pytest.raises(
        ModelFileError, match=r"file: cannot be written: No space left on device\.$"
    ):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_where_that_is_wanted(tmp_path):
    path = tmp_path / "a" / "b" / "file"

    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        write_whole(path, b"", DataError)
    write_whole(path, b"new", DataError, makes_folder=True)

    assert path.read_bytes() == b"new"


def test_whether_there_is_room_is_told_beforehand(tmp_path):
    expect_room(tmp_path / "file", DataError)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "file").write_bytes(b"old")
    expect_room(tmp_path / "file", DataError)
    assert (tmp_path / "file").read_bytes() == b"old"
    for path in (tmp_path, Path("."), tmp_path / "no" / "m", tmp_path / "file" / "m"):
        with pytest.raises(DataError, match="cannot be written: "):
            expect_room(path, DataError)
