"""What each field of a question takes, and the sentence that says so in the reader's language.

The page asks while its user types. A field that cannot be read is no fault of the question as a
whole: it is told by the field's name, with its limits, so that the page can say it beside it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from siffra.config import KNOBS, ConvModel, DenseModel, Training, choices
from siffra.config.setting import MOST_LAYERS
from siffra.report.text.labels import knob_name
from siffra.report.text.messages import Words
from siffra.web.errors import ApiError, Code

LEVELS = 60
SEEDS = 100
RUNS = 2000
EPOCHS = 1000
TIME = 24 * 3600.0
"""Seconds."""

_SAYS_NOTHING = 1e-12, 1e12
"""Limits beyond these are left unsaid: they are those of float32, and nobody means such numbers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be: `above` and `below` are themselves not among them."""

    whole: bool = False
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def has(self, value: Any) -> bool:
        """Whether `value` is such a number."""
        if type(value) not in ((int,) if self.whole else (int, float)) or not math.isfinite(value):
            return False
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON for the page."""
        named = {"least": self.least, "above": self.above, "most": self.most, "below": self.below}
        return {"whole": self.whole} | {k: v for k, v in named.items() if v is not None}

    def sentence(self, words: Words, label: str) -> str:
        """`learning rate: a number, greater than 0.`"""
        bounds = {"least": self.least, "above": self.above, "most": self.most, "below": self.below}
        if self.least and self.least < _SAYS_NOTHING[0]:
            bounds |= {"least": None, "above": 0.0}
        if self.most and self.most > _SAYS_NOTHING[1]:
            bounds["most"] = None
        said = {name: words.exact(bound) for name, bound in bounds.items() if bound is not None}
        if set(said) == {"least", "most"}:
            span = words("ui.limits.between", **said)
        else:
            span = words.listing(words(f"ui.limits.{name}", n=n) for name, n in said.items())
        kind = words("ui.limits.whole" if self.whole else "ui.limits.number")
        return words("ui.limits.give", label=label, kind=kind, span=span)


def fault(question: Mapping[str, object], words: Words) -> ApiError | None:
    """The first field of `question` that cannot be used; None if each can, as far as it goes.

    What is no question at all (fields of other names and shapes) is left to `Ask`.
    """
    return next(_faults(question, words), None)


def _faults(question: Mapping[str, object], words: Words) -> Iterator[ApiError]:
    vary, fixed = question.get("vary"), question.get("fixed", {})
    if not isinstance(vary, Mapping) or not isinstance(fixed, Mapping):
        return
    varied = [(knob, values) for knob, values in vary.items() if isinstance(values, list)]
    turned = [(knob, value) for knob, values in varied for value in values] + list(fixed.items())
    if len(varied) < len(vary) or not all(knob in KNOBS for knob in (*vary, *fixed)):
        return
    for knob, value in turned:
        yield from _fault_of(knob, value, words)
    levels = math.prod(len(values) for _, values in varied)
    if varied:
        yield from _fault_of_levels([knob for knob, _ in varied], levels, words)
    yield from _fault_of_seeds(question.get("seeds", 1), levels, words)


def _fault_of_levels(knobs: list[str], levels: int, words: Words) -> Iterator[ApiError]:
    label = words.listing(knob_name(words, knob) for knob in knobs)
    if levels < 2:
        why = words("ui.limits.few_levels", label=label)
        yield _error("few_levels", knobs[0], why, least=2, most=LEVELS)
    if levels > LEVELS:
        why = words("ui.limits.many_levels", label=label, most=LEVELS)
        yield _error("many_levels", knobs[0], why, least=2, most=LEVELS)


def _fault_of_seeds(seeds: Any, levels: int, words: Words) -> Iterator[ApiError]:
    limits = Limits(whole=True, least=1, most=SEEDS)
    if not limits.has(seeds):
        why = limits.sentence(words, words("ui.limits.seeds"))
        yield _error("out_of_range", "seeds", why, **limits.as_dict())
    elif levels * seeds > RUNS:
        why = words("ui.limits.many_runs", runs=words.number(levels * seeds), most=RUNS)
        yield _error("many_runs", "seeds", why, most=RUNS)


def _fault_of(knob: str, value: object, words: Words) -> Iterator[ApiError]:
    label, known = knob_name(words, knob), KNOBS[knob]
    allowed = (False, True) if known.type is bool else choices(knob)
    if allowed:
        if not any(type(value) is type(option) and value == option for option in allowed):
            named = ", ".join(str(option).lower() for option in allowed)
            why = words("ui.limits.choice", label=label, choices=named)
            yield _error("no_choice", knob, why, choices=list(allowed))
        return
    limits = limits_of(knob)
    values = value if known.per_layer and isinstance(value, list) and value else [value]
    if not all(map(limits.has, values)):
        why = limits.sentence(words, label)
        yield _error("out_of_range", knob, why, **limits.as_dict())


def _error(code: Code, knob: str, why: str, **about: object) -> ApiError:
    return ApiError(code, why, {"knob": knob, **about})


@cache
def limits_of(knob: str) -> Limits:
    """What a knob of numbers takes, as its description says."""
    whole = KNOBS[knob].type is int
    if knob in ("layers", "conv_layers"):
        return Limits(whole, least=0 if knob == "layers" else 1, most=MOST_LAYERS)
    if knob == "epochs":
        return Limits(whole, above=0, most=EPOCHS)
    described = next(m for m in (Training, DenseModel, ConvModel) if knob in m.model_fields)
    field = described.model_fields[knob]
    bounds: dict[str, float] = {}
    for part in _parts([field.annotation, *field.metadata]):
        for short, name in {"ge": "least", "gt": "above", "le": "most", "lt": "below"}.items():
            if (bound := getattr(part, short, None)) is not None:
                bounds[name] = bound
    # Greater than 0 is 1 or more where numbers are whole.
    if whole and bounds.get("above") == 0:
        del bounds["above"]
        bounds["least"] = 1
    return Limits(whole, **bounds)


def _parts(annotations: Any) -> Iterator[Any]:
    """Annotations and what stands in them, however deep."""
    for part in annotations:
        yield part
        inner = (*getattr(part, "__metadata__", ()), *getattr(part, "metadata", ()))
        yield from _parts((*inner, *get_args(part)))
