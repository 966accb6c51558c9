"""Options that several commands share; those for knobs are made from `config.KNOBS`."""

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from siffra.cli.completion import complete_knob, complete_recipe
from siffra.config import KNOBS, Factory, Knob, as_model, no_such_knob
from siffra.errors import ConfigError, did_you_mean
from siffra.system.terminal import echo

DATA, MACHINE, KNOB = "Data", "Where and how", "Knobs"
_WITH = "with_"


class EngineName(StrEnum):
    """What networks can be trained with."""

    native = "native"
    torch = "torch"


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="The store of finished runs; default: $SIFFRA_STORE, else your user data folder.",
        metavar="FILE",
        rich_help_panel=MACHINE,
    ),
]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Training engine: siffra's own, or PyTorch (extra siffra[torch]).",
        rich_help_panel=MACHINE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        help="Number of threads; default: one per core. Results do not depend on it.",
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
SeedsOption = Annotated[
    int | None,
    typer.Option(help="Number of seeds, and so of runs of each setting.", min=1, metavar="N"),
]
FreshBusyOption = Annotated[
    bool,
    typer.Option("--fresh-busy", help="Repeat the runs that were made on a busy machine."),
]
UntilDecidedOption = Annotated[
    bool,
    typer.Option(
        "--until-decided", help="Add seeds to undecided claims, at pre-planned interim looks."
    ),
]
MaxSeedsOption = Annotated[
    int | None,
    typer.Option(
        help="With --until-decided: seeds at the last look (default: four times the first).",
        min=1,
        metavar="N",
    ),
]


def show_help(context: typer.Context) -> None:
    """For a group of commands that is called without one: its help, which is no mistake."""
    if context.invoked_subcommand is None:
        echo(context.get_help())


def help_text(command: Callable[..., None]) -> str:
    """A command's docstring for the terminal: paragraphs unwrapped, examples line by line."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(p if p.startswith("[dim]") else " ".join(p.split()) for p in paragraphs)


def with_knobs(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` an option for every knob; it is handed those given as a dict, `knobs`.

    In it, the name of a function in place of a model is the function itself.
    """

    @wraps(command)
    def wrapped(**values: Any) -> None:
        given = {name: values.pop(name) for name in KNOBS}
        knobs = {name: value for name, value in given.items() if value is not None}
        if "model" in knobs:
            knobs["model"] = as_model(knobs["model"])
        own = knobs_of_own(knobs)
        for argument in values.pop(_WITH) or ():
            name, value = _one_value(argument, own)
            knobs[name] = value
        command(**values, knobs=knobs)

    own = [p for p in inspect.signature(command).parameters.values() if p.name != "knobs"]
    options = [_with_option(), *(_option(knob) for knob in KNOBS.values())]
    signature = inspect.Signature([*own, *options])
    wrapped.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
    wrapped.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return wrapped


def knobs_of_own(knobs: Mapping[str, Any]) -> Mapping[str, Knob]:
    """The parameters of a function that stands for a model; there are none without one."""
    model = knobs.get("model")
    return model.knobs if isinstance(model, Factory) else {}


def _one_value(argument: str, own: Mapping[str, Knob]) -> tuple[str, Any]:
    """`width=64` as the name and the value of a parameter of a function of the user's."""
    name, _, text = argument.partition("=")
    name = name.strip().replace("-", "_")
    if not own:
        raise ConfigError(
            f"with: {name} is for a model of your own; name it as --model my_models:make"
        )
    if name not in own:
        raise ConfigError(f"with: {name}: no such parameter; {did_you_mean(name, own)}")
    knob = own[name]
    is_list = knob.per_layer and not text.strip().startswith("[") and _is_numbers(text)
    return name, _level(knob, f"[{text}]" if is_list else text)


def _is_numbers(text: str) -> bool:
    """Whether it is a list of numbers without its brackets, as `16,8`."""
    parts = [_whatever(part.strip()) for part in text.split(",")]
    return len(parts) > 1 and all(isinstance(part, int | float) for part in parts)


