"""Kernels are kept by what they are made of, and how threads wait is set before they start."""

import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
from numba import prange

from siffra.system import jit


def test_kernels_are_kept_by_the_state_of_the_engines_files(tmp_path, monkeypatch):
    monkeypatch.setattr(jit._numba, "CACHE_DIR", str(tmp_path))

    @jit.compiled
    def double(x):
        return 2 * x

    assert double(2) == 4
    (kept,) = tmp_path.rglob("*double*.nbc")
    assert kept.parent == tmp_path / jit.sources()


def test_another_state_of_an_engines_file_has_another_name(monkeypatch, tmp_path):
    engine = shutil.copytree(jit._ENGINE, tmp_path / "native")
    monkeypatch.setattr(jit, "_ENGINE", engine)
    before = jit.sources.__wrapped__()
    (engine / "vector.py").write_text("# another\n")
    assert before == jit.sources()
    assert jit.sources.__wrapped__() != before


def test_one_function_compiled_in_two_ways_is_two_kernels(tmp_path, monkeypatch):
    monkeypatch.setattr(jit._numba, "CACHE_DIR", str(tmp_path))

    def total(x):
        sums = np.zeros(2)
        for half in prange(2):
            sums[half] = x[half::2].sum()
        return sums.sum()

    many, one, again = jit.parallel(total), jit.compiled(total), jit.compiled(total)

    assert many(np.arange(5.0)) == one(np.arange(5.0)) == again(np.arange(5.0)) == 10
    assert not many.stats.cache_hits
    assert not one.stats.cache_hits
    assert again.stats.cache_hits


def test_kernels_that_differ_by_a_variable_are_told_apart_by_whoever_compiled_them(tmp_path):
    """Numba numbers what it compiles, anew in each process: alike ones got the same number."""
    (tmp_path / "made.py").write_text(
        "from siffra.system import jit as kernels\n"
        "def multiply(factor):\n"
        "    @kernels.compiled\n"
        "    def run(x):\n"
        "        return x * factor\n"
        "    return run\n"
        "double, triple = multiply(2), multiply(3)\n"
        "@kernels.compiled\n"
        "def both(x):\n"
        "    return 10 * double(x) + triple(x)\n"
    )

    def told(call):
        return subprocess.run(
            [sys.executable, "-c", f"import made; print(made.{call}(1.0))"],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert [told(call) for call in ("double", "triple", "both")] == ["2.0\n", "3.0\n", "23.0\n"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="about kinds of x86 CPUs")
def test_kernels_for_narrower_vectors_are_kept_beside_the_others(tmp_path):
    """So a machine that is held to AVX2 for a while never takes one kind for the other."""
    (tmp_path / "made.py").write_text(
        "import os\n"
        "from siffra.system import jit as kernels\n"
        "NARROW = 'NUMBA_CPU_NAME' in os.environ\n"
        "@kernels.compiled\n"
        "def is_narrow():\n"
        "    return NARROW\n"  # as it was when this was compiled
    )
    script = (
        "from made import is_narrow\n"
        "narrow = is_narrow()\n"
        "print('found' if is_narrow.stats.cache_hits else 'compiled', narrow)"
    )
    own = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    narrow = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}

    def told(more):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=os.environ | own | more,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    assert told({}) == ["compiled", "False"]
    assert told(narrow) == ["compiled", "True"]
    assert told(narrow) == ["found", "True"]
    assert told({}) == ["found", "False"]


def test_a_kernel_holds_plain_values_alone():
    """What it holds is asked for when it is looked up: a compiled function is another each time."""
    inner = jit.compiled(lambda x: x)

    def run(x):
        return inner(x)

    with pytest.raises(TypeError, match=r"run: inner is CPUDispatcher.*, no plain value"):
        jit.compiled(run)


def made_with(factor: int, kind):
    @kind
    def inner(x):
        return factor * x

    @jit.compiled
    def run(x):
        return inner(x) + 1

    return run


@pytest.mark.parametrize("kind", [jit.inline, jit.noinline])
def test_a_kernel_is_named_by_the_kernels_that_it_is_made_with(kind):
    double, triple = made_with(2, kind), made_with(3, kind)

    assert (double(5), triple(5)) == (11, 16)
    assert double.py_func.__qualname__ != triple.py_func.__qualname__


@pytest.fixture
def told(tmp_path):
    """What a process of its own prints of calls of kernels that all of them share."""
    (tmp_path / "made.py").write_text(
        "import numpy as np\n"
        "from numba import prange\n"
        "from siffra.system import jit as kernels\n"
        "@kernels.noinline\n"
        "def divide(a, b):\n"
        "    return a // b\n"
        "@kernels.noinline\n"
        "def halve(a):\n"
        "    return divide(a, 2)\n"
        "@kernels.compiled\n"
        "def one(a, b):\n"
        "    return divide(a, b) + halve(a)\n"
        "@kernels.parallel\n"
        "def many(out, b):\n"
        "    for i in prange(out.size):\n"
        "        out[i] = divide(out[i], b) + halve(out[i])\n"
        "def of_many():\n"
        "    out = np.arange(5)\n"
        "    many(out, 3)\n"
        "    return out.tolist()\n"
    )
    script = (
        "import sys\n"
        "from numba.core import event\n"
        "import made\n"
        "with event.install_recorder('numba:compile') as recorder:\n"
        "    for call in sys.argv[1:]:\n"
        "        try:\n"
        "            print(eval('made.' + call))\n"
        "        except Exception as error:\n"
        "            print(repr(error))\n"
        "names = {told.data['dispatcher'].__name__ for _, told in recorder.buffer}\n"
        "print(*sorted(names & {'divide', 'halve', 'one', 'many'}))"
    )

    def run(*calls):
        return subprocess.run(
            [sys.executable, "-c", script, *calls],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    return run


def test_a_kernel_apart_is_compiled_once_for_all_that_call_it(told):
    assert told("one(7, 2)") == ["6", "divide halve one"]
    assert told("of_many()") == ["[0, 0, 1, 2, 3]", "many"]
    assert told("of_many()", "one(7, 2)") == ["[0, 0, 1, 2, 3]", "6", ""]


def test_a_kernel_apart_is_found_though_it_was_compiled_again(told, tmp_path):
    """What was kept of others names the kernel, not the code that it had when they were made."""
    told("one(7, 2)")
    for kept in tmp_path.rglob("made.*e-*.nb?"):
        if "one" not in kept.name:
            kept.unlink()

    assert told("of_many()", "one(7, 2)") == ["[0, 0, 1, 2, 3]", "6", "divide halve many"]


def test_an_error_of_a_kernel_apart_is_one_of_its_callers(told):
    (error, _) = told("one(1, 0)")
    assert error.startswith("ZeroDivisionError")


def test_a_kernel_apart_is_for_kernels_alone():
    @jit.noinline
    def double(x):
        return 2 * x

    with pytest.raises(NotImplementedError):
        double(1)
