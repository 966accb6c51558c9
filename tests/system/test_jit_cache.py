"""Compiled kernels: which are loaded again, and from which folders."""

import os
import subprocess
import sys
import time
from pathlib import Path

import llvmlite
import numba
import pytest
from numba import float64, int64

from siffra.system import jit
from siffra.system.jit_cache import LONG, in_use


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


OLD, OTHER, NEW = "0123456789abcdef", "fedcba9876543210", "00000000000000ff"
ROOTS = {  # by the variable that names the folder
    "XDG_CACHE_HOME": ("siffra", "kernels"),
    "NUMBA_CACHE_DIR": (),
}


def make(folder, *, unused):
    """A folder with a kernel, that nobody has used for so many seconds."""
    (folder / "plain").mkdir(parents=True)
    (folder / "plain" / "kernel.nbi").write_bytes(b"kernel")
    then = time.time() - unused
    os.utime(folder, (then, then))


def test_a_new_state_removes_those_that_were_not_used_for_long(tmp_path):
    make(tmp_path / OLD, unused=LONG + 60)
    make(tmp_path / OTHER, unused=LONG - 60)

    assert in_use(tmp_path / NEW) == tmp_path / NEW

    assert {path.name for path in tmp_path.iterdir()} == {OTHER, NEW}
    assert (tmp_path / OTHER / "plain" / "kernel.nbi").exists()


def test_a_state_that_is_there_removes_nothing_and_is_kept_by_being_used(tmp_path):
    make(tmp_path / NEW, unused=2 * LONG)
    make(tmp_path / OLD, unused=2 * LONG)

    in_use(tmp_path / NEW)
    in_use(tmp_path / OTHER)

    assert {path.name for path in tmp_path.iterdir()} == {NEW, OTHER}
    assert (tmp_path / NEW / "plain" / "kernel.nbi").exists()


@pytest.mark.parametrize(
    "name", ["mine", "0123456789ABCDEF", "0123456789abcdef0", "0123456789abcde"]
)
def test_what_bears_no_states_name_is_left_alone(tmp_path, name):
    make(tmp_path / name, unused=2 * LONG)
    in_use(tmp_path / NEW)
    assert (tmp_path / name / "plain" / "kernel.nbi").exists()


def test_what_lies_elsewhere_is_not_followed(tmp_path):
    make(tmp_path / "elsewhere", unused=2 * LONG)
    root = tmp_path / "kernels"
    root.mkdir()
    (root / OLD).symlink_to(tmp_path / "elsewhere")
    (root / OTHER).write_bytes(b"a file")
    os.utime(root / OTHER, (0, 0))

    in_use(root / NEW)

    assert (tmp_path / "elsewhere" / "plain" / "kernel.nbi").exists()
    assert (root / OTHER).exists()


