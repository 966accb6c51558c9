"""Where a search looks that tunes somebody's own training: a range or a list for each knob."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from siffra.errors import ConfigError
from siffra.lab.plan.ad_hoc import check_values, expect_no_equals
from siffra.search.space import Ask

_RANGE = re.compile(r"\s*([^,/]+?)\.\.([^,/:]+)(?::(\w*))?\s*")
_LOG_FROM = 10
"""A range whose ends are this factor apart is searched on a logarithmic scale."""
_STEPS = 100
"""A linear range has at least this many values, which are rounded; the others differ by noise."""
_DIGITS = 2
"""Of a value in a logarithmic range; two more where its ends are no factor of 10 apart."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is searched, by knob, and the values of those that are `fixed`.

    `typed` has a text for each range, and a list of the values for each choice.
    """

    distributions: Mapping[str, BaseDistribution]
    typed: Mapping[str, Any]
    fixed: Mapping[str, Any]

    @classmethod
    def parse(cls, space: Mapping[str, Any]) -> "Ranges":
        """`{"lr": "0.001..1", "width": [16, 32, 64], "epochs": 5}`.

        `a..b` is a range, on a logarithmic scale if both ends are above 0 and a factor of 10 or
        more apart; `a..b:linear` and `a..b:log` say which. It has whole numbers if both ends are. A
        list has the values to choose from. A single value is fixed.

        Raises:
            ConfigError: A range or a list cannot be used, or nothing is left to be searched.
        """
        if not isinstance(space, Mapping):
            raise ConfigError(f"space: found {space!r}; give a dict, as {{'lr': '0.001..1'}}.")
        distributions: dict[str, BaseDistribution] = {}
        typed: dict[str, Any] = {}
        fixed: dict[str, Any] = {}
        for name, given in space.items():
            is_list = isinstance(given, Sequence) and not isinstance(given, str)
            values: list[Any] = list(given) if is_list else [given]
            check_values([(name, value) for value in values])
            expect_no_equals(name, values)
            values = list(dict.fromkeys(values))
            texts = [value for value in values if isinstance(value, str)]
            ranges = [match for text in texts if (match := _RANGE.fullmatch(text))]
            if not values or (ranges and len(values) > 1):
                problem = f"{ranges[0].group()!r} beside others" if ranges else "no values"
                raise ConfigError(f"{name}: found {problem}; give one range, or a list of values.")
            if ranges:
                distributions[name] = _distribution(name, ranges[0])
                typed[name] = ranges[0].group().strip()
            elif len(values) > 1:
                distributions[name] = CategoricalDistribution(values)
                typed[name] = values
            else:
                fixed[name] = values[0]
        if not distributions:
            raise ConfigError(
                "space: found nothing to search; give a knob a range or several values, as "
                "lr=0.001..1 width=16,32,64."
            )
        return cls(distributions, typed, fixed)

    @property
    def count(self) -> float:
        """How many settings there are; infinity if a knob is a number with decimals."""
        return math.prod(_count(each) for each in self.distributions.values())

    @property
    def log(self) -> tuple[str, ...]:
        """The knobs that are searched on a logarithmic scale."""
        return tuple(name for name, d in self.distributions.items() if getattr(d, "log", False))

    def knobs(self, ask: Ask) -> dict[str, Any]:
        """A value of each knob, rounded."""
        return {name: _rounded(ask(name, d), d) for name, d in self.distributions.items()}

    def two(self) -> tuple[str, list[Any], dict[str, Any]]:
        """A knob with two of its values, and one of each other: enough to see whether they fit."""
        (name, values), *others = (
            (name, list(d.choices[:2]) if isinstance(d, CategoricalDistribution) else _ends(d))
            for name, d in self.distributions.items()
        )
        return name, values, {**self.fixed, **{name: ends[0] for name, ends in others}}


def _distribution(name: str, match: re.Match[str]) -> IntDistribution | FloatDistribution:
    *texts, scale = match.groups()
    found = f"{name}: found {match.group()!r}"
    try:
        low, high = (_number(text) for text in texts)
    except ValueError:
        raise ConfigError(f"{found}; a range has two numbers, as 0.001..1.") from None
    if not low < high:
        raise ConfigError(f"{found}; the first number must be below the second.")
    if scale not in (None, "log", "linear"):
        raise ConfigError(f"{found}; behind a range stands :log or :linear, if anything.")
    if scale == "log" and low <= 0:
        raise ConfigError(f"{found}; a logarithmic scale has numbers above 0 alone.")
    log = scale == "log" or (scale is None and 0 < _LOG_FROM * low <= high)
    if isinstance(low, int) and isinstance(high, int):
        if high - low == 1:  # decimals are meant, as of a share
            raise ConfigError(
                f"{found}, which has two whole numbers alone; write {low}.0..{high} for a range "
                f"with decimals, or {low},{high} for these two."
            )
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _number(text: str) -> int | float:
    """Raises ValueError if it is none, or not finite."""
    if re.fullmatch(r"\s*[+-]?\d{1,15}\s*", text):
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _ends(distribution: BaseDistribution) -> list[Any]:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def _count(distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    low, high = _ends(distribution)
    return high - low + 1 if isinstance(distribution, IntDistribution) else math.inf


def _rounded(value: Any, distribution: BaseDistribution) -> Any:
    if not isinstance(distribution, FloatDistribution):
        return value
    low, high = _ends(distribution)
    if distribution.log:
        digits = _DIGITS if _LOG_FROM * low <= high else _DIGITS + 2
        rounded = float(f"{value:.{digits}g}")
    else:
        rounded = round(value, -math.floor(math.log10((high - low) / _STEPS)))
    return min(max(rounded, low), high)
