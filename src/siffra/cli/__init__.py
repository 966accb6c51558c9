"""The command line: parses, calls `siffra.api`, prints.

Results go to stdout, progress to stderr. The commands stand in files of their own, by family;
what is heavy to import, they import when they are called, so that `siffra --help` is instant.
"""

import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from siffra.cli.bench import bench
from siffra.cli.data import data
from siffra.cli.doctor import doctor
from siffra.cli.errors import INTERRUPTED, MISTAKE, UNREAD, explain_lack, usage_mistake
from siffra.cli.init import init
from siffra.cli.judge import judge
from siffra.cli.knobs import KnobCommand
from siffra.cli.lab import lab, report
from siffra.cli.noise import noise
from siffra.cli.options import PlainGroup, help_text, show_help
from siffra.cli.runs import runs
from siffra.cli.search import search
from siffra.cli.stopping import Signals, Stopped, say_stopped
from siffra.cli.train import export, predict, train
from siffra.cli.ui import ui
from siffra.cli.vary import vary
from siffra.errors import SiffraError, SiffraWarning
from siffra.system.terminal import echo, log_to_stderr, one_line

app = typer.Typer(
    name="siffra",
    cls=PlainGroup,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    lab, vary, judge, noise, init, train, search, predict, export, report, ui, bench, doctor,
)  # fmt: skip
for command in COMMANDS:
    app.command(cls=KnobCommand, help=help_text(command))(command)
app.add_typer(data, name="data")
app.add_typer(runs, name="runs")


def _print_version(wanted: bool) -> None:
    if wanted:
        import siffra

        echo(f"siffra {siffra.__version__}")
        raise typer.Exit


def siffra_(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """A lab bench for neural networks.

    Ask what a training knob does. siffra trains the models several times, with different seeds,
    and answers with a number, an interval and a verdict.

    Start with [bold]siffra lab[/bold], which runs the study shipped with siffra, or ask a
    question: [bold]siffra vary learning_rate=0.02,0.7,1[/bold]
    """
    show_help(context)


app.callback(invoke_without_command=True, help=help_text(siffra_))(siffra_)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    The code is 0 for done, 1 if whoever read the output has gone, 2 for a mistake of the user's
    or something that the machine lacks, and 128 and a signal's number if that ended it.
    """
    _open_streams()
    log_to_stderr()
    signals = Signals()
    try:
        with signals.raised():
            sys.exit(_run(arguments, signals))
    except BrokenPipeError:
        # The reader has seen enough (`siffra runs list | head`).
        _give_up_output()
        sys.exit(UNREAD)


def _run(arguments: Sequence[str] | None, signals: Signals) -> int:
    try:
        with _warnings_in_a_line():
            code = app(args=arguments, prog_name="siffra", standalone_mode=False) or 0
        sys.stdout.flush()
    except SiffraError as error:
        return _mistake(str(error))
    except typer.TyperException as error:
        return _mistake(usage_mistake(error))
    except Stopped as stopped:
        say_stopped(str(stopped))
        return signals.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        raise
    except (OSError, MemoryError, ImportError, RuntimeError) as error:
        lack = explain_lack(error)
        if lack is None:
            raise
        _give_up_output(only_if_full=True)
        return _mistake(lack)
    if code == INTERRUPTED:  # as Typer has it, too
        say_stopped()
        return signals.exit_code
    return code


def _open_streams() -> None:
    """See to it that there are all three, and that what they cannot show is no reason to fail."""
    if sys.stdout is None or sys.stderr is None or sys.stdin is None:
        # As some services start programs (`>&-`). The numbers must not come to be those of files.
        for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
            if getattr(sys, name) is None:
                opened = os.open(os.devnull, os.O_RDWR)
                if opened != number:
                    os.dup2(opened, number)
                    os.close(opened)
                setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± is no reason to fail


def _give_up_output(*, only_if_full: bool = False) -> None:
    """Drop what is still to be printed: it would fail again when Python closes stdout."""
    if only_if_full:
        try:
            sys.stdout.flush()
            return
        except OSError:
            pass
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print siffra's own warnings without the place in its source."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, SiffraWarning):
                echo(f"warning: {one_line(str(message))}", err=True)
            else:
                usual(message, category, *where)

        warnings.showwarning = show
        yield


def _mistake(text: str) -> int:
    with suppress(OSError):  # on a full disk stderr may be full as well
        echo(f"error: {one_line(text)}", err=True)
    return MISTAKE
