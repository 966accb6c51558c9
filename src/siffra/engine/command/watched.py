"""The files that a command names: their content is part of a run's key.

So an edited script is run anew. What a script imports or reads besides is not seen; name that with
`--watch`.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from siffra.errors import ConfigError

_LARGEST = 64 * 2**20
"""Bytes of a file."""
_SETTLED = 2 * 10**9
"""Nanoseconds after which another change of a file is sure to have another time."""
_MOST_FILES = 10_000
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_MADE_BY_RUNS = "__pycache__"


def watched_files(words: Sequence[str], watch: Sequence[str], cwd: Path) -> dict[str, Path]:
    """Files by the name that they were given, in order of the names.

    Args:
        words: Of the command, with the values of a run filled in where the names of files depend
            on them. A word counts if it is a regular file, or what follows its first `=` is, as
            in `--config=small.yaml`; and after `-m`, the name of a module in `cwd`.
        watch: Further files and folders. Of a folder all files count, however deep, but hidden
            ones, those in `__pycache__`, and those behind links to folders.
        cwd: Where the command runs.

    Raises:
        ConfigError: A file or folder of `watch` is not there, or has too many files.
    """
    names = [*words, *(word.partition("=")[2] for word in words), *_modules(words, cwd)]
    files = {name: cwd / name for name in names if name and _is_file(cwd / name)}
    for name in watch:
        if not (cwd / name).exists():
            raise ConfigError(f"watch: found no file or folder `{name}`.")
        files |= {name: cwd / name} if _is_file(cwd / name) else _files_in(name, cwd)
    return dict(sorted(files.items()))


def content_digest(files: dict[str, Path]) -> str:
    """SHA-256 over the names and contents, in hexadecimal.

    Raises:
        ConfigError: A file is too large, or cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in files.items():
        try:
            stat = path.stat()
            if stat.st_size > _LARGEST:
                raise ConfigError(
                    f"watch: `{name}` has {stat.st_size / 2**20:,.0f} MB, more than 64; name the "
                    "folder that it is in, or let the program find it: it is not seen there."
                )
            is_settled = time.time_ns() - stat.st_mtime_ns > _SETTLED
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            of_file = _digest_once(path, *version) if is_settled else _file_digest(path)
        except OSError as error:
            raise ConfigError(f"watch: cannot read `{name}`: {error.strerror}.") from error
        encoded = name.encode("utf-8", "surrogateescape")
        digest.update(len(encoded).to_bytes(8) + encoded + of_file)
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _digest_once(path: Path, *version: int) -> bytes:
    """Of a file that is read again only after it has changed: every run of a lab asks for it."""
    return _file_digest(path)


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a word that cannot be a path: too long, or a null character
        return False


def _modules(words: Sequence[str], cwd: Path) -> Iterator[str]:
    """Files of modules in `cwd` that are run by `-m`; importlib would run their packages."""
    for flag, name in pairwise(words):
        if flag == "-m" and _MODULE.fullmatch(name):
            path = name.replace(".", "/")
            yield from (f"{path}.py", f"{path}/__main__.py")


def _files_in(folder: str, cwd: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for root, folders, names in os.walk(cwd / folder):
        folders[:] = [each for each in folders if each != _MADE_BY_RUNS and each[0] != "."]
        paths = [Path(root, each) for each in names if each[0] != "."]
        files |= {
            str(Path(folder) / path.relative_to(cwd / folder)): path
            for path in paths
            if _is_file(path)
        }
        if len(files) > _MOST_FILES:
            raise ConfigError(
                f"watch: `{folder}` has more than {_MOST_FILES:,} files; name the folder of the "
                "program's source."
            )
    return files
