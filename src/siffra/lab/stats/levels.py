"""What was seen at each level: of its runs one a seed, the knobs chosen that are retuned."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_not
from typing import Any, TypeVar

from siffra.config import Setting
from siffra.lab.plan.plan import Level, Question
from siffra.lab.stats.edges import Edge, edges_of_choice
from siffra.lab.stats.estimates import Summary, summarise, summarise_accuracy
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
        """The runs that did not diverge: those that have accuracies and a confusion."""
        return tuple(record for record in self.records if not record.diverged)


@dataclass(frozen=True, slots=True)
class LevelAnswer(RepeatedRuns):
    """What was seen at a level, over seeds. `records` are the chosen runs, one a seed.

    `accuracy` is by set, over the runs that did not diverge: `diverged` counts those that did.
    `retuned` counts how often each combination of the retuned knobs was
    chosen (empty when nothing was retuned). `tried` has all runs of those seeds, among which the
    choice was made; where nothing was retuned they are the `records`. `edge` has the retuned knobs
    of which all seeds chose the largest or smallest value tried (so that a better one may lie
    beyond).
    """

    level: Level
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    seconds: Summary
    diverged: int
    retuned: Mapping[str, int]
    tried: tuple[Record, ...]
    edge: tuple[Edge, ...] = ()


def answer_levels(
    question: Question, seeds: Sequence[int], records: Records, memo: Memo
) -> tuple[LevelAnswer, ...]:
    """What `records` say about each level; the `memo` has the levels without new runs."""
    return tuple(
        memo.get(
            (question.id, index, tuple(seeds)),
            [records.get((setting, seed)) for seed in seeds for setting in level.settings],
            lambda level=level: answer_level(question, level, seeds, records),
        )
        for index, level in enumerate(question.levels)
    )


def answer_level(
    question: Question, level: Level, seeds: Sequence[int], records: Records
) -> LevelAnswer:
    """What `records` say about `level`, of those `seeds` that all its settings have."""
    complete = [s for s in seeds if all((setting, s) in records for setting in level.settings)]
    chosen = {seed: _retuned(level, seed, complete, records) for seed in complete}
    runs = tuple(records[setting, seed] for seed, setting in chosen.items())
    retuned, edge = Counter[str](), ()
    if question.retune:
        retuned.update(_spell(setting, question.retune) for setting in chosen.values())
        tried = [setting.knobs() for setting in level.settings]
        edge = edges_of_choice(question.retune, tried, [s.knobs() for s in chosen.values()])
    return LevelAnswer(
        level=level,
        records=runs,
        accuracy=accuracies_of(runs, sets_of(records.values())),
        seconds=summarise([run.seconds for run in runs], "ratio"),
        diverged=sum(run.diverged for run in runs),
        retuned=dict(retuned),
        tried=tuple(records[setting, seed] for seed in complete for setting in level.settings),
        edge=edge,
    )


def _retuned(level: Level, seed: int, seeds: Sequence[int], records: Records) -> Setting:
    """The level's setting that does best on validation with the *other* seeds.

    Chosen by its own seed's validation it would look better than it is: the luck that got it
    chosen would be in its score. (With one seed there is nothing else to go by.)
    """
    if len(level.settings) == 1:
        return level.settings[0]
    judges = [s for s in seeds if s != seed] or [seed]
    return max(
        level.settings,
        key=lambda setting: validation_score(records[setting, s] for s in judges),
    )


def validation_score(runs: Iterable[Record]) -> float:
    """What levels and settings are chosen by: mean accuracy on validation; NaN without a run.

    A run that diverged counts as one that is never right, and so as worse than any other.
    """
    scores = [run.accuracy["val"] or 0.0 for run in runs]
    return math.fsum(scores) / len(scores) if scores else math.nan


def _spell(setting: Setting, names: Sequence[str]) -> str:
    knobs = setting.knobs()
    return ", ".join(f"{name} = {knobs[name]}" for name in names if name in knobs)


def sets_of(records: Iterable[Record]) -> tuple[str, ...]:
    """The sets that runs on one data set were scored on; without any run, the usual ones."""
    return next((tuple(record.accuracy) for record in records), USUAL_SETS)


def accuracies_of(runs: Sequence[Record], sets: Sequence[str]) -> dict[str, Summary]:
    """Accuracy over those of the `runs` that did not diverge, by set."""
    return {name: summarise_accuracy(runs, name) for name in sets}
