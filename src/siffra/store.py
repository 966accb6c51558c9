"""The store: one SQLite file with a row for every finished run.

SQL stands here, in `store_file`, where the tables are made, and in `store_query`, through which
users ask with theirs.

A run's record is kept whole, as JSON; the columns that are queried are SQLite's own extracts
of it, and the `epoch` view spreads its curves, so that nothing can disagree with the record.

What a run's network was found to do, where it was examined, lies beside the record under the
same key.

A *claim* says that a process is making a run. It is void when its owner is gone (`presence`),
so that nothing which a killed process leaves behind can block.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import TypeAdapter, ValidationError

from siffra.config import Model
from siffra.cpu import bare_name
from siffra.errors import StoreError
from siffra.examination import EXAMINING, Examination
from siffra.presence import Presence
from siffra.run import Machine, Record
from siffra.store_faults import explained
from siffra.store_file import (
    PATIENCE,
    beside,
    first_fault,
    open_file,
    real_file,
    schema_of,
    transaction,
)

_MODEL: TypeAdapter[Model] = TypeAdapter(Model)


def default_store_path() -> Path:
    """Where runs are kept: `SIFFRA_STORE` if it is set, else in the user's data folder."""
    chosen = os.environ.get("SIFFRA_STORE")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("siffra") / "runs.sqlite"


@dataclass(frozen=True, slots=True)
class Health:
    """How a store is: its schema, runs, claims, those of them that are void, and damage.

    `damage` is what SQLite finds wrong in the file; None if that is nothing.
    """

    schema: int
    runs: int
    claims: int
    void_claims: int
    damage: str | None


