"""What each ingredient of a recipe adds, in accuracy and in seconds of training."""

from collections.abc import Sequence

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.summaries import CONFIDENCE
from siffra.report.text import numbers
from siffra.report.text.findings import Findings
from siffra.report.text.ingredients import Ingredient, ingredients
from siffra.report.text.labels import knobs_name, level_name, value_name
from siffra.report.text.messages import GAP, MINUS, Words


def ingredient_name(
    words: Words, whole: LevelAnswer, without: LevelAnswer, *, brief: bool = False
) -> str:
    """`batch normalisation on instead of off`: the first knob, and the others, if not `brief`."""
    own_knobs = whole.level.knobs
    knobs = {knob: v for knob, v in without.level.knobs.items() if knob not in own_knobs}
    (knob, value), *others = knobs.items()
    own_value = whole.level.settings[0].value_of(knob)
    if own_value is None:
        return words("added.lacking", knobs=knobs_name(words, knobs))
    names = {"own": knobs_name(words, {knob: own_value}), "other": value_name(words, value)}
    if brief or not others:
        return words("added.instead", **names)
    return words("added.instead_with", **names, knobs=knobs_name(words, dict(others)))


def added_sentence(words: Words, found: Findings) -> str:
    """What each ingredient is shown to add; "" where that is not asked, or the recipe diverged."""
    recipe = found.recipe
    if recipe is None or not recipe.whole.trained:
        return ""
    whole, parts = recipe.whole, recipe.parts
    effects = [
        text
        for i, (name, part) in enumerate(zip(_brief_names(words, whole, parts), parts, strict=True))
        if (text := _adds(words, found, i, part, name))
    ]
    if max(part.seeds for part in parts) < 2:
        effects = [words("added.single")]
    elif rest := len(found.judged) - len(effects):
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


def _brief_names(words: Words, whole: LevelAnswer, parts: Sequence[Ingredient]) -> list[str]:
    """What ingredients are called in a sentence: briefly, if that tells them apart."""
    brief, full = (
        [ingredient_name(words, whole, part.without, brief=brief) for part in parts]
        for brief in (True, False)
    )
    return brief if len(set(brief)) == len(brief) else full


def _adds(words: Words, found: Findings, place: int, part: Ingredient, name: str) -> str:
    """What the ingredient of that `name` is shown to add; "" where that may be chance."""
    differing = [on for on in part.accuracy if (place, on) in found.added]
    points = words.listing(
        words(
            "added.points_too" if i else "added.points",
            points=_change(words, part.accuracy[on], scale=100),
            on=words(f"on.{on}"),
        )
        for i, on in enumerate(differing)
    )
    longer = found.added.get((place, "seconds"), 0)
    verb = "takes" if longer > 0 else "saves" if longer < 0 else ""
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
