"""Arrow's readers of tables, held to siffra's manners: limits, and one line for what fails."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import arro3.core
from arro3.io import read_parquet

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
        raise DataError(f"{path}: not a Parquet file (it starts with {start!r}).")
    if end[4:] != b"PAR1" or length + 12 > path.stat().st_size:
        raise DataError(f"{path}: cut short or damaged; copy or download it again.")
    return read_parquet(path)


def whole_table(reader: Any, path: Path, most_rows: int, limit: str) -> Any:
    """All of a table, as long as it is not too much: a small file can claim billions of rows.

    Raises:
        DataError: It has more than `most_rows`; the line ends with `limit`, in words.
    """
    batches, rows = [], 0
    for batch in reader:
        rows += batch.num_rows
        if rows > most_rows:
            width = len(reader.schema)
            raise DataError(
                f"{path}: more than {most_rows:,} rows of {width:,} columns are too many; {limit}."
            )
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
            raise DataError(f"{path}: it is too large for this machine's memory.") from error
        except BaseException as error:  # a panic is no Exception
            raise DataError(f"{path}: {_in_words(str(error), lines_before)}.") from error


def _in_words(message: str, lines_before: int) -> str:
    if ragged := re.search(r"Expected (\d+) records, found (\d+) records at line (\d+)", message):
        expected, found, line = map(int, ragged.groups())
        hint = "; a comma within a value must stand in quotes" if found > expected > 1 else ""
        return (
            f"line {line + lines_before} has {found} values, and the first line names {expected} "
            f"columns{hint}"
        )
    if "UTF-8" in message and (line := re.search(r"at line (\d+)", message)):
        return f"line {int(line[1]) + lines_before} is not UTF-8 text; save it as UTF-8"
    return f"damaged, or not what its ending says ({' '.join(message.split())[:120].rstrip('.')})"


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