def _with_option() -> inspect.Parameter:
    option = typer.Option(
        "--with",
        help="A parameter of your own model or scikit-learn classifier, as width=64.",
        metavar="NAME=VALUE",
        rich_help_panel=KNOB,
    )
    return inspect.Parameter(
        _WITH,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[list[str] | None, option],
    )


def _option(knob: Knob) -> inspect.Parameter:
    option = typer.Option(
        "--" + knob.name.replace("_", "-"),
        help=_help(knob),
        metavar=_metavar(knob),
        rich_help_panel=KNOB,
        autocompletion=complete_knob(knob.name),
        parser=lambda text: parse_values(knob, text) if knob.per_layer else parse_value(knob, text),
    )
    return inspect.Parameter(
        knob.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Any, option],
    )


def _help(knob: Knob) -> str:
    text = knob.help[0].upper() + knob.help[1:]
    if knob.per_layer:
        text += "; one value, or one per layer, as 64,32"
    return text + ("." if len(knob.models) > 1 else f" ({', '.join(knob.models)} only).")


def _metavar(knob: Knob) -> str:
    return {int: "N", float: "X", str: "NAME", bool: "true|false"}[knob.type] + (
        ",..." if knob.per_layer else ""
    )


def parse_value(knob: Knob, text: str) -> int | float | str | bool | None:
    """One value of a knob; of one that takes anything, what the text looks like.

    Raises:
        ConfigError: It is no such number.
    """
    if knob.type is str:
        return text.strip()
    if knob.type is object:
        return _whatever(text.strip())
    if knob.type is bool:
        if text.strip().lower() not in ("true", "false"):
            raise ConfigError(f"{knob.name}: found {text!r}; it must be true or false.")
        return text.strip().lower() == "true"
    try:
        return knob.type(text)
    except ValueError as error:
        wanted = "a whole number" if knob.type is int else "a number"
        raise ConfigError(f"{knob.name}: found {text!r}; it must be {wanted}.") from error


def _whatever(text: str) -> int | float | str | bool | None:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def parse_values(knob: Knob, text: str) -> Any:
    """A per-layer knob: one value, or a list with one for each layer."""
    values = [parse_value(knob, part) for part in text.split(",")]
    return values if len(values) > 1 else values[0]


def parse_levels(
    arguments: list[str], own: Mapping[str, Knob] | None = None
) -> Mapping[str, list[Any]]:
    """`["learning_rate=0.02,0.7", "neurons=32,[64,32]"]` as levels by knob; lists in brackets.

    `own` are the knobs of a model of the user's.

    Raises:
        ConfigError: No `=`, an unknown knob, a knob twice, or a value that is no such number.
    """
    levels: dict[str, list[Any]] = {}
    known = {**KNOBS, **(own or {})}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if name not in known:
            raise ConfigError(f"{name}: {no_such_knob(name, known)}")
        if not equals or not text.strip():
            raise ConfigError(f"{name}: no levels; write them as {name}=V1,V2,...")
        if name in levels:
            raise ConfigError(f"{name}: given twice; write its levels as {name}=V1,V2,...")
        levels[name] = [_level(known[name], part) for part in _parts(name, text)]
    return levels


def parse_names(option: str, text: str | None) -> tuple[str, ...]:
    """`a,b,e` as the names in it; none for None.

    Raises:
        ConfigError: One of them is empty, as after a comma at the end.
    """
    names = tuple(name.strip() for name in text.split(",")) if text is not None else ()
    if not all(names):
        raise ConfigError(
            f"{option}: found {text!r}; write names with commas between them, as a,b."
        )
    return names


def spell(value: object) -> str:
    """A knob's value as it is typed: `64,32`."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _parts(name: str, text: str) -> list[str]:
    """The levels in a text; commas in brackets part none."""
    parts = re.split(r",(?![^\[]*\])", text)
    if not all(part.strip() for part in parts):
        raise ConfigError(f"{name}: found {text!r}; a level is empty: write {name}=V1,V2,...")
    return parts


def _level(knob: Knob, text: str) -> Any:
    text = text.strip()
    if not text.startswith("["):
        return parse_value(knob, text)
    if not knob.per_layer:
        raise ConfigError(f"{knob.name}: found {text}; this knob has one value for all layers.")
    return [parse_value(knob, part) for part in text.strip("[]").split(",")]
