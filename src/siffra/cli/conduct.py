"""Conducting in the terminal: what it will cost, how far it has come, how to go on."""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from siffra.cli.options import spell
from siffra.cli.progress import Meter, duration
from siffra.config import Setting

if TYPE_CHECKING:
    from siffra.api import Job, LabResult
    from siffra.lab.conduct import Cost, Event
    from siffra.lab.plan import PlannedRun
    from siffra.run import Epoch, Record

INTERRUPTED = 130


def conduct(job: "Job") -> "LabResult":
    """Conduct `job` with its cost told before and its progress during; Ctrl-C says how to go on."""
    from siffra.lab.conduct import Restarted

    cost = job.cost()
    print_cost(cost, looks=job.plan.looks, at_once=job.at_once)
    if cost.have == cost.runs:
        return job.conduct()
    done, total = cost.have, cost.runs
    try:
        with Meter(cost.runs, "runs") as meter:

            def show(event: "Event") -> None:
                nonlocal done, total
                done, total = event.progress.done, event.progress.total
                if isinstance(event, Restarted):
                    meter.note(f"{_name(event.run)}: lost, since {event.why}; made again.")
                words = _words(event)
                if event.progress.at_once > 1:
                    words = f"{event.progress.at_once} at once; {words}"
                meter.update(done, words, event.progress.seconds_left, total)

            return job.conduct(show)
    except KeyboardInterrupt as interrupt:
        print(_stopped(done, total, fresh=job.fresh), file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from interrupt


def _stopped(done: int, runs: int, *, fresh: bool) -> str:
    told = f"stopped. {done} of {runs} runs "
    if fresh:
        return f"{told}were made anew; what was stored of the other {runs - done} is still there."
    return f"{told}are stored; the same command goes on with the other {runs - done}."


def print_cost(
    cost: "Cost", *, looks: Sequence[int] = (), at_once: int = 1, err: bool = True
) -> None:
    """How many runs there are, how many are stored, and about how long the others take.

    With `looks`, those are the runs up to the next look, and there may be more.
    """
    told = f"{cost.runs} runs"
    if cost.have:
        told += f", {cost.have} of them stored"
    if cost.have < cost.runs:
        told += f"; about {duration(cost.seconds)} of training"
        told += f", {at_once} runs at once" if at_once > 1 else ""
    if looks:
        at = ", ".join(map(str, looks[:-1]))
        told += f"; what is open after {at} seeds goes on, up to {looks[-1]}"
    typer.echo(f"{told}.", err=err)


def _words(event: "Event") -> str:
    from siffra.lab.conduct import EpochDone, Finished, Preparing, Restarted, Reused, Started

    match event:
        case Preparing():
            return "compiling what is new"
        case Started(run=run):
            return f"{_name(run)}: preparing"
        case EpochDone(run=run, number=number, epoch=epoch):
            epochs = math.ceil(run.setting.training.epochs)
            return f"{_name(run)}: epoch {number}/{epochs}, {_accuracy(epoch)}"
        case Finished(run=run, record=record):
            return f"{_name(run)}: {_accuracy(record)}"
        case Reused(run=run):
            return f"{_name(run)}: stored already"
        case Restarted(run=run):
            return f"{_name(run)}: begins again"
        case _:
            return "waiting for another process"


def _name(run: "PlannedRun") -> str:
    """The run by what is not as it is by default: `conv, kernel_size 16, seed 3`."""
    knobs = run.setting.knobs()
    model = knobs["model"]
    usual = Setting.from_knobs({"model": model}).knobs() | {"epochs": run.setting.training.epochs}
    turned = [f"{knob} {spell(value)}" for knob, value in knobs.items() if usual.get(knob) != value]
    return ", ".join([model, *turned, f"seed {run.seed}"])


def _accuracy(scored: "Epoch | Record") -> str:
    return f"{scored.accuracy['val']:.2%} on validation"
