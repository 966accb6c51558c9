"""The store: one SQLite file with a row for every finished run.

SQL stands here, in `schema`, where the tables are made, in `rows`, which reads and writes
documents, and in `query`, through which users ask with theirs.

A run's record is kept whole, as JSON; the columns that are queried are SQLite's own extracts
of it, and the `epoch` view spreads its curves, so that nothing can disagree with the record.

What a run's network was found to do, where it was examined, lies beside the record under the
same key. Times that were taken by turns, of several settings in a round, have a table of their
own. Beside each of these lies a digest (`rows`): what is damaged is left out, and made again.

A *claim* says that a process is making a run. It is void when its owner is gone
(`siffra.system.liveness`), so that nothing that a killed process leaves behind can block.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from siffra.config import Model
from siffra.errors import StoreError
from siffra.store.errors import explained
from siffra.store.rows import Rows
from siffra.store.schema import (
    PATIENCE,
    beside,
    first_fault,
    open_file,
    real_file,
    schema_of,
    transaction,
)
from siffra.system.cpu import bare_name
from siffra.system.liveness import Presence
from siffra.training.examination import EXAMINING, Examination
from siffra.training.run import Machine, Record, WrittenRecord
from siffra.training.timing import Timing

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

    `damage` is what SQLite finds wrong in the file; None if that is nothing. `faults` has a line
    for each record, examination and timing that is damaged or cannot be read.
    """

    schema: int
    runs: int
    claims: int
    void_claims: int
    damage: str | None
    faults: tuple[str, ...]


