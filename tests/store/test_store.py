"""The store keeps what it was given, lets one process make a run, and says what went wrong."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import MACHINE, make_record, make_timing

from siffra.config import Setting
from siffra.errors import StoreError
from siffra.lab.history import LabHistory
from siffra.store import schema
from siffra.store.schema import MIGRATIONS
from siffra.store.schema import beside as beside_store
from siffra.store.store import Store, default_store_path, open_store
from siffra.training.examination import EXAMINING, Confidence, Examination, Features, Mistake
from siffra.training.run import Record
from siffra.web.paths import Paths

DENSE = Setting.from_knobs({"epochs": 2})
CONV = Setting.from_knobs({"model": "conv", "epochs": 2, "kernel_size": [3, 2], "filters": 4})


def record(number: int = 0, setting: Setting = DENSE, **changes: object) -> Record:
    """A record whose key starts with `number` in hexadecimal."""
    key = f"{number:x}-".ljust(64, "0")
    return make_record(setting, number).model_copy(update={"key": key} | changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        yield opened


def beside(path: Path) -> list[str]:
    """The names of all files in the store's folder."""
    return sorted(file.name for file in path.parent.iterdir())


def message_of_opening(path: Path, *, read_only: bool = False, names: Path | None = None) -> str:
    """The one line that refuses to open the store, and `names` it or what is beside it."""
    with pytest.raises(StoreError) as refused, open_store(path, read_only=read_only):
        pass
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(str(names or path))
    return message


def python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )


class TestRecords:
    # Each example waits for the disk, which may take its time.
    @settings(deadline=None, max_examples=50)
    @given(
        loss=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        seconds=st.floats(0, 1e9),
        accuracy=st.floats(0, 1),
        name=st.text(),
    )
    def test_what_is_read_is_what_was_added_to_the_last_bit(self, loss, seconds, accuracy, name):
        given_record = record()
        epoch = given_record.epochs[0].model_copy(
            update={"loss": loss, "seconds": seconds, "accuracy": {"test": accuracy}}
        )
        given_record = record(epochs=(epoch,), seconds=seconds, dataset=name)
        with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "runs") as store:
            store.add(given_record)
            assert store.get(given_record.key) == given_record

    def test_they_outlive_the_store(self, path):
        with open_store(path) as store:
            store.add(record(1))

        with open_store(path) as store:
            assert store.records() == [record(1)]
        assert beside(path) == ["runs.sqlite"]

    def test_one_that_is_there_stays_as_it_was(self, store):
        store.add(record(1))

        store.add(record(1, seconds=99.0))

        assert store.records() == [record(1)]

    def test_of_several_those_that_stayed_as_they_were_are_told(self, store):
        store.add(record(1))
        one, two, three = record(1, seconds=99.0), record(2), record(3)

        assert store.add_all([(one, None), (two, None), (three, None)]) == {one.key}
        assert store.records() == [record(1), two, three]
        assert store.add_all([(one, None)], replace=True) == set()
        assert store.get(one.key) == one

    def test_several_are_stored_together_or_not_at_all(self, store):
        class Unwritable:
            key = "2"

        with pytest.raises(AttributeError):
            store.add_all([(record(1), None), (Unwritable(), None)])

        assert store.records() == []

    def test_unknown_keys_have_none(self, store):
        assert store.get("0" * 64) is None

    def test_stored_names_those_that_are_there(self, store):
        store.add(record(1))

        assert store.stored([record(1).key, record(2).key]) == {record(1).key}
        assert store.stored([]) == set()

    def test_they_are_found_by_what_they_are(self, store):
        dense, conv = record(1), record(2, CONV, dataset="mine", engine="torch")
        for one in (dense, conv):
            store.add(one)

        assert store.records(model="conv") == [conv]
        assert store.records(dataset="mine") == [conv]
        assert store.records(engine="none") == [dense]
        assert store.records(seed=1) == [dense]
        assert store.records(model="dense", engine="torch") == []
        assert store.records(dataset="' OR 1 --") == []

    def test_the_oldest_comes_first(self, store):
        old, new = record(2), record(1)
        new = new.model_copy(update={"finished": new.finished.replace(year=2027)})
        store.add(new)
        store.add(old)

        assert store.records() == [old, new]

    def test_one_is_replaced_where_that_is_asked(self, store):
        slow, fast = (record(1).model_copy(update={"seconds": s}) for s in (9.0, 1.0))
        store.add(slow)

        assert not store.claim(slow.key)
        assert store.claim(slow.key, replace=True)
        assert store.records() == [slow]
        store.add(fast, replace=True)
        assert store.records() == [fast]

    def test_what_epochs_took_is_summed_over_like_runs(self, store):
        for number, seconds in enumerate((1.0, 3.0)):
            store.add(record(number, seconds=seconds, scoring_seconds=1.0))
        store.add(record(7, machine=MACHINE.model_copy(update={"cpu": "another"})))
        store.add(record(8, CONV, seconds=8.0))
        store.add(record(9, machine=MACHINE.model_copy(update={"jobs": 4})))

        costs = store.epoch_seconds(dataset="made up", engine="none", machine=MACHINE)

        # Two epochs in each run: 1 + 1 + 3 + 1 seconds in two of them, and 8 + 0 in one.
        assert sorted(costs[1:], key=lambda cost: cost[2]) == [
            (DENSE.model, 140, 6.0, 4, 2, True),
            (CONV.model, 140, 8.0, 2, 1, True),
        ]

    def test_and_of_others_on_this_cpu_where_there_are_no_like_ones(self, store):
        for number, (jobs, threads) in enumerate([(1, 2), (4, 1), (2, 1), (2, 4)]):
            machine = MACHINE.model_copy(update={"jobs": jobs, "threads": threads})
            store.add(record(number, machine=machine, seconds=2.0 * number, scoring_seconds=0.0))

        like = MACHINE.model_copy(update={"jobs": 2, "threads": 1})
        costs = store.epoch_seconds(dataset="made up", engine="none", machine=like)

        # Those that are like those to come are last.
        assert [cost[2:] for cost in costs][-2:] == [(2.0, 2, 1, False), (4.0, 2, 1, True)]

    def test_runs_with_a_cpus_bare_name_count_as_this_machines(self, store):
        named = MACHINE.model_copy(update={"cpu": "made up (family 26, model 2)"})
        other = MACHINE.model_copy(update={"cpu": "made up (family 25, model 1)"})
        for number, machine in enumerate((MACHINE, named, other)):
            seconds = 10.0 if machine is other else 2.0
            store.add(record(number, machine=machine, seconds=seconds, scoring_seconds=0.0))

        costs = store.epoch_seconds(dataset="made up", engine="none", machine=named)

        assert costs == [(DENSE.model, 140, 4.0, 4, 2, True)]


