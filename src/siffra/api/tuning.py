"""The best setting of somebody's own training: searched for, and then judged on fresh seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from siffra.api.executors import RunOptions
from siffra.api.functions import OpenJob, own_training, plain_value
from siffra.api.jobs import Job, OnEvent, seconds_or_none, shown_progress
from siffra.api.judging import MetricLike
from siffra.api.results import LabResult
from siffra.config import ExternalModel
from siffra.errors import ConfigError, did_you_mean
from siffra.lab.execute.functions import Train
from siffra.lab.plan.ad_hoc import check_values, plan_chosen
from siffra.lab.plan.presets import DEFAULT_SEEDS, LabOptions, sampling
from siffra.report.text.messages import words_in
from siffra.search.ranges import Ranges
from siffra.search.tuning import USUAL_RUNS, TuningSpec, search_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """How long a search of one's own training is, and what it is judged by.

    Attributes:
        runs: The most runs of the search; None: 30, or as many as there is time for.
        time: Wall seconds for all runs.
        baseline: A setting that the one that was chosen is compared with, if any.
        seeds: How many fresh seeds it is judged on; None: five.
    """

    runs: int | None = None
    time: float | None = None
    baseline: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None

    def __post_init__(self) -> None:
        if self.runs is not None and self.runs < 2:
            raise ConfigError(f"runs: found {self.runs}; a search has two or more.")


def tune(
    space: Mapping[str, Any],
    *,
    train: Train | None = None,
    command: str | Sequence[str] | None = None,
    metric: MetricLike | Sequence[MetricLike],
    margin: float | None = None,
    runs: int | None = None,
    time: str | float | None = None,
    baseline: Mapping[str, Any] | None = None,
    seeds: int | None = None,
    read: Sequence[str] = (),
    watch: Sequence[str] = (),
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
    jobs: int | None = None,
    store: Path | str | None = None,
    language: str = "en",
    on_event: OnEvent | None = None,
) -> LabResult:
    """Find the best setting of a program, or of a function, and judge it on fresh seeds.

    Optuna proposes settings, each of which is run once. The best four are run again, with four
    seeds, and what is best by these is run on seeds that have decided nothing, beside the
    second and the `baseline`: is it shown to be better? `siffra search --command` is the same.

    Args:
        space: Where to look, by knob: a range, `"0.001..1"`, or a list to choose from. Ranges whose
            ends are a factor of 10 or more apart are searched on a logarithmic scale, unless they
            say `"0.001..1:linear"`. A single value is fixed.
        train: A function, as of `siffra.vary`.
        command: A program, as of `siffra.vary`.
        metric: What is measured; the first is what the search goes by: `"val_loss:lower"`.
        margin: The smallest difference that matters, for metrics that have none of their own.
        runs: How many settings are tried (default: 30, unless there is a `time`).
        time: How long all runs may take, as `"2h"` or in seconds.
        baseline: A setting to compare with, as `{"lr": 0.1, "width": 32}`.
        seeds: How many fresh seeds the choice is judged on (default: 5).
        read: As of `siffra.vary`, and so are those that follow.
        watch: Of a program, files that it depends on.
        timeout: Of a program, how long a run may take.
        gpus: Of a program, one run at a time on each of these.
        jobs: How many runs are made at once (default: one); this many settings are proposed
        together.
        store: The file of finished runs, beside which the search is kept. Of a function nothing is
            kept unless it is given.
        language: Of the answer: `en` or `sv`.
        on_event: Called with each `siffra.lab.execute.events.Event`; a notebook shows a line of its
            own unless it is given.

    Raises:
        SiffraError: A range, a knob or the store cannot be used, or no run has a value.
    """
    words_in(language)
    options = TuneOptions(
        runs=runs, time=seconds_or_none(time), baseline=baseline or {}, seeds=seeds
    )
    running = RunOptions(jobs=jobs, store=store)
    of_programs = {"read": read, "watch": watch, "timeout": timeout, "gpus": gpus}
    open_job = own_training(train, command, metric, margin, running, of_programs)
    with (
        shown_progress(on_event, language, None) as tell,
        tune_job(space, open_job, options, tell) as job,
    ):
        return replace(job.run(tell), language=language)


@contextmanager
def tune_job(
    space: Mapping[str, Any],
    open_job: OpenJob,
    options: TuneOptions,
    on_event: OnEvent = lambda event: None,
) -> Iterator[Job]:
    """The search is made; what it chose is ready to be judged, see `tune`.

    Raises:
        SiffraError: As `tune`.
    """
    ranges = Ranges.parse(_plain(space))
    baseline = _baseline(options.baseline, ranges)
    seeds = sampling(LabOptions(seeds=options.seeds), DEFAULT_SEEDS).seeds
    usual = USUAL_RUNS if options.time is None else None
    knob, values, fixed = ranges.two()
    with open_job({knob: values}, fixed) as job:
        (question,) = job.plan.questions
        model = question.levels[0].settings[0].model
        assert isinstance(model, ExternalModel)
        spec = TuningSpec(
            ranges=ranges,
            metrics=question.metrics,
            command=model.command,
            runs=options.runs or usual,
            time=options.time,
            reserve=len(seeds) * (3 if baseline else 2),
        )
        tuned = search_settings(spec, job.work, job.store, on_event)
        levels = [*tuned.chosen[:2], *([baseline] if baseline else [])]
        levels = [level for number, level in enumerate(levels) if level not in levels[:number]]
        if len(levels) < 2:
            raise ConfigError(
                f"{question.metrics[0].name}: only one setting has a value; there is nothing to "
                "compare it with. Give a baseline, or more runs or time."
            )
        plan = plan_chosen(
            levels,
            ranges.fixed,
            question.metrics,
            seeds,
            command=model.command,
            search=replace(tuned.search, baseline=baseline),
        )
        yield replace(job, plan=replace(plan, again=job.plan.again))


def _baseline(given: Mapping[str, Any], ranges: Ranges) -> dict[str, Any]:
    """The baseline's values in the order of the knobs.

    Raises:
        ConfigError: It has other knobs than are searched.
    """
    if not given:
        return {}
    known = ranges.distributions
    for name in given:
        if name not in known:
            raise ConfigError(f"baseline: {name} is not searched; {did_you_mean(name, known)}")
    if missing := [name for name in known if name not in given]:
        raise ConfigError(
            f"baseline: found no {missing[0]}; it has a value of each knob that is searched."
        )
    plain = {name: plain_value(given[name]) for name in known}
    check_values(list(plain.items()))
    return plain


def _plain(space: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(space, Mapping):
        return space
    return {
        name: [plain_value(value) for value in given]
        if isinstance(given, Sequence) and not isinstance(given, str)
        else plain_value(given)
        for name, given in space.items()
    }
