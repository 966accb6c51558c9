"""Finished runs that siffra did not make, read from whatever file or folder they are in."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from siffra.data.notes import short
from siffra.results import names
from siffra.results.assemble import Raw, assemble
from siffra.results.compressed import is_compressed, unpacked
from siffra.results.delimited import read_delimited, read_parquet_file
from siffra.results.mlflow import is_mlruns, read_mlflow_database, read_mlruns
from siffra.results.shapes import one_row_a_run
from siffra.results.table import RunTable, refuse_size, refused

_LARGEST_JSON = 2**28
_PROGRAMS = (".py", ".ipynb", ".r", ".jl", ".sh")
_JSON = (".json", ".jsonl", ".ndjson")
_JSON_START = re.compile(rb'(\xef\xbb\xbf)?\s*(\[\s*\{|\{\s*")')
_PARQUET = b"PAR1"
_EVENT_FILES = "*tfevents*"
_BLANK = b"\xef\xbb\xbf \t\r\n"
_SQLITE_FILE = b"SQLite format 3\0"
_SQLITE = "sqlite:///"


def read_results(where: str | Path) -> RunTable:
    """The table of finished runs in a file, a folder or an MLflow store.

    CSV, TSV, Parquet and JSON (an array of objects, or one a line), compressed or not, as W&B,
    MLflow and siffra itself export them; a database of MLflow's (`sqlite:///mlflow.db`, or the file
    alone), its folder `mlruns`, or a folder of TensorBoard's event files. What it is, is seen by
    its content.

    Raises:
        DataError: There is no such thing, it is damaged or too large, or holds no runs.
    """
    try:
        return one_row_a_run(assemble(_raw(str(where))))
    except OSError as error:
        raise refused("unreadable", source=where, reason=error.strerror) from error


def read_frame(frame: Any) -> RunTable:
    """The table of finished runs in a data frame, or in an iterable of mappings, one a run.

    A frame is anything with a length and `columns` that gives one by its place or name, as pandas'
    and Polars' do; a table of Arrow's, or a mapping of columns by name, will do as well.

    Raises:
        ResultsError: It is neither, or has no rows.
    """
    source = "the table"
    if hasattr(frame, "column_names") and hasattr(frame, "column"):  # a table of Arrow's
        columns = {str(n): frame.column(n).to_pylist() for n in frame.column_names}
        return one_row_a_run(assemble(Raw.without_empty_rows(columns, source)))
    if hasattr(frame, "columns") and hasattr(frame, "__getitem__") and hasattr(frame, "__len__"):
        called = _column_names(frame.columns)
        if len(set(called)) < len(called):
            raise refused("same_names", source=source)
        refuse_size(source, len(frame), len(called))
        cells = (list(frame[name]) for name in frame.columns)
        columns = dict(zip(called, cells, strict=True)) | _index_columns(frame, called)
        return one_row_a_run(assemble(Raw.without_empty_rows(columns, source)))
    if isinstance(frame, Mapping) and len({len(of) for of in frame.values() if _is_list(of)}) == 1:
        columns = {str(n): list(of) for n, of in frame.items() if _is_list(of)}
        if len(columns) == len(frame):
            return one_row_a_run(assemble(Raw.without_empty_rows(columns, source)))
    if isinstance(frame, Mapping | str | bytes) or not isinstance(frame, Iterable):
        raise refused("no_frame", source=source, found=type(frame).__name__)
    return one_row_a_run(assemble(_from_records(list(frame), source)))


def _is_list(column: object) -> bool:
    return hasattr(column, "__len__") and not isinstance(column, str | bytes | Mapping)


def _column_names(columns: Any) -> list[str]:
    """What columns are called; pandas' may have a name for each of several levels.

    A level that is called as a seed is, as `pivot` leaves it, says what the numbers in it are.
    """
    levels = list(getattr(columns, "names", [None]))
    called = []
    for name in columns:
        parts = name if isinstance(name, tuple) else (name,)
        texts = [
            f"{level}_{part}" if level in names.SEEDS and str(part).isdecimal() else str(part)
            for level, part in zip_longest(levels, parts)
        ]
        called.append(".".join(filter(None, texts)))
    return called


def _index_columns(frame: Any, called: Sequence[str]) -> dict[str, list[Any]]:
    """What pandas keeps in a frame's index, where it has a name, or several levels.

    The last of those, if it has none, just numbers rows, as where frames are put together by key.
    """
    levels = list(getattr(getattr(frame, "index", None), "names", ()))
    if len(levels) > 1:
        unnamed = [f"level_{n}" for n in range(len(levels) - 1)] + ["index"]
        levels = [name if name is not None else unnamed[n] for n, name in enumerate(levels)]
    return {
        str(name): list(frame.index.get_level_values(n))
        for n, name in enumerate(levels)
        if name is not None and str(name) not in called
    }


def _raw(where: str) -> Raw:
    path = Path(where.removeprefix(_SQLITE))
    if "://" in where and not where.startswith(_SQLITE):
        raise refused("address", source=where)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise refused("no_regular_file" if path.exists() else "no_file", source=where)
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(_SQLITE_FILE) or where.startswith(_SQLITE):
        return read_mlflow_database(path)
    if is_compressed(start):
        with unpacked(path) as inner:
            return replace(_raw(str(inner)), source=where)
    _expect_a_table(path, start)
    if start.startswith(_PARQUET) or path.suffix.lower() == ".parquet":
        return read_parquet_file(path)
    if path.suffix.lower() in _JSON or _JSON_START.match(start):
        return _from_records(_json_records(path), str(path))
    return read_delimited(path)


def _expect_a_table(path: Path, start: bytes) -> None:
    """Refuse files that are given by mistake, known by their name or their `start`."""
    if path.suffix.lower() in _PROGRAMS:
        raise refused("program", source=path)
    if start.lstrip(_BLANK).startswith(b"<"):
        raise refused("web_page", source=path)


def _folder(path: Path) -> Raw:
    if (path / "mlruns").is_dir() and not is_mlruns(path):
        path /= "mlruns"
    if is_mlruns(path):
        return read_mlruns(path)
    files = sorted(path.rglob(_EVENT_FILES))
    files = [file for file in files if file.is_file() and not file.is_symlink()]
    if not files:
        raise refused("empty_folder", source=path)
    from siffra.results.tensorboard import read_event_files  # an extra

    return read_event_files(path, files)


def _json_records(path: Path) -> list[Any]:
    if (size := path.stat().st_size) > _LARGEST_JSON:
        sizes = {"size": f"{size / 2**20:,.0f}", "most": _LARGEST_JSON // 2**20}
        raise refused("json_too_large", source=path, **sizes)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeError as error:
        raise refused("not_utf_8", source=path) from error
    try:
        if text.lstrip().startswith("["):
            return _parsed(text, path)
        return _lines(text, path)
    except json.JSONDecodeError as error:
        raise refused("no_json", source=path, line=error.lineno, reason=error.msg) from error
    except RecursionError as error:
        raise refused("json_nested", source=path) from error
    except ValueError as error:
        raise refused("json_digits", source=path) from error


def _lines(text: str, path: Path) -> list[Any]:
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                records.append(_parsed(line, path))
            except json.JSONDecodeError as error:
                if number == 1 and (whole := _one_object(text, path)) is not None:
                    return whole
                raise json.JSONDecodeError(error.msg, "\n" * (number - 1) + line, number) from error
    return records


def _parsed(text: str, path: Path) -> Any:
    """The value that a text is as JSON; Python's reader would keep the last of two alike keys."""

    def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            names = [name for name, _ in pairs]
            doubled = next(name for name in names if names.count(name) > 1)
            raise refused("doubled_key", source=path, column=short(doubled))
        return read

    return json.loads(text, object_pairs_hook=as_dict)


def _one_object(text: str, path: Path) -> list[Any] | None:
    """The runs in a file that is one object: under a single name, or the object itself."""
    try:
        whole = _parsed(text, path)
    except json.JSONDecodeError:
        return None
    lists = [value for value in whole.values() if isinstance(value, list)]
    return lists[0] if len(lists) == 1 else [whole]


def _from_records(records: Sequence[Any], source: str) -> Raw:
    if not isinstance(records, list) or not records:
        raise refused("no_rows", source=source)
    refuse_size(source, len(records), 0)
    columns: dict[str, list[Any]] = {}
    for number, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise refused("no_object", source=source, row=number + 1, found=short(repr(record)))
        for name, value in record.items():
            if (called := str(name)) not in columns:
                refuse_size(source, len(records), len(columns) + 1)
                columns[called] = [None] * len(records)
            columns[called][number] = value
    return Raw.without_empty_rows(columns, source)
