"""Metrics: what a claim can be about, in which unit, and how it is compared."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, get_args

from siffra.config.validation import with_a_point
from siffra.errors import ConfigError

MetricName = Literal[
    "accuracy", "drop", "decline", "collapse", "seconds", "seconds_to", "epochs_to"
]
"""siffra's own; `siffra.lab.plan.plan.Claim` says what each means."""
Better = Literal["higher", "lower"]
Scale = Literal["difference", "ratio"]
_MEANT: Mapping[Better, tuple[str, ...]] = {
    "lower": ("low", "min", "down", "small", "less", "desc"),
    "higher": ("high", "max", "up", "big", "large", "great", "more", "asc"),
}
_GREATEST = 1e100
_MORE = re.compile(r"(.+),\s*(margin|scale|unit)=([^,]*|\d*,\d+)", re.DOTALL)
_SEVERAL = re.compile(r"(.+:(?:lower|higher))\s*,\s*(.+:(?:lower|higher))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of each run, and how two levels are compared by it.

    Attributes:
        name: As in a claim's `metric`, a table's column or a program's output.
        better: Whether `higher` or `lower` values are better.
        margin: The smallest difference that matters, in the metric's unit, or, of a ratio, as a
            share (0.05: 5 %). None: not known, so that nothing is ever shown to make no difference.
        scale: Whether two values are compared by their `difference` or their `ratio`.
        unit: Put behind its values. siffra's own have `fraction`, `seconds` or `epochs`.
        step: The coarseness with which it is measured: 0.01 of values with two decimals.
        least: The least value that it can have.
        has_target: Whether it is about the time until an accuracy is reached.

    Raises:
        ConfigError: An attribute cannot be used.
    """

    name: str
    better: Better = "higher"
    margin: float | None = None
    scale: Scale = "difference"
    unit: str = ""
    step: float = 0.0
    least: float = -math.inf
    has_target: bool = False

    def __post_init__(self) -> None:
        self._expect(bool(self.name), "name", self.name, "a text")
        self._expect(self.better in get_args(Better), "better", self.better, "higher or lower")
        is_scale = self.scale in get_args(Scale)
        self._expect(is_scale, "scale", self.scale, "difference or ratio")
        margin = self.margin
        is_margin = margin is None or (is_number(margin) and 0 < margin < math.inf)
        self._expect(is_margin, "margin", margin, "a number above 0")
        is_step = is_number(self.step) and 0 <= self.step < math.inf
        self._expect(is_step, "step", self.step, "0 or a number above")

    def _expect(self, holds: bool, name: str, value: object, wanted: str) -> None:
        if not holds:
            raise ConfigError(f"metric {self.name}: {name}: found {value!r}; it must be {wanted}.")

    @property
    def higher_is_better(self) -> bool:
        """Whether more of it is better."""
        return self.better == "higher"

    @property
    def is_ratio(self) -> bool:
        """Whether two values are compared by their ratio, as times and epochs are."""
        return self.scale == "ratio"

    def spelled(self, *, margin: bool = True) -> str:
        """The text that says it, see `SaidMetric`; with its margin, if it has one."""
        more = {"margin": f"{self.margin:.10g}"} if margin and self.margin is not None else {}
        more |= {"scale": self.scale} if self.is_ratio else {}
        more |= {"unit": self.unit} if self.unit else {}
        return ",".join([f"{self.name}:{self.better}", *(f"{k}={v}" for k, v in more.items())])

    def usual_margin(self, *, shifted: bool) -> float:
        """The smallest difference that matters, of one of siffra's own, if a claim says none."""
        return 0.05 if self.is_ratio else 0.01 if shifted else 0.002


@dataclass(frozen=True, slots=True)
class SaidMetric:
    """What a text says of a metric; what it does not say is worked out, or as usual."""

    name: str
    better: Better | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "SaidMetric":
        """`val_loss:lower`, or `val_loss:lower,margin=0.01,scale=ratio,unit=nats`.

        Raises:
            ConfigError: A margin is no number, or it says several metrics.
        """
        if several := _SEVERAL.fullmatch(text):
            each = " ".join(f"--metric {metric}" for metric in several.groups())
            raise ConfigError(f"metric: found {text!r}; give each on its own: {each}")
        more: dict[str, Any] = {}
        while match := _MORE.fullmatch(text):
            text, key, value = match.groups()
            more[key] = _margin(text, value) if key == "margin" else value.strip()
        name, _, way = text.rpartition(":")
        said = next((better for better in get_args(Better) if better == way), None)
        return cls(name, said, more) if name and said else cls(text, None, more)


def meant_direction(text: str) -> Better | None:
    """Which values somebody calls better who says `min`, `down` or `minimize`."""
    word = text.strip(" :=,.\"'").casefold()
    return next((better for better, starts in _MEANT.items() if word.startswith(starts)), None)


def _margin(metric: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pointed = with_a_point(text)
        point = f", with a point: {pointed}" if pointed else ""
        raise ConfigError(
            f"metric {metric}: margin: found {text!r}; it must be a number above 0{point}."
        ) from None


def judged(value: float) -> float:
    """A metric's value as it is judged: no training that works has one beyond 1e100.

    Such a value is infinite, as that of a run that diverged, and one nearer to 0 than 1e-100 is 0:
    squares of others are floats as well.
    """
    if abs(value) > _GREATEST:
        return math.copysign(math.inf, value)
    return 0.0 if abs(value) < 1 / _GREATEST else value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is one; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", unit="fraction", least=0),
        Metric("drop", "lower", unit="fraction", least=-1),
        Metric("decline", "lower", unit="fraction", least=-1),
        Metric("collapse", "lower", unit="fraction", least=0),
        Metric("seconds", "lower", scale="ratio", unit="seconds"),
        Metric("seconds_to", "lower", scale="ratio", unit="seconds", has_target=True),
        Metric("epochs_to", "lower", scale="ratio", unit="epochs", has_target=True),
    )
}
"""siffra's own, by name."""
