"""What a column's name says of it: which metrics are better lower, what seeds and knobs are called.

Names alone decide nothing that the cells contradict: see `siffra.results.roles`.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from siffra.config.metrics import Better
from siffra.data.columns import names_rows

_WORDS: dict[str, Any] = tomllib.loads(
    (files("siffra.results") / "words.toml").read_text(encoding="utf-8")
)


def _known(table: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(listed.split()) for name, listed in _WORDS[table].items()}


SEEDS: tuple[str, ...] = tuple(_WORDS["seeds"])
"""What a seed is called, in the order of preference."""
REPEATS: tuple[str, ...] = tuple(_WORDS["repeats"])
"""What numbers the repeats of a level, if nothing is called a seed."""
ENDINGS = _known("ending")
"""What is said of how a run ended: `failed`, `unfinished` or `ended`."""

_METRIC, _KNOB, _RUN, _CONTEXT = map(_known, ("metric", "knob", "run", "context"))
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[^0-9a-zåäö]+")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: `valLoss`, `val/loss` and `Val loss` are two each."""
    parts = _BETWEEN.split(_CAMEL.sub(" ", name.strip()).casefold())
    return tuple(part for part in parts if part)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name as programs write it in a file of settings: `Learning rate` is `learning_rate`."""
    return "_".join(words(name))


def direction(name: str) -> Better | None:
    """Which values of a metric of this name are better; None if the name does not tell."""
    said = set(words(name))
    if _is_speed(said):
        return "higher"
    if said & (_METRIC["clash"] | _METRIC["spread"]):
        return None
    higher, lower = said & _METRIC["higher"], said & (_METRIC["lower"] | _METRIC["time"])
    if higher and lower:
        return None
    if lower:
        return "lower"
    return "higher" if higher or said & _METRIC["best_of"] else None


def is_time(name: str) -> bool:
    """Whether it is how long something took, or how much of it was done in a second."""
    said = set(words(name))
    return bool(said & _METRIC["time"]) or _is_speed(said)


def _is_speed(said: set[str]) -> bool:
    return "per" in said and bool(said & {"second", "s", *_METRIC["time"]})


def is_spread(name: str) -> bool:
    """Whether it is the spread of a metric, which is none."""
    return bool(set(words(name)) & _METRIC["spread"])


def is_knob(name: str) -> bool:
    """Whether a name says that something is set, not measured."""
    said = set(words(name))
    if _is_speed(said):
        return False
    if set_words := said & _KNOB["words"]:
        return not (set_words == {"rate"} and said & _KNOB["measured_rates"])
    return plain(name) in _KNOB["names"]


def is_status(name: str) -> bool:
    """Whether it should say how a run ended."""
    return plain(name) in _RUN["status"]


def tells_error(name: str) -> bool:
    """Whether whatever text is in it says that a run failed."""
    return plain(name) in _RUN["errors"]


def is_step(name: str) -> bool:
    """Whether it should say how far a run had come."""
    return plain(name) in _RUN["step"]


def counts_steps(name: str) -> bool:
    """Whether it is a number of epochs or steps: how many there were to be, or were."""
    return not {"epochs", "steps"}.isdisjoint(words(name))


def is_repeat(name: str) -> bool:
    """Whether it may number the repeats of a level."""
    return plain(name) in REPEATS


def numbers_runs(name: str) -> bool:
    """Whether it tells the runs of a level apart: a seed, a repeat, a step, or what names rows."""
    last = words(name)[-1:]
    numbering = plain(name) in SEEDS or last == SEEDS[:1] or is_repeat(name)
    return not last or numbering or is_step(name) or names_runs(name)


def is_summary(text: str) -> bool:
    """Whether it says, in the place of a number, that a row sums up others."""
    has_letters = text.lower() != text.upper()  # unlike most of a table's cells
    return has_letters and plain(text) in _RUN["summary"]


def is_share(name: str) -> bool:
    """Whether a metric of this name is a share, from 0 to 1 or to 100 %."""
    return not _METRIC["share"].isdisjoint(words(name))


def is_set(name: str) -> bool:
    """Whether it should say on which examples a row was measured."""
    return plain(name) in _RUN["sets"]


def are_sets(values: Iterable[object]) -> bool:
    """Whether these are such sets: texts, of which one is that of training, validation or test."""
    texts = [value for value in values if value is not None]
    known = frozenset().union(*(_METRIC[of] for of in ("training", "validation", "test")))
    return all(isinstance(text, str) for text in texts) and not known.isdisjoint(
        str(text).casefold() for text in texts
    )


def is_derived(name: str) -> bool:
    """Whether it follows from the knobs, as the number of parameters does."""
    return plain(name) in _RUN["derived"]


def names_levels(name: str) -> bool:
    """Whether it may be what a run, or all runs of a level, are called."""
    return plain(name) in _RUN["levels"]


def names_variants(name: str) -> bool:
    """Whether it may stand for all that a level consists of."""
    return plain(name) in _RUN["variants"]


def names_metrics(name: str) -> bool:
    """Whether it may say of which metric the value in its row is."""
    return plain(name) in _RUN["metrics"]


def statistics(columns: Iterable[str]) -> list[str]:
    """The columns called as statistics of several runs are, if a mean and a spread are there."""
    last = {name: words(name)[-1:] for name in columns}
    means = [name for name, word in last.items() if {*word} & {"mean", "avg", "average"}]
    spreads = [name for name, word in last.items() if {*word} & {*_METRIC["spread"], "count"}]
    return [*means, *spreads] if means and spreads else []


def names_runs(name: str) -> bool:
    """Whether it should number or name the runs, or say where they are kept."""
    return plain(name) in _RUN["identity"] or names_rows(name)


def context(name: str) -> str | None:
    """What of a run's surroundings it says: `commit`, `machine`, `software` or `time`."""
    said = set(words(name))
    if "size" in said or "num" in said:
        return None
    return next((kind for kind, known in _CONTEXT.items() if said & known), None)


def rank(name: str) -> tuple[int, int]:
    """How usual a metric is as that which a run is about: lower comes first.

    Test before validation before what says neither; training, and times, last.
    """
    said = set(words(name))
    family = 0 if said & {"acc", "accuracy"} else 1 if direction(name) == "higher" else 2
    if is_time(name):
        return 4, family
    places = (("test", 0), ("validation", 1), ("training", 3))
    return next((place for of, place in places if said & _METRIC[of]), 2), family
