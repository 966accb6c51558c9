"""What processes of a pool share comes back as it was, and takes its place once."""

import os

import numpy as np
import pytest
from small_lab import small_dataset

from siffra.errors import ExecutorError
from siffra.lab.execute.shared_file import read_shared, unnamed_file, write_shared


def test_a_data_set_comes_back_as_it_was():
    dataset = small_dataset()

    with unnamed_file() as file:
        write_shared((dataset, "native", 2), file)
        found, name, threads = read_shared(os.dup(file.fileno()))

    assert (name, threads) == ("native", 2)
    for name, images in dataset.sets.items():
        np.testing.assert_array_equal(found.sets[name].x, images.x)
        np.testing.assert_array_equal(found.sets[name].y, images.y)
        # Kernels are compiled for arrays that can be written to.
        assert found.sets[name].x.flags.writeable
        assert found.sets[name].x.ctypes.data % 64 == 0


def test_what_one_process_writes_another_does_not_see():
    with unnamed_file() as file:
        write_shared(np.zeros(1000), file)
        mine, others = (read_shared(os.dup(file.fileno())) for _ in range(2))
        mine[:] = 1

        assert not others.any()
        assert not read_shared(os.dup(file.fileno())).any()


def test_arrays_that_are_not_contiguous_are_shared_too():
    array = np.arange(60).reshape(6, 10)[:, ::3]

    with unnamed_file() as file:
        write_shared({"part": array}, file)
        np.testing.assert_array_equal(read_shared(os.dup(file.fileno()))["part"], array)


def test_where_it_cannot_be_written_is_said(monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.memfd_create", full)

    with pytest.raises(ExecutorError, match=r"cannot be shared with other processes: No space"):
        unnamed_file()
