"""Recipes that a lab file names as files: they lie beside it, wherever it is read from."""

from pathlib import Path
from typing import Any

RECIPE = "recipe"
"""What stands among a level's or an experiment's knobs for all the knobs of a recipe."""
_STAND_INS = "recipes"


def with_recipes_beside(table: Any, folder: Path) -> Any:
    """A lab file's `table` with the paths of recipes taken from `folder`, its own."""
    if isinstance(table, list):
        return [with_recipes_beside(value, folder) for value in table]
    if not isinstance(table, dict):
        return table
    return {name: _value(name, value, folder) for name, value in table.items()}


def _value(name: str, value: Any, folder: Path) -> Any:
    if name == RECIPE:
        return _path(value, folder)
    if name == _STAND_INS and isinstance(value, dict):
        return {_path(old, folder): _path(new, folder) for old, new in value.items()}
    return with_recipes_beside(value, folder)


def _path(recipe: Any, folder: Path) -> Any:
    """A recipe's file, or many of them; names of recipes that siffra brings stay what they are."""
    if isinstance(recipe, list):
        return [_path(one, folder) for one in recipe]
    return str(folder / recipe) if isinstance(recipe, str) and recipe.endswith(".toml") else recipe
