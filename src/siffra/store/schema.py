"""A store's file: its tables, and how it is opened, checked and brought up to date."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from siffra.errors import StoreError
from siffra.store.errors import READ_ONLY, damaged, explained, primary

PATIENCE = 30.0
"""Seconds to wait for another process that is writing."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE run (
            key        TEXT NOT NULL PRIMARY KEY CHECK (key = json_extract(record, '$.key')),
            model      TEXT AS (json_extract(record, '$.model.kind')) STORED NOT NULL,
            seed       INTEGER AS (json_extract(record, '$.seed')) STORED NOT NULL,
            dataset    TEXT AS (json_extract(record, '$.dataset')) STORED NOT NULL,
            engine     TEXT AS (json_extract(record, '$.engine')) STORED NOT NULL,
            cpu        TEXT AS (json_extract(record, '$.machine.cpu')) STORED NOT NULL,
            threads    INTEGER AS (json_extract(record, '$.machine.threads')) STORED NOT NULL,
            network    TEXT AS (json_extract(record, '$.model')) STORED NOT NULL,
            batch_size INTEGER AS (json_extract(record, '$.training.batch_size')) STORED NOT NULL,
            epochs     INTEGER AS (json_array_length(record, '$.epochs')) STORED NOT NULL,
            parameters INTEGER AS (json_extract(record, '$.parameters')) STORED NOT NULL,
            train      REAL AS (json_extract(record, '$.accuracy.train')) STORED,
            val        REAL AS (json_extract(record, '$.accuracy.val')) STORED,
            test       REAL AS (json_extract(record, '$.accuracy.test')) STORED,
            moved      REAL AS (json_extract(record, '$.accuracy.moved')) STORED,
            rotated    REAL AS (json_extract(record, '$.accuracy.rotated')) STORED,
            seconds    REAL AS (json_extract(record, '$.seconds')) STORED NOT NULL,
            scoring    REAL AS (json_extract(record, '$.scoring_seconds')) STORED NOT NULL,
            diverged   INTEGER AS (json_extract(record, '$.diverged')) STORED NOT NULL,
            finished   TEXT AS (json_extract(record, '$.finished')) STORED NOT NULL,
            record     TEXT NOT NULL
        ) STRICT
        """,
        "CREATE TABLE claim (key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL) STRICT",
        """
        CREATE VIEW epoch AS
        SELECT run.key AS key,
               entry.key + 1 AS epoch,
               json_extract(entry.value, '$.loss') AS loss,
               json_extract(entry.value, '$.seconds') AS seconds,
               json_extract(entry.value, '$.accuracy.train') AS train,
               json_extract(entry.value, '$.accuracy.val') AS val,
               json_extract(entry.value, '$.accuracy.test') AS test,
               json_extract(entry.value, '$.accuracy.moved') AS moved,
               json_extract(entry.value, '$.accuracy.rotated') AS rotated
        FROM run, json_each(run.record, '$.epochs') AS entry
        """,
    ),
    (
        """
        CREATE TABLE examination (
            key         TEXT NOT NULL PRIMARY KEY REFERENCES run (key),
            version     INTEGER NOT NULL,
            examination TEXT NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE digest (
            key    TEXT NOT NULL,
            of     TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            PRIMARY KEY (key, of)
        ) STRICT, WITHOUT ROWID
        """,
        # A process of an older siffra that has the file open goes on writing, without digests.
        *(
            f"CREATE TRIGGER {table}_{event} AFTER {event} ON {table} "
            f"BEGIN DELETE FROM digest WHERE key = {row}.key AND of = '{table}'; END"
            for table in ("run", "examination")
            for event, row in (("insert", "new"), ("update", "new"), ("delete", "old"))
        ),
    ),
    ("CREATE TABLE timing (key TEXT NOT NULL PRIMARY KEY, timing TEXT NOT NULL) STRICT",),
)
"""The steps from each schema to the next. A step that has been released never changes.

A store of an older schema is read as it is: the tables that it lacks are empty (`_complete`).
"""

_APPLICATION_ID = 0x73696672  # "sifr", in the file's header: tells a store from other databases
_OLDEST_SQLITE = (3, 37)  # STRICT tables


def open_file(
    path: Path, *, read_only: bool, patience: float, or_none: bool = False
) -> sqlite3.Connection:
    """A connection to the store at `path`; see `siffra.store.store.open_store`.

    Raises:
        StoreError: It cannot be opened, is damaged, of a newer siffra, or no store at all.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"this Python's SQLite is {sqlite3.sqlite_version}; siffra needs 3.37 or later."
        )
    with explained(path):
        _expect_file(path)
        if read_only and or_none and not path.exists():
            db = _none(path)
        elif read_only:
            db = connect_to_read(path, patience)
        else:
            if path.exists():
                _expect_to_write(path)
            else:
                _create(path)
            db = _connect(path, patience)
    try:
        with explained(path):
            if not read_only:
                schema_of(db, path)
                _prepare(db, path, patience)
            elif not schema_of(db, path):
                raise StoreError(f"{path}: the file is empty; the first run fills it.")
    except BaseException:
        db.close()
        raise
    return db


def _none(path: Path) -> sqlite3.Connection:
    """What the store at `path` would be, which is not there: one without runs, in memory."""
    db = _connect(":memory:", 0.0)
    _migrate(db, path)
    db.execute("PRAGMA query_only = TRUE")
    return db


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may look into; one that is there keeps its mode.

    Its owner may have opened it to others on purpose.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)


