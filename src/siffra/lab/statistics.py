"""From records to estimates: paired differences between levels, with their intervals."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean of a quantity over seeds with its t interval (low and high NaN for one seed)."""

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A paired comparison: `value` with the interval from `low` to `high` at `confidence`.

    On the `difference` scale it is level minus against, in the metric's unit; on the `ratio`
    scale it is level over against. `values` holds one per seed, on the same scale. `censored`
    counts the seeds of which one or both sides never reached the claim's target.
    """

    value: float
    low: float
    high: float
    confidence: float
    values: tuple[float, ...]
    scale: Literal["difference", "ratio"]
    censored: int
