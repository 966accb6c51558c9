"""Compressed tables are read as what is in them, or refused by name; nothing is left behind."""

import bz2
import errno
import gzip
import lzma
import os
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from results.made_tables import WARMUP

from siffra.errors import ResultsError
from siffra.report.render.files import runs_parquet
from siffra.results import compressed, read_results


def zipped(**members: bytes) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


@pytest.fixture(autouse=True)
def unpacked_to(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


TEXT = WARMUP.encode()
JSON = b'[{"lr": 1, "seed": 0, "acc": 0.5}, {"lr": 2, "seed": 0, "acc": 0.7}]'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.csv.gz", gzip.compress(TEXT, mtime=0)),
        ("runs.csv.bz2", bz2.compress(TEXT)),
        ("runs.csv.xz", lzma.compress(TEXT)),
        ("runs.zip", zipped(**{"some/runs.csv": TEXT, "__MACOSX/runs.csv": b"x"})),
        ("named_otherwise.csv", gzip.compress(TEXT, mtime=0)),
    ],
)
def test_a_compressed_table_is_the_table(tmp_path, written, unpacked_to, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    table, plain = read_results(path), read_results(written(WARMUP, "plain.csv"))

    assert (table.columns, table.steps, table.rows) == (plain.columns, plain.steps, plain.rows)
    assert table.source == str(path)
    assert not list(unpacked_to.iterdir())


def test_json_and_parquet_may_be_compressed_too(tmp_path):
    for name, content in (("runs.json.gz", JSON), ("runs.parquet.gz", runs_parquet([{"lr": 1}]))):
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=0))

        assert read_results(tmp_path / name).columns["lr"][0] == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            gzip.compress(gzip.compress(TEXT), mtime=0),
            "an archive of several files, or compressed twice",
        ),
        (
            gzip.compress(bytes(257) + b"ustar" + bytes(250), mtime=0),
            "an archive of several files, or",
        ),
        (gzip.compress(TEXT, mtime=0)[:-9], "damaged, or not compressed as its start says"),
        (bz2.compress(TEXT)[:-9], "damaged, or not compressed as its start says"),
        (lzma.compress(TEXT)[:-9], "damaged, or not compressed as its start says"),
        (zipped(a=TEXT)[:-9], "damaged, or not compressed as its start says"),
        (zipped(a=TEXT, b=TEXT), "ZIP archives with one file in them, and here are `a`, `b`"),
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "a workbook or another"),
        (gzip.compress(b"lr,lr\n1,2\n", mtime=0), "two columns are called `lr`"),
        (gzip.compress(b'[{"lr": 1}, 3]', mtime=0), "row 2 is 3"),
    ],
)
def test_what_is_refused_is_the_file_that_was_named(tmp_path, unpacked_to, content, line):
    path = tmp_path / "runs.gz"
    path.write_bytes(content)

    with pytest.raises(ResultsError) as refused:
        read_results(path)

    for text in (str(refused.value), *refused.value.texts.values()):
        assert text.startswith(f"{path}: ")
        assert str(unpacked_to) not in text
    assert line in str(refused.value)
    assert not list(unpacked_to.iterdir())


@pytest.mark.parametrize("content", [gzip.compress(TEXT, mtime=0), zipped(runs=TEXT)])
def test_what_unpacks_to_too_much_is_left_at_the_limit(tmp_path, monkeypatch, unpacked_to, content):
    monkeypatch.setattr(compressed, "_LARGEST", len(TEXT) - 1)
    path = tmp_path / "bomb"
    path.write_bytes(content)

    with pytest.raises(ResultsError, match=r"unpacked it has more than 0 MiB"):
        read_results(path)
    assert not list(unpacked_to.iterdir())


def test_an_encrypted_archive_is_refused(tmp_path):
    content = bytearray(zipped(runs=TEXT))
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = content.index(start) + (6 if start.endswith(b"\x04") else 8)
        content[at] |= 1
    path = tmp_path / "runs.zip"
    path.write_bytes(content)

    with pytest.raises(ResultsError, match=r"encrypted; unpack it first"):
        read_results(path)


def test_a_full_disk_is_not_a_damaged_file(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(TEXT, mtime=0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(compressed, "_copy", full)

    with pytest.raises(ResultsError, match="No space left"):
        read_results(path)
