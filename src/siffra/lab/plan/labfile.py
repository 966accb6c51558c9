"""From a lab file (TOML) to a checked `LabFile`: what is asked, not yet what is run."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SkipValidation, ValidationError
from pydantic_core import ErrorDetails

from siffra.config.toml_text import parse_toml
from siffra.config.validation import describe, first_mistake, shown
from siffra.data.load import DataSource
from siffra.errors import ConfigError, LabFileError, did_you_mean
from siffra.lab.plan.format import Tables
from siffra.lab.plan.program import Program
from siffra.lab.plan.program_tables import read_program, refuse_of_networks
from siffra.lab.plan.references import Surroundings, surroundings
from siffra.lab.plan.texts import unprintable

DIGITS = Path(__file__).parents[1] / "digits.toml"
_MOST_BYTES = 1_000_000
_NO_LAB_FILES = (".csv", ".html", ".json", ".npz", ".parquet", ".py", ".sqlite", ".tsv")
_ARRAYS_OF_TABLES = ("questions", "experiments", "claims", "reported")


class LabFile(Tables):
    """A checked lab file. `source` is its name, `digest` the SHA-256 (hex) of its bytes.

    `program` is what it varies, if that is none of siffra's own networks.
    """

    source: str
    digest: str
    program: SkipValidation[Program | None] = None


def read_lab(path: Path | None = None) -> LabFile:
    """Read and check a lab file; None is the study that siffra brings.

    A relative `path` in `[data]` is taken from the lab file's folder, as is a recipe's file; what
    `[shifts]` says becomes part of `data`. A model of the user's own, as `my_models:make`, is
    looked for there and in the working directory, and its file is run. A program is run in the lab
    file's folder, but not by reading.

    Raises:
        LabFileError: It cannot be read, is no TOML, or says what cannot be; the text names the
            file and the key, with entries of arrays counted from 1.
    """
    path = path or DIGITS
    content = _read(path)
    name = path.name
    tables = _parse(content, name)
    try:
        program = read_program(tables, path.parent)
        # A program's own knob may be called `model`: no file of Python is run for its values.
        of_program = Surroundings(path.parent, program=program) if program else None
        around = of_program or surroundings(tables, path.parent)
        checked = Tables.model_validate(_without_command(tables, program), context=around)
        if program:
            presets = {preset: table.model_fields_set for preset, table in checked.presets}
            refuse_of_networks(checked.model_fields_set, presets)
    except ConfigError as error:
        raise LabFileError(f"{name}: {error}") from error
    except ValidationError as error:
        raise LabFileError(f"{name}: {_in_words(first_mistake(error))}") from error
    digest = hashlib.sha256(content).hexdigest()
    data, shifts = checked.data, checked.shifts  # without `[shifts]`, the usual ones
    data = around.data(data if shifts is None else data.with_shifts(shifts))
    values = dict(checked) | {"data": data, "program": program}
    return LabFile.model_construct(None, **values, source=name, digest=digest)


def _without_command(tables: dict[str, Any], program: Program | None) -> dict[str, Any]:
    """What is left to check: the base without the command, which is not a knob."""
    if program is None:
        return tables
    return tables | {"base": {k: v for k, v in tables["base"].items() if k != "command"}}


def _read(path: Path) -> bytes:
    if not path.exists():
        raise LabFileError(f"{path}: no such file.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file"
        raise LabFileError(f"{path}: it is {what}; a lab file is a TOML file.")
    if path.suffix.lower() in _NO_LAB_FILES:
        raise LabFileError(f"{path}: a lab file is a TOML file, not {path.suffix}.")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise LabFileError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        path.name.encode()
    except UnicodeEncodeError:  # no kept lab and no report could tell what it was asked from
        raise LabFileError(f"{path}: the file name is not valid UTF-8; rename the file.") from None
    if len(content) > _MOST_BYTES:
        raise LabFileError(f"{path}: larger than 1 MB, too large for a lab file.")
    return content


def _parse(content: bytes, name: str) -> dict[str, Any]:
    """The tables of a lab file, with no character in them that no text needs."""
    try:
        tables = parse_toml(content)
    except ValueError as error:
        raise LabFileError(f"{name}: {error}.") from error
    odd = unprintable(tables)
    if odd:
        key, code = _key(odd[0]), f"U+{ord(odd[1]):04X}"
        raise LabFileError(f"{name}: {key}: found the character {code}, which is not allowed.")
    return tables


def _in_words(error: ErrorDetails) -> str:
    """`questions[2].vary.bacth_size: no such knob; did you mean `batch_size`?`."""
    kind, key = error["type"], _key(error["loc"])
    if kind == "unknown_key":
        key = _key((*error["loc"], error.get("ctx", {})["key"]))
    if kind == "extra_forbidden":  # DataSource is the one table that is not a _Table
        return f"{key}: no such key; {did_you_mean(str(error['loc'][-1]), DataSource.model_fields)}"
    if kind == "tuple_type" and key.rpartition(".")[2] in _ARRAYS_OF_TABLES:
        header = re.sub(r"\[\d+\]", "", key)
        return f"{key}: found {shown(error['input'])}; write each under a line `[[{header}]]`."
    return f"{key}: {describe(error)}" if key else describe(error)


def _key(location: Iterable[int | str]) -> str:
    """The key path; tags that choose between types, as `<levels>`, are no part of it."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part + 1}]"
        elif part != "[key]" and not part.startswith("<"):
            path += f".{part}" if path else part
    return path
