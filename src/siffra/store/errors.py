"""What goes wrong with a store's file, in one line that names the file and the way out."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siffra.errors import StoreError

READ_ONLY = "{}: the store, or its folder, is read-only; use another store."


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system says into one line about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(_explain(path, error)) from error
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what is damaged
        raise StoreError(damaged(path, "its schema is not valid text")) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be used as a store ({error.strerror}).") from error


def _explain(path: Path, error: sqlite3.Error) -> str:
    match primary(error):
        case sqlite3.SQLITE_NOTADB:
            return f"{path}: is not a store of runs; nothing in it was changed; use another file."
        case sqlite3.SQLITE_CORRUPT:
            return damaged(path, str(error))
        case sqlite3.SQLITE_FULL:
            return f"{path}: disk full. Free some space and rerun; stored runs are safe."
        case sqlite3.SQLITE_IOERR:
            return (
                f"{path}: read or write failed ({error}; is the disk full?); stored runs are safe."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return READ_ONLY.format(path)
        case sqlite3.SQLITE_CANTOPEN:
            return f"{path}: cannot open the store; check permissions of the file and its folder."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path}: another program has locked the store; try again when it is done."
    return f"{path}: the store failed ({error})."


def damaged(path: Path, finding: str) -> str:
    """That the file is damaged, with what was found."""
    line = " ".join(finding.split())
    return f"{path}: the store is damaged ({line}); nothing in it was changed; use another file."


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 without one."""
    # Errors that Python's module raises by itself carry no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
