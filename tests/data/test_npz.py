"""Files that nobody vouches for: each mistake is one line that names the file."""

import io
import zipfile

import numpy as np
import pytest

from siffra.data.npz import LIMIT, names_in, read_arrays
from siffra.errors import DataError


def refusal(call, *args) -> str:
    with pytest.raises(DataError) as raised:
        call(*args)
    text = str(raised.value)
    assert "\n" not in text
    return text


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def with_member(path, content: bytes, name: str = "x.npy"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


def test_arrays_come_back_as_they_were_saved(tmp_path):
    saved = {"a": np.arange(6).reshape(2, 3), "b": np.asfortranarray(np.eye(3, dtype=np.float32))}
    path = tmp_path / "saved.npz"
    np.savez_compressed(path, **saved)

    read = read_arrays(path, ["a", "b"])

    assert names_in(path) == ("a", "b")
    for name, array in saved.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_a_missing_file_is_compared_with_what_is_there(tmp_path):
    (tmp_path / "digits.npz").touch()

    assert refusal(names_in, tmp_path / "digit.npz").endswith("did you mean `digits.npz`?")
    assert refusal(names_in, tmp_path / "zebra.npz").endswith("zebra.npz: no such file.")
    assert "nor is there a folder" in refusal(names_in, tmp_path / "nowhere" / "a.npz")
    assert "this is a folder" in refusal(names_in, tmp_path)
    assert "cannot be read: File name too long" in refusal(names_in, tmp_path / ("a" * 300))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"x,y\n1,2\n", "not an .npz archive (it starts with b'x,y"),
        (b"\x93NUMPY\x01\x00", "a single .npy array"),
        (b"PK\x03\x04" + bytes(40), "cut short or damaged"),
    ],
)
def test_other_files_are_told_from_archives(tmp_path, content, said):
    path = tmp_path / "other.npz"
    path.write_bytes(content)

    assert said in refusal(names_in, path)


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was loaded",)

    path = tmp_path / "trap.npz"
    np.savez(path, x=np.array([Trap()], dtype=object))

    assert "`x` holds pickled Python objects" in refusal(read_arrays, path, ["x"])


def test_an_array_that_claims_too_much_is_refused_before_it_is_made(tmp_path):
    path = with_member(tmp_path / "huge.npz", header((LIMIT, LIMIT)) + b"\0")

    said = refusal(read_arrays, path, ["x"])

    assert "`x` is cut short or damaged" in said
    assert f"{LIMIT**2:,} bytes, and it has 1." in said


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("siffra.data.npz.LIMIT", 2**20)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(2**19, np.uint8), b=np.zeros(2**19 + 1, np.uint8))
    assert path.stat().st_size < 10_000

    monkeypatch.setattr("numpy.lib.format.read_array", lambda *a, **k: pytest.fail("unpacked"))

    assert "GiB" in refusal(read_arrays, path, ["a", "b"])


def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path):
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, x=np.random.default_rng(0).integers(0, 256, 500, np.uint8))
    content = whole.read_bytes()
    cut = tmp_path / "cut.npz"

    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        assert refusal(names_in, cut).startswith(f"{cut}: ")


def test_a_file_with_a_changed_byte_is_read_as_it_was_or_refused_in_one_line(tmp_path):
    original = np.random.default_rng(0).integers(0, 256, 300, np.uint8)
    path = tmp_path / "changed.npz"
    np.savez_compressed(path, x=original)
    content = bytearray(path.read_bytes())
    said = []

    for position in range(0, len(content), 5):
        changed = content.copy()
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            read = read_arrays(path, ["x"])["x"]
        except DataError as error:
            said.append(str(error))
        else:
            np.testing.assert_array_equal(read, original)
    assert len(said) > len(content) / 10
    assert all(text.startswith(f"{path}: ") and "\n" not in text for text in said)


@pytest.mark.parametrize(
    "content",
    [
        header((10,)) + bytes(9),
        header((-1, 28)) + bytes(28),
        header((10,))[:20],
        b"\x93NUMPY\x09\x00" + header((1,))[8:] + b"\0",
        b"no header at all",
        b"",
    ],
    ids=["short", "negative", "half a header", "unknown version", "no header", "nothing"],
)
def test_a_member_that_is_no_array_is_refused_by_name(tmp_path, content):
    path = with_member(tmp_path / "odd.npz", content)

    assert "`x` is" in refusal(read_arrays, path, ["x"])


def test_members_that_are_no_arrays_are_not_listed(tmp_path):
    assert names_in(with_member(tmp_path / "a.npz", b"hello", "readme.txt")) == ()


HEADERS = [
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (True, 28, 28)}",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (28, 28L, (}",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1.0)}",
    b"{'descr': [('a', 1, 2, 3)], 'fortran_order': False, 'shape': (1,)}",
    b"(" * 9000,
    b"\0",
    b"'" * 3,
    b"  x\n y",
]


@pytest.mark.parametrize("header", HEADERS, ids=[header[:40].decode() for header in HEADERS])
def test_a_header_that_numpy_cannot_take_apart_is_refused_in_one_line(tmp_path, header):
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + b"\0" * 784
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", array)

    with pytest.raises(DataError) as caught:
        read_arrays(path, ["x"])

    assert "\n" not in str(caught.value)
    assert "`x` is " in str(caught.value)
