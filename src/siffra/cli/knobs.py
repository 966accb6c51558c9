"""Knobs on the command line: their options, and how values and levels are typed."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import typer

from siffra.cli.completion import complete_knob
from siffra.cli.options import KNOB, Command, PlainCommand, in_place_of, parse_list
from siffra.config import KNOBS, Factory, Knob, Setting, as_model, no_such_knob
from siffra.config.validation import with_a_point
from siffra.errors import ConfigError, did_you_mean

_WITH = "with_"


def with_knobs(command: Command) -> Command:
    """Give `command` an option for every knob; it is handed those given as a dict, `knobs`.

    In it, the name of a function in place of a model is the function itself.
    """
    options = {_WITH: _with_option(), **{name: _option(knob) for name, knob in KNOBS.items()}}
    return in_place_of("knobs", {name: (option, None) for name, option in options.items()}, _given)(
        command
    )


def _given(with_: list[str] | None, **values: Any) -> dict[str, Any]:
    """The knobs that were given, those of a model of the user's among them."""
    knobs = {
        name: parse_values(KNOBS[name], value) if KNOBS[name].per_layer else value
        for name, value in values.items()
        if value is not None
    }
    if "model" in knobs:
        knobs["model"] = as_model(knobs["model"])
    own_knobs = knobs_of_own(knobs)
    return knobs | dict(_one_value(argument, own_knobs) for argument in with_ or ())


def knobs_of_own(knobs: Mapping[str, object]) -> Mapping[str, Knob]:
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
    parts = [parse_any(part.strip()) for part in text.split(",")]
    return len(parts) > 1 and all(isinstance(part, int | float) for part in parts)


def _with_option() -> Any:
    option = typer.Option(
        "--with",
        help="A parameter of your own model or scikit-learn classifier, as width=64.",
        metavar="NAME=VALUE",
        rich_help_panel=KNOB,
    )
    return Annotated[list[str] | None, option]


def _option(knob: Knob) -> Any:
    if knob.type is bool:
        flag = _flag(knob.name)
        on_or_off = typer.Option(f"{flag}/{_off(flag)}", help=_help(knob), rich_help_panel=KNOB)
        return Annotated[bool | None, on_or_off]
    option = typer.Option(
        _flag(knob.name),
        help=_help(knob),
        metavar=_metavar(knob),
        rich_help_panel=KNOB,
        autocompletion=complete_knob(knob.name),
        parser=str if knob.per_layer else partial(parse_value, knob),
    )
    return Annotated[list[str] | None if knob.per_layer else Any, option]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _off(flag: str) -> str:
    return "--no-" + flag.removeprefix("--")


class KnobCommand(PlainCommand):
    """A command whose Boolean knobs are flags, which may have `true` or `false` behind them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See Typer."""
        return super().parse_args(ctx, list(_as_flags(args)))


def _as_flags(arguments: Sequence[str]) -> Iterator[str]:
    """`--batch-norm false` and `--batch-norm=false` as `--no-batch-norm`."""
    flags = {_flag(name): knob for name, knob in KNOBS.items() if knob.type is bool}
    left = list(arguments)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag not in flags:
            yield flag + equals + value
            continue
        if not equals and left and left[0].lower() in ("true", "false"):
            equals, value = "=", left.pop(0)
        yield flag if not equals or parse_value(flags[flag], value) else _off(flag)


def _help(knob: Knob) -> str:
    text = knob.help[0].upper() + knob.help[1:]
    if knob.per_layer:
        text += "; one value, or one per layer, as 64,32"
    return text + ("." if len(knob.models) > 1 else f" ({', '.join(knob.models)} only).")


def _metavar(knob: Knob) -> str:
    return {int: "N", float: "X", str: "NAME"}[knob.type] + (",..." if knob.per_layer else "")


def parse_value(knob: Knob, text: str) -> int | float | str | bool | None:
    """One value of a knob; of one that takes anything, what the text looks like.

    Raises:
        ConfigError: It is no such number.
    """
    if knob.type is str:
        return text.strip()
    if knob.type is object:
        return parse_any(text.strip())
    if knob.type is bool:
        if text.strip().lower() not in ("true", "false"):
            raise ConfigError(f"{knob.name}: found {text!r}; it must be true or false.")
        return text.strip().lower() == "true"
    try:
        return knob.type(text)
    except ValueError as error:
        wanted = "a whole number" if knob.type is int else "a number"
        if knob.type is float and (pointed := with_a_point(text)):
            wanted += f", with a point: {pointed}"
        raise ConfigError(f"{knob.name}: found {text!r}; it must be {wanted}.") from error


