"""Running a lab in the terminal: its cost, its progress, and how to go on when it is stopped."""

import math
from typing import TYPE_CHECKING

from siffra.cli.data_options import tell_data
from siffra.cli.knobs import spell
from siffra.cli.progress import Meter, duration
from siffra.cli.stopping import Stopped
from siffra.config import ExternalModel, Setting
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from siffra.api import Job, LabResult
    from siffra.lab.execute.estimate import Cost
    from siffra.lab.execute.events import Event
    from siffra.lab.plan.plan import Plan
    from siffra.report.text.messages import Words
    from siffra.training.run import Epoch, Record


def run_job(job: "Job", language: str) -> "LabResult":
    """Run `job`, printing its cost first, then its progress; Ctrl-C prints how to go on."""
    from siffra.report.text.messages import words_in

    words = words_in(language)
    cost = job.cost()
    print_cost(words, cost, job)
    if cost.have == cost.runs:
        return job.run()
    if job.dataset:  # a program has data of its own
        tell_data(job.dataset, job.plan.data, language)
    done, total = cost.have, cost.runs
    failing: set[Setting] = set()
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
                if event.kind == "preparing" and not job.dataset:
                    return  # it compiles nothing
                if event.kind == "lost":
                    run = _name(words, event)
                    meter.note(words("progress.lost", run=run, why=event.reason))
                if (failed := _failed(words, event)) and event.planned_run.setting not in failing:
                    failing.add(event.planned_run.setting)
                    meter.note(failed)
                line = _line(words, event)
                if event.progress.at_once > 1:
                    line = words("progress.at_once", n=event.progress.at_once, told=line)
                if claims := event.progress.claims:
                    decided = event.progress.decided
                    line = words("progress.decided", decided=decided, claims=claims, told=line)
                meter.update(done, line, event.progress.seconds_left, total)

            return job.run(show)
    except KeyboardInterrupt as interrupt:
        key = "progress.stopped_fresh" if job.fresh is True else "progress.stopped"
        raise Stopped(words(key, done=done, runs=total, left=total - done)) from interrupt


def print_cost(words: "Words", cost: "Cost", job: "Job", *, err: bool = True) -> None:
    """How many runs there are, how many are stored, and about how long the others take.

    Below that, when there are more, as of a plan with looks, whose cost is that of the next one;
    what is not run as the lab file says; and what is hardly what was meant.
    """
    from siffra.report.text.provenance import shortened

    at_once = job.at_once
    line = words.count("cost.runs", cost.runs)
    if cost.have:
        line += words("cost.have", n=cost.have)
    if cost.have < cost.runs:
        if cost.seconds:  # nothing is known of a program that never ran
            line += words("cost.time", time=duration(cost.seconds, words("decimal")))
        line += words("cost.at_once", n=at_once) if at_once > 1 else ""
    notes = (_looks(words, job.plan, cost), shortened(words, job.plan))
    notes = (*notes, job.note(words.language))
    echo("\n".join(filter(None, (f"{line}.", *notes))), err=err)


def _looks(words: "Words", plan: "Plan", cost: "Cost") -> str:
    """When claims are judged again, and within which budget; nothing for a plan without looks.

    It is said if the budget does not last for a first look at everything: those seeds are then made
    of what is decided soonest, or all the same, if there are no claims to decide.
    """
    if not plan.looks:
        return ""
    seeds = words.listing(map(str, plan.looks[1:] if cost.fits else plan.looks))
    if plan.time is None:
        return words("cost.looks", seeds=seeds)
    time = duration(plan.time, words("decimal"))
    if not cost.fits:
        key = "cost.looks_spent" if cost.have == cost.runs else "cost.looks_short"
    elif cost.seconds > plan.time:
        key = "cost.looks_over"
    else:
        key = "cost.looks_within"
    return words(key, seeds=seeds, time=time, first=len(plan.seeds))


def _failed(words: "Words", event: "Event") -> str:
    """That a run failed, why, and the last line that it printed; "" if none did."""
    is_external = event.kind == "finished" and isinstance(
        event.planned_run.setting.model, ExternalModel
    )
    failed = event.record.read() if is_external and event.record else None
    if not (failed and failed.failure):
        return ""
    from siffra.report.text.failures import shortened_line

    why, output = failed.failure, failed.output
    last = f": {shortened_line(output[-1])}" if output else ""
    return words("progress.failed", run=_name(words, event), why=why, last=last)


def _line(words: "Words", event: "Event") -> str:
    match event.kind:
        case "preparing":
            return words("progress.compiling")
        case "started":
            return words("progress.preparing", run=_name(words, event))
        case "epoch":
            return _epoch(words, event)
        case "finished":
            return _finished(words, event)
        case "timed":
            return words("progress.timed", run=_name(words, event))
        case "reused":
            return words("progress.reused", run=_name(words, event))
        case "lost":
            return words("progress.again", run=_name(words, event))
        case "done":  # other work than a lab's
            return ""
        case "waiting":
            return words("progress.waiting")


def _epoch(words: "Words", event: "Event") -> str:
    name = _name(words, event)
    if event.values:
        return words("progress.measured", run=name, values=_values(words, event.values))
    return words(
        "progress.epoch",
        run=name,
        n=event.epoch,
        of=math.ceil(event.planned_run.setting.training.epochs),
        share=_accuracy(words, event.scores),
    )


def _finished(words: "Words", event: "Event") -> str:
    name, record = _name(words, event), event.record and event.record.read()
    if record and isinstance(record.model, ExternalModel):
        values = record.failure or _values(words, record.metrics)
        return words("progress.measured", run=name, values=values)
    return words("progress.finished", run=name, share=_accuracy(words, record))


def _name(words: "Words", event: "Event") -> str:
    """The event's run by what is not as it is by default: `conv, kernel_size 16, seed 3`.

    Or its round of times: `training times of 3 settings, round 1`.
    """
    if timed := event.planned_timing:
        return words("progress.times", n=len(timed.settings), round=timed.round + 1)
    run = event.planned_run
    knobs = run.setting.knobs()
    if isinstance(run.setting.model, ExternalModel):
        named = [f"{knob} {spell(value)}" for knob, value in knobs.items()]
        return ", ".join([*named, words("progress.seed", n=run.seed)])
    model = knobs["model"]
    usual = Setting.from_knobs({"model": model}).knobs() | {"epochs": run.setting.training.epochs}
    turned = [f"{knob} {spell(value)}" for knob, value in knobs.items() if usual.get(knob) != value]
    return ", ".join([model, *turned, words("progress.seed", n=run.seed)])


def _values(words: "Words", values: "Mapping[str, float | None]") -> str:
    """`epoch 4, val_loss 0.213`."""
    return ", ".join(
        f"{name} {'–' if value is None else words.exact(float(f'{value:.6g}'))}"
        for name, value in values.items()
    )


def _accuracy(words: "Words", scored: "Epoch | Record | None") -> str:
    reached = scored.accuracy["val"] if scored else None
    return "–" if reached is None else f"{words.number(100 * reached, 2)} %"
