"""One question: what a knob does, to siffra's networks, to a program or to a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from siffra.api.arguments import DataLike, Knobs
from siffra.api.commands import expect_none
from siffra.api.executors import RunOptions
from siffra.api.functions import own_training
from siffra.api.jobs import seconds_or_none, vary_job
from siffra.api.judging import MetricLike
from siffra.api.results import LabResult, expect_report
from siffra.lab.execute.events import Event
from siffra.lab.execute.functions import Train
from siffra.lab.plan.ad_hoc import parted
from siffra.lab.plan.presets import LabOptions


def vary(
    levels: Mapping[str, Sequence[object]],
    *,
    train: Train | None = None,
    command: str | Sequence[str] | None = None,
    metric: MetricLike | Sequence[MetricLike] = (),
    margin: float | None = None,
    read: Sequence[str] = (),
    watch: Sequence[str] = (),
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
    recipe: Path | str | None = None,
    seeds: int | None = None,
    time: str | float | None = None,
    max_seeds: int | None = None,
    examines: bool = False,
    fresh: bool = False,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    jobs: int | None = None,
    on: str = "here",
    store: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[Event], None] | None = None,
    **knobs: Unpack[Knobs],
) -> LabResult:
    """Ask what a knob does: train at each of its levels, with several seeds, and compare.

    Several knobs at once are tried in every combination. What trains is siffra's networks, or a
    function, or a program of your own: then the knobs are its own, and those with a single value
    are held fixed.

    Args:
        levels: The values to try, by knob: `{"learning_rate": [0.02, 0.7, 1]}`. The others are
            compared with the first.
        train: A function of the knobs and a `seed`, all by name, that trains and returns its
            metrics, as `{"val_loss": 0.21}`, or yields them epoch by epoch.
        command: A program, as `"python train.py --lr {lr} --seed {seed}"`; see docs/command.md.
        metric: What a function or a program measures, the main one first: `"val_loss:lower"`, or a
            `siffra.Metric`.
        margin: The smallest difference that matters, for metrics that have none of their own.
        read: Of a program, patterns by which metrics are read from its output.
        watch: Of a program, files that it depends on besides those that the command names.
        timeout: Of a program, how long a run may take, as `"10m"` or in seconds.
        gpus: Of a program, one run at a time on each of these; on a cluster, how many a run gets.
        recipe: A recipe's name or file, whose knobs hold where no others are given.
        seeds: How many seeds each level is trained with (default: 5), judged once.
        time: A budget of training time instead, as `"5m"` or in seconds: each level gets five
            seeds, and claims that are still open get more for as long as it lasts.
        max_seeds: The most seeds that such a claim gets (default: 40).
        examines: Look into each network as its training ends, about a second a run, for the
            report's figures of how it bears shifts and of its mistakes.
        fresh: As of `run_lab`.
        data: See `DataLike`.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads of a run (default: the cores, shared out to the runs made at once).
        jobs: How many runs are made at once (default: as many as there are cores, or as a cluster
            has room for; of a function or a program on this machine, one). A function is then
            called in processes of their own.
        on: Where: `here`, `ray` for a cluster of Ray's, `ray://host:port`, or `auto`, which is a
            cluster if `RAY_ADDRESS` has one.
        store: The file of finished runs, in which runs made before are found again. Those of a
            function are kept only if it is given.
        language: Of the answer: `en` or `sv`.
        on_event: Called with each `siffra.lab.execute.events.Event`, for showing progress; a
            notebook shows a line of its own unless it is given.
        **knobs: What all levels share, see `Knobs`.

    Raises:
        SiffraError: A knob, the data or the store cannot be used; the text says how to mend it.
    """
    options = LabOptions(
        seeds=seeds, time=seconds_or_none(time), max_seeds=max_seeds, examines=examines
    )
    expect_report(None, language)
    running = RunOptions(engine=engine, threads=threads, jobs=jobs, on=on, store=store, fresh=fresh)
    of_programs = {"read": read, "watch": watch, "timeout": timeout, "gpus": gpus}
    of_networks = {"recipe": recipe, "data": data, "examines": examines or None}
    if train is not None or command is not None:
        expect_none(of_networks, "siffra's networks")
        all_levels = {**levels, **{name: [value] for name, value in knobs.items()}}
        open_job = own_training(train, command, metric, margin, running, of_programs)
        making = open_job(*parted(all_levels), options)
    else:
        expect_none({"metric": metric, "margin": margin}, "a train function or a command")
        expect_none(of_programs, "a command")
        making = vary_job(levels, knobs, options, running, recipe=recipe, data=data)
    with making as job:
        return job.run_shown(on_event, language)
