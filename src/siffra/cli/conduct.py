"""Conducting in the terminal: what it will cost, how far it has come, how to go on."""

import math
from typing import TYPE_CHECKING

from siffra.cli.data_options import tell_data
from siffra.cli.options import spell
from siffra.cli.progress import Meter, duration
from siffra.cli.stopping import Stopped
from siffra.config import Setting
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.api import Job, LabResult
    from siffra.lab.execute.runner import Cost, Event
    from siffra.lab.plan.plan import PlannedRun
    from siffra.report.text.messages import Words
    from siffra.training.run import Epoch, Record


def conduct(job: "Job", language: str) -> "LabResult":
    """Conduct `job` with its cost told before and its progress during; Ctrl-C says how to go on."""
    from siffra.lab.execute.runner import Restarted
    from siffra.report.text.messages import words_in

    words = words_in(language)
    cost = job.cost()
    print_cost(words, cost, job)
    if cost.have == cost.runs:
        return job.conduct()
    tell_data(job.dataset, job.plan.data, language)
    done, total = cost.have, cost.runs
    try:
        with Meter(
            cost.runs,
            words("progress.unit"),
            words("progress.left", time="{time}"),
            words("decimal"),
        ) as meter:

            def show(event: "Event") -> None:
                nonlocal done, total
                done, total = event.progress.done, event.progress.total
                if isinstance(event, Restarted):
                    run = _name(words, event.run)
                    meter.note(words("progress.lost", run=run, why=event.why))
                told = _told(words, event)
                if event.progress.at_once > 1:
                    told = words("progress.at_once", n=event.progress.at_once, told=told)
                meter.update(done, told, event.progress.seconds_left, total)

            return job.conduct(show)
    except KeyboardInterrupt as interrupt:
        key = "progress.stopped_fresh" if job.fresh is True else "progress.stopped"
        raise Stopped(words(key, done=done, runs=total, left=total - done)) from interrupt


def print_cost(words: "Words", cost: "Cost", job: "Job", *, err: bool = True) -> None:
    """How many runs there are, how many are stored, and about how long the others take.

    Below that, what is not run as the lab file says, or is hardly what was meant. Of a plan with
    looks, those are the runs up to the next look, and there may be more.
    """
    from siffra.report.text.shortened import shortened

    looks, at_once = job.plan.looks, job.at_once
    told = words.count("cost.runs", cost.runs)
    if cost.have:
        told += words("cost.have", n=cost.have)
    if cost.have < cost.runs:
        time = duration(cost.seconds, words("decimal"))
        told += words("cost.time", time=time)
        told += words("cost.at_once", n=at_once) if at_once > 1 else ""
    if looks:
        told += words("cost.looks", seeds=", ".join(map(str, looks[:-1])), most=looks[-1])
    lines = (f"{told}.", shortened(words, job.plan), job.note(words.language))
    echo("\n".join(filter(None, lines)), err=err)


def _told(words: "Words", event: "Event") -> str:
    from siffra.lab.execute.runner import EpochDone, Finished, Preparing, Restarted, Reused, Started

    match event:
        case Preparing():
            return words("progress.compiling")
        case Started(run=run):
            return words("progress.preparing", run=_name(words, run))
        case EpochDone(run=run, number=number, epoch=epoch):
            return words(
                "progress.epoch",
                run=_name(words, run),
                n=number,
                of=math.ceil(run.setting.training.epochs),
                share=_accuracy(words, epoch),
            )
        case Finished(run=run, record=record):
            share = _accuracy(words, record)
            return words("progress.finished", run=_name(words, run), share=share)
        case Reused(run=run):
            return words("progress.reused", run=_name(words, run))
        case Restarted(run=run):
            return words("progress.again", run=_name(words, run))
        case _:
            return words("progress.waiting")


def _name(words: "Words", run: "PlannedRun") -> str:
    """The run by what is not as it is by default: `conv, kernel_size 16, seed 3`."""
    knobs = run.setting.knobs()
    model = knobs["model"]
    usual = Setting.from_knobs({"model": model}).knobs() | {"epochs": run.setting.training.epochs}
    turned = [f"{knob} {spell(value)}" for knob, value in knobs.items() if usual.get(knob) != value]
    return ", ".join([model, *turned, words("progress.seed", n=run.seed)])


def _accuracy(words: "Words", scored: "Epoch | Record") -> str:
    reached = scored.accuracy["val"]
    return "–" if reached is None else f"{words.number(100 * reached, 2)} %"
