"""How much seeds alone change what a program measures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from siffra.api.commands import command_options, noise_job
from siffra.api.executors import RunOptions
from siffra.api.judging import MetricLike
from siffra.api.results import LabResult
from siffra.errors import ConfigError
from siffra.lab.answers import QuestionAnswer
from siffra.lab.execute.events import Event
from siffra.lab.stats.noise import Noise, noise_of
from siffra.report.text.messages import words_in
from siffra.report.text.noise import needed_by_level, noise_text
from siffra.training.run import Record

DEFAULT_SEEDS = 10


def noise(
    command: str | Sequence[str],
    *,
    metric: MetricLike | Sequence[MetricLike],
    knobs: Mapping[str, object] | None = None,
    seeds: int = DEFAULT_SEEDS,
    difference: float | None = None,
    read: Sequence[str] = (),
    watch: Sequence[str] = (),
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
    jobs: int | None = None,
    on: str = "here",
    store: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[Event], None] | None = None,
) -> NoiseResult:
    """Run a program with several seeds: how much they alone change its metrics.

    Args:
        command: The program, as in `siffra vary --command`.
        metric: What is measured: `"val_loss:lower"`, a `siffra.Metric`, or several.
        knobs: The values of the command's own knobs.
        seeds: How many runs, two or more.
        difference: How many seeds does it take to show a difference of this size?
        read: Regular expressions that find the metrics in what is printed.
        watch: Files and folders whose content counts.
        timeout: The longest that a run may take, as `"10m"` or in seconds.
        gpus: One run at a time on each of these; on a cluster, how many a run gets.
        jobs: How many runs are made at once (default: one, or as a cluster has room for).
        on: Where: `here`, `ray`, `ray://host:port` or `auto`, see `siffra.vary`.
        store: The file of finished runs.
        language: Of the answer: `en` or `sv`.
        on_event: Called with everything that happens; a notebook shows a line of its own unless it
            is given.

    Raises:
        SiffraError: The command, a knob or the store cannot be used.
    """
    running = RunOptions(jobs=jobs, on=on, store=store)
    program = command_options(
        command, metric, running, read=read, watch=watch, timeout=timeout, gpus=gpus
    )
    expect_difference(difference)
    with noise_job(knobs or {}, program, seeds) as job:
        return noise_result(job.run_shown(on_event, language), difference, language)


def expect_difference(difference: float | None) -> None:
    """Check a difference that is asked about.

    Raises:
        ConfigError: It is not above 0, or not finite.
    """
    if difference is not None and not 0 < difference < math.inf:
        raise ConfigError(f"difference: found {difference}; it must be a number above 0.")


@dataclass(frozen=True, slots=True)
class NoiseResult:
    """What runs of one setting say.

    Attributes:
        result: The runs, as a question with one level.
        noises: By metric, its noise; metrics of fewer than two runs have none.
        difference: The difference of which it was asked how many seeds it takes.
        language: Of the texts.
    """

    result: LabResult
    noises: Mapping[str, Noise]
    difference: float | None
    language: str

    @property
    def _question(self) -> QuestionAnswer:
        (question,) = self.result.answers.questions
        return question

    @property
    def _records(self) -> Sequence[Record]:
        (level,) = self._question.levels
        return level.records

    def text(self, language: str | None = None) -> str:
        """What was found, in lines of plain text."""
        words, metrics = words_in(language or self.language), self._question.question.metrics
        return noise_text(words, self.noises, metrics, self._records, self.difference)

    def as_json(self, language: str | None = None) -> str:
        """The same as numbers."""
        described = {
            "runs": len(self._records),
            "failed": sum(bool(record.failure) for record in self._records),
            "difference": self.difference,
            "metrics": {
                name: asdict(noise) | {"seeds_needed": needed_by_level(self.difference, noise)}
                for name, noise in self.noises.items()
            },
            "text": self.text(language),
        }
        return json.dumps(described, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        return self.text()


def noise_result(result: LabResult, difference: float | None, language: str = "en") -> NoiseResult:
    """The noise of the metrics of one level's runs."""
    (question,) = result.answers.questions
    records = question.levels[0].trained
    noises: dict[str, Noise] = {}
    for metric in question.question.metrics:
        values = [v for r in records if (v := r.metrics.get(metric.name)) is not None]
        steps = [step for r in records if (step := r.steps.get(metric.name))]
        if len(values) >= 2:
            noises[metric.name] = noise_of(values, min(steps, default=0.0))
    return NoiseResult(result, noises, difference, language)
