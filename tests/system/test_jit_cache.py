"""A kernel is found again only if it would be compiled the same, whoever compiled it."""

import os
import subprocess
import sys

import llvmlite
import numba
import pytest
from numba import float64, int64

from siffra.system import jit


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(jit._numba, "CACHE_DIR", str(tmp_path))


def is_found():
    """Whether a kernel, in a process that has not seen it yet, is there already."""

    @jit.compiled
    def double(x):
        return 2 * x

    assert double(2) == 4
    return bool(double.stats.cache_hits)


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("OPT", 0), ("LOOP_VECTORIZE", 0), ("SLP_VECTORIZE", 1), ("BOUNDSCHECK", 1),
        ("DEBUGINFO_DEFAULT", 1), ("ENABLE_AVX", False), ("CPU_NAME", "generic"),
        ("CPU_FEATURES", "+avx"), ("LLVM_REFPRUNE_PASS", 0), ("LLVM_REFPRUNE_FLAGS", "per_bb"),
        ("DISABLE_INTEL_SVML", True), ("PARFOR_MAX_TUPLE_SIZE", 5),
        ("EXTEND_VARIABLE_LIFETIMES", 1), ("A_SWITCH_OF_A_LATER_NUMBA", 1),
    ],
)  # fmt: skip
def test_a_switch_of_numbas_that_changes_code_has_kernels_of_its_own(monkeypatch, switch, value):
    assert not is_found()
    with monkeypatch.context() as turned:
        turned.setattr(jit._numba, switch, value, raising=False)
        assert not is_found()
        assert is_found()
    assert is_found()


@pytest.mark.parametrize(
    ("switch", "value"),
    [("NUMBA_NUM_THREADS", 1), ("THREADING_LAYER", "workqueue"), ("FULL_TRACEBACKS", 1)],
)
def test_one_that_changes_none_has_not(monkeypatch, switch, value):
    assert not is_found()
    monkeypatch.setattr(jit._numba, switch, value)
    assert is_found()


@pytest.mark.parametrize("library", [numba, llvmlite])
def test_nor_is_one_of_another_numba_or_llvmlite_taken(monkeypatch, library):
    assert not is_found()
    monkeypatch.setattr(library, "__version__", "0")
    assert not is_found()


@pytest.mark.parametrize(
    "damage",
    [lambda kept: kept[:-1], lambda kept: b"", lambda kept: kept[:-9] + b"\0" + kept[-8:]],
    ids=["cut", "empty", "changed"],
)
def test_a_damaged_kernel_is_compiled_anew(tmp_path, damage):
    assert not is_found()
    (kept,) = tmp_path.rglob("*double*.nbc")
    kept.write_bytes(damage(kept.read_bytes()))
    assert not is_found()
    assert is_found()


def test_what_a_run_with_a_switch_leaves_is_not_taken_by_the_next(tmp_path):
    (tmp_path / "made.py").write_text(
        "import os\n"
        "from siffra.system import jit as kernels\n"
        "@kernels.compiled\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "double(1)\n"
        "print('found' if double.stats.cache_hits else 'compiled')\n"
        "os.environ['NUMBA_OPT'] = '0'\n"  # which Numba sees when it compiles
        "double(1.5)\n"
    )

    def told(**variables):
        return subprocess.run(
            [sys.executable, "-c", "import made"],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")} | variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert told(NUMBA_OPT="0") == "compiled\n"
    assert told() == "compiled\n"
    assert told() == "found\n"


def test_two_processes_that_compile_for_other_types_at_once_keep_both(monkeypatch):
    """Each looks for what is there before the other has written."""

    def double(x):
        return 2 * x

    ours, theirs, later = (jit.compiled(double) for _ in range(3))
    save = ours._cache.save_overload

    def meanwhile(signature, data):
        theirs.compile((float64,))
        save(signature, data)

    monkeypatch.setattr(ours._cache, "save_overload", meanwhile)
    ours.compile((int64,))

    assert (later(2), later(1.5)) == (4, 3.0)
    assert sum(later.stats.cache_hits.values()) == 2


def test_a_full_disk_keeps_no_kernel_and_loses_none(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert not is_found()
    assert list(tmp_path.rglob("*.nbc")) == []
