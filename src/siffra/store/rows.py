"""A store's documents: rows of JSON, each checked against the digest that was stored with it.

Memory, disks and copies turn bits over, and most of what a document becomes then is still JSON,
with another number in it. So beside each document lies the SHA-256 of its text. A document is
*damaged* if it is not what its digest says, or, where no digest is known, no document at all.
None is known of what an older siffra wrote, until the store is next opened for writing: then the
digests are added of all that can be read (`add_digests`). A trigger drops the digest of whatever
is written without one.

A damaged document is as good as missing: it is named once in the log, and made again by whoever
wants it. One that is as it was stored and yet cannot be read, by this version, is not: it stays.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from siffra.errors import StoreError
from siffra.store.schema import transaction
from siffra.system.terminal import one_line

log = logging.getLogger("siffra.store.store")

_AT_ONCE = 1000
"""Documents that get their digests in one transaction, while which nobody else can write."""

_AMONG = "key IN (SELECT value FROM json_each(?))"

D = TypeVar("D", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    text: bytes
    sha256: str | None

    @property
    def is_changed(self) -> bool:
        """Whether it is not what was stored, as far as that is known."""
        return self.sha256 is not None and self.sha256 != digest_of(self.text)


def digest_of(text: bytes) -> str:
    """What is stored beside a document."""
    return hashlib.sha256(text).hexdigest()


class _DamagedError(StoreError):
    """A document that is not what was stored."""


class Rows(Generic[D]):
    """The documents of the class `kind` in the column `column` of `table`.

    `named` is what one of them is called, with `{}` for the start of its key. What is given as
    `where` are SQL's conditions and order, with their values.
    """

    def __init__(
        self, db: sqlite3.Connection, path: Path, table: str, column: str, kind: type[D], named: str
    ) -> None:
        self._db, self._path, self._kind, self._named = db, path, kind, named
        self._table, self._column = table, column

    def put_all(self, documents: Mapping[str, D | str], **others: object) -> None:
        """Store documents by key, in the place of what is there; one may be written already.

        `others` are the values of more columns.
        """
        texts = {
            key: document if isinstance(document, str) else document.model_dump_json()
            for key, document in documents.items()
        }
        columns = ["key", self._column, *others]
        changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
        self._db.executemany(
            f"INSERT INTO {self._table} ({', '.join(columns)}) "
            f"VALUES ({', '.join('?' * len(columns))}) ON CONFLICT (key) DO UPDATE SET {changed}",
            [(key, text, *others.values()) for key, text in texts.items()],
        )
        self._put_digests((key, text.encode()) for key, text in texts.items())

    def intact(self, keys: Iterable[str], where: str = "TRUE") -> set[str]:
        """Those of the keys that have a document, as it was stored; not all of them are read."""
        rows = self._rows(f"{where} AND {_AMONG}", (json.dumps(list(keys)),))
        return {row.key for row in rows if self._is_intact(row)}

    def of(self, keys: Iterable[str], where: str = "TRUE", *, strict: bool = False) -> dict[str, D]:
        """The documents with these keys, by key; see `read`."""
        keys_json = json.dumps(list(keys))
        return dict(self.read(f"{where} AND {_AMONG}", (keys_json,), strict=strict))

    def read(
        self, where: str, values: Sequence[object] = (), *, strict: bool = False
    ) -> Iterator[tuple[str, D]]:
        """Keys and documents, but for those that are damaged or that cannot be read.

        Raises:
            StoreError: If `strict`: one is intact, and cannot be read all the same.
        """
        for row in self._rows(where, values):
            try:
                document = self._document(row)
            except _DamagedError as error:
                _say_once(str(error))
            except StoreError as error:
                if strict:
                    raise
                _say_once(f"{error} It is left out.")
            else:
                yield row.key, document

    def changed(self) -> set[str]:
        """The keys of all that are damaged."""
        return {row.key for row in self._rows("TRUE") if not self._is_intact(row)}

    def faults(self) -> list[str]:
        """A line for each document that is damaged, or cannot be read."""
        lines = []
        for row in self._rows("TRUE"):
            try:
                self._document(row)
            except StoreError as error:
                lines.append(str(error))
        return lines

    def add_digests(self) -> None:
        """Digests of the documents that lack them, if they can be read."""
        asked = f"SELECT rowid FROM {self._table} WHERE {self._digest} IS NULL"
        rowids = [rowid for (rowid,) in self._db.execute(asked).fetchall()]
        for start in range(0, len(rowids), _AT_ONCE):
            batch = json.dumps(rowids[start : start + _AT_ONCE])
            with transaction(self._db):
                rows = self._rows("rowid IN (SELECT value FROM json_each(?))", (batch,))
                lacking = [row for row in rows if row.sha256 is None and self._is_intact(row)]
                self._put_digests((row.key, row.text) for row in lacking)

    @property
    def _digest(self) -> str:
        """The digest in SQL, as a value beside the table's own columns."""
        theirs = f"digest.key = {self._table}.key AND digest.of = '{self._table}'"
        return f"(SELECT sha256 FROM digest WHERE {theirs})"

    def _put_digests(self, texts: Iterable[tuple[str, bytes]]) -> None:
        rows = [(key, self._table, digest_of(text)) for key, text in texts]
        self._db.executemany(
            "INSERT OR REPLACE INTO digest (key, of, sha256) VALUES (?, ?, ?)", rows
        )

    def _rows(self, where: str, values: Sequence[object] = ()) -> list[_Row]:
        # As bytes: a text that is no UTF-8 any more is damage to one document, not to all.
        text = f"CAST({self._column} AS BLOB)"
        asked = f"SELECT key, {text}, {self._digest} FROM {self._table} WHERE {where}"
        return [_Row(*columns) for columns in self._db.execute(asked, tuple(values)).fetchall()]

    def _is_intact(self, row: _Row) -> bool:
        if row.sha256 and not row.is_changed:
            return True  # what has a digest could be read when it got it
        try:
            self._document(row)
        except _DamagedError as error:
            _say_once(str(error))
            return False
        return True

    def _document(self, row: _Row) -> D:
        try:
            entry = self._parsed(row)
        except StoreError as error:
            if row.sha256 is None or row.is_changed:
                raise self._damage(row) from error
            raise
        if row.is_changed:
            raise self._damage(row)
        return entry

    def _parsed(self, row: _Row) -> D:
        try:
            entry = self._kind.model_validate_json(row.text)
        except ValidationError as error:
            place = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
            where = f" at `{one_line(place)}`" if place else ""
            raise StoreError(
                f"{self._path}: {self._name(row)} cannot be read{where}; was it stored by another "
                "version of siffra?"
            ) from error
        if getattr(entry, "key", row.key) != row.key:
            raise StoreError(
                f"{self._path}: {self._name(row)} cannot be read: it belongs to another run."
            )
        return entry

    def _name(self, row: _Row) -> str:
        return self._named.format(one_line(row.key[:12]))

    def _damage(self, row: _Row) -> "_DamagedError":
        return _DamagedError(
            f"{self._path}: {self._name(row)} is damaged: it is not what was stored. It is left "
            "out, and what made it (a lab, `siffra train`) makes it again."
        )


@lru_cache(maxsize=1000)
def _say_once(line: str) -> None:
    """Once in a process: a server reads the same store again and again."""
    log.warning("%s", line)
