"""Old folders of compiled kernels go when a new one is made, and nothing else does."""

import os
import subprocess
import sys
import time

import pytest

from siffra.kernel_folders import LONG, in_use

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


def test_a_folder_that_cannot_be_made_is_numbas_to_do_without(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert in_use(tmp_path / "file" / NEW) == tmp_path / "file" / NEW


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
        [sys.executable, "-c", "import siffra.data.shifts"],  # it has kernels
        env=away | dict.fromkeys(variables, str(tmp_path)),
        check=True,
    )

    assert (root / OLD).exists() == stays


def test_a_process_whose_folder_is_removed_compiles_anew(tmp_path):
    script = (
        "import shutil, sys; from siffra import kernels\n"
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
    assert list((tmp_path / "kernels").rglob("*double*.nbi"))