class TestFind:
    def test_the_start_of_a_key_is_enough(self, store):
        for number in (0x1A, 0x1B):
            store.add(record(number))

        assert store.find("1A") == record(0x1A)

    @pytest.mark.parametrize(
        ("prefix", "complaint"),
        [("2", "no run has a key that starts with `2`"), ("1", "more than one"), ("", "more than")],
    )
    def test_an_unknown_or_ambiguous_start_is_refused(self, store, prefix, complaint):
        for number in (0x1A, 0x1B):
            store.add(record(number))

        with pytest.raises(StoreError, match=complaint):
            store.find(prefix)


class TestQueries:
    """What the file says to anyone who opens it with SQL."""

    def test_columns_are_the_records_own_figures(self, path):
        with open_store(path) as store:
            store.add(record(5, CONV, accuracy={"test": 0.5, "moved": 0.25}, diverged=True))

        with sqlite3.connect(path) as db:
            row = db.execute(
                "SELECT model, seed, dataset, engine, epochs, parameters, test, moved, train, "
                "seconds, diverged, finished FROM run"
            ).fetchone()

        assert row[:6] == ("conv", 5, "made up", "none", 2, 1)
        assert row[6:] == (0.5, 0.25, None, 2.0, 1, "2026-01-01T00:00:00Z")

    def test_epochs_are_rows(self, path):
        curve = make_record(DENSE, curve=[0.25, 0.5])
        with open_store(path) as store:
            store.add(record(5, epochs=curve.epochs))

        with sqlite3.connect(path) as db:
            rows = db.execute("SELECT epoch, loss, seconds, test FROM epoch").fetchall()

        assert rows == [(1, 1.0, 1.0, 0.25), (2, 1.0, 1.0, 0.5)]


