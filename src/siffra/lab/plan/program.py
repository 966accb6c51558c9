"""A program that a lab varies, in the place of siffra's own networks."""

from collections.abc import Mapping
from dataclasses import dataclass

from siffra.config.metrics import METRICS, Metric
from siffra.engine.command.run import CommandSpec
from siffra.errors import did_you_mean


@dataclass(frozen=True, slots=True)
class Program:
    """How a program is run, and the metrics that are read of its runs, the main one first."""

    spec: CommandSpec
    metrics: Mapping[str, Metric]

    @property
    def command(self) -> tuple[str, ...]:
        """Its words, as they were written."""
        return self.spec.template.raw

    @property
    def knobs(self) -> frozenset[str]:
        """Names of its own knobs: siffra's mean nothing here."""
        return self.spec.template.knobs

    def why_no_knob(self, name: str) -> str:
        """What is wrong with a name that is none of its knobs'."""
        if name in ("seed", "out"):
            return f"siffra itself gives each run its `{{{name}}}`; leave it out."
        hint = did_you_mean(name, self.knobs) if self.knobs else "it has no knob."
        return f"no such knob: the command has no `{{{name}}}`; {hint}"

    def why_no_metric(self, name: str) -> str:
        """What is wrong with a name that is none of its metrics'."""
        if name not in METRICS:
            return did_you_mean(name, self.metrics)
        return (
            f"siffra measures that of its own networks; those of this lab: "
            f"{', '.join(self.metrics)}; declare what the command itself reports as "
            f"`[metrics.{name}]`"
        )
