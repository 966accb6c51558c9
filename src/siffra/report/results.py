"""Reads a report's `results.json` back: what another lab, or an earlier one, had found."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siffra.config.metrics import MetricName
from siffra.errors import SiffraError
from siffra.lab.answers import Verdict
from siffra.lab.plan.plan import Claim, Direction
from siffra.lab.stats.estimates import Estimate, Summary

NAME = "results.json"


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SummaryResult(_Read):
    """A mean with its interval; None where a number was not finite."""

    mean: float | None
    interval: tuple[float | None, float | None]
    values: tuple[float, ...]

    def summary(self) -> Summary:
        """As it was when it was written."""
        mean, low, high = (math.nan if x is None else x for x in (self.mean, *self.interval))
        return Summary(mean, low, high, self.values)


class MeasuredResult(_Read):
    """Knobs with what was measured there."""

    knobs: dict[str, Any]
    n: int
    accuracy: dict[str, SummaryResult]
    seconds: SummaryResult


class LevelResult(MeasuredResult):
    """A level. `knobs` has the varied ones, and `settings` all of each that it was trained with.

    There are none of those in reports by a siffra that did not write them.
    """

    settings: tuple[dict[str, Any], ...] = ()


class ExperimentResult(MeasuredResult):
    """An experiment, with all of its knobs."""

    id: str
    name: str


class ClaimResult(_Read):
    """A claim with what became of it."""

    id: str
    say: str
    metric: MetricName
    on: str
    target: float | None
    level: tuple[int, ...]
    against: tuple[int, ...] | float
    direction: Direction
    margin: float = Field(ge=0)
    epochs: int | float
    verdict: Verdict
    reason: str = ""
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    confidence: float | None = None
    scale: Literal["difference", "ratio"] | None = None
    n: int = 0
    values: tuple[float, ...] = ()
    censored: int = 0

    def claim(self) -> Claim:
        """The claim, in the one language in which it was written."""
        told = ("id", "metric", "on", "target", "level", "against", "direction", "margin", "epochs")
        fields = {name: getattr(self, name) for name in told}
        return Claim(**fields, say={"": self.say}, reported={})

    def found(self) -> Estimate | None:
        """What was estimated; ends that were not finite lie outwards, or are unknown (one seed)."""
        if self.interval is None or self.confidence is None or self.scale is None:
            return None
        value, low, high = (math.nan if x is None else x for x in (self.estimate, *self.interval))
        if self.n > 1:
            low = -math.inf if math.isnan(low) else low
            high = math.inf if math.isnan(high) else high
        return Estimate(value, low, high, self.confidence, self.values, self.scale, self.censored)


class QuestionResult(_Read):
    """A question with its answer. `fixed` has the knobs that all its levels share."""

    id: str
    ask: str
    answer: str
    claims: tuple[ClaimResult, ...]
    levels: tuple[LevelResult, ...]
    fixed: dict[str, Any] = {}
    retune: tuple[str, ...] = ()


class ShortenedResult(_Read):
    """What was not run as the lab file says."""

    text: str


class MachineResult(_Read):
    """Where the runs were made."""

    cpu: str
    threads: int


class Results(_Read):
    """All of a `results.json` that is used here."""

    title: str
    command: str
    preset: str
    epochs: int | None
    shortened: ShortenedResult | None = None
    seeds: tuple[int, ...]
    runs: int
    machine: MachineResult | None
    versions: dict[str, str]
    questions: tuple[QuestionResult, ...]
    experiments: tuple[ExperimentResult, ...] = ()


def read_results(path: Path) -> Results:
    """Read the report in the folder `path`, or its `results.json`.

    Raises:
        SiffraError: There is no report, or not one that this siffra can read.
    """
    file = path / NAME if path.is_dir() else path
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        raise SiffraError(
            f"{file}: no such file; name the folder of a report, as `siffra lab --out` wrote it."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SiffraError(f"{file}: cannot be read: {reason}.") from error
    try:
        return Results.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = " ".join(f"{where} {first['msg']}".split())
        raise SiffraError(f"{file}: not the results of a siffra report ({reason}).") from error
