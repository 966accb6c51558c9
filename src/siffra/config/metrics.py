"""The list of metrics: what a claim can be about, in which unit, and how it is compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MetricName = Literal[
    "accuracy", "drop", "decline", "collapse", "seconds", "seconds_to", "epochs_to"
]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of each run; `siffra.lab.plan.plan.Claim` says what each name means.

    Attributes:
        name: As in a claim's `metric`.
        unit: Accuracies, and differences of them, are fractions.
        higher_is_better: Whether more of it is better.
        least: The least value that it can have, of those that are fractions.
        has_target: Whether it is about the time until an accuracy is reached.
    """

    name: MetricName
    unit: Literal["fraction", "seconds", "epochs"]
    higher_is_better: bool = False
    least: float = -1
    has_target: bool = False

    @property
    def is_ratio(self) -> bool:
        """Whether two values are compared by their ratio, as times and epochs are."""
        return self.unit != "fraction"

    def usual_margin(self, *, shifted: bool) -> float:
        """The smallest difference that matters unless a claim says another, or share of a time."""
        return 0.05 if self.is_ratio else 0.01 if shifted else 0.002


METRICS: Mapping[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "fraction", higher_is_better=True, least=0),
        Metric("drop", "fraction"),
        Metric("decline", "fraction"),
        Metric("collapse", "fraction", least=0),
        Metric("seconds", "seconds"),
        Metric("seconds_to", "seconds", has_target=True),
        Metric("epochs_to", "epochs", has_target=True),
    )
}
