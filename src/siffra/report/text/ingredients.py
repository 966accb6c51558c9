"""What a recipe is made of, of a question that takes one ingredient from it at a time.

Such a question has the recipe by itself at one level, and at every other the same recipe with
other knobs beside: each of those lacks an ingredient.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.plan.references import RECIPE
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.estimates import compare_accuracy, compare_seconds
from siffra.report.text.labels import sets_of


@dataclass(frozen=True, slots=True)
class Ingredient:
    """What the whole recipe has more than the level `without` it, seed by seed.

    `accuracy` is by set, of fractions; `seconds` are of training,
    timed by turns.
    """

    without: LevelAnswer
    accuracy: Mapping[str, Comparison]
    seconds: Comparison

    @property
    def seeds(self) -> int:
        """How many seeds both have."""
        return max((comparison.seeds for comparison in self.accuracy.values()), default=0)


@dataclass(frozen=True, slots=True)
class Ingredients:
    """A recipe, and what it is made of."""

    whole: LevelAnswer
    parts: tuple[Ingredient, ...]


def ingredients(answer: QuestionAnswer) -> Ingredients | None:
    """A recipe with its ingredients, where a question is about one; None where it is not."""
    bare = [level for level in answer.levels if level.level.knobs.keys() == {RECIPE}]
    if len(bare) != 1 or len(answer.levels) < 2:
        return None
    (whole,) = bare
    recipe = whole.level.knobs[RECIPE]
    if any(level.level.knobs.get(RECIPE) != recipe for level in answer.levels):
        return None
    others = [level for level in answer.levels if level is not whole]
    return Ingredients(whole, tuple(_ingredient(answer, whole, level) for level in others))


def _ingredient(answer: QuestionAnswer, whole: LevelAnswer, without: LevelAnswer) -> Ingredient:
    ours, theirs = whole.records, without.records
    return Ingredient(
        without=without,
        accuracy={name: compare_accuracy(ours, theirs, name) for name in sets_of(answer.levels)},
        seconds=compare_seconds(whole.timed, without.timed, "difference"),
    )