class Store:
    """Typed access to the file of runs. Open it with `open_store`, in the thread that uses it.

    Every method raises StoreError, with one line, when the file cannot do what is asked; what
    was stored before stays as it was.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._presence = Presence(beside(path, ".locks"))

    @property
    def path(self) -> Path:
        """The file itself, not a link to it."""
        return self._path

    def add(
        self, record: Record, examination: Examination | None = None, *, replace: bool = False
    ) -> None:
        """Store a finished run, with its examination if there is one: see `add_all`."""
        self.add_all([(record, examination)], replace=replace)

    def add_all(
        self, finished: Iterable[tuple[Record, Examination | None]], *, replace: bool = False
    ) -> set[str]:
        """Store finished runs, with their examinations, and drop the claims on them.

        All of this or nothing. A run that is there already stays as it was, since equal keys
        mean equal results; unless it is to be replaced, for its times, say.

        Returns:
            The keys of those that stayed as they were.
        """
        conflict = "UPDATE SET record = excluded.record" if replace else "NOTHING"
        insert = f"INSERT INTO run (key, record) VALUES (?, ?) ON CONFLICT (key) DO {conflict}"
        stayed: set[str] = set()
        with self._writing():
            for record, examination in finished:
                if not self._db.execute(insert, (record.key, record.model_dump_json())).rowcount:
                    stayed.add(record.key)
                if examination is not None:
                    self._db.execute(
                        "INSERT OR REPLACE INTO examination VALUES (?, ?, ?)",
                        (record.key, EXAMINING, examination.model_dump_json()),
                    )
                self._drop_claims([record.key])
        return stayed

    def get(self, key: str) -> Record | None:
        """The run with this key; None if it is not stored."""
        found = self._records("WHERE key = ?", (key,))
        return found[0] if found else None

    def stored(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose runs are stored."""
        with explained(self._path):
            return set(self._of("key, key", "run", keys))

    def examined(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose runs are stored with an examination."""
        return set(self._examinations("key", keys))

    def examinations(self, keys: Iterable[str]) -> dict[str, Examination]:
        """The examinations that are stored of the runs with these keys, by key."""
        found = self._examinations("examination", keys)
        return {key: Examination.model_validate_json(text) for key, text in found.items()}

    def find(self, prefix: str) -> Record:
        """The one run whose key starts with `prefix`.

        Raises:
            StoreError: No run's key does, or more than one's.
        """
        found = self._records("WHERE substr(key, 1, length(?1)) = ?1 LIMIT 2", (prefix.lower(),))
        if not found:
            raise StoreError(f"{self._path}: no run has a key that starts with `{prefix}`.")
        if len(found) > 1:
            raise StoreError(
                f"{self._path}: more than one run has a key that starts with `{prefix}`, such as "
                f"{found[0].key[:12]} and {found[1].key[:12]}; give more of it."
            )
        return found[0]

    def records(
        self,
        *,
        dataset: str | None = None,
        model: str | None = None,
        engine: str | None = None,
        seed: int | None = None,
        since: datetime | None = None,
    ) -> list[Record]:
        """The runs that match everything that is given, the oldest first.

        With `since`, those that were finished then or later, to the second.
        """
        wanted = {"dataset": dataset, "model": model, "engine": engine, "seed": seed}
        asked = {f"{column} =": value for column, value in wanted.items() if value is not None}
        if since:
            asked["finished >="] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        where = " AND ".join(f"{column} ?" for column in asked) or "TRUE"
        return self._records(f"WHERE {where} ORDER BY finished, key", tuple(asked.values()))

    def epoch_seconds(
        self, *, dataset: str, engine: str, machine: Machine
    ) -> list[tuple[Model, int, float]]:
        """Model, batch size and mean seconds of an epoch, training and scoring, of like runs."""
        cpus = machine.cpu, bare_name(machine.cpu)
        with explained(self._path):
            rows = self._db.execute(
                "SELECT network, batch_size, "
                "sum(seconds + scoring) / sum(json_extract(record, '$.training.epochs')) FROM run "
                "WHERE dataset = ? AND engine = ? AND cpu IN (?, ?) AND threads = ? "
                "AND coalesce(json_extract(record, '$.machine.jobs'), 1) = ? "
                "GROUP BY network, batch_size",
                (dataset, engine, *cpus, machine.threads, machine.jobs),
            ).fetchall()
        return [(_MODEL.validate_json(model), size, seconds) for model, size, seconds in rows]

    def claim(self, key: str, *, replace: bool = False) -> bool:
        """Take it on to make the run with this key: see `claim_all`."""
        return bool(self.claim_all([key], replace=replace))

    def claim_all(self, keys: Sequence[str], *, replace: bool = False) -> set[str]:
        """Take it on to make the runs with these keys, for as long as this store is open.

        Returns:
            Those that were claimed: not the runs that are stored, unless they are to be replaced,
            nor those that another living process has claimed.
        """
        with self._writing():
            taken = set() if replace else set(self._of("key, key", "run", keys))
            owners = self._of("key, owner", "claim", keys)
            alive = {owner for owner in set(owners.values()) if self._presence.is_other(owner)}
            claimed = {k for k in keys if k not in taken and owners.get(k) not in alive}
            self._db.executemany(
                "INSERT OR REPLACE INTO claim VALUES (?, ?)",
                [(key, self._presence.name) for key in claimed],
            )
            if claimed:
                self._presence.enter()
        return claimed

    def release(self, *keys: str) -> None:
        """Give up this store's claims on runs that were not finished."""
        with self._writing():
            self._drop_claims(keys)

    def health(self) -> Health:
        """Read the whole file and count; takes about 0.3 s for 20 MB, and changes nothing."""
        with explained(self._path):
            damage = first_fault(self._db, "integrity_check")
            (runs,) = self._db.execute("SELECT count(*) FROM run").fetchone()
            owners = self._db.execute("SELECT owner FROM claim").fetchall()
        void = sum(not self._presence.lives(owner) for (owner,) in owners)
        return Health(schema_of(self._db, self._path), runs, len(owners), void, damage)

    def close(self) -> None:
        """Give up all claims and close the file."""
        try:
            if self._presence.any:
                # If this fails the claims stay, void.
                with suppress(StoreError), self._writing():
                    self._db.execute("DELETE FROM claim WHERE owner = ?", (self._presence.name,))
                    self._presence.leave()
        finally:
            self._presence.let_go()
            self._db.close()

    def _drop_claims(self, keys: Iterable[str]) -> None:
        self._db.executemany(
            "DELETE FROM claim WHERE key = ? AND owner = ?",
            [(key, self._presence.name) for key in keys],
        )

    def _of(self, columns: str, table: str, keys: Iterable[str]) -> dict[str, str]:
        """Two columns of the rows with these keys, the second by the first."""
        wanted = f"SELECT {columns} FROM {table} WHERE key IN (SELECT value FROM json_each(?))"
        return dict(self._db.execute(wanted, (json.dumps(list(keys)),)).fetchall())

    def _records(self, clauses: str, values: tuple[Any, ...]) -> list[Record]:
        with explained(self._path):
            rows = self._db.execute(f"SELECT key, record FROM run {clauses}", values).fetchall()
        return [self._parse(key, text) for key, text in rows]

    def _examinations(self, column: str, keys: Iterable[str]) -> dict[str, str]:
        with explained(self._path):
            rows = self._db.execute(
                f"SELECT key, {column} FROM examination "
                "WHERE version = ? AND key IN (SELECT value FROM json_each(?))",
                (EXAMINING, json.dumps(list(keys))),
            ).fetchall()
        return dict(rows)

    def _parse(self, key: str, text: str) -> Record:
        try:
            return Record.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(
                f"{self._path}: run {key[:12]} cannot be read ({place}: {first['msg']}); "
                f"was it stored by another version of siffra?"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with explained(self._path), transaction(self._db):
            yield


@contextmanager
def open_store(
    path: Path | str, *, read_only: bool = False, patience: float = PATIENCE
) -> Iterator[Store]:
    """Open the store at `path`, and close it on exit.

    A store to be written is created, with its folder, or brought up to date. A `read_only` one
    must exist; it may lie where nobody can write. `patience` is how many seconds to wait for
    another process that is writing.

    Raises:
        StoreError: It cannot be opened, is damaged, of a newer siffra, or no store at all.
    """
    path = real_file(Path(path))
    store = Store(open_file(path, read_only=read_only, patience=patience), path)
    try:
        yield store
    finally:
        store.close()
