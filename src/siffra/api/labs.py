"""Lab files: planned, run, answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from siffra.api.arguments import DataLike, loaded
from siffra.api.commands import lab_of_command
from siffra.api.executors import HERE, RunOptions
from siffra.api.jobs import Job, job_on, seconds_or_none
from siffra.api.results import LabResult, expect_report
from siffra.data.dataset import Dataset
from siffra.data.load import shifted_as
from siffra.errors import ConfigError
from siffra.lab.execute.events import Event
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions


def run_lab(
    lab: Path | str | None = None,
    *,
    preset: str | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    time: str | float | None = None,
    max_seeds: int | None = None,
    only: Sequence[str] = (),
    fresh: bool = False,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    jobs: int | None = None,
    on: str = "here",
    alone: bool = False,
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
    store: Path | str | None = None,
    out: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[Event], None] | None = None,
) -> LabResult:
    """Run a lab file, or the study that siffra brings, and answer its questions.

    What was run before is not run again: a lab that was stopped goes on where it was.

    Args:
        lab: A lab file; None for the study of handwritten digits.
        preset: `quick` (3 epochs at most), `standard` (20) or `full` (each run as its lab file
            says); None: the one that the lab file names, `full` if it names none. The study is
            `quick`.
        epochs: Train every run for this many, whatever the preset and the lab file say.
        seeds: A fixed number of seeds for each setting, judged once, instead of a budget.
        time: The budget of training time, as `"5m"` or in seconds: each setting gets five seeds,
            and claims that are still open get more for as long as it lasts (default: `quick` 5
            minutes, `standard` 20, `full` 60). If it does not last for five seeds of everything,
            the claims that are decided soonest go first, and the result says what was left out.
        max_seeds: The most seeds that such a claim gets (default: 40).
        only: The ids of the questions and experiments to run; none means all.
        fresh: Make the stored runs too; each is replaced when its new one is there.
        data: See `DataLike`; in the place of what the lab file names. The lab's shifts hold.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads of a run (default: the cores, shared out to the runs made at once).
        jobs: How many runs are made at once (default: as many as there are cores, or as a cluster
            has room for; of a command on this machine, one).
        on: Where: `here`, `ray` for a cluster of Ray's, `ray://host:port`, or `auto`, which is a
            cluster if `RAY_ADDRESS` has one.
        alone: On a cluster, give each run a whole node, so that its times are undisturbed.
        timeout: Of a command, how long a run may take, as `"10m"` or in seconds; in the place of
            what the lab file says.
        gpus: Of a command, one run at a time on each of these; on a cluster, how many a run gets.
        store: The file of finished runs.
        out: Write the report to this folder.
        language: Of the answer and its report: `en` or `sv`.
        on_event: Called with each `siffra.lab.execute.events.Event`, for showing progress; a
            notebook shows a line of its own unless it is given.

    Raises:
        SiffraError: The lab file, the data or the store cannot be used.
    """
    options = LabOptions(
        preset=preset,
        epochs=epochs,
        seeds=seeds,
        time=seconds_or_none(time),
        max_seeds=max_seeds,
        only=tuple(only),
    )
    running = RunOptions(
        engine=engine, threads=threads, jobs=jobs, on=on, alone=alone, store=store, fresh=fresh
    )
    with lab_job(lab, options, running, data=data, timeout=timeout, gpus=gpus) as job:
        expect_report(out, language)
        result = job.run_shown(on_event, language)
    if out is not None:
        result.write(out)
    return result


@contextmanager
def lab_job(
    lab: Path | str | None = None,
    options: LabOptions = AS_WRITTEN,
    running: RunOptions = HERE,
    *,
    data: DataLike = None,
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
) -> Iterator[Job]:
    """A lab made ready, see `run_lab`; its store and its executor are open meanwhile.

    Unless it is to examine networks, runs that are stored without an examination are taken as
    they are.
    """
    file = read_lab(Path(lab) if lab else None)
    if file.program:
        if data is not None:
            raise ConfigError("data: a command has data of its own; leave it out.")
        making = lab_of_command(file, file.program, options, running, timeout=timeout, gpus=gpus)
        with making as job:
            yield job
        return
    for name, value in (("timeout", timeout), ("gpus", gpus)):
        if value:
            raise ConfigError(
                f"{name}: it is for the lab of a command; {file.source} has none. Leave it out."
            )
    running.make_engine()  # whether there is one is said before the data is read
    dataset, source = loaded(file.data if data is None else data, file.data)
    if isinstance(data, Dataset) and file.shifts is not None:
        dataset = shifted_as(dataset, file.data)
    plan = replace(plan_lab(file, dataset, options), engine=running.engine, data=source)
    with running.open_store() as store, job_on(store, plan, dataset, source, running) as job:
        yield job