class TestClaims:
    @pytest.fixture
    def other(self, path: Path, store: Store) -> Iterator[Store]:
        """The same file, opened by somebody else."""
        with open_store(path) as opened:
            yield opened

    def test_one_claimant_at_a_time(self, store, other):
        assert store.claim("a")
        assert not other.claim("a")
        assert other.claim("b")
        assert not store.claim("b")

    def test_claiming_again_changes_nothing(self, store, other):
        assert store.claim("a")
        assert store.claim("a")
        assert not other.claim("a")

    def test_what_is_stored_cannot_be_claimed(self, store, other):
        assert store.claim(record(1).key)
        store.add(record(1))

        assert not store.claim(record(1).key)
        assert not other.claim(record(1).key)

    def test_of_several_those_are_claimed_that_are_free(self, store, other):
        store.add(record(1))
        assert other.claim("a")

        assert store.claim_all(["a", "b", "c", record(1).key]) == {"b", "c"}
        assert not other.claim("b")
        assert other.claim_all(["a", "b", record(1).key], replace=True) == {"a", record(1).key}
        store.release("b", "c")
        assert other.claim_all(["b", "c"]) == {"b", "c"}

    def test_released_it_can_be_claimed_by_another(self, store, other):
        assert store.claim("a")
        store.release("a")

        assert other.claim("a")

    def test_nobody_releases_anothers(self, store, other):
        assert store.claim("a")
        other.release("a")

        assert not other.claim("a")

    def test_closing_gives_up_all_and_leaves_no_trace(self, path):
        with open_store(path) as store:
            with open_store(path) as other:
                assert other.claim("a")
                assert other.claim("b")
            assert store.claim("a")

        assert beside(path) == ["runs.sqlite"]

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
    def test_those_of_the_dead_are_void(self, path):
        killed = python(
            "import os, signal, sys\n"
            "from siffra.store.store import open_store\n"
            "with open_store(sys.argv[1]) as store:\n"
            "    assert store.claim('a')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
            path,
        )
        assert killed.returncode != 0
        assert path.with_name("runs.sqlite.locks").exists()

        with open_store(path) as store:
            assert store.claim("a")
        assert beside(path) == ["runs.sqlite"]

    def test_of_processes_that_start_together_one_gets_each(self, path):
        # They also race to create the store.
        code = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from siffra.store.store import open_store\n"
            "path = Path(sys.argv[1])\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "with open_store(path) as store:\n"
            "    print(*(n for n in range(40) if store.claim(str(n))), flush=True)\n"
            "    sys.stdin.readline()\n"
        )
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        got: list[str] = []
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            got += process.stdout.readline().split()
        for process in processes:
            process.communicate("end\n")
            assert process.returncode == 0

        assert sorted(got) == sorted(str(n) for n in range(40))


class TestFromElsewhere:
    """A store that somebody else made, with what came beside it."""

    def test_a_claims_owner_is_no_path(self, tmp_path, path):
        victim = tmp_path / "precious.txt"
        victim.write_text("mine")
        key = record(1).key
        with open_store(path):
            pass
        with sqlite3.connect(path) as db:
            for owner in (str(victim), "../precious.txt"):
                db.execute("INSERT OR REPLACE INTO claim VALUES (?, ?)", (key, owner))
                db.commit()
                with open_store(path) as store:
                    assert store.health().void_claims == 1
                    assert store.claim(key)
        db.close()

        assert victim.read_text() == "mine"

    @pytest.mark.parametrize("ending", [".locks", ".labs", ".ui", ".searches"])
    def test_a_folder_of_the_stores_that_is_a_link_is_refused(self, tmp_path, path, ending):
        victims = tmp_path / "victims"
        victims.mkdir()
        (victims / ("0" * 32)).write_text("mine")
        path.with_name(path.name + ending).symlink_to(victims)

        with pytest.raises(StoreError, match=f"{ending}: is a symbolic link"):
            beside_store(path, ending)

        if ending == ".locks":
            message_of_opening(path, names=path.with_name(path.name + ending))
        assert (victims / ("0" * 32)).read_text() == "mine"


