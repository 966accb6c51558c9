"""`siffra doctor`: every complaint, provoked."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_record
from packaging.requirements import Requirement

from siffra.config import Setting
from siffra.doctor import installation, places
from siffra.doctor.installation import (
    data,
    judge_processor,
    packages,
    processor,
    variables,
    wrong_versions,
)
from siffra.doctor.training import Probe, judge, training
from siffra.errors import BenchError
from siffra.store.store import open_store
from siffra.system import cpu

SET_BY_USERS = ("OMP_", "GOMP_", "OPENBLAS_", "NUMBA_", "NPY_", "SIFFRA_")


def doctor(store: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SET_BY_USERS)}
    return subprocess.run(
        [sys.executable, "-m", "siffra", "doctor", "--store", str(store), *arguments],
        capture_output=True, text=True, env=clean | {"COLUMNS": "160"} | environment,
    )  # fmt: skip


def test_a_healthy_machine(tmp_path):
    path = tmp_path / "runs.sqlite"
    with open_store(path):
        pass

    done = doctor(path, "--json", OMP_NUM_THREADS="1")  # which siffra's own threads do not heed

    told = json.loads(done.stdout)
    # What the machine itself is like, these tests cannot know.
    assert {complaint["about"] for complaint in told["complaints"]} <= {"processor"}
    assert told["healthy"] is not bool(told["complaints"])
    assert (done.returncode, done.stderr) == (len(told["complaints"]), "")
    assert told["facts"]["environment"] == {"variables": "none that matter"}
    assert told["facts"]["store"]["runs"] == 0
    assert "matrix peak" in told["facts"]["training"]["one core"]


def test_problems_are_told_with_their_fixes(tmp_path):
    (tmp_path / "runs.sqlite").write_text("no database")
    (tmp_path / "file").touch()

    done = doctor(
        tmp_path / "runs.sqlite",
        NUMBA_DISABLE_JIT="1", NUMBA_CACHE_DIR=str(tmp_path / "file"), OPENBLAS_CORETYPE="Nehalem",
    )  # fmt: skip

    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    for expected in (
        "NUMBA_DISABLE_JIT=1: kernels are not compiled, so nothing trains. "
        "fix: unset NUMBA_DISABLE_JIT",
        "OPENBLAS_CORETYPE=Nehalem: code for another CPU: slower, and other bits.",
        "fix: unset OPENBLAS_CORETYPE",
        "runs.sqlite: is not a store of runs; ",
        "fix: keep runs elsewhere: --store FILE, or set SIFFRA_STORE",
        "file is no folder, so that each process compiles anew.",
        "training fails: Numba is told not to compile.",
    ):
        assert expected in told


@pytest.mark.parametrize(
    ("name", "value", "harm"),
    [
        ("NUMBA_DISABLE_JIT", "1", "nothing trains"),
        ("NUMBA_NUM_THREADS", "0", "as many threads"),
        ("NUMBA_NUM_THREADS", "many", "as many threads"),
        ("NUMBA_NUM_THREADS", "2", "as many threads"),
        ("NUMBA_NUM_THREADS", "9", "as many threads"),
        ("NUMBA_CPU_NAME", "generic", "another CPU"),
        ("NUMBA_CPU_FEATURES", "+sse2", "another CPU"),
        ("NUMBA_OPT", "0", "slow"),
        ("NUMBA_BOUNDSCHECK", "1", "slow"),
        ("NUMBA_DEBUGINFO", "1", "slow"),
        ("OMP_THREAD_LIMIT", "1", "fewer threads"),
        ("OMP_DYNAMIC", "TRUE", "fewer threads"),
        ("OMP_PROC_BIND", "close", "ties threads to cores"),
        ("OMP_PLACES", "cores", "ties threads to cores"),
        ("GOMP_CPU_AFFINITY", "0-3", "ties threads to cores"),
        ("GOMP_SPINCOUNT", "infinity", "keep their core"),
        ("OPENBLAS_CORETYPE", "Nehalem", "another CPU"),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2", "unused"),
    ],
)
def test_a_variable_that_does_harm(name, value, harm):
    (complaint,) = variables({name: value}, cores=4).complaints

    assert complaint.found.startswith(f"{name}={value}: ")
    assert harm in complaint.found
    assert complaint.fix == f"unset {name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUMBA_DISABLE_JIT", "0"), ("NUMBA_NUM_THREADS", "4"), ("NUMBA_OPT", "3"),
        ("OMP_PROC_BIND", "false"), ("GOMP_SPINCOUNT", "10000"), ("OMP_THREAD_LIMIT", "4"),
        ("OMP_NUM_THREADS", "1"),
    ],
)  # fmt: skip
def test_a_variable_that_does_none(name, value):
    assert not variables({name: value}, cores=4).complaints


@pytest.mark.parametrize("threads", ["OMP_NUM_THREADS", "OMP_THREAD_LIMIT"])
def test_which_variables_numba_s_threads_heed(threads):
    code = (
        "import numba, numpy as np\n"
        "@numba.njit(parallel=True)\n"
        "def f(who):\n"
        "    for i in numba.prange(len(who)): who[i] = numba.get_thread_id()\n"
        "who = np.zeros(64)\n"
        "f(who)\n"
        "print(len(set(who)))\n"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "2", "OMP_DYNAMIC": "false", threads: "1"}

    told = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)

    assert int(told) == (2 if threads == "OMP_NUM_THREADS" else 1)


def test_packages_that_are_missing_or_too_old():
    asked = map(Requirement, ["numpy>=1000", "no-such-package>=1", "numpy>=1"])

    old, missing = wrong_versions(asked)

    assert old.found.startswith("numpy is ")
    assert old.fix == "pip install 'numpy>=1000'"
    assert missing.found == "no-such-package is not installed; siffra needs >=1."


def test_an_extra_says_its_versions_or_that_it_is_not_installed(monkeypatch):
    assert str(packages().facts["torch"]).startswith("2.")

    monkeypatch.setattr(installation, "_installed", lambda name: None)

    assert "torch" in str(packages().facts["extras not installed"]).split(", ")


@pytest.mark.parametrize(
    ("machine", "features", "vectors", "wrong"),
    [
        ("x86_64", {"avx2": True, "fma": True, "avx512f": True}, "AVX-512", 0),
        ("AMD64", {"avx2": True, "fma": True}, "AVX2", 0),
        ("x86_64", {"avx2": False, "fma": True}, "no AVX2", 1),
        ("x86_64", {}, "no AVX2 and FMA", 1),
        ("aarch64", {"neon": True}, "aarch64", 0),
    ],
)
def test_what_is_made_of_a_processor(machine, features, vectors, wrong):
    found = judge_processor(machine, features)

    assert vectors in str(found.facts["vectors"])
    assert len(found.complaints) == wrong


def test_a_container_that_gets_less_time_than_it_has_cores(monkeypatch):
    monkeypatch.setattr(cpu, "allowed_cores", lambda: 8)
    monkeypatch.setattr(installation, "allowed_cores", lambda: 8)
    for module in ("siffra.system.cpu", "siffra.doctor.installation"):
        monkeypatch.setattr(f"{module}.share_of_time", lambda: 1.5)

    found = processor()

    told = "that of 1.5 (quota): siffra uses 1"
    assert (found.facts["cores"], found.facts["cores' time"]) == (8, told)


def test_a_container_without_a_quota(monkeypatch):
    monkeypatch.setattr(installation, "share_of_time", lambda: None)
    assert "cores' time" not in processor().facts


def test_images_that_were_changed(tmp_path, monkeypatch):
    damaged = tmp_path / "mnist.npz"
    damaged.write_bytes(installation.MNIST.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(installation, "MNIST", damaged)

    (complaint,) = data().complaints

    assert "not the images" in complaint.found
    monkeypatch.setattr(installation, "MNIST", tmp_path / "gone")
    assert data().complaints


def test_a_store_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()

    (complaint,) = places.store(tmp_path / "file" / "deeper" / "runs.sqlite").complaints

    assert complaint.found == f"{tmp_path}/file/deeper: {tmp_path}/file is no folder."


def test_a_store_that_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "runs.sqlite"
    with open_store(path):
        pass
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anything

    (complaint,) = places.store(path).complaints

    assert "cannot be written" in complaint.found


def test_a_store_that_is_damaged(tmp_path):
    path = tmp_path / "runs.sqlite"
    record = make_record(Setting.from_knobs({"epochs": 1})).model_copy(update={"key": "k" * 64})
    with open_store(path) as store:
        store.add(record)
    content = path.read_bytes()
    # Where the key stands in the index of keys: beside no record, and no digest.
    keys = [at for at in range(len(content)) if content.startswith(b"k" * 64, at)]
    (index,) = [
        at
        for at in keys
        if not any(w in content[at : at + 200] for w in (b"run", b"made up", b"model"))
    ]
    path.write_bytes(content[:index] + b"l" + content[index + 1 :])

    found = places.store(path)

    (complaint,) = found.complaints
    assert "it is damaged (" in complaint.found
    assert "sqlite_autoindex_run_1" in complaint.found
    assert "siffra runs export" in complaint.fix
    assert str(found.facts["size"]).endswith("damaged")


def test_runs_in_a_store_that_are_damaged(tmp_path):
    path = tmp_path / "runs.sqlite"
    record = make_record(Setting.from_knobs({"epochs": 1}))
    records = [record.model_copy(update={"key": f"{n}-run", "seconds": 1234.5}) for n in range(7)]
    with open_store(path) as store:
        store.add_all([(each, None) for each in records])
    path.write_bytes(path.read_bytes().replace(b'"seconds":1234.5', b'"seconds":9234.5'))

    found = places.store(path)

    *named, others = found.complaints
    assert [complaint.found.partition("run ")[2][:5] for complaint in named] == [
        f"{n}-run" for n in range(5)
    ]
    assert all("make it again" in complaint.fix for complaint in named)
    assert "2 more" in others.found
    assert found.facts["runs"] == 7
    assert str(found.facts["size"]).endswith("damaged")


def test_claims_of_the_dead_are_counted_and_left_alone(tmp_path):
    path = tmp_path / "runs.sqlite"
    with open_store(path) as living:
        living.claim("a")
        db = sqlite3.connect(path)
        db.execute("INSERT INTO claim VALUES ('b', 'gone')")
        db.commit()

        found = places.store(path)

        assert found.facts["claimed"] == "2, 1 of them void (which blocks nothing)"
        assert not found.complaints
        assert db.execute("SELECT count(*) FROM claim").fetchone() == (2,)
        db.close()


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 3_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)

    (complaint,) = places.store(tmp_path / "runs.sqlite").complaints

    assert complaint.found == f"{tmp_path}: 3 MB are free."


def test_a_store_on_a_network_drive(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path}/my\\040home nfs4 rw 0 0\n")
    monkeypatch.setattr(places, "_MOUNTS", mounts)

    (complaint,) = places.store(tmp_path / "my home" / "runs.sqlite").complaints

    assert "network drive (nfs4)" in complaint.found
    assert not places.store(tmp_path / "runs.sqlite").complaints


WELL = Probe(peak=100, rate=150, layer="omp", threads=2, cache=Path("/cache"), cached=5_000_000)


def test_a_training_that_is_as_it_should_be():
    found = judge(WELL, "linux")

    assert not found.complaints
    assert found.facts["compiled code"] == "5 MB in /cache"


def test_a_training_that_is_slow():
    slow = replace(WELL, rate=20)

    (complaint,) = judge(slow, "linux").complaints

    assert complaint.found.startswith("training reaches 20% of one core's matrix peak")


def test_threads_that_are_not_openmp_s():
    other = replace(WELL, layer="workqueue")

    (complaint,) = judge(other, "linux").complaints

    assert "libgomp1" in complaint.fix
    assert not judge(other, "darwin").complaints


def test_a_folder_for_compiled_code_that_cannot_be_used_is_told():
    found = replace(WELL, cache=None)
    (complaint,) = judge(found, "linux").complaints
    assert complaint.found.startswith("compiled code is kept for one process alone")
    assert complaint.fix.startswith("set NUMBA_CACHE_DIR")


def test_a_training_that_fails(monkeypatch):
    def fail(self, function):
        raise BenchError("its process died")

    monkeypatch.setattr("siffra.bench.worker.Worker.ask", fail)

    (complaint,) = training({}).complaints

    assert complaint.found == "training fails: its process died."
