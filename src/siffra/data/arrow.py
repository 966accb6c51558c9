"""Arrow's readers of tables, held to siffra's manners: limits, and one line for what fails."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import arro3.core
from arro3.io import read_parquet

from siffra.data.notes import Note, refused
from siffra.errors import DataError


def open_parquet(path: Path) -> Any:
    """A reader of the batches of a Parquet file.

    Raises:
        DataError: It is none, or cut short.
    """
    # What is most often wrong is told here, in words of ours.
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(-8, -path.stat().st_size), os.SEEK_END)
        end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if start != b"PAR1":
        raise refused("not_parquet", source=path, start=repr(start))
    if end[4:] != b"PAR1" or length + 12 > path.stat().st_size:
        raise refused("cut_short", source=path)
    return read_parquet(path)


def whole_table(reader: Any, path: Path, most_rows: int, limit: str | Note) -> Any:
    """All of a table, as long as it is not too much: a small file can claim billions of rows.

    Raises:
        DataError: It has more than `most_rows`; the line ends with `limit`, in words.
    """
    batches, rows = [], 0
    for batch in reader:
        rows += batch.num_rows
        if rows > most_rows:
            sizes = {"most": f"{most_rows:,}", "width": f"{len(reader.schema):,}"}
            raise refused("too_many_rows", source=path, limit=limit, **sizes)
        batches.append(batch)
    return arro3.core.Table.from_batches(batches, schema=reader.schema)


@contextmanager
def refusals(path: Path, lines_before: int = 0) -> Iterator[None]:
    """What a reader cannot take, in one line; it is Rust, and says so itself as well.

    Raises:
        DataError: For whatever a reader raises.
    """
    with _silence():
        try:
            yield
        except (DataError, KeyboardInterrupt):
            raise
        except MemoryError as error:
            raise refused("no_memory", source=path) from error
        except BaseException as error:  # a panic is no Exception
            raise _in_words(path, str(error), lines_before) from error


def _in_words(path: Path, message: str, lines_before: int) -> DataError:
    if ragged := re.search(r"Expected (\d+) records, found (\d+) records at line (\d+)", message):
        expected, found, line = map(int, ragged.groups())
        code = "longer_line" if found > expected > 1 else "other_width"
        counts = {"found": found, "expected": expected}
        return refused(code, source=path, line=line + lines_before, **counts)
    if "UTF-8" in message and (line := re.search(r"at line (\d+)", message)):
        return refused("line_not_utf_8", source=path, line=int(line[1]) + lines_before)
    reason = " ".join(message.split())[:120].rstrip(".")
    return refused("damaged", source=path, reason=reason)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing gets to the process' own stderr meanwhile, where Rust writes past Python."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
