from collections.abc import Callable
from pathlib import Path

import pytest

from siffra.results import RoleOptions, Runs, find_roles, read_results, runs_of


@pytest.fixture
def written(tmp_path) -> Callable[..., Path]:
    """Writes a text to a file."""

    def write(text: str, name: str = "runs.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding, newline="")
        return path

    return write


@pytest.fixture
def judged(written) -> Callable[..., Runs]:
    """The runs of a table that is written as a text, with what the user says of it."""

    def judge(text: str, **said) -> Runs:
        return runs_of(find_roles(read_results(written(text)), RoleOptions(**said)))

    return judge