class TestNames:
    def test_by_a_link_it_is_the_same_store(self, tmp_path, path):
        link = tmp_path / "link.sqlite"
        link.symlink_to(path)
        with open_store(path) as store, open_store(link) as same:
            assert store.claim("a")
            assert not same.claim("a")
            assert same.path == path
        assert LabHistory(link).folder == LabHistory(path).folder
        assert Paths(link).folder == Paths(path).folder

    @pytest.mark.skipif(sys.platform == "win32", reason="links are made differently")
    def test_a_link_to_itself_is_refused(self, path):
        path.symlink_to(path)

        message_of_opening(path)
        message_of_opening(path, read_only=True)

    def test_by_two_hard_links_it_is_read_and_not_written(self, tmp_path, path):
        with open_store(path) as store:
            store.add(record(1))
        other = tmp_path / "other.sqlite"
        other.hardlink_to(path)

        assert "2 hard links" in message_of_opening(other)
        with open_store(other, read_only=True) as store:
            assert store.records() == [record(1)]

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_name_that_is_too_long_is_refused_in_a_line(self, tmp_path, read_only):
        for long in (tmp_path / ("a" * 300), tmp_path.joinpath(*["a" * 200] * 25)):
            message_of_opening(long, read_only=read_only)


class TestOpening:
    def test_makes_the_folder(self, tmp_path):
        path = tmp_path / "a" / "b c#d?e" / "runs.sqlite"

        with open_store(path) as store:
            store.add(record(1))

        with open_store(path, read_only=True) as store:
            assert store.records() == [record(1)]

    def test_to_read_needs_a_store(self, path):
        assert "no such store" in message_of_opening(path, read_only=True)
        assert not path.exists()

    def test_to_read_takes_no_writes(self, path):
        with open_store(path) as store:
            store.add(record(1))

        with open_store(path, read_only=True) as store:
            for write in (lambda: store.add(record(2)), lambda: store.claim("a")):
                with pytest.raises(StoreError, match="read-only"):
                    write()
            assert store.records() == [record(1)]
        assert beside(path) == ["runs.sqlite"]

    def test_a_folder_is_no_store(self, tmp_path):
        assert "is a folder" in message_of_opening(tmp_path)

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_device_or_a_pipe_is_no_store(self, tmp_path, read_only):
        os.mkfifo(tmp_path / "pipe")

        for path in (Path("/dev/null"), tmp_path / "pipe"):
            assert "a device or a pipe" in message_of_opening(path, read_only=read_only)

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").touch()

        message_of_opening(tmp_path / "file" / "runs.sqlite")

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_newer_schema_is_refused(self, path, read_only):
        with open_store(path) as store:
            store.add(record(1))
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        db.close()
        before = path.read_bytes()

        message = message_of_opening(path, read_only=read_only)

        assert f"schema {len(MIGRATIONS) + 1}, this siffra knows {len(MIGRATIONS)}" in message
        assert path.read_bytes() == before

    def test_another_programs_database_is_left_alone(self, path):
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE theirs (x)")
        db.close()
        before = path.read_bytes()

        assert "not a store of runs" in message_of_opening(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("content", [b"learning_rate,accuracy\n" * 99, b"\0" * 9999])
    def test_what_is_no_database_is_left_alone(self, path, content):
        path.write_bytes(content)

        assert "not a store of runs" in message_of_opening(path)
        assert path.read_bytes() == content

    @pytest.fixture
    def filled(self, path: Path) -> bytes:
        """What a store of 20 runs looks like on the disk."""
        with open_store(path) as store:
            for number in range(1, 21):
                store.add(record(number))
        return path.read_bytes()

    @pytest.mark.parametrize(
        ("share", "read_only"),
        [(0.1, False), (0.1, True), (0.5, False), (0.5, True)],
    )
    def test_a_part_of_a_store_is_damaged(self, path, filled, share, read_only):
        part = filled[: int(share * len(filled))]
        path.write_bytes(part)

        assert "damaged" in message_of_opening(path, read_only=read_only)
        assert path.read_bytes() == part

    def test_a_page_of_rubbish_is_damage(self, path, filled):
        middle = len(filled) // 2 // 4096 * 4096
        broken = filled[:middle] + b"\xa5" * 4096 + filled[middle + 4096 :]
        path.write_bytes(broken)

        assert "damaged" in message_of_opening(path)
        assert path.read_bytes() == broken

    def test_a_locked_store_is_waited_for_and_then_refused(self, path, store):
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            with (
                open_store(path, patience=0.05) as impatient,
                pytest.raises(StoreError, match="another program has locked the store"),
            ):
                impatient.add(record(1))
        finally:
            holder.close()
        store.add(record(1))


class TestTimings:
    def test_they_outlive_the_store(self, path):
        first, second = make_timing(DENSE, CONV), make_timing(DENSE, CONV, number=1)
        with open_store(path) as store:
            store.add_timings([first, second])

        with open_store(path, read_only=True) as store:
            assert store.timings([first.key, second.key, "other"]) == {
                first.key: first,
                second.key: second,
            }
            assert store.records() == []

    def test_one_that_is_there_stays_unless_it_is_replaced(self, store):
        first, again = make_timing(DENSE), make_timing(DENSE, seconds=[9.0])
        store.add_timings([first])

        store.add_timings([again])
        assert store.timings([first.key]) == {first.key: first}
        store.add_timings([again], replace=True)
        assert store.timings([first.key]) == {first.key: again}

    def test_one_that_is_damaged_is_as_good_as_missing(self, path):
        rotten, sound = make_timing(DENSE, seconds=[SECONDS]), make_timing(CONV)
        with open_store(path) as store:
            store.add_timings([rotten, sound])
        rot(path, b"4321.5", b"4321.6")

        with open_store(path) as store:
            assert store.timings([rotten.key, sound.key]) == {sound.key: sound}
            (fault,) = store.health().faults
            assert "timing [{" in fault
            assert "is damaged" in fault
            store.add_timings([rotten])
            assert store.timings([rotten.key]) == {rotten.key: rotten}

    @pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
    def test_an_older_store_has_none_to_be_read_and_takes_them(self, path, schema):
        older_store(path, schema, (record(1), None))
        timing = make_timing(DENSE)

        with open_store(path, read_only=True) as store:
            assert store.timings([timing.key]) == {}
        with open_store(path) as store:
            store.add_timings([timing])
            assert store.timings([timing.key]) == {timing.key: timing}


def older_store(path: Path, schema: int, *stored: tuple[Record, Examination | None]) -> None:
    """A store as the siffra of that schema made it."""
    with sqlite3.connect(path) as db:
        for step in MIGRATIONS[:schema]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {schema}")
        db.execute("PRAGMA application_id = 0x73696672")
        older_add(db, *stored)
    db.close()


def older_add(db: sqlite3.Connection, *stored: tuple[Record, Examination | None]) -> None:
    """Store runs as siffra did before there were digests, over those that are there."""
    for one, examination in stored:
        db.execute(
            "INSERT INTO run (key, record) VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET record = excluded.record",
            (one.key, one.model_dump_json()),
        )
        if examination:
            db.execute(
                "INSERT OR REPLACE INTO examination VALUES (?, ?, ?)",
                (one.key, EXAMINING, examination.model_dump_json()),
            )
    db.commit()


def digests(path: Path) -> set[tuple[str, str]]:
    """What has a digest: the start of its key, and its table."""
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT substr(key, 1, 1), of FROM digest").fetchall()
    db.close()
    return set(found)


class TestMigrations:
    STEPS = (*MIGRATIONS, ("CREATE TABLE note (text TEXT) STRICT",))

    def test_an_older_store_is_brought_up_to_date_with_its_runs(self, path, monkeypatch):
        with open_store(path) as store:
            store.add(record(1))
        monkeypatch.setattr(schema, "MIGRATIONS", self.STEPS)

        with open_store(path) as store:
            assert store.records() == [record(1)]

        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (len(self.STEPS),)
            assert db.execute("SELECT count(*) FROM note").fetchone() == (0,)

    @pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
    def test_an_older_store_is_read_as_it_is(self, path, schema):
        examination = EXAMINATION if schema > 1 else None
        older_store(path, schema, (record(1), examination))
        before = path.read_bytes()

        with open_store(path, read_only=True) as store:
            assert store.records() == [record(1)]
            assert store.stored([record(1).key]) == {record(1).key}
            kept = {record(1).key: examination} if examination else {}
            assert store.examinations([record(1).key]) == kept
        assert path.read_bytes() == before

    def test_an_empty_file_is_no_store_to_read(self, path):
        path.touch()

        assert "empty" in message_of_opening(path, read_only=True)

    def test_the_first_siffras_store_takes_examinations(self, path):
        older_store(path, 1, (record(1), None))

        with open_store(path) as store:
            assert store.records() == [record(1)]
            assert store.examined([record(1).key]) == set()
            store.add(record(1), EXAMINATION)
            assert store.examinations([record(1).key, "other"]) == {record(1).key: EXAMINATION}

    def test_what_was_stored_without_digests_gets_them(self, path):
        older_store(path, 2, (record(1), EXAMINATION), (record(2), None))

        with open_store(path):
            pass

        assert digests(path) == {("1", "run"), ("2", "run"), ("1", "examination")}

    def test_an_older_process_that_has_it_open_goes_on_and_nothing_is_taken_for_damaged(self, path):
        older_store(path, 2, (record(1), EXAMINATION), (record(2), EXAMINATION))
        slower, other = record(1, seconds=9.0), EXAMINATION.model_copy(update={"turned": (0.5,)})
        older = sqlite3.connect(path)
        try:
            older.execute("SELECT count(*) FROM run").fetchone()  # it knows the schema as it was
            with open_store(path) as store:
                assert len(store.records()) == 2
                older_add(older, (slower, other), (record(3), EXAMINATION))

                assert store.records() == [slower, record(2), record(3)]
                assert store.examinations([slower.key]) == {slower.key: other}
                assert store.health().faults == ()
        finally:
            older.close()
        of_two = {("2", "run"), ("2", "examination")}
        assert digests(path) == of_two
        with open_store(path):
            pass
        assert digests(path) == of_two | {(n, of) for n in "13" for of in ("run", "examination")}

    def test_a_step_that_fails_changes_nothing(self, path, monkeypatch):
        with open_store(path) as store:
            store.add(record(1))
        broken = (*self.STEPS, ("CREATE TABLE other (x) STRICT",))
        monkeypatch.setattr(schema, "MIGRATIONS", broken)
        message_of_opening(path)

        monkeypatch.undo()
        with open_store(path) as store:
            assert store.records() == [record(1)]


def rot(path: Path, old: bytes, new: bytes) -> None:
    """What a disk may do to a file: the first `old` in it becomes `new`, unknown to SQLite."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new, 1))


SECONDS = 4321.5
ROTTEN = {
    "another number": (b"4321.5", b"4321.6"),
    "no JSON": (b'"seconds":4321.5', b'"seconds"+4321.5'),
    "no UTF-8": (b"made up", b"made \xffp"),
    "another's": (b'"key":"1-0', b'"key":"9-0'),
    "no record": (b'"fingerprint"', b'"fingerprjnt"'),
}


class TestDamage:
    """Documents that are not what was stored are as good as missing, and said to be so."""

    @pytest.fixture
    def rotten(self, path: Path, request: pytest.FixtureRequest) -> Path:
        """Three runs, of which the first has become something else."""
        with open_store(path) as store:
            store.add(record(1, seconds=SECONDS), EXAMINATION)
            store.add_all([(record(2), EXAMINATION), (record(3), None)])
        text = record(1, seconds=SECONDS).model_dump_json().encode()
        rot(path, text, text.replace(*ROTTEN[request.param]))
        return path

    @pytest.mark.parametrize("rotten", ROTTEN, indirect=True)
    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_damaged_run_is_left_out_and_named_in_a_line(self, rotten, caplog, read_only):
        with open_store(rotten, read_only=read_only) as store:
            for _ in range(2):
                assert store.records() == [record(2), record(3)]
            assert store.stored([record(n).key for n in (1, 2)]) == {record(2).key}
            assert store.get(record(1).key) is None
            with pytest.raises(StoreError, match=r"run 1-0+ is damaged"):
                store.find("1")
            health = store.health()

        assert health.damage is None
        assert [line.count("run 1-000") for line in health.faults] == [1]
        (said,) = [line for line in caplog.messages if "run 1-" in line]
        assert said == health.faults[0]
        assert "makes it again" in said
        assert len(said) < 300  # a line, and nothing of the record itself
        assert "\n" not in said

    @pytest.mark.parametrize("rotten", ROTTEN, indirect=True)
    def test_a_damaged_run_is_made_again(self, rotten):
        made = record(1, seconds=SECONDS)
        with open_store(rotten) as store:
            assert store.claim_all([record(1).key, record(2).key]) == {made.key}
            assert store.add_all([(made, None)]) == set()
            assert store.get(made.key) == made

        with open_store(rotten) as store:
            assert store.health().faults == ()
            assert store.records() == [made, record(2), record(3)]

    @pytest.mark.parametrize(("old", "new"), [(b"0.75", b"0.25"), (b'{"moved"', b'{"mowed"')])
    def test_a_damaged_examination_is_missing_and_made_again(self, path, caplog, old, new):
        keys = [record(1).key, record(2).key]
        with open_store(path) as store:
            store.add_all([(record(1), EXAMINATION), (record(2), None)])
        rot(path, old, new)

        with open_store(path) as store:
            assert store.examined(keys) == set()
            assert store.examinations(keys) == {}
            assert len(store.records()) == 2
            assert store.add_all([(record(1), EXAMINATION)]) == {keys[0]}
            assert store.examinations(keys) == {keys[0]: EXAMINATION}
        assert "the examination of run 1-000" in caplog.text

    @pytest.mark.parametrize("text", ["{}", "no JSON", ""])
    def test_an_older_stores_examination_that_is_none_is_missing(self, path, text):
        older_store(path, 2, (record(1), EXAMINATION))
        with sqlite3.connect(path) as db:
            db.execute("UPDATE examination SET examination = ?", (text,))
        db.close()

        for read_only in (True, False):
            with open_store(path, read_only=read_only) as store:
                assert store.examined([record(1).key]) == set()
                assert store.examinations([record(1).key]) == {}

    def test_what_was_made_by_hand_is_read_if_it_can_be(self, path):
        with open_store(path) as store:
            store.add_all([(record(1), None), (record(2), None)])
        with sqlite3.connect(path) as db:
            db.execute("UPDATE run SET record = json_set(record, '$.seconds', 9.0) WHERE seed = 1")
            db.execute("UPDATE run SET record = json_set(record, '$.wings', 2) WHERE seed = 2")
        db.close()

        with open_store(path) as store:
            assert store.records() == [record(1, seconds=9.0)]

    def test_an_intact_run_of_a_siffra_to_come_is_neither_read_nor_made_again(self, path, caplog):
        text = json.dumps(json.loads(record(1).model_dump_json()) | {"wings": 2})
        with open_store(path) as store:
            store.add_all([(record(1), None), (record(2), None)])
        with sqlite3.connect(path) as db:
            db.execute("UPDATE run SET record = ? WHERE seed = 1", (text,))
            digest = hashlib.sha256(text.encode()).hexdigest()
            db.execute("INSERT INTO digest VALUES (?, 'run', ?)", (record(1).key, digest))
        db.close()

        with open_store(path) as store:
            assert store.records() == [record(2)]
            assert "cannot be read at `wings`" in caplog.text
            assert store.claim_all([record(1).key]) == set()
            with pytest.raises(StoreError, match=r"run 1-00.*at `wings`.*another version"):
                store.get(record(1).key)

    @pytest.mark.parametrize("read_only", [False, True])
    def test_a_schema_that_is_no_text_any_more_is_damage_in_a_line(self, path, read_only):
        with open_store(path) as store:
            store.add(record(1))
        rot(path, b"CREATE TABLE claim", b"CREATE TABLE \xc9laim")

        assert "damaged" in message_of_opening(path, read_only=read_only)

    def test_what_turns_over_anywhere_never_changes_what_is_read(self, path):
        """Every run is as it was, or left out, or the store is refused."""
        keys = [record(n).key for n in range(1, 9)]
        with open_store(path) as store:
            store.add_all([(record(n), EXAMINATION) for n in range(1, 9)])
            runs = {one.key: one for one in store.records()}
            examinations = store.examinations(keys)
        content = bytearray(path.read_bytes())
        # The first bytes are the header, of which SQLite itself checks what matters.
        for bit in np.random.default_rng(0).integers(800, 8 * len(content), 150).tolist():
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            # It may be refused as a whole.
            with suppress(StoreError), open_store(path, read_only=True) as store:
                for one in store.records():
                    assert one == runs[one.key]
                for key, examination in store.examinations(keys).items():
                    assert examination == examinations[key]
            content[bit // 8] ^= 1 << bit % 8


EXAMINATION = Examination(
    moved={"x": (0.9, 0.5)},
    turned=(0.1, 0.9),
    map=((0.5,),),
    mistakes={"test": (Mistake(image=3, true=4, predicted=9, confidence=0.75),)},
    confidence={"test": Confidence(images=(3,), right=(2,), confidence=(2.5,))},
    features=Features(count=1, rows=1, columns=1, data="fw=="),
)


def add_until_refused(store: Store, numbers: Iterable[int], complaint: str) -> list[str]:
    """The keys of the records that the store took before it complained."""
    added: list[str] = []

    def add_all() -> None:
        for number in numbers:
            store.add(record(number))
            added.append(record(number).key)

    with pytest.raises(StoreError, match=complaint):
        add_all()
    return added


class TestTrouble:
    def test_a_full_database_keeps_what_it_has(self, path, store):
        store.add(record(1))
        store._db.execute("PRAGMA max_page_count = 1")  # SQLite takes the current size at least

        added = add_until_refused(store, range(2, 200), "disk full")

        assert store.stored(record(n).key for n in range(1, 200)) == {record(1).key, *added}
        store._db.execute("PRAGMA max_page_count = 100000")
        store.add(record(200))
        assert store.get(record(200).key) == record(200)

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on a file's size")
    def test_a_disk_that_takes_no_more_loses_no_stored_run(self, path):
        full = python(
            "import resource, sys\n"
            "from test_store import add_until_refused\n"
            "from siffra.store.store import open_store\n"
            "with open_store(sys.argv[1]) as store:\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
            "    print(*add_until_refused(store, range(1000), 'stored runs are safe'))\n",
            path,
        )

        assert full.returncode == 0, full.stderr
        added = full.stdout.split()
        assert added
        with open_store(path) as store:
            assert {kept.key for kept in store.records()} == set(added)
            store.add(record(1000))

    @pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission")
    @pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o555, 0o666), (0o755, 0o444)])
    def test_where_nobody_can_write_it_can_be_read(self, folder_mode, file_mode):
        # Root may write anywhere, so the program stops being root once it has its modules.
        code = (
            "import os, sys\n"
            "from test_store import record\n"
            "from siffra.errors import StoreError\n"
            "from siffra.store.store import open_store\n"
            "if os.getuid() == 0:\n"
            "    os.setuid(65534)\n"
            "with open_store(sys.argv[1], read_only=True) as store:\n"
            "    assert store.records() == [record(1)]\n"
            "try:\n"
            "    with open_store(sys.argv[1]) as store:\n"
            "        store.claim('a')\n"
            "except StoreError as error:\n"
            "    print(error)\n"
        )
        folder = Path(tempfile.mkdtemp())
        try:
            path = folder / "runs.sqlite"
            with open_store(path) as store:
                store.add(record(1))
            before = path.read_bytes()
            path.chmod(file_mode)
            folder.chmod(folder_mode)

            reading = python(code, path)

            assert reading.returncode == 0, reading.stderr
            assert "read-only" in reading.stdout
            assert len(reading.stdout.splitlines()) == 1
            assert path.read_bytes() == before
            assert beside(path) == ["runs.sqlite"]
        finally:
            folder.chmod(0o755)
            shutil.rmtree(folder)


def test_the_environment_chooses_the_store(monkeypatch, tmp_path):
    monkeypatch.setenv("SIFFRA_STORE", str(tmp_path / "mine.sqlite"))
    assert default_store_path() == tmp_path / "mine.sqlite"

    monkeypatch.delenv("SIFFRA_STORE")
    assert default_store_path().parts[-2:] == ("siffra", "runs.sqlite")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX'")
class TestWhoMayRead:
    def test_a_new_store_is_its_owner_s_alone(self, tmp_path):
        path = tmp_path / "new" / "runs.sqlite"
        with open_store(path) as store:
            store.claim("a" * 64)
            beside = [each for each in path.parent.iterdir() if each.is_file()]
            assert path in beside
            assert all(each.stat().st_mode & 0o077 == 0 for each in beside)  # log and index too
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_one_that_was_opened_to_others_stays_so(self, tmp_path):
        path = tmp_path / "shared" / "runs.sqlite"
        with open_store(path):
            pass
        path.parent.chmod(0o770)
        path.chmod(0o660)
        with open_store(path) as store:
            store.claim("a" * 64)
        assert path.stat().st_mode & 0o777 == 0o660
        assert path.parent.stat().st_mode & 0o777 == 0o770
