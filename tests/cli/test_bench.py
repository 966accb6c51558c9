"""`siffra bench`, on one small work."""

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
    done = bench("--works", "dense", "--peers", "products", "--quick", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["matrix_peak"] > 0
    assert told["bandwidth"] > 0
    (work,) = told["works"]
    assert work["work"] == "dense"
    assert work["images"] == 4800
    assert work["seconds"].keys() == {"siffra", "products"}
    assert work["share_of_limit"] == pytest.approx(
        work["least_seconds"] / work["seconds"]["siffra"]
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--works", "dens"), "--works dens: not known; did you mean `dense`?"),
        (("--peers", "keran"), "--peers keran: not known; did you mean `keras`?"),
    ],
)
def test_a_name_that_there_is_not_is_one_line(arguments, told):
    done = bench(*arguments)

    assert done.returncode == 2
    assert done.stderr == f"error: {told}\n"


def test_what_is_not_installed_is_skipped_with_a_word_how_to_get_it(monkeypatch):
    from siffra.bench.session import installed

    monkeypatch.setattr("siffra.bench.peers.find_spec", lambda name: name != "jax" or None)
    told = []

    able = installed("pytorch,jax", told.append)

    assert able == ["siffra", "pytorch"]
    assert told == ["JAX is skipped: no jax here; `pip install jax` gets it."]


def test_the_process_that_asks_leaves_threads_alone():
    code = (
        "import sys, siffra.bench.session, siffra.bench.table;"
        "print([m for m in ('siffra.system.jit', 'numba', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout == "[]\n"
