"""What is installed: the wheel, built and put into a clean environment, holds all that it needs."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import siffra

ROOT = Path(__file__).parents[1]


def call(*command: object, **options) -> str:
    ended = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder of the source package, and of the wheel that was built from it.

    With the tools that are here: nothing is downloaded.
    """
    out = tmp_path_factory.mktemp("built")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def clean_python(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment in which the wheel, and nothing else, is installed."""
    home = tmp_path_factory.mktemp("clean")
    call(sys.executable, "-m", "venv", "--without-pip", home)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install",
         "--no-index", "--no-deps", "--quiet", wheel)  # fmt: skip
    return python


def test_the_wheel_holds_every_file_of_the_package(wheel):
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert held == expected
    assert {"siffra/data/mnist.npz", "siffra/lab/digits.toml", "siffra/py.typed"} <= held
    assert any(name.startswith("siffra/report/render/templates/") for name in held)


def test_the_wheel_carries_the_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/licenses/" in name]

    assert [name for name in names if name.endswith("/LICENSE")]
    assert [name for name in names if name.endswith("/MNIST-LICENSE.md")]


def test_the_source_package_holds_what_a_reader_of_it_needs(built):
    (path,) = built.glob("*.tar.gz")

    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "CITATION.cff",
        "Makefile", "constraints.txt", "mkdocs.yml", "pyproject.toml", "docs/tutorial.md",
        "docs/made_pages.py", "examples/shapes.toml", "tests/test_package.py",
    } <= names  # fmt: skip


def test_installed_it_runs_on_its_own_data(clean_python, tmp_path):
    # The dependencies are lent from here; siffra itself comes from the clean environment.
    lent = os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"], "PYTHONSAFEPATH": "1"}
    at = call(clean_python, "-c", "import siffra; print(siffra.__file__)", env=lent, cwd=tmp_path)
    assert Path(at.strip()).is_relative_to(clean_python.parents[1])

    command = clean_python.with_name("siffra")
    assert call(command, "--version", env=lent, cwd=tmp_path) == f"siffra {siffra.__version__}\n"

    told = call(command, "data", "--json", env=lent, cwd=tmp_path)

    images = {each["name"]: each["images"] for each in json.loads(told)["sets"]}
    assert images == {
        "train": 48_000, "val": 12_000, "test": 10_000, "moved": 10_000, "rotated": 10_000
    }  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_every_requirement_is_pinned():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {line.partition("==")[0] for line in lines if line and not line.startswith("#")}
    asked = {Requirement(line).name for line in requires("siffra") or ()} - {"siffra"}

    assert asked <= pins
    assert all("==" in line and "://" not in line for line in lines if not line.startswith("#"))


def test_the_installed_versions_are_the_pinned_ones():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))

    installed = {name: version(name).partition("+")[0] for name in ("numpy", "numba", "scipy")}

    assert installed == {name: pins[name] for name in installed}


def test_the_changelog_has_this_version():
    assert f"## [{siffra.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
