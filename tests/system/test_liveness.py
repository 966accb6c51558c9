"""Names of others are taken from a store that may come from anywhere; they name no path."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from siffra.system.liveness import Presence


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the user's, that nobody holds locked."""
    file = tmp_path / "precious.txt"
    file.write_text("mine")
    return file


@pytest.fixture
def presence(tmp_path: Path) -> Iterator[Presence]:
    present = Presence(tmp_path / "runs.sqlite.locks")
    present.enter()
    yield present
    present.let_go()


@pytest.mark.parametrize("form", ["{}", "../{0.name}", "./../{0.name}", "{0}\0", "{}\n"])
def test_a_name_that_is_a_path_is_nobody_and_its_file_stays(presence, victim, form):
    name = form.format(victim)

    assert not presence.is_other(name)
    assert not presence.lives(name)
    assert victim.read_text() == "mine"


def test_a_link_by_a_name_that_could_be_ones_is_nobody_and_its_file_stays(
    tmp_path, presence, victim
):
    name = uuid.uuid4().hex
    (tmp_path / "runs.sqlite.locks" / name).symlink_to(victim)

    assert not presence.lives(name)
    assert not presence.is_other(name)
    presence.leave()

    assert victim.read_text() == "mine"


def test_leaving_removes_the_dead_and_nothing_else(tmp_path, presence):
    folder = tmp_path / "runs.sqlite.locks"
    (folder / uuid.uuid4().hex).touch()
    (folder / "notes.txt").write_text("mine")

    presence.leave()

    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


def test_another_lives_until_it_lets_go(tmp_path, presence):
    other = Presence(tmp_path / "runs.sqlite.locks")
    other.enter()

    assert presence.lives(other.name)
    assert presence.is_other(other.name)
    other.let_go()
    assert not presence.lives(other.name)
    assert not presence.is_other(other.name)
