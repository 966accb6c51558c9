"""Options that several commands share, one by one and in groups.

A group takes the place of one parameter of a command: what is given of it is handed over whole.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from typer.core import TyperCommand, TyperGroup

from siffra.cli.completion import complete_questions, complete_recipe
from siffra.errors import ConfigError
from siffra.system.terminal import echo, echo_answer, echo_json

if TYPE_CHECKING:
    from siffra.api import LabOptions, LabResult, RunOptions

Command = Callable[..., None]

DATA, MACHINE, KNOB = "Data", "Where and how", "Knobs"
_CHECK = (
    "Exit with 0 if every claim is supported, 3 if any is refuted or makes no difference, else 4. "
    "A mistake still exits with 2, and Ctrl-C with 130. Without it: 0, or 4 if the time was too "
    "short for any verdict."
)


class Preset(StrEnum):
    """How long a lab trains."""

    quick = "quick"
    standard = "standard"
    full = "full"


class Language(StrEnum):
    """What a report can be written in."""

    en = "en"
    sv = "sv"


class EngineName(StrEnum):
    """What networks can be trained with."""

    native = "native"
    torch = "torch"


Option = tuple[Any, Any]
"""A parameter's annotation, and what it is unless it is given."""
Options = Mapping[str, Option]


def option(
    kind: Any, text: str, metavar: str | None = None, default: object = None, **more: Any
) -> Option:
    """An option of a table, for `in_place_of`: its type, its help, and what its value is called.

    `more` is for Typer. It is called as its name in the table is, unless more has its `flag`.
    """
    names = [more.pop("flag")] if "flag" in more else []
    return Annotated[kind, typer.Option(*names, help=text, metavar=metavar, **more)], default


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="The store of finished runs; default: $SIFFRA_STORE, else your user data folder.",
        metavar="FILE",
        rich_help_panel=MACHINE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        help="Threads of a run; default: the cores, shared out to the runs made at once. Results "
        "do not depend on it.",
        min=1,
        metavar="N",
        rich_help_panel=MACHINE,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
RecipeOption = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="A recipe, by name (digits-5s) or file: defaults for all knobs not given.",
        metavar="NAME|FILE",
        autocompletion=complete_recipe,
        rich_help_panel=KNOB,
    ),
]
LanguageOption = Annotated[
    Language, typer.Option("--lang", help="Language of the answer and the report.")
]

_LAB: Options = {
    "preset": option(
        Preset | None,
        "Cap on epochs: quick 3, standard 20, full none. Default: what the lab file says; the "
        "study shipped with siffra says quick.",
        show_default=False,
    ),
    "epochs": option(int | None, "Train every run for N epochs instead.", "N", min=1),
    "time": option(
        str | None,
        "Training-time budget, as 5m: every setting gets five seeds, and undecided claims get "
        "more for as long as it lasts. If it does not last for five seeds of everything, a lab's "
        "claims that are decided soonest go first. Default of a lab: quick 5m, standard 20m, full "
        "60m.",
        "SPAN",
        show_default=False,
    ),
    "max_seeds": option(
        int | None,
        "The most seeds that an undecided claim gets, 10 or more. Default: 40.",
        "N",
        show_default=False,
    ),
    "seeds": option(
        int | None, "A fixed number of seeds for each setting, judged once.", "N", min=1
    ),
    "only": option(
        list[str] | None,
        "Run only these questions, as a,b,e.",
        "IDS",
        autocompletion=complete_questions,
    ),
}
_on_machine = partial(option, rich_help_panel=MACHINE)
_RUN: Options = {
    "fresh": option(
        bool, "Repeat every run and replace the stored ones.", default=False, flag="--fresh"
    ),
    "engine": _on_machine(
        EngineName,
        "Training engine: siffra's own, or PyTorch (extra siffra\\[torch]).",
        default=EngineName.native,
    ),
    "threads": (ThreadsOption, None),
    "jobs": _on_machine(
        int | None,
        "Runs made at once; default: as many as there are cores, of a program 1, and on a cluster "
        "as it has room for. 1: one at a time, on all cores.",
        "N",
        min=1,
        show_default=False,
    ),
    "on": _on_machine(
        str,
        "Where to make the runs: here, on a Ray cluster (ray, ray://host:port), or on a cluster "
        "only if $RAY_ADDRESS is set (auto).",
        "PLACE",
        "here",
    ),
    "alone": _on_machine(
        bool,
        "On a cluster, give each run a node to itself, for undisturbed times.",
        default=False,
        flag="--alone",
    ),
    "store": (StoreOption, None),
}


