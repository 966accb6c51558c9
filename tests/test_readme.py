"""What the README says can be done, can be done."""

import re
from pathlib import Path

import pytest
import typer.main

import siffra
from siffra.cli import app
from siffra.data.load import load_dataset
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_its_lab_can_be_planned(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "my-lab.toml"
    path.write_text(block, encoding="utf-8")

    plan = plan_lab(read_lab(path), load_dataset())

    assert [len(question.levels) for question in plan.questions] == [3]


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`siffra ([a-z]+[^`]*)`", README))))
def test_its_commands_and_their_options_exist(line):
    command = typer.main.get_command(app)
    for word in line.split():
        if word in getattr(command, "commands", {}):
            command = getattr(command, "commands", {})[word]

    assert command.name == line.split()[0] or command.name in line
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", line)) - {"--help"} <= options


@pytest.mark.parametrize("name", re.findall(r"siffra\.([a-z_]+)\(", README))
def test_its_functions_exist(name):
    assert callable(getattr(siffra, name))


@pytest.mark.parametrize("target", re.findall(r"^\$ make (\w+)", README, re.MULTILINE))
def test_its_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
