"""What goes wrong around a server: damaged files, a full disk, a store or a worker that is gone."""

import base64
import errno
import io
import json
import os
import signal
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from raw_http import PATIENCE, Ui, running

from siffra.errors import StoreError
from siffra.store.errors import explained
from siffra.system.atomic_write import write_whole
from siffra.web.datasets import Loader
from siffra.web.errors import ApiError, code_of_error
from siffra.web.models import SHIPPED
from siffra.web.paths import Paths
from siffra.web.uploads import DATA_SETS, ArraysFile, keep_data

QUICK = {"vary": {"learning_rate": [0.01, 0.5]}, "fixed": {"epochs": 1, "neurons": 4}, "seeds": 2}
LONG = QUICK | {"fixed": {"epochs": 400, "neurons": 64}, "seeds": 50}


@pytest.fixture
def own(tmp_path) -> Iterator[Ui]:
    """A server on a store that the test may damage."""
    with running(tmp_path / "runs.sqlite", tmp_path) as ui:
        yield ui


def beside(ui: Ui, kind: str) -> Path:
    return ui.log.with_name(f"runs.sqlite.{kind}")


def asked(ui: Ui, question=QUICK) -> str:
    return ui.ask("/api/ask", question).json["id"]


def state_of(ui: Ui, lab: str, *wanted: str) -> dict:
    deadline = time.monotonic() + PATIENCE
    while (found := ui.ask(f"/api/labs/{lab}").json)["state"] not in wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def workers_of(ui: Ui) -> list[int]:
    children = Path(f"/proc/{ui.process.pid}/task/{ui.process.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, line in lines.items() if b"siffra.web.worker" in line]


def training(ui: Ui) -> None:
    """Wait until an epoch is done."""
    for name, data in ui.events():
        if name == "epoch" and data["run"]["epoch"] >= 1:
            return
    raise AssertionError


CHANGES = [
    lambda lab: lab["keys"].pop(),
    lambda lab: lab["keys"].append("f" * 64),
    lambda lab: lab["plan"].update(seeds=list(range(1_000_000))),
    lambda lab: lab["plan"].update(looks=[5, 10**9]),
    lambda lab: lab["plan"]["questions"].append(lab["plan"]["questions"][0]),
    lambda lab: lab["plan"].update(questions=[]),
]
"""What makes a kept lab one that cannot be shown."""


class TestOneBadFile:
    def test_among_kept_labs_is_left_out_and_told_once(self, ui):
        lab = asked(ui)
        ui.ask(f"/api/labs/{lab}/cancel", {})
        folder = beside(ui, "labs")
        whole = (folder / f"{lab}.json").read_text()
        spoilt = [f"{number:016x}" for number in range(len(CHANGES))]
        for name, change in zip(spoilt, CHANGES, strict=True):
            changed = json.loads(whole) | {"id": name}
            change(changed)
            (folder / f"{name}.json").write_text(json.dumps(changed))

        for _ in range(2):
            answer = ui.ask("/api/labs")
            assert answer.status == 200
            assert [each["id"] for each in answer.json["labs"]] == [lab]
        for name in spoilt:
            assert ui.ask(f"/api/labs/{name}").status == 404
            assert ui.log.read_text().count(f"lab {name} is left out") <= 1
            (folder / f"{name}.json").unlink()
        assert "Traceback" not in ui.log.read_text()

    def test_among_models_is_left_out(self, ui):
        folder = beside(ui, "ui") / "models"
        folder.mkdir(parents=True)
        whole = (SHIPPED / "dense.safetensors").read_bytes()
        size = 8 + int.from_bytes(whole[:8], "little")
        head = whole[8:size].replace(rb"\"neurons\":[", rb"\"neurons\":[1000000,1000000,")
        assert head != whole[8:size]
        wide = len(head).to_bytes(8, "little") + head + whole[size:]
        (folder / f"{'a' * 64}.safetensors").write_bytes(wide)
        (folder / f"{'b' * 64}.safetensors").write_bytes(b"nonsense")
        (folder / f"{'c' * 64}.safetensors").symlink_to(folder / "nowhere")
        (folder / f"{'d' * 64}.safetensors").mkdir()

        answer = ui.ask("/api/models")

        assert answer.status == 200
        assert {each["kind"] for each in answer.json["models"]} == {"shipped"}

    def test_among_data_sets_is_left_out(self, ui, tiny):
        folder = beside(ui, "ui") / "data"
        labels = (b"", b"{", b"[]", b"{}", b'{"name": "<b>"}', b'{"name": 1}', b"\xff")
        for number, label in enumerate(labels):
            (folder / f"data-{number:012x}.json").write_bytes(label)
            (folder / f"data-{number:012x}.npz").write_bytes(b"")
        (folder / "data-eeeeeeeeeeee.json").write_text('{"name": "without its images"}')

        answer = ui.ask("/api/datasets")

        assert answer.status == 200
        assert [each["id"] for each in answer.json["datasets"]] == ["mnist", tiny]


def npz_with_header(header: bytes) -> str:
    """An archive whose arrays have this header, and 784 bytes."""
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + b"\0" * 784
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", array)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    "header",
    [b"{'descr': '|u1', 'fortran_order': False, 'shape': (True, 28, 28)}",
     b"{'descr': '|u1', 'fortran_order': False, 'shape': (28, 28L, (}", b"(" * 9000,
     b"\0", b"{'descr': [], 'fortran_order': False, 'shape': (1,)}",
     b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1.0)}"],
    ids=["bool", "unended", "nested", "nul", "no dtype", "float"],
)  # fmt: skip
def test_an_upload_that_cannot_be_read_leaves_nothing_behind(ui, header):
    folder = beside(ui, "ui") / "data"
    before = set(folder.glob("*"))

    answer = ui.ask("/api/datasets", {"name": "x", "npz": npz_with_header(header)})

    assert answer.status == 422
    assert answer.json == {"error": "bad_upload"}
    assert set(folder.glob("*")) == before
    assert "Traceback" not in ui.log.read_text()


