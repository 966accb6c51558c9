"""What a shell offers at the Tab key: knobs and their values, recipes, a lab's questions.

Bash parts a word at `=`, and wants back what follows it: of `optimizer=ad` there come
`optimizer`, `=` and `ad`, and where nothing follows yet, `optimizer` alone. Other shells hand
over the word whole.
"""

import tomllib
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

import typer

from siffra.config import KNOBS, Setting, choices
from siffra.config.recipes import shipped_names


def complete_levels(ctx: typer.Context, incomplete: str) -> list[str]:
    """For `siffra vary`: the name of a knob, or one more of its values."""
    said: list[str] = list(ctx.params.get("levels") or ())
    if said and said[-1] == "=":
        return _one_more(said[-2], incomplete)
    if said and not incomplete and "=" not in said[-1]:
        return _one_more(said[-1], "")
    name, equals, values = incomplete.partition("=")
    if equals:
        return [f"{name}={each}" for each in _one_more(name, values)]
    return _names(incomplete, besides={each.partition("=")[0] for each in said})


def complete_knob(name: str) -> Callable[[], list[str]]:
    """For the option of a knob: its values."""

    def complete() -> list[str]:
        return _values(name)

    return complete


def complete_recipe() -> list[str]:
    """The recipes that siffra brings, and the files that may be one."""
    return [*shipped_names(), *sorted(str(path) for path in Path().glob("*.toml"))]


def complete_questions(ctx: typer.Context, incomplete: str) -> list[str]:
    """For `--only`: one more id of a question of the lab file."""
    # An option that still wants its value keeps the parser from the arguments.
    file = ctx.params.get("file") or next(iter(ctx.args), None)
    try:
        text = (Path(file) if file else files("siffra.lab") / "digits.toml").read_text("utf-8")
        lab = tomllib.loads(text)
        ids = [question["id"] for question in lab["questions"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []  # the command itself will say what is wrong with the file
    return _after_comma([*ids, *(["experiments"] if "experiments" in lab else [])], incomplete)


def _names(start: str, *, besides: Iterable[str]) -> list[str]:
    """Knobs by name. A single one comes with values too, or the shell would take it for done."""
    names = [name for name in KNOBS if name.startswith(start) and name not in besides]
    if len(names) > 1:
        return [f"{name}=" for name in names]
    return [f"{name}={value}" for name in names for value in ("", *_values(name))]


def _one_more(name: str, said: str) -> list[str]:
    return _after_comma(_values(name.removeprefix("--").replace("-", "_")), said)


def _after_comma(words: Iterable[str], said: str) -> list[str]:
    """`said` with each of the words, that it does not have yet, after its last comma."""
    before, comma, _ = said.rpartition(",")
    return [before + comma + word for word in words if word not in before.split(",")]


def _values(name: str) -> list[str]:
    """The words a knob can be set to; of one that takes numbers, the usual number."""
    if name not in KNOBS:
        return []
    if KNOBS[name].type is bool:
        return ["false", "true"]
    words = choices(name)
    if words:
        return list(words)
    usual = Setting.from_knobs({"model": "conv", "layers": 1}).knobs()
    return [str(usual[name])] if name in usual else []