def _create(path: Path) -> None:
    """An empty file for a new store, and its folder, for their owner alone."""
    make_private(path.parent)
    with suppress(FileExistsError):  # another process was quicker, or it is a link
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def real_file(path: Path) -> Path:
    """The file that `path` is a link to; `path` itself if it is none.

    What lies beside a store (`beside`) then lies beside the one file, by whatever name it is
    opened: two names would make two sets of claims, whose owners take each other for dead.

    Raises:
        StoreError: It is a link that leads nowhere, or the system cannot tell.
    """
    with explained(path):
        try:
            return path.resolve() if path.is_symlink() else path
        except RuntimeError as error:
            raise StoreError(f"{path}: is a symbolic link that points back to itself.") from error


def beside(store: Path, ending: str) -> Path:
    """The folder beside the store's file that is named after it, with this ending.

    Raises:
        StoreError: It is a link. One that came with a store could lead to any folder, in which
            files would then be made and removed.
    """
    file = real_file(store)
    folder = file.with_name(file.name + ending)
    with explained(store):
        if folder.is_symlink():
            raise StoreError(
                f"{folder}: is a symbolic link, and siffra writes files there; remove the link."
            )
    return folder


def _expect_file(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"{path}: is a folder; the store of runs is a file.")
    # Opening a FIFO would wait for whoever writes to it.
    if path.exists() and not path.is_file():
        raise StoreError(f"{path}: is a device or a pipe; the store of runs is a file.")


def _expect_to_write(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise StoreError(READ_ONLY.format(path))
    # SQLite's log is named after the file: with two names there would be two, and runs lost.
    if (names := path.stat().st_nlink) > 1:
        raise StoreError(
            f"{path}: the file has {names} hard links, so writing to it is not safe; "
            "make a copy and use that."
        )


def connect_to_read(path: Path, patience: float, mode: str = "rw") -> sqlite3.Connection:
    """A connection that changes nothing in the file at `path`.

    With the `mode` `rw` it may tidy up beside the file when it is closed; with `ro` it cannot.

    Raises:
        StoreError: There is no such file.
        sqlite3.Error: It cannot be opened.
    """
    if not path.exists():
        raise StoreError(f"{path}: no such store; the first run creates it.")
    address = path.absolute().as_uri()

    def connect(how: str) -> sqlite3.Connection:
        return _connect(f"{address}?{how}", patience)

    db = connect(f"mode={mode}")
    try:
        db.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        db.close()
        # Even to read, SQLite needs files beside a WAL database. Where it may not make them and
        # no log waits to be read, nobody is writing, and the file can be read as it stands.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        db = connect("immutable=1")
    try:
        _complete(db)
        db.execute("PRAGMA query_only = TRUE")
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path | str, patience: float) -> sqlite3.Connection:
    """A connection to the file at `path`, or at an address with options."""
    db = sqlite3.connect(path, uri=isinstance(path, str), timeout=patience, isolation_level=None)
    # A name that is no UTF-8 any more is damage to one row, not to all that are read with it.
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db


def _complete(db: sqlite3.Connection) -> None:
    """Give this connection, empty, the tables that a store of an older schema lacks."""
    existing = {name for (name,) in db.execute("SELECT name FROM sqlite_schema").fetchall()}
    for step in MIGRATIONS[1:]:
        for statement in step:
            kind, name = statement.split()[1:3]
            if kind == "TABLE" and name not in existing:
                db.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def _prepare(db: sqlite3.Connection, path: Path, patience: float) -> None:
    """Check the file, which takes about 0.1 s for 20 MB, and bring it up to date."""
    if fault := first_fault(db, "quick_check"):
        raise StoreError(damaged(path, fault))
    _use_write_ahead_log(db, patience)
    # What is committed is on the disk, even if the power fails.
    db.execute("PRAGMA synchronous = FULL")
    if schema_of(db, path) < len(MIGRATIONS):
        _migrate(db, path)


def first_fault(
    db: sqlite3.Connection, check: Literal["quick_check", "integrity_check"]
) -> str | None:
    """The first thing that is wrong in the file; None if nothing is.

    Not in what the records say: damage there is damage to one run (`siffra.store.rows`).
    """
    db.execute("PRAGMA ignore_check_constraints = TRUE")
    try:
        (fault,) = db.execute(f"PRAGMA {check}(1)").fetchone()
    finally:
        db.execute("PRAGMA ignore_check_constraints = FALSE")
    return None if fault == "ok" else fault


def _use_write_ahead_log(db: sqlite3.Connection, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself when two processes create one store.
            if primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    with transaction(db):
        version = schema_of(db, path)
        for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in step:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def schema_of(db: sqlite3.Connection, path: Path) -> int:
    """The schema's number; 0 for an empty file."""
    # In one statement: another process may be creating the store, all of it in one transaction.
    application, version, tables = db.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != _APPLICATION_ID and (tables or version or application):
        raise StoreError(f"{path}: is a database, but not a store of runs; use another file.")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: the store has schema {version}, this siffra knows {len(MIGRATIONS)}; "
            f"upgrade siffra, or use another store."
        )
    return version


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is done within, or nothing of it."""
    # Immediate: a transaction that starts by reading cannot always go on to write.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
