"""What each ingredient of a recipe adds, in accuracy and in seconds of training.

That is what a question asks which has the recipe by itself at one level, and at every other the
same recipe with other knobs beside: each of those lacks an ingredient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.plan.references import RECIPE
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.estimates import CONFIDENCE, compare_accuracy, compare_seconds
from siffra.report.text import numbers
from siffra.report.text.labels import knobs_name, level_name, sets_of, value_name
from siffra.report.text.messages import GAP, MINUS, Words
from siffra.report.text.ranking import above, longer


@dataclass(frozen=True, slots=True)
class Ingredient:
    """What the whole recipe has more than the level `without` it, seed by seed.

    `accuracy` is by set, of fractions; `seconds` are of training.
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


def ingredient_name(
    words: Words, whole: LevelAnswer, without: LevelAnswer, *, brief: bool = False
) -> str:
    """`batch normalisation on instead of off`: the first knob, and the others, if not `brief`."""
    own_knobs = whole.level.knobs
    knobs = {knob: v for knob, v in without.level.knobs.items() if knob not in own_knobs}
    (knob, value), *others = knobs.items()
    own = whole.level.settings[0].value_of(knob)
    if own is None:
        return words("added.lacking", knobs=knobs_name(words, knobs))
    names = {"own": knobs_name(words, {knob: own}), "other": value_name(words, value)}
    if brief or not others:
        return words("added.instead", **names)
    return words("added.instead_with", **names, knobs=knobs_name(words, dict(others)))


def added_sentence(words: Words, answer: QuestionAnswer) -> str:
    """What each ingredient is seen to add; nothing where that is not asked, or cannot be told."""
    recipe = ingredients(answer)
    known = [level for level in answer.levels if level.trained]
    if recipe is None or recipe.whole not in known or len(known) < 2:
        return ""
    if any(len(level.trained) < 2 for level in known):
        return ""
    whole = recipe.whole
    parts = [part for part in recipe.parts if part.without in known]
    named = zip(_brief_names(words, whole, parts), parts, strict=True)
    effects = [text for name, part in named if (text := _adds(words, answer, whole, part, name))]
    if rest := len(parts) - len(effects):
        effects.append(words.count("added.rest" if effects else "added.none", rest))
    return words(
        "added.lead",
        whole=level_name(words, whole.level),
        accuracy=numbers.accuracy(words, whole.accuracy["test"]),
        on=words("on.test"),
        seconds=numbers.seconds(words, whole.seconds),
        told="; ".join(effects),
    )


def added_note(words: Words, answer: QuestionAnswer) -> str:
    """How the table of what each ingredient adds is to be read; nothing where there is none."""
    recipe = ingredients(answer)
    if recipe is None:
        return ""
    return numbers.over_seeds(words, "added.note", [part.seeds for part in recipe.parts])


def _ingredient(answer: QuestionAnswer, whole: LevelAnswer, without: LevelAnswer) -> Ingredient:
    ours, theirs = whole.records, without.records
    return Ingredient(
        without=without,
        accuracy={name: compare_accuracy(ours, theirs, name) for name in sets_of(answer.levels)},
        seconds=compare_seconds(ours, theirs, "difference"),
    )


def _brief_names(words: Words, whole: LevelAnswer, parts: Sequence[Ingredient]) -> list[str]:
    """What ingredients are called in a sentence: briefly, if that tells them apart."""
    brief, full = (
        [ingredient_name(words, whole, part.without, brief=brief) for part in parts]
        for brief in (True, False)
    )
    return brief if len(set(brief)) == len(brief) else full


def _adds(
    words: Words, answer: QuestionAnswer, whole: LevelAnswer, part: Ingredient, name: str
) -> str:
    """What the ingredient of that `name` is seen to add; nothing where that may be chance."""
    without = part.without
    differing = [
        on
        for on in part.accuracy
        if above(answer, whole, without, on) or above(answer, without, whole, on)
    ]
    points = words.listing(
        words(
            "added.points_too" if i else "added.points",
            points=_change(words, part.accuracy[on], scale=100),
            on=words(f"on.{on}"),
        )
        for i, on in enumerate(differing)
    )
    verb = "takes" if longer(answer, whole, without) else ""
    verb = "saves" if longer(answer, without, whole) else verb
    keys = [key for key in ("gives" if points else "", verb) if key]
    if not keys:
        return ""
    return words(
        f"added.{'_and_'.join(keys)}",
        ingredient=name,
        points=points,
        seconds=words("quantity.seconds", value=_change(words, part.seconds).lstrip(f"+{MINUS}")),
    )


def _change(words: Words, comparison: Comparison, scale: int = 1) -> str:
    """A mean difference, as exactly as its interval allows."""
    return numbers.change(words, comparison.estimate(1 - CONFIDENCE), scale=scale).partition(GAP)[0]
