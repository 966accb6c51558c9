"""`siffra init` writes a lab file that can be run, and never over another."""

import pytest

from siffra.cli import main


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_file_is_named_after_the_question_and_can_be_planned(tmp_path, capsys):
    assert run("init", "Does dropout help?", "--vary", "dropout=0,0.5", "--neurons", "8,8") == 0

    path = tmp_path / "does-dropout-help.toml"
    assert capsys.readouterr().out == "does-dropout-help.toml\n"
    assert run("lab", path.name, "--dry-run", "--store", "s.sqlite") == 0
    assert "Does dropout help?" in capsys.readouterr().out


def test_a_file_that_is_there_stays(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("mine")

    assert run("init", "Why?", "--vary", "neurons=4,8", "--out", "mine.toml") == 2
    assert "there is such a file already" in capsys.readouterr().err
    assert (tmp_path / "mine.toml").read_text() == "mine"


def test_a_folder_that_is_missing_is_said_in_a_line(capsys):
    assert run("init", "Why?", "--vary", "neurons=4,8", "--out", "no/lab.toml") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: no/lab.toml: cannot be")
