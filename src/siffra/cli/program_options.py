"""The options of a program of the user's, which it is that trains."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from siffra.cli.options import Command, Options, in_place_of, option, parse_list
from siffra.errors import ConfigError

if TYPE_CHECKING:
    from siffra.api import RunOptions
    from siffra.api.commands import CommandOptions

PROGRAM_PANEL = "A program of your own"
_of_program = partial(option, rich_help_panel=PROGRAM_PANEL)
_PROGRAM: Options = {
    "command": _of_program(
        str | None,
        'A program of your own, which is run instead: "python train.py --lr {lr} --seed {seed}". '
        "Every {name} is a knob of its own; {out} is a folder for each run.",
        "COMMAND",
    ),
    "metric": _of_program(
        list[str] | None,
        "What it measures, and which values are better: val_loss:lower. Read from its last "
        "JSON object, or {out}/metrics.json. Repeatable: --metric once for each. Behind a comma, "
        "its margin, scale=ratio and unit: fps:higher,margin=5,unit=Hz.",
        "NAME:higher|lower",
    ),
    "margin": _of_program(float | None, "The smallest difference in it that matters.", "X"),
    "read": _of_program(
        list[str] | None,
        'Read a metric from its output: "val_loss: ([0-9.]+)". Repeatable.',
        "PATTERN",
    ),
    "watch": _of_program(
        list[str] | None,
        "Files and folders it depends on, besides those in the command: runs are made anew "
        "once they change. Repeatable.",
        "FILE",
    ),
    "timeout": _of_program(str | None, "The longest that a run may take, as 10m.", "SPAN"),
    "gpus": _of_program(
        list[str] | None,
        "One run at a time on each of these GPUs, as 0,1; on a cluster, how many each run gets, "
        "as 1 or 0.5.",
        "IDS",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The options of a program of the user's."""

    command: str | None = None
    metric: list[str] | None = None
    margin: float | None = None
    read: list[str] | None = None
    watch: list[str] | None = None
    timeout: str | None = None
    gpus: list[str] | None = None

    @property
    def gpu_names(self) -> tuple[str, ...]:
        """The GPUs, one by one."""
        return parse_list("gpus", self.gpus, "0,1")

    def command_options(self, running: "RunOptions") -> "CommandOptions":
        """The program, to be run as the other options say."""
        from siffra.api.commands import command_options

        return command_options(
            self.command or "",
            self.metric or (),
            running,
            margin=self.margin,
            read=self.read,
            watch=self.watch,
            timeout=self.timeout,
            gpus=self.gpu_names,
        )

    def expect_none(self) -> None:
        """See that without a program nothing is said of one.

        Raises:
            ConfigError: Something is.
        """
        for name in _PROGRAM:
            if getattr(self, name) is not None:
                raise ConfigError(f"{name}: it is for a program of your own; give its --command.")


def with_program(*names: str) -> Callable[[Command], Command]:
    """The options of these names, or all, in the place of `program`, a `Program`."""
    return in_place_of("program", {name: _PROGRAM[name] for name in names or _PROGRAM}, Program)
