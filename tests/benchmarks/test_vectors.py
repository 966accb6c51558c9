"""Holding all to narrower vectors, and telling who does not keep to them."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks import vectors
from benchmarks.vectors import avx512, hold_to_vectors, used_avx512
from siffra.errors import BenchError, ConfigError

PLACES = "benchmarks.vectors._since_wide"


def test_every_library_is_told_and_keeps_what_the_user_has_told_it(monkeypatch):
    monkeypatch.setattr(PLACES, lambda: iter([-1]))
    monkeypatch.setattr(os, "environ", own := {"XLA_FLAGS": "--xla_dump_to=x"})

    assert hold_to_vectors("avx2") == "AVX2"

    assert own["XLA_FLAGS"].startswith("--xla_dump_to=x --xla_cpu_max_isa=AVX2 ")
    assert own["OPENBLAS_CORETYPE"] == "Haswell"
    assert own["NPY_DISABLE_CPU_FEATURES"].split() == avx512()


def test_a_machine_without_avx512_has_nothing_to_hold(monkeypatch):
    monkeypatch.setattr(PLACES, lambda: iter([]))
    monkeypatch.setattr(os, "environ", own := {})

    with pytest.raises(BenchError, match="--vectors avx2: is for Linux on a CPU with AVX-512"):
        hold_to_vectors("avx2")
    assert own == {}


def test_vectors_that_there_are_not_are_one_line():
    with pytest.raises(ConfigError, match="--vectors avx3: not known; did you mean `avx2`"):
        hold_to_vectors("avx3")


@pytest.mark.parametrize(
    ("milliseconds", "used"),
    [
        ([], False),
        ([-1, -1], False),
        ([-1, 99_999], False),
        ([-1, 3_000, 99_999], True),
        ([0], True),
    ],
)
def test_avx512_was_used_if_a_thread_had_it_since(milliseconds, used, monkeypatch):
    monkeypatch.setattr(PLACES, lambda: iter(milliseconds))

    assert used_avx512(since=time.monotonic() - 9) is used


@pytest.mark.skipif(not any(True for _ in vectors._since_wide()), reason="needs AVX-512 and Linux")
@pytest.mark.parametrize("held", [True, False])
def test_products_use_avx512_unless_they_are_held(held):
    """All but them is held in both cases."""
    script = (
        "import os, time\n"
        "import numpy as np\n"
        "from benchmarks.vectors import hold_to_vectors\n"
        "from benchmarks.workers import PeerWorker\n"
        "if __name__ == '__main__':\n"
        "    hold_to_vectors('avx2')\n"
        f"    {held} or os.environ.pop('OPENBLAS_CORETYPE')\n"
        "    with PeerWorker.start() as worker:\n"
        "        worker.ask(time.sleep, 0.2)\n"
        "        worker.ask(np.dot, *2 * [np.ones((1000, 1000), np.float32)])\n"
        "        print(worker.used_avx512())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{not held}\n"