def in_place_of(
    parameter: str, options: Options, make: Callable[..., object]
) -> Callable[[Command], Command]:
    """Give a command `options` in the place of a parameter.

    The command is handed what `make` makes of them, which takes them by name.
    """
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=declared
        )
        for name, (declared, default) in options.items()
    ]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(**values: object) -> None:
            chosen = {name: values.pop(name) for name in options}
            command(**values, **{parameter: make(**chosen)})

        parameters: list[inspect.Parameter] = []
        for declared in inspect.signature(command).parameters.values():
            others = [declared.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
            parameters += added if declared.name == parameter else others
        wrapped.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


def with_lab_options(*names: str) -> Callable[[Command], Command]:
    """The options of these names, or all, in the place of `options`, a `LabOptions`."""

    def make(only: list[str] | None = None, time: str | None = None, **given: Any) -> "LabOptions":
        from siffra.api import LabOptions
        from siffra.config.durations import seconds_of

        return LabOptions(
            only=() if only is None else parse_list("only", only),
            time=None if time is None else seconds_of(time, "time"),
            **given,
        )

    return in_place_of("options", {name: _LAB[name] for name in names or _LAB}, make)


def with_run_options(*names: str) -> Callable[[Command], Command]:
    """The options of these names, or all, in the place of `running`, a `RunOptions`."""

    def make(**given: Any) -> "RunOptions":
        from siffra.api import RunOptions

        return RunOptions(**given)

    return in_place_of("running", {name: _RUN[name] for name in names or _RUN}, make)


class Answer(Protocol):
    """What can be printed, in a language."""

    def text(self, language: str) -> str: ...
    def as_json(self, language: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Output:
    """Where an answer goes: to the folder `out`, if there is one, and to stdout."""

    out: Path | None
    language: Language
    as_json: bool = False
    is_checked: bool = False

    def print(self, answer: Answer) -> None:
        """Print an answer, as JSON if that was asked for."""
        if self.as_json:
            echo_json(answer.as_json(self.language))
        else:
            echo_answer(answer.text(self.language))

    def check(self, result: "LabResult") -> None:
        """End with a code that says what became of the claims, if that was asked for.

        A budget too short for any verdict ends with that of open claims in any case.
        """
        if (self.is_checked or result.lacks_time) and (code := result.check()):
            raise typer.Exit(code)


def with_output(
    out: Path | None, described: str, *, json: bool = True, check: bool = False
) -> Callable[[Command], Command]:
    """The options of an `Output` in the place of `output`; `out` unless another folder is given."""
    options = {"out": option(Path | None, described, "DIR", out)}
    options |= {"language": (LanguageOption, Language.en)}
    options |= {"as_json": (JsonOption, False)} if json else {}
    if check:
        options["is_checked"] = option(bool, _CHECK, default=False, flag="--check")
    return in_place_of("output", options, Output)


class _FlagsWithoutType:
    """A command in whose help flags are flags: none has `<bool>` behind it, which they do not take.

    In front of a command's class.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """See Typer."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class PlainCommand(_FlagsWithoutType, TyperCommand):
    """A command of siffra's."""


class PlainGroup(_FlagsWithoutType, TyperGroup):
    """A group of them."""


def show_help(context: typer.Context) -> None:
    """For a group of commands that is called without one: its help, which is no mistake."""
    if context.invoked_subcommand is None:
        echo(context.get_help())


def help_text(command: Callable[..., None]) -> str:
    """A command's docstring for the terminal: paragraphs unwrapped, examples line by line."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(p if p.startswith("[dim]") else " ".join(p.split()) for p in paragraphs)


def parse_list(
    name: str, said: str | Sequence[str] | None, example: str = "a,b"
) -> tuple[str, ...]:
    """`a,b,[1,2]` as what is between its commas; those in brackets part nothing.

    An option that may be repeated is as one with all its texts; without any, there is nothing.

    Raises:
        ConfigError: There is nothing between two of them, or after the last.
    """
    if not isinstance(said, str) and not any(said or ()):
        return ()
    text = said if isinstance(said, str) else ",".join(said or ())
    entries = tuple(map(str.strip, re.split(r",(?![^\[]*\])", text)))
    if not all(entries):
        stop = "" if example.endswith(".") else "."
        raise ConfigError(f"{name}: found {text!r}; an entry is empty: write it as {example}{stop}")
    return entries