def test_a_folder_that_cannot_be_made_is_none(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert in_use(tmp_path / "file" / NEW) is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and modes of folders")
class TestWhoMayWrite:
    """Whoever loads a kernel runs it."""

    @pytest.fixture(autouse=True)
    def umask(self):
        before = os.umask(0)  # the most permissive that there is
        yield
        os.umask(before)

    def test_a_folder_is_its_owners_alone_with_those_that_are_made_around_it(self, tmp_path):
        assert in_use(tmp_path / "cache" / "kernels" / NEW)
        for folder in ("cache", "cache/kernels", f"cache/kernels/{NEW}"):
            assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
    def test_one_in_which_others_may_write_is_not_taken(self, tmp_path, mode):
        make(tmp_path / NEW, unused=0)
        (tmp_path / NEW).chmod(mode)
        assert in_use(tmp_path / NEW) is None

    def test_one_that_everybody_may_rename_is_not_taken(self, tmp_path):
        (tmp_path / "open").mkdir(0o777)
        assert in_use(tmp_path / "open" / NEW) is None
        (tmp_path / "open").chmod(0o1777)  # as /tmp is: only the owner may
        assert in_use(tmp_path / "open" / NEW)

    def test_somebody_elses_is_not_taken(self, tmp_path, monkeypatch):
        make(tmp_path / NEW, unused=0)
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        assert in_use(tmp_path / NEW) is None

    def test_a_link_to_one_of_ours_is_not_taken(self, tmp_path):
        make(tmp_path / "mine", unused=0)
        (tmp_path / NEW).symlink_to(tmp_path / "mine")
        assert in_use(tmp_path / NEW) is None

    def test_one_that_is_swapped_while_it_is_in_use_is_not_taken(self, tmp_path):
        assert in_use(tmp_path / NEW)
        (tmp_path / NEW).chmod(0o777)
        assert in_use(tmp_path / NEW) is None


CHILD = "from siffra.system.jit import kernel_folder; print(kernel_folder())"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other variables")
@pytest.mark.parametrize("variables", [("XDG_CACHE_HOME",), ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")])
def test_without_a_lasting_folder_kernels_are_kept_for_a_process_and_those_it_starts(
    tmp_path, variables
):
    """Not beside the sources, where they would stay after an update, and be taken for others."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "made.py").write_text(
        "from siffra.system import jit as kernels\n"
        "@kernels.compiled\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "print(double(1), double.stats.cache_hits.total())\n"
    )
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "tmp").mkdir()
    child = "import subprocess, sys; subprocess.run([sys.executable, '-B', '-c', sys.argv[1]])"
    script = f"import made, os; {child}; os.fork() or os._exit(0); {CHILD}"
    away = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}

    ended = subprocess.run(
        [sys.executable, "-B", "-c", script, f"import made; {CHILD}"],
        cwd=sources,
        env=away
        | {"TMPDIR": str(tmp_path / "tmp")}
        | dict.fromkeys(variables, str(tmp_path / "file" / "folder")),
        capture_output=True,
        text=True,
        check=True,
    )

    # The child finds what was compiled, in the same folder; a fork that ends leaves it there.
    first, second, of_child, of_parent = ended.stdout.splitlines()
    assert (first, second) == ("2 0", "2 1")
    assert of_child == of_parent
    assert (tmp_path / "tmp") in Path(of_parent).parents
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list(sources.iterdir()) == [sources / "made.py"]


def test_where_there_is_no_folder_at_all_kernels_are_compiled_and_not_kept(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    script = (
        "import tempfile, sys; tempfile.tempdir = sys.argv[1]\n"
        "from siffra.system import jit as kernels\n"
        "assert kernels.kernel_folder() is None\n"
        "print(kernels.compiled(lambda x: 2 * x)(1))\n"
    )
    nowhere = str(tmp_path / "file" / "folder")
    ended = subprocess.run(
        [sys.executable, "-c", script, nowhere],
        env=os.environ | {"NUMBA_CACHE_DIR": nowhere},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "2\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other variables")
@pytest.mark.parametrize(
    ("variables", "stays"),
    [
        (("XDG_CACHE_HOME",), False),
        (("NUMBA_CACHE_DIR",), True),
        (("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"), True),
    ],
)
def test_only_siffras_own_cache_is_cleared(tmp_path, variables, stays):
    """The folder in which kernels are kept has one of long ago; NUMBA_CACHE_DIR is the user's."""
    root = tmp_path.joinpath(*ROOTS[variables[0]])
    make(root / OLD, unused=2 * LONG)
    away = {name: value for name, value in os.environ.items() if name not in ROOTS}

    subprocess.run(
        [sys.executable, "-c", "from siffra.system.jit import kernel_folder; kernel_folder()"],
        env=away | dict.fromkeys(variables, str(tmp_path)),
        check=True,
    )

    assert (root / OLD).exists() == stays


def test_a_process_whose_folder_is_removed_compiles_anew(tmp_path):
    script = (
        "import shutil, sys; from siffra.system import jit as kernels\n"
        "def double(x):\n"
        "    return 2 * x\n"
        "run = kernels.compiled(double)\n"
        "shutil.rmtree(kernels.kernel_folder())\n"
        "print(run(1), run(1.5))\n"
    )
    (tmp_path / "made.py").write_text(script)
    found = subprocess.run(
        [sys.executable, "-c", "import made"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "2 3.0\n"
    assert list((tmp_path / "kernels").rglob("*double*.nbc"))