class Store:
    """Typed access to the file of runs. Open it with `open_store`, in the thread that uses it.

    Every method raises StoreError, with one line, when the file cannot do what is asked; what
    was stored before stays as it was.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, *, read_only: bool = False) -> None:
        self._db = db
        self._path = path
        self.is_read_only = read_only
        self._presence = Presence(beside(path, ".locks"))
        self._runs = Rows(db, path, "run", "record", Record, "run {}")
        self._examinations = Rows(
            db, path, "examination", "examination", Examination, "the examination of run {}"
        )
        self._timings = Rows(db, path, "timing", "timing", Timing, "timing {}")

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
        self,
        finished: Iterable[tuple[Record | WrittenRecord, Examination | str | None]],
        *,
        replace: bool = False,
    ) -> set[str]:
        """Store finished runs, with their examinations, and drop the claims on them.

        All of this or nothing. A run that is there already stays as it was, since equal keys
        mean equal results; unless it is to be replaced, for its times, say. What is written
        already, as JSON, is stored as it is.

        Returns:
            The keys of those that stayed as they were.
        """
        finished = list(finished)
        texts = {
            record.key: record.text if isinstance(record, WrittenRecord) else record
            for record, _ in finished
        }
        examined = {record.key: found for record, found in finished if found is not None}
        with self._writing():
            stayed = set() if replace else self._runs.intact(texts)
            self._runs.put_all({key: text for key, text in texts.items() if key not in stayed})
            self._examinations.put_all(examined, version=EXAMINING)
            self._drop_claims(texts)
        return stayed

    def get(self, key: str) -> Record | None:
        """The run with this key; None if it is not stored, or damaged."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[str]) -> dict[str, Record]:
        """The runs with these keys that are stored and not damaged, by key.

        Raises:
            StoreError: One is as it was stored, but by another siffra, and cannot be read.
        """
        with explained(self._path):
            return self._runs.of(keys, strict=True)

    def stored(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose runs are stored and not damaged."""
        with explained(self._path):
            return self._runs.intact(keys)

    def versions(self, runs: Iterable[tuple[Model, int]]) -> set[str]:
        """The keys of all stored runs of these models and seeds, whatever else sets them apart."""
        wanted = [[model.model_dump_json(), seed] for model, seed in runs]
        with explained(self._path):
            rows = self._db.execute(
                "SELECT key FROM run WHERE (network, seed) IN (SELECT json_extract(value, '$[0]'), "
                "json_extract(value, '$[1]') FROM json_each(?))",
                (json.dumps(wanted),),
            )
            return {key for (key,) in rows}

    def examined(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose runs are stored with an examination that is not damaged."""
        with explained(self._path):
            return self._examinations.intact(keys, f"version = {EXAMINING}")

    def examinations(self, keys: Iterable[str]) -> dict[str, Examination]:
        """The examinations that are stored of the runs with these keys, by key."""
        with explained(self._path):
            return self._examinations.of(keys, f"version = {EXAMINING}")

    def add_timings(self, timings: Iterable[Timing], *, replace: bool = False) -> None:
        """Store rounds of times, all or none; those that are there stay, unless replaced."""
        with self._writing():
            new = {timing.key: timing for timing in timings}
            stayed = set() if replace else self._timings.intact(new)
            self._timings.put_all({key: t for key, t in new.items() if key not in stayed})

    def timings(self, keys: Iterable[str]) -> dict[str, Timing]:
        """The rounds of times with these keys that are stored and not damaged, by key."""
        with explained(self._path):
            return self._timings.of(keys)

    def find(self, prefix: str) -> Record:
        """The one run whose key starts with `prefix`.

        Raises:
            StoreError: No run's key does, or more than one's.
        """
        with explained(self._path):
            keys = self._db.execute(
                "SELECT key FROM run WHERE substr(key, 1, length(?1)) = ?1 LIMIT 2",
                (prefix.lower(),),
            ).fetchall()
        if not keys:
            raise StoreError(f"{self._path}: no run has a key that starts with `{prefix}`.")
        if len(keys) > 1:
            raise StoreError(
                f"{self._path}: more than one run has a key that starts with `{prefix}`, such as "
                f"{keys[0][0][:12]} and {keys[1][0][:12]}; give more characters."
            )
        record = self.get(keys[0][0])
        if record is None:
            raise StoreError(f"{self._path}: run {keys[0][0][:12]} is damaged; rerun it.")
        return record

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

        Those that are damaged or cannot be read are left out, and the log names each once.
        With `since`, those that were finished then or later, to the second.
        """
        wanted = {"dataset": dataset, "model": model, "engine": engine, "seed": seed}
        asked = {f"{column} =": value for column, value in wanted.items() if value is not None}
        if since:
            asked["finished >="] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        where = " AND ".join(f"{column} ?" for column in asked) or "TRUE"
        with explained(self._path):
            entries = self._runs.read(f"{where} ORDER BY finished, key", tuple(asked.values()))
            return [record for _, record in entries]

    def finished(self, keys: Iterable[str] | None = None) -> dict[str, str]:
        """When each run, or each with these keys, was finished: by key, the oldest first."""
        among = "" if keys is None else "WHERE key IN (SELECT value FROM json_each(?))"
        values = () if keys is None else (json.dumps(list(keys)),)
        wanted = f"SELECT key, finished FROM run {among} ORDER BY finished, key"
        with explained(self._path):
            return dict(self._db.execute(wanted, values))

    def epoch_seconds(
        self, *, dataset: str, engine: str, machine: Machine
    ) -> list[tuple[Model, int, float, float, int, bool]]:
        """What runs of each model and batch size took together, training and scoring, on this CPU.

        Returns:
            Model, batch size, seconds, epochs, runs, and whether they were made on as many threads,
            as many at once. Such runs come last: they are nearest to those to come.
        """
        cpus = machine.cpu, bare_name(machine.cpu)
        with explained(self._path):
            rows = self._db.execute(
                "SELECT network, batch_size, sum(seconds + scoring), "
                "sum(json_extract(record, '$.training.epochs')), count(*), threads, "
                "coalesce(json_extract(record, '$.machine.jobs'), 1) AS jobs FROM run "
                "WHERE dataset = ? AND engine = ? AND cpu IN (?, ?) AND json_valid(record) "
                "GROUP BY network, batch_size, threads, jobs ORDER BY threads = ?, jobs = ?",
                (dataset, engine, *cpus, machine.threads, machine.jobs),
            ).fetchall()
        known = []
        for model, size, seconds, epochs, runs, *made in rows:
            alike = made == [machine.threads, machine.jobs]
            with suppress(ValidationError):  # a damaged one: less is known of what it takes
                known.append((_MODEL.validate_json(model), size, seconds, epochs, runs, alike))
        return known

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
            taken = set() if replace else self._runs.intact(keys)
            owners = self._owners(keys)
            alive = {owner for owner in set(owners.values()) if self._presence.is_other(owner)}
            claimed = {k for k in keys if k not in taken and owners.get(k) not in alive}
            self._db.executemany(
                "INSERT OR REPLACE INTO claim VALUES (?, ?)",
                [(key, self._presence.name) for key in claimed],
            )
            if claimed:
                self._presence.enter()
        return claimed

    def add_digests(self) -> None:
        """Add the digests of what an older siffra stored without."""
        with explained(self._path):
            self._runs.add_digests()
            self._examinations.add_digests()
            self._timings.add_digests()

    def damaged(self) -> set[str]:
        """The keys of the runs that are damaged; takes about 5 µs a run."""
        with explained(self._path):
            return self._runs.changed()

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
            documents = (self._runs, self._examinations, self._timings)
            lines = [line for each in documents for line in each.faults()]
        void = sum(not self._presence.lives(owner) for (owner,) in owners)
        return Health(
            schema_of(self._db, self._path), runs, len(owners), void, damage, tuple(lines)
        )

    def close(self) -> None:
        """Give up all claims and close the file."""
        try:
            if self._presence.any and not self.is_read_only:
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

    def _owners(self, keys: Iterable[str]) -> dict[str, str]:
        """Who has claimed the runs with these keys, by key."""
        wanted = "SELECT key, owner FROM claim WHERE key IN (SELECT value FROM json_each(?))"
        return dict(self._db.execute(wanted, (json.dumps(list(keys)),)).fetchall())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with explained(self._path), transaction(self._db):
            yield


@contextmanager
def open_store(
    path: Path | str,
    *,
    read_only: bool = False,
    or_none: bool = False,
    patience: float = PATIENCE,
) -> Iterator[Store]:
    """Open the store at `path`, and close it on exit.

    A store to be written is created, with its folder, or brought up to date. A `read_only` one
    must exist, or is taken for one without runs (`or_none`); it may lie where nobody can write, and
    none of what lies beside it is written either. `patience` is how many seconds to wait for
    another process that is writing.

    Raises:
        StoreError: It cannot be opened, is damaged, of a newer siffra, or no store at all.
    """
    path = real_file(Path(path))
    db = open_file(path, read_only=read_only, or_none=or_none, patience=patience)
    store = Store(db, path, read_only=read_only)
    try:
        if not read_only:
            store.add_digests()
        yield store
    finally:
        store.close()
