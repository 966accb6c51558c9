"""What a lab does at the moment, in words: each run by its level, and how far it has come."""

import math
from collections.abc import Mapping

from siffra.config import ExternalModel, Setting
from siffra.config.durations import duration
from siffra.lab.execute.events import Event
from siffra.lab.execute.results import Cost
from siffra.lab.plan.plan import Level, Plan
from siffra.report.text.failures import shortened_line
from siffra.report.text.labels import knobs_name, level_name
from siffra.report.text.messages import Words
from siffra.training.run import Epoch, Record


class Telling:
    """Puts the events of a `plan` into words. Runs have the names of their levels.

    Of runs that belong to no plan that is known (None), the names of their settings.
    """

    def __init__(self, words: Words, plan: Plan | None) -> None:
        self._words = words
        self._names: dict[Setting, str] = {}
        self._failing: set[Setting] = set()
        models = [run.setting.model for run in plan.runs] if plan else []
        self._compiles = not all(isinstance(model, ExternalModel) for model in models)
        questions = plan.questions if plan else ()
        for question in questions:
            place = f"{question.id}: " if len(questions) > 1 else ""
            for level in question.levels:
                for setting in level.settings:
                    name = _name(words, level, setting, question.retune)
                    self._names.setdefault(setting, place + name)
        for experiment in plan.experiments if plan else ():
            self._names.setdefault(experiment.setting, words.say(experiment.name))

    def line(self, event: Event) -> str:
        """`batch size 9, seed 3: epoch 2/5, 94.12 % on validation`; "" if nothing is to be said."""
        match event.kind:
            case "preparing":
                return self._words("progress.compiling") if self._compiles else ""
            case "waiting":
                return self._words("progress.waiting")
            case "done":  # other work than a lab's
                return ""
            case "epoch":
                return self._epoch(event)
            case "finished":
                return self._finished(event)
            case "started" | "timed" | "reused" | "lost" as kind:
                return self._words(f"progress.{kind}", run=self.name(event))

    def decided(self, event: Event) -> str:
        """`31 of 65 claims decided`; "" of a plan without looks."""
        done, claims = event.progress.decided, event.progress.claims
        return self._words("progress.decided", decided=done, claims=claims) if claims else ""

    def trouble(self, event: Event) -> str:
        """That a run is made again, or that it failed, why, and the last line that it printed.

        Of the runs of one setting that fail, the first is told; "" of all others.
        """
        if event.kind == "lost":
            return self._words("progress.retrying", run=self.name(event), why=event.reason)
        if event.kind != "finished" or not event.record:
            return ""
        setting = event.planned_run.setting
        if setting in self._failing or not isinstance(setting.model, ExternalModel):
            return ""
        record = event.record.read()
        if not record.failure:
            return ""
        self._failing.add(setting)
        last = f": {shortened_line(line)}" if (line := record.last_words) else ""
        why = record.failure
        return self._words("progress.failed", run=self.name(event), why=why, last=last)

    def name(self, event: Event) -> str:
        """The event's run, `batch size 9, seed 3`, or its round of times."""
        if timed := event.planned_timing:
            return self._words("progress.times", n=len(timed.settings), round=timed.round + 1)
        run = event.planned_run
        name = self._names.get(run.setting)
        if name is None:
            name = knobs_name(self._words.verbatim, run.setting.knobs())
        parts = (name, self._words("progress.seed", n=run.seed))
        return ", ".join(filter(None, parts))

    def _epoch(self, event: Event) -> str:
        name = self.name(event)
        if event.values:
            values = self._values(event.values)
            return self._words("progress.measured", run=name, values=values)
        return self._words(
            "progress.epoch",
            run=name,
            n=event.epoch,
            of=math.ceil(event.planned_run.setting.training.epochs),
            share=self._accuracy(event.scores),
        )

    def _finished(self, event: Event) -> str:
        name, record = self.name(event), event.record and event.record.read()
        if record and isinstance(record.model, ExternalModel):
            values = record.failure or self._values(record.metrics)
            return self._words("progress.measured", run=name, values=values)
        return self._words("progress.finished", run=name, share=self._accuracy(record))

    def _values(self, values: Mapping[str, float | None]) -> str:
        """`epoch 4, val_loss 0.213`."""
        return ", ".join(
            f"{name} {'–' if value is None else self._words.exact(float(f'{value:.6g}'))}"
            for name, value in values.items()
        )

    def _accuracy(self, scored: Epoch | Record | None) -> str:
        reached = scored.accuracy["val"] if scored else None
        return "–" if reached is None else f"{self._words.number(100 * reached, 2)} %"


def _name(words: Words, level: Level, setting: Setting, retuned: tuple[str, ...]) -> str:
    """A level's name; where it has several settings, with the retuned knobs of this one."""
    if len(level.settings) == 1:
        return level_name(words, level)
    knobs = setting.knobs()
    tried = knobs_name(words, {knob: knobs[knob] for knob in retuned if knob in knobs})
    return f"{level_name(words, level)}, {tried}"


def looks_note(words: Words, plan: Plan, cost: Cost) -> str:
    """When claims are judged again, and within which budget; nothing if none can be.

    It is said if the budget does not last for a first look at everything: those seeds are then made
    of what is decided soonest, or all the same, if there are no claims to decide.
    """
    if not plan.looks:
        return ""
    lasts = cost.fits and (plan.time is None or cost.seconds <= plan.time)
    if lasts and not any(question.claims for question in plan.questions):
        return ""
    seeds = words.listing(map(str, plan.looks[1:] if cost.fits else plan.looks))
    if plan.time is None:
        return words("cost.looks", seeds=seeds)
    time = duration(plan.time, words("decimal"))
    if not cost.fits and cost.have == cost.runs:
        more = duration(cost.first_look, words("decimal"))
        return words("cost.looks_none", time=time, first=len(plan.seeds), more=more)
    if not cost.fits:
        key = "cost.looks_short"
    else:
        key = "cost.looks_within" if lasts else "cost.looks_over"
    return words(key, seeds=seeds, time=time, first=len(plan.seeds))
