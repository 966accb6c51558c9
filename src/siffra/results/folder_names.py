"""Knobs that are written into the names of folders: `lr=0.1,seed=3`, `lr_0.1_seed_3`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siffra.results import names

_PARTS = ("train", "training", "val", "valid", "validation", "test", "eval")
_EQUALS = re.compile(r"(?:^|[,;&_ -])([A-Za-z][A-Za-z0-9_.]*?)=([^=]*?)(?=$|[,;& ]|_[A-Za-z]\w*=)")
_NUMBERS = re.compile(r"([A-Za-z][A-Za-z_]*?)[_-]?([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)(?:[_,; -]|$)")


@dataclass(frozen=True, slots=True)
class FolderKnobs:
    """The knobs of a run by what its folder is called, and the part of it that has none."""

    knobs: Mapping[str, Any]
    group: str


def is_part_of_run(name: str) -> bool:
    """Whether a folder of this name holds a part of a run: what was measured on one set."""
    return name.casefold() in _PARTS


def folder_knobs(paths: Sequence[str], known: Sequence[Mapping[str, object]]) -> list[FolderKnobs]:
    """The knobs of runs with these paths; of a run whose knobs are `known` the seed alone."""
    return [_of(path, hparams) for path, hparams in zip(paths, known, strict=True)]


def _of(path: str, hparams: Mapping[str, object]) -> FolderKnobs:
    knobs: dict[str, Any] = {}
    rest = []
    for part in path.split("/"):
        if written := written_knobs(part):
            knobs |= written
        elif part != ".":
            rest.append(part)
    if hparams:
        seeds = {name: v for name, v in knobs.items() if names.plain(name) in names.SEEDS}
        return FolderKnobs({**seeds, **hparams}, "")
    return FolderKnobs(knobs, "/".join(rest))


def written_knobs(name: str) -> dict[str, str]:
    """The knobs and values in the name of one folder; none unless all of it consists of them."""
    if "=" in name:
        return dict(_EQUALS.findall(name))
    pairs, end = {}, 0
    while match := _NUMBERS.match(name, end):
        pairs[match[1]] = match[2]
        end = match.end()
    return pairs if end == len(name) else {}
