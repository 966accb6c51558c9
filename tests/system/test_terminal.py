"""Nothing that siffra prints makes a terminal do things: all of it goes through one edge."""

import ast
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table

import siffra
from siffra.system.terminal import (
    console,
    echo,
    echo_answer,
    echo_data,
    echo_json,
    log_to_stderr,
    odd_character,
    one_line,
    printable,
)

ESCAPES = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r",
    "\x08",
    "\x7f",
    "\u202e",
    "\u2066",
    "\udc80",
)


@pytest.mark.parametrize("escape", ESCAPES)
def test_what_moves_or_turns_the_terminal_is_replaced(escape):
    assert odd_character(f"a{escape}b") == escape[0]
    shown = printable(f"a{escape}b\n\tå – 猫")
    assert odd_character(shown) is None
    assert shown.startswith("a\N{REPLACEMENT CHARACTER}")
    assert shown.endswith("b\n\tå – 猫")


def test_a_line_stays_one():
    assert one_line("a\nerror: b\tc\x1b") == "a error: b c\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("err", [False, True])
def test_lines_are_printed_printable(capsys, err):
    echo("å\x1b[2J\n", err=err)

    assert capsys.readouterr()[err] == "å\N{REPLACEMENT CHARACTER}[2J\n\n"


CLAIM = "    supported  A fast rate makes it easier to train them.  −3.2 points (−5.6 to −0.9)"
LEVEL = "    6  │ ∘●∘   │ 95.95 ± 0.13 %  best on validation; batch size: smallest value tried"
PROSE = "Of 68 claims 35 are supported, 7 are refuted and 21 stay open, at 99.9 % or more."


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            CLAIM,
            [
                "    supported  A fast rate makes it easier to train",
                "               them.  −3.2 points (−5.6 to −0.9)",
            ],
        ),
        (
            CLAIM.replace("−5.6", "−5.6 percent"),
            [
                "    supported  A fast rate makes it easier to train",
                "               them.",
                "               −3.2 points (−5.6 percent to −0.9)",
            ],
        ),
        (
            LEVEL,
            [
                "    6  │ ∘●∘   │ 95.95 ± 0.13 %  best on validation;",
                "        batch size: smallest value tried",
            ],
        ),
        (
            PROSE,
            [
                "Of 68 claims 35 are supported, 7 are refuted and 21",
                "stay open, at 99.9 % or more.",
            ],
        ),
    ],
)
def test_an_answer_is_broken_at_the_terminals_width_and_hangs_in_its_column(
    line, shown, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "54")
    echo_answer(f"{line}\nshort")
    assert capsys.readouterr().out == f"{line}\nshort\n"

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    echo_answer(f"{line}\nshort")
    assert capsys.readouterr().out.splitlines() == [*shown, "short"]


def test_json_keeps_its_values(capsys):
    value = {"name": "".join(ESCAPES) + "å\n"}

    echo_json(json.dumps(value, ensure_ascii=False))

    out = capsys.readouterr().out
    assert odd_character(out) is None
    assert "å" in out
    assert json.loads(out) == value


def test_data_go_to_a_program_as_they_are_and_not_to_a_terminal(capsys, monkeypatch):
    echo_data("a\x1b,b\r\n")
    assert capsys.readouterr().out == "a\x1b,b\r\n"

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    echo_data("a\x1b,b\n")
    assert capsys.readouterr().out == "a\N{REPLACEMENT CHARACTER},b\n"


def test_a_table_has_its_own_colours_and_nobody_elses():
    table = Table("name", header_style="bold")
    table.add_row("[bold]a[/bold]\x1b]0;title\x07[/nothing]", style="red")
    out = io.StringIO()

    console(file=out, force_terminal=True, width=80, color_system="standard").print(table)

    assert "\x1b[31m" in out.getvalue()
    assert "[bold]a[/bold]\N{REPLACEMENT CHARACTER}]0;title" in out.getvalue()
    assert "\x1b]" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_neither_has_a_progress_bar_anything_but_its_own():
    out = io.StringIO()
    onto = console(file=out, force_terminal=True, width=80)
    with Progress(TextColumn("{task.fields[text]}", markup=False), console=onto) as bar:
        bar.add_task("", text="named\x1b]0;title\x07")
        bar.refresh()

    assert "named\N{REPLACEMENT CHARACTER}" in out.getvalue()
    assert "\x1b]" not in out.getvalue()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    before = logging.getLogger("siffra").handlers[:]
    yield logging.getLogger("siffra.made_up")
    logging.getLogger("siffra").handlers[:] = before


def test_a_message_in_the_log_is_a_line_of_its_own(capsys, logger):
    log_to_stderr("siffra: %(message)s")
    log_to_stderr("siffra: %(message)s")  # once more is the same

    logger.error("%s", "a name\nsiffra: \x1b[2Jall is well")

    assert (
        capsys.readouterr().err
        == "siffra: a name siffra: \N{REPLACEMENT CHARACTER}[2Jall is well\n"
    )


def test_a_traceback_in_the_log_keeps_its_lines(capsys, logger):
    log_to_stderr()
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        logger.exception("failed")

    err = capsys.readouterr().err
    assert len(err.splitlines()) > 2
    assert odd_character(err) is None


def _printing(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "print", "typer.echo", "typer.secho", "click.echo", "Console", "rich.print",
            "sys.stdout.write", "sys.stderr.write", "logging.basicConfig",
        }:  # fmt: skip
            yield node


def test_nothing_is_printed_elsewhere():
    package = Path(siffra.__file__).parent
    found = [
        f"{path.relative_to(package)}:{call.lineno}"
        for path in package.rglob("*.py")
        if path != package / "system" / "terminal.py"
        for call in _printing(ast.parse(path.read_text("utf-8")))
    ]

    assert found == []
