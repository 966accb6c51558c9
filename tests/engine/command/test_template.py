"""Commands with places for knobs: what is put where, and what is refused."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.engine.command.template import CommandTemplate
from siffra.errors import ConfigError

TRAIN = "python train.py --lr {lr} --seed {seed}"
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def mistake(make, *arguments) -> str:
    with pytest.raises(ConfigError) as caught:
        make(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_knobs_and_the_seed_are_put_in_their_places():
    template = CommandTemplate.parse(TRAIN)

    assert template.knobs == {"lr"}
    assert template.words({"lr": 0.1}, 3, Path("out")) == (
        ["python", "train.py", "--lr", "0.1", "--seed", "3"]
    )


def test_a_text_and_a_list_of_words_say_the_same():
    assert CommandTemplate.parse(TRAIN) == CommandTemplate.parse(TRAIN.split())


@given(st.lists(WORDS, min_size=1).filter(lambda words: words[0]))
def test_a_text_is_split_as_a_shell_splits_it(words):
    escaped = [word.replace("{", "{{").replace("}", "}}") for word in words]
    template = CommandTemplate((*escaped, "{seed}"))

    assert template.words({}, 1, "") == [*words, "1"]
    is_of_shells = re.compile(r"[|&;<]|\|\||&&|[12&]?>.*|~(/.*)?").fullmatch
    if not any(map(is_of_shells, words)):
        assert CommandTemplate.parse(shlex.join([*escaped, "{seed}"])) == template


@given(WORDS)
def test_one_word_stays_one_word_whatever_is_put_in(value):
    template = CommandTemplate.parse("train name={name} {seed}")

    assert template.words({"name": value}, 1, "") == ["train", f"name={value}", "1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (3.0, "3.0"),
        (np.float64(0.3), "0.3"),
        (True, "true"),
        (False, "false"),
        ("{seed} $HOME; rm *", "{seed} $HOME; rm *"),
        ("", ""),
    ],
)
def test_values_are_written_as_text(value, text):
    assert CommandTemplate.parse("t {v} {seed}").words({"v": value}, 1, "")[1] == text


def test_a_value_reaches_the_program_as_it_is(tmp_path):
    value = "a b\t'\"$HOME`id`\\ *\n;{}"
    template = CommandTemplate(
        (sys.executable, "-c", "import sys; print(sys.argv[1], end='')", "{v}", "{seed}")
    )
    words = template.words({"v": value}, 1, "")

    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == value


def test_doubled_braces_are_braces():
    template = CommandTemplate(("train", '{{"lr": {lr}}}', "{{seed}}", "{seed}"))

    assert template.words({"lr": 0.1}, 7, "")[1:] == ['{"lr": 0.1}', "{seed}", "7"]


def test_the_folder_of_a_run_has_a_place_of_its_own():
    template = CommandTemplate.parse("train --seed={seed} --to {out}/log")

    assert template.uses_out
    assert template.knobs == frozenset()
    assert template.words({}, 1, Path("/runs/a b"))[-1] == "/runs/a b/log"
    assert not CommandTemplate.parse(TRAIN).uses_out


def test_a_command_is_shown_as_one_would_write_it():
    assert str(CommandTemplate.parse(TRAIN)) == TRAIN
    assert str(CommandTemplate(("sh", "-c", "a {seed} | b"))) == "sh -c 'a {seed} | b'"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", "found no program; write it as `python train.py`."),
        ("  ", "found no program; write it as `python train.py`."),
        ([], "found no program; write it as `python train.py`."),
        (["", "{seed}"], "found no program; write it as `python train.py`."),
        (
            "python 'train.py {seed}",
            'found "python \'train.py {seed}"; a quote is not closed, or the last `\\` is '
            "followed by nothing.",
        ),
        (
            "train {seed",
            "found `{seed`, where a `{` has no partner; write `{{` for a brace.",
        ),
        (
            "train seed}",
            "found `seed}`, where a `}` has no partner; write `}}` for a brace.",
        ),
        (
            "train {} {seed}",
            "found `{}`; name a knob in letters, digits and `_`, as `{lr}`, or write `{{` and "
            "`}}` for braces.",
        ),
        (
            "train {1st} {seed}",
            "found `{1st}`; name a knob in letters, digits and `_`, as `{lr}`, or write `{{` and "
            "`}}` for braces.",
        ),
        (
            "train {lr:.2f} {seed}",
            "found `{lr:.2f}`; name a knob in letters, digits and `_`, as `{lr}`, or write `{{` "
            "and `}}` for braces.",
        ),
        (
            "train --lr {lr}",
            "`train --lr {lr}` has no `{seed}`, so every run would be the same; add it where the "
            "program takes its seed, as `--seed {seed}`.",
        ),
        (
            "train {{seed}}",
            "`train {{seed}}` has no `{seed}`, so every run would be the same; add it where the "
            "program takes its seed, as `--seed {seed}`.",
        ),
        (
            "train {seed} | tee log",
            "found `|`, but no shell runs the command; put it in a script, or write `sh -c '…'`.",
        ),
        (
            "train {seed} 2>&1",
            "found `2>&1`, but no shell runs the command; put it in a script, or write "
            "`sh -c '…'`.",
        ),
        (
            "train {seed} 2>/dev/null",
            "found `2>/dev/null`, but no shell runs the command; put it in a script, or write "
            "`sh -c '…'`.",
        ),
        (
            "train --to ~/models {seed}",
            f"found `~/models`, but no shell runs the command; write `{Path.home()}/models`.",
        ),
        (["train", "\0{seed}"], r"found '\x00{seed}'; no word can have a null character."),
    ],
)
def test_what_is_no_command_is_one_clear_line(command, expected):
    assert mistake(CommandTemplate.parse, command) == f"command: {expected}"


def test_a_list_may_have_words_that_a_shell_would_understand():
    assert CommandTemplate.parse(["grep", "|", "{seed}"]).raw == ("grep", "|", "{seed}")
    assert CommandTemplate.parse("need >=3 {seed} a~b").raw == ("need", ">=3", "{seed}", "a~b")


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        (
            {"lr": 1, "lrs": 2},
            "knob `lrs`: the command has no `{lrs}`; did you mean `lr`?",
        ),
        (
            {},
            "command: `{lr}` has no value; give the knob `lr` one, or write `{{lr}}` if braces "
            "are meant.",
        ),
        ({"lr": 1, "seed": 2}, "knob `seed`: siffra itself gives each run its `{seed}`."),
        ({"lr": "\0"}, r"knob `lr`: found '\x00'; it cannot have a null character."),
    ],
)
def test_knobs_that_are_not_the_commands_are_one_clear_line(knobs, expected):
    assert mistake(CommandTemplate.parse(TRAIN).words, knobs, 1, "") == expected


def test_a_command_without_knobs_is_given_none():
    template = CommandTemplate.parse("train {seed}")

    assert mistake(template.check_knobs, ["lr"]) == (
        "knob `lr`: the command has no `{lr}`; it has no knob."
    )


class TestProgram:
    def test_one_on_the_path_or_in_the_folder_is_there(self, tmp_path):
        script = tmp_path / "train.sh"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)

        CommandTemplate.parse("sh {seed}").check_program(tmp_path)
        CommandTemplate.parse("./train.sh {seed}").check_program(tmp_path)
        CommandTemplate.parse(f"{script} {{seed}}").check_program(Path("/"))

    def test_one_that_a_knob_names_is_not_looked_for(self, tmp_path):
        CommandTemplate.parse("{program} {seed}").check_program(tmp_path)

    @pytest.mark.parametrize(
        ("program", "hint"),
        [
            ("no-such-program", "it is neither on PATH nor a file."),
            ("./no-such-program", "it is neither on PATH nor a file."),
            ("train.py", "write `./train.py`, or name its interpreter first."),
            (
                "./train.py",
                "make it executable with `chmod +x ./train.py`, or name its interpreter first.",
            ),
            ("LR=1", "to set a variable, begin with `env LR=1`."),
        ],
    )
    def test_one_that_is_not_there_is_one_clear_line(self, program, hint, tmp_path):
        (tmp_path / "train.py").write_text("")
        template = CommandTemplate((program, "{seed}"))

        assert mistake(template.check_program, tmp_path) == (
            f"command: found no program `{program}`; {hint}"
        )
