"""Running a lab in the terminal: its cost, its progress, and how to go on when it is stopped."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from siffra.cli.data_options import tell_data
from siffra.cli.progress import Meter
from siffra.cli.stopping import Stopped
from siffra.config.durations import duration, spell_seconds
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.api import Job, LabResult
    from siffra.lab.execute.events import Event
    from siffra.lab.execute.results import Cost
    from siffra.report.text.messages import Words
    from siffra.report.text.progress import Telling


def run_job(job: "Job", language: str) -> "LabResult":
    """Run `job`, printing its cost first, then its progress; Ctrl-C prints how to go on."""
    from siffra.report.text.messages import words_in
    from siffra.report.text.progress import Telling

    words = words_in(language)
    cost = job.cost()
    print_cost(words, cost, job)
    if cost.have == cost.runs:
        return job.run()
    if job.dataset:  # a program has data of its own
        tell_data(job.dataset, job.plan.data, language)
    least = cost.runs if cost.fits else 0  # not all of a first look is asked for at once
    telling = Telling(words, job.plan)
    with metered(words, telling, (cost.have, cost.runs), least, job) as show:
        return job.run(show)


@contextmanager
def metered(
    words: "Words",
    telling: "Telling",
    have: tuple[int, int] = (0, 1),
    least: int = 0,
    job: "Job | None" = None,
) -> Iterator[Callable[["Event"], None]]:
    """What shows events, of a `job` or of runs without one; Ctrl-C prints how to go on.

    `have` says how many runs are done, and how many there are, before the first event; there are
    at `least` so many, whatever events say.
    """
    done, total = have
    try:
        with Meter(
            total,
            words("progress.unit"),
            words("progress.left", time="{time}"),
            words("decimal"),
        ) as meter:

            def show(event: "Event") -> None:
                nonlocal done, total
                done, total = event.progress.done, max(least, event.progress.total)
                if event.kind == "preparing" and not (job and job.dataset):
                    return  # it compiles nothing
                if trouble := telling.trouble(event):
                    meter.note(trouble)
                left, decided = event.progress.seconds_left, telling.decided(event)
                left = None if event.kind == "preparing" else left  # how long that takes is unknown
                meter.update(done, telling.line(event), left, total, decided)

            yield show
    except KeyboardInterrupt as interrupt:
        key = "progress.stopped_fresh" if job and job.fresh is True else "progress.stopped"
        raise Stopped(words(key, done=done, runs=total, left=total - done)) from interrupt


def print_cost(words: "Words", cost: "Cost", job: "Job", *, err: bool = True) -> None:
    """How many runs there are, how many are stored, and about how long the others take.

    Below that, when there are more, as of a plan with looks, whose cost is that of the next one;
    what is not run as the lab file says; and what is hardly what was meant.
    """
    from siffra.report.text.progress import looks_note
    from siffra.report.text.provenance import shortened

    at_once = job.at_once
    line = words.count("cost.runs", cost.runs)
    if cost.have:
        line += words("cost.have", n=cost.have)
    if cost.have < cost.runs:
        if cost.seconds:  # nothing is known of a program that never ran
            key = "time_first" if cost.first_look else "time_next"
            key = f"cost.{key if job.plan.looks else 'time'}"
            line += words(key, time=duration(cost.seconds, words("decimal")))
        line += words("cost.at_once", n=at_once) if at_once > 1 else ""
    looks = looks_note(words, job.plan, cost)
    if looks and not cost.fits and cost.have == cost.runs:
        looks += " " + words("cost.use_time", enough=spell_seconds(_ample(cost.enough)))
    notes = (looks, shortened(words, job.plan), job.note(words.language))
    echo("\n".join(filter(None, (f"{line}.", *notes))), err=err)


def _ample(seconds: float) -> float:
    """A round budget, a tenth above what is predicted."""
    step = next((step for step in (1, 5, 60) if 1.1 * seconds <= 20 * step), 600)
    return math.ceil(1.1 * seconds / step) * step
