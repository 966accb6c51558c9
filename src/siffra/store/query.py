"""Questions to the store in SQL: what may be asked, and how nothing can be changed by asking.

The file is opened to be read only, SQLite refuses every statement that is no SELECT, and both
the time and the number of rows have an end. What is asked are views (`VIEWS`), which live in
the connection alone: the store's own schema knows nothing of them.
"""

import re
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from siffra.config import KNOBS, ConvModel, Training
from siffra.errors import StoreError, did_you_mean
from siffra.store.errors import explained, primary
from siffra.store.schema import connect_to_read
from siffra.store.store import open_store

SECONDS, ROWS = 10.0, 1000
"""The most that a question may take, and the most rows that it gets, unless it is told."""

_LONGEST_VALUE = 100_000_000
"""Bytes of a text that a question may make."""
_STEPS = 20_000
"""SQLite's instructions between two looks at the clock: less than a millisecond."""
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
    }
)  # fmt: skip
_USERS_MISTAKES = frozenset(
    {
        sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """Something that can be asked: what a row is, its columns with their SQL, and whence."""

    row: str
    columns: Mapping[str, str]
    source: str

    @property
    def sql(self) -> str:
        """Its SELECT."""
        columns = ", ".join(f"{sql} AS {name}" for name, sql in self.columns.items())
        return f"SELECT {columns} FROM {self.source}"


@dataclass(frozen=True, slots=True)
class Found:
    """The rows that a question got, and whether there are `more` than it may have."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool

    def as_dicts(self) -> list[dict[str, Any]]:
        """Every row by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def ask(path: Path, question: str, *, seconds: float = SECONDS, rows: int = ROWS) -> Found:
    """What the store at `path` answers to `question`, one SELECT over `VIEWS`.

    Columns of one name are told apart: `test`, `test_2`. Bytes are given as hex.

    Raises:
        StoreError: It cannot be answered: the text says what is wrong with it, or the store; or
            it took longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    with (
        open_store(path, read_only=True, patience=seconds) as store,
        _reading(path, seconds, store.damaged()) as db,
    ):
        db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        with explained(path), _understood(seconds):
            cursor = db.execute(question)
            if cursor.description is None:
                raise StoreError("sql: the statement returns no rows; use a SELECT.")
            columns = _told_apart([column[0] for column in cursor.description])
            fetched = cursor.fetchmany(rows + 1)
    shown = tuple(tuple(map(_plain, row)) for row in fetched[:rows])
    return Found(columns, shown, more=len(fetched) > rows)


@contextmanager
def _reading(path: Path, patience: float, damaged: Collection[str]) -> Iterator[sqlite3.Connection]:
    """A connection that can do nothing but read, with the views, which leave out the `damaged`."""
    with explained(path):
        db = connect_to_read(path, patience, mode="ro")
    try:
        with explained(path):
            db.execute("PRAGMA query_only = FALSE")  # for the views; the file cannot be written
            db.execute("CREATE TEMP TABLE damaged (key TEXT)")
            db.executemany("INSERT INTO damaged VALUES (?)", [(key,) for key in damaged])
            for name, view in VIEWS.items():
                sql = view.sql.replace(_RUNS, _SOUND_RUNS) if damaged else view.sql
                db.execute(f"CREATE TEMP VIEW {name} AS {sql}")
            db.execute("PRAGMA query_only = TRUE")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        db.set_authorizer(_allow)
        yield db
    finally:
        db.close()


def _allow(action: int, first: str | None, second: str | None, *where: str | None) -> int:
    allowed = action in _ALLOWED and second not in ("load_extension", "fts3_tokenizer")
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


@contextmanager
def _understood(seconds: float) -> Iterator[None]:
    """Turn what SQLite says of a question into one line; what it says of the file is not ours."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        code = primary(error) if isinstance(error, sqlite3.Error) else 0
        if code == sqlite3.SQLITE_INTERRUPT:
            raise StoreError(
                f"sql: no answer within {seconds:g} s; narrow the query, or raise --seconds."
            ) from error
        if code and code not in _USERS_MISTAKES:
            raise
        raise StoreError(f"sql: {_mistake(str(error))}") from error


def _mistake(text: str) -> str:
    if re.search("authoriz|prohibited|cannot modify", text):
        return "only a SELECT can be asked; nothing in the store can be changed from here."
    if "one statement" in text:
        return "found more than one statement; ask one SELECT at a time."
    if unknown := re.fullmatch(r"no such (column|table): (.*)", text):
        kind, name = unknown.groups()
        known = VIEWS if kind == "table" else {c for view in VIEWS.values() for c in view.columns}
        return f"no such {kind}: {name}; {did_you_mean(name.rpartition('.')[2], known)}"
    return f"{text.rstrip('.')}; `siffra runs sql --schema` shows what can be asked."


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    apart: list[str] = []
    for name in names:
        number, other = 1, name
        while other in apart:
            number += 1
            other = f"{name}_{number}"
        apart.append(other)
    return tuple(apart)


def _plain(value: object) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _class(number: str) -> str:
    """A class in SQL, as the data calls it: its name, or its number where it has none."""
    return f"coalesce(json_extract(run.record, '$.class_names[' || {number} || ']'), {number})"


def _field(table: str, name: str, field: FieldInfo) -> str:
    """A value in SQL, also where it is not written since it is what it has always been."""
    value = f"json_extract(run.record, '$.{table}.{name}')"
    if field.exclude_if is None:
        return value
    usual = f"'{field.default}'" if isinstance(field.default, str) else float(field.default)
    built = "json_extract(run.record, '$.model.kind') IN ('dense', 'conv')"
    return f"iif({built}, coalesce({value}, {usual}), {value})"


def _knob(name: str) -> str:
    """A knob in SQL, as `Setting.knobs` tells it: one value where all layers agree."""
    if name == "model":
        kind, factory = (
            f"json_extract(run.record, '$.model.{part}')" for part in ("kind", "factory")
        )
        return f"coalesce({factory}, {kind})"
    if name in Training.model_fields:
        return _field("training", name, Training.model_fields[name])
    if count := {"layers": "neurons", "conv_layers": "filters"}.get(name):
        return f"json_array_length(run.record, '$.model.{count}')"
    if not KNOBS[name].per_layer:
        return _field("model", name, ConvModel.model_fields[name])
    return (
        "(SELECT CASE count(DISTINCT value) WHEN 1 THEN value ELSE group_concat(value, ', ') END "
        f"FROM json_each(run.record, '$.model.{name}') WHERE type = 'integer')"
    )


_RUNS = "main.run AS run"
_SOUND_RUNS = (
    # The limit, which is none, keeps SQLite from reading a record before it has left it out.
    "(SELECT * FROM main.run WHERE key NOT IN (SELECT key FROM temp.damaged) LIMIT -1) AS run"
)


def _of_record(*columns: str, at: str = "", document: str = "run.record") -> dict[str, str]:
    """Columns from the record itself: what the table has beside it may be damaged unseen."""
    return {name: f"json_extract({document}, '$.{at}{name}')" for name in columns}


_DIVERGED = "json_extract(run.record, '$.diverged')"


def _unless(lost: str, columns: Mapping[str, str]) -> dict[str, str]:
    """NULL where a run has `lost` them: older records have the share of some class there."""
    return {name: f"iif({lost}, NULL, {value})" for name, value in columns.items()}


_SETS = ("train", "val", "test", "moved", "rotated")

VIEWS: Mapping[str, View] = {
    "run": View(
        "a finished run: its knobs, accuracies (fractions) and training time",
        {"key": "run.key"}
        | {name: _knob(name) for name in KNOBS}
        | _of_record("seed")
        | _unless(_DIVERGED, _of_record(*_SETS, at="accuracy."))
        | _of_record("seconds", "diverged", "parameters", "dataset", "engine")
        | _of_record("cpu", "threads", at="machine.")
        | {"jobs": "coalesce(json_extract(run.record, '$.machine.jobs'), 1)"}
        | _of_record("finished"),
        _RUNS,
    ),
    "epoch": View(
        "an epoch of a run: loss (a cross-entropy in nats), training seconds, and accuracies on "
        "samples of the sets",
        {"key": "run.key", "epoch": "entry.key + 1"}
        | _of_record("loss", "seconds", document="entry.value")
        | _unless(
            "json_extract(entry.value, '$.loss') IS NULL",
            _of_record(*_SETS, at="accuracy.", document="entry.value"),
        ),
        f"{_RUNS}, json_each(run.record, '$.epochs') AS entry",
    ),
    "score": View(
        "a run's accuracy on a set of images, any set that it has (`set` is a word of SQL's)",
        {"key": "run.key", "image_set": "entry.key"}
        | _unless(_DIVERGED, {"accuracy": "entry.value"}),
        f"{_RUNS}, json_each(run.record, '$.accuracy') AS entry",
    ),
    "confusion": View(
        "how many images of a set are of the class `truth` and were taken for `predicted`",
        {
            "key": "run.key",
            "image_set": "entry.key",
            "truth": _class("line.key"),
            "predicted": _class("cell.key"),
        }
        | _unless(_DIVERGED, {"images": "cell.value"}),
        f"{_RUNS}, json_each(run.record, '$.confusion') AS entry, "
        "json_each(entry.value) AS line, json_each(line.value) AS cell",
    ),
    "argument": View(
        "a parameter of a model of your own, by name",
        {
            "key": "run.key",
            "name": "json_extract(entry.value, '$[0]')",
            "value": "json_extract(entry.value, '$[1]')",
        },
        f"{_RUNS}, json_each(run.record, '$.model.arguments') AS entry",
    ),
}
"""What can be asked, by name; all have the run's `key`."""
