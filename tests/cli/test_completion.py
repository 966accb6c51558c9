"""What shells are offered at the Tab key, asked as they ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from siffra.config import choices

LAB = """
title = "Mine"
[[questions]]
id = "width"
ask = "?"
vary = { neurons = [4, 8] }
[[questions]]
id = "depth"
ask = "?"
vary = { layers = [1, 2] }
"""


Offered = Callable[..., list[str]]


@pytest.fixture
def offered(siffra, tmp_path, monkeypatch) -> Offered:
    """The lines that a shell is given, beside a lab file."""
    (tmp_path / "my-lab.toml").write_text(LAB)
    monkeypatch.chdir(tmp_path)

    def ask(shell: str, **words: str) -> list[str]:
        for name, value in ({"_SIFFRA_COMPLETE": f"complete_{shell}"} | words).items():
            monkeypatch.setenv(name, value)
        ended = siffra()
        assert (ended.code, ended.err) == (0, "")
        return ended.out.split("\n")

    return ask


def bash(line: str, offered: Offered) -> list[str]:
    """As Bash does: `=` is a word of its own, and the last word is being written."""
    words = line.replace("=", " = ").split(" ")
    words = [word for word in words[:-1] if word] + [words[-1]]
    if words[-2:] == ["=", ""]:
        words.pop()
    told = offered("bash", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))
    return [] if told == [""] or told == ["", ""] else [word for word in told if word]


def fish(line: str, offered: Offered) -> list[str]:
    told = offered("fish", _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_FISH_ACTION="get-args")
    return [word.partition("\t")[0] for word in told if word]


def zsh(line: str, offered: Offered) -> list[str]:
    """The words in zsh's `_arguments '*: :(("a"\\n"b":"help"))'`."""
    told = "\n".join(offered("zsh", _TYPER_COMPLETE_ARGS=line)).strip()
    listed = told.removeprefix("_arguments '*: :((").removesuffix("))'")
    return [word.split('"')[1] for word in listed.splitlines() if '"' in word]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("siffra do", ["doctor"]),
        ("siffra vary schedule=", ["constant", "one_cycle", "cosine", "step"]),
        ("siffra vary schedule=co", ["constant", "cosine"]),
        ("siffra vary schedule=constant,o", ["constant,one_cycle"]),
        ("siffra vary batch_norm=", ["false", "true"]),
        ("siffra vary schedule=constant,cosine optimizer=ada", ["adam", "adamw"]),
        ("siffra vary label", ["label_smoothing="]),
        ("siffra vary neurons=8,16 neu", []),
        ("siffra vary nothing=", []),
        ("siffra train --schedule co", ["constant", "cosine"]),
        ("siffra train --recipe digits-1", ["digits-1s", "digits-15s"]),
        ("siffra train --recipe my", ["my-lab.toml"]),
        ("siffra lab --preset s", ["standard"]),
        ("siffra lab --only b-c", ["b-classes"]),
        ("siffra lab --only exp", ["experiments"]),
        ("siffra lab my-lab.toml --only w", ["width"]),
        ("siffra lab my-lab.toml --only width,", ["width,depth"]),
        ("siffra lab missing.toml --only ", []),
    ],
)
def test_bash_is_offered(offered, line, expected):
    told = bash(line, offered)

    assert [word for word in told if word in expected] == expected
    assert len(told) == len(expected)


def test_several_knobs_come_with_what_follows_them(offered):
    told = bash("siffra vary augment_", offered)

    assert told == ["augment_move=", "augment_rotate=", "augment_clean=", "augment_jitter="]


@pytest.mark.parametrize("shell", [zsh, fish])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("siffra vary schedule=co", ["schedule=constant", "schedule=cosine"]),
        ("siffra vary schedule=constant,o", ["schedule=constant,one_cycle"]),
        ("siffra vary optim", [
            "optimizer=",
            *(f"optimizer={o}" for o in choices("optimizer") or ()),
        ]),
        ("siffra train --recipe digits-5", ["digits-5s"]),
        ("siffra lab --preset f", ["full"]),
    ],
)  # fmt: skip
def test_other_shells_are_offered(offered, shell, line, expected):
    assert shell(line, offered) == expected


def test_in_a_real_bash(tmp_path):
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    siffra = tmp_path / "siffra"
    siffra.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m siffra "$@"\n')
    siffra.chmod(0o755)
    script = (
        'eval "$(_SIFFRA_COMPLETE=source_bash siffra)"\n'
        "COMP_WORDS=(siffra vary optimizer = ada)\nCOMP_CWORD=4\n"
        "$(complete -p siffra | sed 's/.*-F \\([^ ]*\\) .*/\\1/') siffra\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    told = subprocess.check_output(["bash", "-c", script], env=environment, text=True)

    assert told.split() == ["adam", "adamw"]
