"""The files that a command names, and the digest of what is in them."""

import os
import sys
from pathlib import Path

import pytest

from siffra.engine.command.watched import content_digest, watched_files
from siffra.errors import ConfigError


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    for name in ("train.py", "small.yaml", "data.csv", "pkg/mod.py", "pkg/__main__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(words: str, cwd: Path, *watch: str) -> list[str]:
    return list(watched_files(words.split(), watch, cwd))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("python train.py --lr {lr}", ["train.py"]),
        (
            "python train.py --config=small.yaml data=data.csv",
            ["data.csv", "small.yaml", "train.py"],
        ),
        ("python -m pkg.mod", ["pkg/mod.py"]),
        ("python -m pkg", ["pkg/__main__.py"]),
        ("python -m json.tool", []),
        ("python train.py --to pkg", ["train.py"]),
        ("python none.py", []),
    ],
)
def test_files_that_a_command_names_are_watched(words, expected, cwd):
    assert names(words, cwd) == expected


def test_modules_are_not_imported(cwd):
    (cwd / "pkg" / "__init__.py").write_text("raise SystemExit")

    names("python -m pkg.mod", cwd)

    assert "pkg" not in sys.modules


def test_further_files_are_watched(cwd):
    assert names("python train.py", cwd, "data.csv", "./small.yaml") == [
        "./small.yaml",
        "data.csv",
        "train.py",
    ]


def test_a_folder_is_watched_with_all_that_its_author_put_there(cwd):
    for name in (".git/index", "__pycache__/mod.pyc", "deep/__pycache__/a.pyc", "deep/er/a.py"):
        path = cwd / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    assert names("train", cwd, "pkg") == ["pkg/__main__.py", "pkg/deep/er/a.py", "pkg/mod.py"]


def test_what_is_not_there_is_one_clear_line(cwd):
    with pytest.raises(ConfigError) as caught:
        names("train", cwd, "none.py")

    assert str(caught.value) == "watch: found no file or folder `none.py`."


def test_any_word_may_be_looked_up(cwd):
    assert watched_files(["x" * 10_000, "a\0b", "", "=", "\udcff"], [], cwd) == {}


def test_what_never_ends_is_not_read(cwd):
    os.mkfifo(cwd / "pipe")

    assert names("train pipe /dev/zero", cwd) == []


class TestDigest:
    def digest(self, cwd: Path, words: str = "python train.py data.csv") -> str:
        return content_digest(watched_files(words.split(), [], cwd))

    def test_it_is_that_of_the_content(self, cwd):
        before = self.digest(cwd)

        (cwd / "train.py").write_text("TRAIN.PY")
        edited = self.digest(cwd)
        (cwd / "train.py").write_text("train.py")

        assert edited != before
        assert self.digest(cwd) == before

    def test_an_edit_right_after_a_look_is_seen(self, cwd):
        digests = set()
        for number in range(100, 200):
            (cwd / "train.py").write_text(str(number))
            digests.add(self.digest(cwd))

        assert len(digests) == 100

    def test_an_edit_of_an_old_file_is_seen(self, cwd):
        os.utime(cwd / "train.py", (1e9, 1e9))
        before = self.digest(cwd)
        assert self.digest(cwd) == before

        (cwd / "train.py").write_text("TRAIN.PY")
        os.utime(cwd / "train.py", (1.1e9, 1.1e9))
        assert self.digest(cwd) != before

    def test_it_does_not_depend_on_where_the_folder_is(self, cwd, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        for name in ("train.py", "data.csv"):
            (other / name).write_text(name)

        assert self.digest(other) == self.digest(cwd)

    def test_names_count(self, cwd):
        (cwd / "train.py").rename(cwd / "other.py")

        assert self.digest(cwd, "python other.py") != self.digest(cwd, "python data.csv")
        (cwd / "other.py").write_text("")
        (cwd / "data.csv").write_text("")
        assert self.digest(cwd, "python other.py") != self.digest(cwd, "python data.csv")

    def test_a_large_file_is_refused(self, cwd):
        with (cwd / "data.csv").open("wb") as file:
            file.truncate(64 * 2**20 + 1)

        with pytest.raises(ConfigError) as caught:
            self.digest(cwd)
        assert str(caught.value).startswith("watch: `data.csv` has 64 MB, more than 64; ")

    def test_a_file_that_cannot_be_read_is_one_clear_line(self, cwd):
        files = watched_files(["data.csv"], [], cwd)
        (cwd / "data.csv").unlink()

        with pytest.raises(ConfigError) as caught:
            content_digest(files)
        assert str(caught.value) == "watch: cannot read `data.csv`: No such file or directory."
