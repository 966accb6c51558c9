"""What was seen at each level: its runs, one a seed, with the retuned knobs that it chose."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import is_not
from typing import Any, TypeVar

from siffra.config import Setting
from siffra.lab.plan.plan import Level, Plan, Question
from siffra.lab.stats.edges import Edge, edges_of_choice
from siffra.lab.stats.summaries import Summary, summarise, summarise_accuracy, summarise_metric
from siffra.training.run import Record

USUAL_SETS = ("train", "val", "test", "moved", "rotated")

Records = Mapping[tuple[Setting, int], Record]


T = TypeVar("T")


class Memo:
    """Values that are computed anew only when what they are computed from has changed.

    Inputs are compared by identity: nothing that is as long as a run's curves is compared.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Sequence[object], Any]] = {}

    def get(self, key: Hashable, inputs: Sequence[object], compute: Callable[[], T]) -> T:
        """The value for `key`: that of before, if its inputs are the same objects, else anew."""
        before, value = self._known.get(key, ((), None))
        if value is None or len(before) != len(inputs) or any(map(is_not, before, inputs)):
            value = compute()
            self._known[key] = inputs, value
        return value


class RepeatedRuns:
    """What answers with `records`, one for each seed, tell of them."""

    __slots__ = ()
    records: tuple[Record, ...]

    @property
    def busy(self) -> int:
        """How many of the runs were made on a machine that was busy with something else."""
        return sum(record.is_busy for record in self.records)

    @property
    def trained(self) -> tuple[Record, ...]:
        """The runs that did not diverge and gave a result: those that have scores."""
        return tuple(r for r in self.records if not r.diverged and not r.failure)


@dataclass(frozen=True, slots=True)
class LevelAnswer(RepeatedRuns):
    """What was seen at a level, over seeds. `records` are the runs of its `setting`, one a seed.

    Where knobs were retuned, that is the setting which did best on validation over the tuning
    seeds (None: those are not all there yet), and `retuned` has the values of those knobs. `tried`
    has all runs: those of the tuning seeds too. `edge` has the retuned knobs of which the largest
    or smallest value tried was chosen (so that a better one may lie beyond).

    `accuracy` is by set, over the runs that did not diverge: `diverged` counts those that did, and
    `collapsed` those that give nearly every image one class. `timed` has the seconds that its
    training takes, by the rounds in which the question's levels were timed by turns (none: no
    claim asks for times); `seconds` is what whole runs took, whatever else the machine did.
    `metrics` are those of the question, if it has its own.
    """

    level: Level
    setting: Setting | None
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    seconds: Summary
    diverged: int
    retuned: Mapping[str, Any]
    tried: tuple[Record, ...]
    edge: tuple[Edge, ...] = ()
    timed: tuple[float, ...] = ()
    metrics: Mapping[str, Summary] = field(default_factory=dict)

    @property
    def collapsed(self) -> int:
        """How many of the runs collapsed, or gave no result."""
        return sum(record.collapsed or bool(record.failure) for record in self.records)


def answer_levels(
    plan: Plan, question: Question, records: Records, memo: Memo
) -> tuple[LevelAnswer, ...]:
    """What `records` say about each level; the `memo` has the levels without new runs."""
    seeds = (*all_seeds(plan), *plan.tuning_seeds)
    return tuple(
        memo.get(
            (question.id, index),
            [records.get((setting, seed)) for seed in seeds for setting in level.settings],
            lambda level=level: answer_level(plan, question, level, records),
        )
        for index, level in enumerate(question.levels)
    )


def answer_level(plan: Plan, question: Question, level: Level, records: Records) -> LevelAnswer:
    """What `records` say about `level`."""
    setting = chosen_setting(plan, level, records)
    seeds = all_seeds(plan)
    runs = runs_of(plan, setting, seeds, records) if setting else ()
    tuning = plan.tuning_seeds if question.retune else ()
    tuned = (runs_of(plan, s, (seed,), records) for seed in tuning for s in level.settings)
    retuned, edge = {}, ()
    if question.retune and setting:
        knobs = setting.knobs()
        retuned = {name: knobs[name] for name in question.retune if name in knobs}
        tried = [each.knobs() for each in level.settings]
        edge = edges_of_choice(question.retune, tried, [knobs])
    return LevelAnswer(
        level=level,
        setting=setting,
        records=runs,
        accuracy=accuracies_of(runs, () if question.metrics else sets_of(records.values())),
        seconds=summarise([run.seconds for run in runs], "ratio"),
        diverged=sum(run.diverged for run in runs),
        retuned=retuned,
        tried=(*chain.from_iterable(tuned), *runs),
        edge=edge,
        metrics={m.name: summarise_metric(runs, m) for m in question.metrics},
    )


def all_seeds(plan: Plan) -> Sequence[int]:
    """The seeds that are judged, up to those of the last look."""
    return range(plan.looks[-1]) if plan.looks else plan.seeds


def chosen_setting(plan: Plan, level: Level, records: Records) -> Setting | None:
    """The level's only setting, or the one that does best on validation over the tuning seeds.

    Those are not judged: chosen by the seeds that are, a setting would look better than it is, as
    the luck that got it chosen would be in its score. None while tuning runs are missing. (Plans of
    before there were tuning seeds choose by all seeds; their claims are not tested.)
    """
    if len(level.settings) == 1:
        return level.settings[0]
    seeds = plan.tuning_seeds or plan.seeds
    if not all((setting, seed) in records for setting in level.settings for seed in seeds):
        return None
    return max(
        level.settings,
        key=lambda setting: validation_score(
            run.accuracy for run in runs_of(plan, setting, seeds, records)
        ),
    )


def runs_of(
    plan: Plan, setting: Setting, seeds: Iterable[int], records: Records
) -> tuple[Record, ...]:
    """The runs of `setting` that there are, one a seed, with the accuracies that are judged.

    All that an answer says of a run comes from here, whether the run was made just now, by an
    earlier lab, or is shown again by a report: see `Plan.averages`.
    """
    runs = filter(None, (records.get((setting, seed)) for seed in seeds))
    return tuple(run.averaged if plan.averages else run for run in runs)


def validation_score(accuracies: Iterable[Mapping[str, float | None]]) -> float:
    """What levels and settings are chosen by: mean accuracy on validation; NaN without a run.

    A run that diverged counts as one that is never right, and so as worse than any other.
    """
    scores = [accuracy.get("val") or 0.0 for accuracy in accuracies]
    return math.fsum(scores) / len(scores) if scores else math.nan


def sets_of(records: Iterable[Record]) -> tuple[str, ...]:
    """The sets that runs on one data set were scored on; without any run, the usual ones."""
    return next((tuple(record.accuracy) for record in records), USUAL_SETS)


def accuracies_of(runs: Sequence[Record], sets: Sequence[str]) -> dict[str, Summary]:
    """Accuracy over those of the `runs` that did not diverge, by set."""
    return {name: summarise_accuracy(runs, name) for name in sets}
