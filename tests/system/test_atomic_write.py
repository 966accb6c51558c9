"""A file is there whole or not at all, and nothing is left beside it."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from siffra.errors import DataError, ModelFileError
from siffra.system import atomic_write
from siffra.system.atomic_write import (
    expect_room,
    part_folder,
    remove_left_parts,
    replacing,
    write_whole,
)


def test_what_is_there_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    write_whole(path, b"new", DataError)

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_what_ends_the_writing_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write():
        with replacing(path, DataError) as file:
            file.write(b"half of it")
            assert path.read_bytes() == b"old"
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_systems_refusal_is_one_line_of_the_class_that_is_asked_for(tmp_path):
    def write():
        with replacing(tmp_path / "file", ModelFileError):
            raise OSError(28, "No space left on device")

    with pytest.raises(
        ModelFileError, match=r"file: cannot be written: No space left on device\.$"
    ):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_where_that_is_wanted(tmp_path):
    path = tmp_path / "a" / "b" / "file"

    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        write_whole(path, b"", DataError)
    write_whole(path, b"new", DataError, makes_folder=True)

    assert path.read_bytes() == b"new"


def test_whether_there_is_room_is_told_beforehand(tmp_path):
    expect_room(tmp_path / "file", DataError)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "file").write_bytes(b"old")
    expect_room(tmp_path / "file", DataError)
    assert (tmp_path / "file").read_bytes() == b"old"
    for path in (tmp_path, Path("."), tmp_path / "no" / "m", tmp_path / "file" / "m"):
        with pytest.raises(DataError, match="cannot be written: "):
            expect_room(path, DataError)


def test_links_that_lie_where_a_part_might_are_not_followed(tmp_path, monkeypatch):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"precious")
    tokens = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr(atomic_write.secrets, "token_hex", lambda size: next(tokens))
    (tmp_path / f".siffra-{'0' * 16}.part").symlink_to(victim)
    (tmp_path / f".file.{os.getpid()}.part").symlink_to(victim)

    with pytest.raises(DataError, match="File exists"):
        write_whole(path, b"new", DataError)
    write_whole(path, b"new", DataError)

    assert (victim.read_bytes(), path.read_bytes()) == (b"precious", b"new")
    assert not path.is_symlink()


def test_two_threads_may_write_to_one_place(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([letter]) * 100_000 for letter in b"abcd"]
    start = threading.Barrier(len(contents))
    failures = []

    def write(content):
        start.wait()
        try:
            for _ in range(20):
                write_whole(path, content, DataError)
                assert path.read_bytes() in contents
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_a_file_keeps_its_mode(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    write_whole(path, b"new", DataError)
    assert victim.read_bytes() == b"precious"

    path.chmod(0o640)
    write_whole(path, b"newer", DataError)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"newer", 0o640)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for check in (expect_room, lambda path, error: write_whole(path, b"", error)):
        with pytest.raises(DataError, match=r"pipe: cannot be written: Not a regular file\.$"):
            check(tmp_path / "pipe", DataError)
    assert (tmp_path / "pipe").is_fifo()


KILLED = """
import os, signal, sys
from pathlib import Path
from siffra.errors import DataError
from siffra.system.atomic_write import part_folder, replacing
folder = Path(sys.argv[1])
with replacing(folder / "file", DataError) as file, part_folder(folder) as parts:
    file.write(b"half of it")
    (parts / "figures").mkdir()
    (parts / "figures" / "a.png").write_bytes(b"half")
    print("ready", flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_the_next_one_removes_but_nothing_of_one_that_lives(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=PIPE, stdout=PIPE
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        writer.stdout.readline()
        (tmp_path / "file").write_bytes(b"old")
        write_whole(tmp_path / "mine", b"", DataError)
        assert len(list(tmp_path.glob(".siffra-*"))) == 2
        writer.stdin.close()
    assert len(list(tmp_path.glob(".siffra-*"))) == 2

    write_whole(tmp_path / "mine", b"", DataError)

    assert {path.name for path in tmp_path.iterdir()} == {"file", "mine"}
    assert (tmp_path / "file").read_bytes() == b"old"


def old(path, *, days):
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then), follow_symlinks=False)


def test_of_earlier_versions_what_dead_processes_left_goes(tmp_path):
    """They held nothing: a process that is gone, or a day, tells."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "runs.csv").write_bytes(b"whole")
    (tmp_path / f".letter.{dead.pid}.part").write_bytes(b"precious")  # for no file that is there
    (tmp_path / f".runs.csv.{dead.pid}.part").write_bytes(b"half")
    (tmp_path / f".runs.csv.{os.getpid()}.part").write_bytes(b"half")
    for name, days in {".new-abc_123x": 2, ".new-other123": 0.5}.items():
        (tmp_path / name / "figures").mkdir(parents=True)
        old(tmp_path / name, days=days)

    users = tmp_path / ".new-projects"
    users.mkdir()
    (users / "thesis.tex").write_bytes(b"precious")
    old(users, days=2)

    remove_left_parts(tmp_path)

    kept = {path.name for path in tmp_path.iterdir()}
    letter = f".letter.{dead.pid}.part"
    running = f".runs.csv.{os.getpid()}.part"
    assert kept == {"runs.csv", running, ".new-other123", users.name, letter}
    assert (users / "thesis.tex").exists()


def test_what_only_looks_like_something_left_stays(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_bytes(b"precious")
    token = "0123456789abcdef"
    kept = [
        ".part", "a.part", ".siffra-1.part", f".siffra-{token}.part.txt", f"siffra-{token}.part",
        ".new-abc", ".new-abcdefghi", "new-abcdefgh", ".a.x1.part",
    ]  # fmt: skip
    for name in kept:
        (tmp_path / name).write_bytes(b"")
        old(tmp_path / name, days=2)
    links = [f".siffra-{token}.part", ".new-abcdefgh", ".a.4194305.part"]
    for name in links:
        (tmp_path / name).symlink_to(victim)
        old(tmp_path / name, days=2)

    write_whole(tmp_path / "mine", b"", DataError)

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*kept, *links, "victim", "mine"}
    assert (victim / "file").read_bytes() == b"precious"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
def test_what_is_somebody_elses_stays(tmp_path, monkeypatch):
    left = tmp_path / ".siffra-0123456789abcdef.part"
    left.write_bytes(b"")
    monkeypatch.setattr(os, "geteuid", lambda: left.stat().st_uid + 1)
    remove_left_parts(tmp_path)
    assert left.exists()


def test_a_folder_for_parts_is_its_owners_alone_and_gone_afterwards(tmp_path):
    def fail():
        with part_folder(tmp_path) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "deep" / "er").mkdir(parents=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


CALLS = re.compile(r"""\.write_(bytes|text)\(|open\([^)\n]*["'][wax][b+]*["']|savefig\((?!file)""")
WHOLE = {
    "report/render/pages.py": 1,  # within a folder for parts
    "web/uploads.py": 1,  # likewise
    "results/compressed.py": 1,  # within a folder that is removed when it is read
    "web/judging.py": 1,  # within a folder that is removed before the answer
    "web/shipping.py": 2,  # siffra's own sources, when a network is added to them
    "system/atomic_write.py": 1,  # a part
}


def test_no_module_writes_a_file_in_place():
    package = Path(atomic_write.__file__).parents[1]
    found = {
        str(path.relative_to(package)): count
        for path in package.rglob("*.py")
        if (count := len(CALLS.findall(path.read_text("utf-8"))))
    }
    assert found == WHOLE
