"""A recipe's knobs, checked, and others put over them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siffra.config.knobs import Setting
from siffra.config.override import override
from siffra.config.recipes import find_recipe


def recipe_knobs(recipe: Path | str | None) -> Mapping[str, Any]:
    """The knobs of a recipe, by its name or its file; of none, none.

    Raises:
        RecipeError: There is no such recipe.
        ConfigError: One of its knobs is wrong; the text names its file.
    """
    if recipe is None:
        return {}
    found = find_recipe(recipe)
    Setting.from_knobs(found.knobs, where=f"{found.source}: knobs")
    return found.knobs


def over_recipe(recipe: Path | str | None, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """`knobs`, and of the recipe's those that are of use beside them; raises as `recipe_knobs`."""
    return override(recipe_knobs(recipe), knobs)