def parse_any(text: str) -> int | float | str | bool | None:
    """What a text looks like: a number, true or false, none, or a text."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def parse_values(knob: Knob, said: str | Sequence[str]) -> Any:
    """A per-layer knob: one value, or a list with one for each layer."""
    values = [parse_value(knob, part) for part in parse_list(knob.name, said)]
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
        parts = _parts(name, text, is_whole=known[name].type is int)
        _expect_no_comma_for_a_point(known[name], text)
        levels[name] = [_level(known[name], part) for part in parts]
    return levels


def _parts(name: str, text: str, *, is_whole: bool = False) -> tuple[str, ...]:
    """The levels in a list of them, of which none is half of a number with a decimal comma.

    Levels that are whole numbers have no decimals, but may be given twice.

    Raises:
        ConfigError: One is empty, or some are such halves: `0,03,0,3` has 0 twice, and 03.
    """
    meant = text.split(";")
    if len(meant) == 1 or not all(map(with_a_point, meant)):
        parts = parse_list(name, text, f"{name}=V1,V2,...")
        halves = list(zip(parts[::2], parts[1::2], strict=False))
        meant = [",".join(pair) for pair in halves] if 2 * len(halves) == len(parts) else []
        is_cut = any(len(set(half)) < len(halves) for half in zip(*halves, strict=True))
        are_numbers = len(set(meant)) > 1 and all(map(with_a_point, meant))
        if is_whole or not ((is_cut and are_numbers) or _has_decimals(parts)):
            return parts
    right = ",".join((with_a_point(number) or "").strip() for number in meant)
    raise ConfigError(
        f"{name}: found {text!r}; commas part the values, and decimals have a point. "
        f"Write {name}={right or '0.5,1'}"
    )


def _has_decimals(parts: Sequence[str]) -> bool:
    """Whether decimals of a number are among them, as the `03` of `0,03`; `007,008` has none."""
    pairs = map(",".join, pairwise(parts))
    return any(re.fullmatch(r"-?(0|[1-9]\d*),0\d+", pair) for pair in pairs)


def _expect_no_comma_for_a_point(knob: Knob, text: str) -> None:
    """`0,5` are two levels; of a knob that cannot be 0, one number was meant."""
    if knob.type is not float or not text.strip().startswith("0,") or knob.name not in KNOBS:
        return
    if pointed := with_a_point(text):
        try:
            Setting.from_knobs({knob.name: 0.0})
        except ConfigError as error:
            raise ConfigError(
                f"{error} Is one number meant? Write {knob.name}={pointed}"
            ) from error


def parse_own_levels(arguments: list[str]) -> Mapping[str, list[Any]]:
    """`["lr=0.1,0.3", "width=64"]` as the values of a program's own knobs, by name.

    Raises:
        ConfigError: No `=`, no name or no value, or a knob twice.
    """
    levels: dict[str, list[Any]] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.strip()
        if not name or not equals or not text.strip():
            raise ConfigError(f"{argument}: no levels; write them as lr=0.1,0.3.")
        if name in levels:
            raise ConfigError(f"{name}: given twice; write its levels as {name}=V1,V2,...")
        levels[name] = [_own_value(part) for part in _parts(name, text)]
    return levels


def _own_value(text: str) -> int | float | str:
    """A value for a program: what is no plain number, such as `007`, `nan` or `true`, is a text."""
    value = parse_any(text)
    if isinstance(value, float):
        return value if math.isfinite(value) and "_" not in text else text
    return value if type(value) is int and str(value) == text else text


def _level(knob: Knob, text: str) -> Any:
    text = text.strip()
    if not text.startswith("["):
        return parse_value(knob, text)
    if not knob.per_layer:
        raise ConfigError(f"{knob.name}: found {text}; this knob has one value for all layers.")
    return [parse_value(knob, part) for part in parse_list(knob.name, text.strip("[]"))]
