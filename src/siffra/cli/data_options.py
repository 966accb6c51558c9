"""The options that say which data set, and how its test images are shifted."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siffra.cli.options import DATA, Command, Options, in_place_of, option, parse_list
from siffra.errors import ConfigError
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.data.dataset import Dataset
    from siffra.data.load import DataSource

_of_data = partial(option, rich_help_panel=DATA)
_OPTIONS: Options = {
    "data": _of_data(
        Path | None,
        "Your own data: .npz, IDX, CSV, Parquet or folders of pictures; default: MNIST.",
        "PATH",
    ),
    "label": _of_data(str | None, "The label column of a CSV or Parquet file.", "COLUMN"),
    "image": _of_data(
        str | None,
        "Image shape of the rows of such a file, as 28x28; default: rows are features.",
        "HxW",
    ),
    "moved": _of_data(
        float | None,
        "Largest move of the moved test images, in pixels (default: 10).",
        "PX",
    ),
    "rotated": _of_data(
        float | None,
        "Largest rotation of the rotated test images, in degrees (default: 36).",
        "DEG",
    ),
    "shifts": _of_data(
        list[str] | None,
        "Shifted test sets, instead of these two: move=3,noise=0.1,...; or none.",
        "NAME=X,...",
    ),
}


def with_data(command: Command) -> Command:
    """Give `command` the options of a data set in place of its argument `data`.

    It is handed a `DataSource`, or None if none of them is given.
    """
    return in_place_of("data", _OPTIONS, _source)(command)


def tell_data(dataset: "Dataset", source: "DataSource | None", language: str = "en") -> None:
    """Say on stderr, in a line, what was made of data of the user's own."""
    if source is None or source.path is not None:
        from siffra.data.describe import summary

        echo(f"data: {summary(dataset, language)}", err=True)


def _source(**options: Any) -> "DataSource | None":
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return None
    from siffra.data.load import DataSource

    source = {"path": given.pop("data")} if "data" in given else {}
    if "image" in given:
        source["image"] = _image(given.pop("image"))
    if (shifts := given.pop("shifts", None)) is not None:
        for name in ("moved", "rotated"):
            if name in given:
                raise ConfigError(f"{name}: `--shifts` says which shifts there are; say it there.")
        return DataSource(**source, **given).with_shifts(_shifts(shifts))
    return DataSource(**source, **given)


def _image(text: str) -> tuple[int, ...]:
    sides = text.lower().split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() and int(side) for side in sides):
        raise ConfigError(f"image: found {text!r}; it must be as 28x28, or 28x28x3 with channels.")
    return tuple(map(int, sides))


def _shifts(said: list[str]) -> dict[str, float]:
    """`move=3,noise=0.1` as strengths by key."""
    strengths: dict[str, float] = {}
    parts = parse_list("shifts", said, "move=3,noise=0.1")
    for part in parts if parts != ("none",) else ():
        key, _, strength = (piece.strip() for piece in part.partition("="))
        try:
            strengths[key] = float(strength)
        except ValueError as error:
            raise ConfigError(f"shifts: {key} = {strength!r}; it must be a number.") from error
    return strengths
