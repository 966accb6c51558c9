"""Kernels are kept by what they are made of, and how threads wait is set before they start."""

import os
import shutil
import subprocess
import sys

import pytest

from siffra import kernels


@pytest.mark.parametrize(("user", "expected"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_waiting_is_short_unless_the_user_says_otherwise(user, expected):
    script = "import os, siffra.data.shifts; print(os.environ['GOMP_SPINCOUNT'])"
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"} | user

    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == expected


def test_kernels_are_kept_by_the_state_of_the_engines_files(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels._numba, "CACHE_DIR", str(tmp_path))

    @kernels.compiled
    def double(x):
        return 2 * x

    assert double(2) == 4
    (index,) = tmp_path.rglob("*double*.nbi")
    assert index.relative_to(tmp_path).parts[0] == kernels.sources()


def test_another_state_of_an_engines_file_has_another_name(monkeypatch, tmp_path):
    engine = shutil.copytree(kernels._ENGINE, tmp_path / "native")
    monkeypatch.setattr(kernels, "_ENGINE", engine)
    before = kernels.sources.__wrapped__()
    (engine / "vector.py").write_text("# another\n")
    assert before == kernels.sources()
    assert kernels.sources.__wrapped__() != before


def test_the_users_own_functions_are_kept_where_they_were():
    before = kernels._numba.CACHE_DIR
    kernels.parallel(lambda x: x)
    assert before == kernels._numba.CACHE_DIR