def test_uploads_are_counted_by_what_lies_on_the_disk(tmp_path):
    paths = Paths(tmp_path / "runs.sqlite")
    paths.data_sets.mkdir(parents=True)
    for number in range(DATA_SETS):  # as servers that were killed have left them
        paths.data(f"data-{number:012x}").write_bytes(b"")

    with pytest.raises(ApiError) as refused:
        keep_data(ArraysFile(name="x", npz=npz_with_header(b"x")), paths, Loader())

    assert refused.value.code == "queue_full"


def test_a_worker_that_is_killed_is_told_and_the_rest_goes_on(own):
    lab = asked(own, LONG)
    training(own)
    (worker,) = workers_of(own)

    os.kill(worker, signal.SIGKILL)

    assert state_of(own, lab, "failed")["error"] == "worker_lost"
    assert "the training process ended by SIGKILL" in own.log.read_text()
    again = own.ask(f"/api/labs/{lab}/start", {})
    assert again.json["state"] in ("queued", "running")
    training(own)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX'")
def test_what_the_page_keeps_is_its_owner_s_alone(ui):
    lab = asked(ui)
    ui.ask(f"/api/labs/{lab}/cancel", {})
    for kind in ("ui", "labs"):
        assert beside(ui, kind).stat().st_mode & 0o777 == 0o700
    assert ui.log.with_name("runs.sqlite").stat().st_mode & 0o077 == 0


class TestStoreThatIsGone:
    def test_training_stops_and_says_so_and_questions_can_be_asked_anew(self, own):
        lab = asked(own, LONG)
        training(own)
        for path in own.log.parent.glob("runs.sqlite*"):
            if path.is_file():
                path.unlink()

        assert state_of(own, lab, "failed")["error"] == "store_gone"
        assert "the store was moved or deleted" in own.log.read_text()
        assert own.ask("/api/estimate", QUICK).json["runs"] == 4
        assert state_of(own, asked(own), "done")["have"] == 4
        assert own.ask("/api/runs").json["total"] == 4

    def test_with_its_folder_it_is_named(self, tmp_path):
        folder = tmp_path / "away"
        folder.mkdir()
        with running(folder / "runs.sqlite", tmp_path) as ui:
            folder.rename(tmp_path / "elsewhere")

            for path in ("/api/labs", "/api/runs"):
                answer = ui.ask(path)
                assert answer.status == 409
                assert answer.json == {"error": "store_gone"}


class TestFullDisk:
    def test_sqlite_s_own_word_for_it_is_known(self, tmp_path):
        path = tmp_path / "x.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE t (x)")
            db.execute("PRAGMA max_page_count = 2")
            with pytest.raises(StoreError) as caught, explained(path):
                db.execute("INSERT INTO t VALUES (zeroblob(100000))")
        assert code_of_error(caught.value) == "disk_full"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
    def test_the_system_s_word_for_it_is_known(self):
        full = os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(OSError, match="No space") as caught:
            os.write(full, b"x")
        os.close(full)
        assert code_of_error(caught.value) == "disk_full"

    def test_it_is_known_under_what_was_said_of_it(self, tmp_path, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(StoreError) as caught:
            write_whole(tmp_path / "x", b"x", StoreError)
        assert code_of_error(caught.value) == "disk_full"

    def test_what_sqlite_says_where_its_log_cannot_grow_is_known(self):
        """As on a drive of 3 MB that was filled: "disk I/O error", of this kind."""
        error = StoreError("x")
        error.__cause__ = sqlite3.OperationalError("disk I/O error")
        error.__cause__.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
        assert code_of_error(error) == "disk_full"
        error.__cause__.sqlite_errorname = "SQLITE_IOERR_READ"
        assert code_of_error(error) == "server"

    def test_other_errors_are_none(self):
        assert code_of_error(StoreError("x")) == "server"
        assert code_of_error(PermissionError(errno.EACCES, "x")) == "server"
        assert code_of_error(MemoryError()) == "no_memory"


def test_a_report_that_cannot_be_written_is_told_as_a_page_and_in_a_line(ui, tiny):
    lab = asked(ui, QUICK | {"data": tiny})
    state_of(ui, lab, "done")
    (beside(ui, "ui") / "data" / f"{tiny}.npz").unlink()

    page = ui.ask(f"/api/labs/{lab}/report?lang=sv", Accept="text/html")

    assert page.status == 409
    assert "<h1>siffra kan inte visa sidan</h1>" in page.body.decode()
    assert "Traceback" not in ui.log.read_text()
    assert ui.log.read_text().count("siffra ui, report: ") == 1
    assert not any(any(each.iterdir()) for each in beside(ui, "ui").glob("reports/*"))
