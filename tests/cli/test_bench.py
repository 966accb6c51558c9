"""`siffra bench`, on one small workload."""

import json
import os
import subprocess
import sys

import pytest


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "siffra", "bench", *arguments],
        capture_output=True, text=True, env=os.environ | {"COLUMNS": "160"},
    )  # fmt: skip


def test_json_has_seconds_and_the_share_of_the_limit():
    done = bench("--works", "dense", "--quick", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["matrix_peak"] > 0
    assert told["bandwidth"] > 0
    (work,) = told["works"]
    assert work["work"] == "dense"
    assert work["images"] == 4800
    assert work["seconds"].keys() == {"siffra"}
    assert work["share_of_limit"] == pytest.approx(
        work["least_seconds"] / work["seconds"]["siffra"]
    )


def test_a_name_that_there_is_not_is_one_line():
    done = bench("--works", "dens")

    assert done.returncode == 2
    assert done.stderr == "error: --works dens: not known; did you mean `dense`?\n"


def test_the_process_that_asks_leaves_threads_alone():
    code = (
        "import sys, siffra.bench.session;"
        "print([m for m in ('siffra.system.jit', 'numba', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout == "[]\n"
