"""What a search found: the winner and its figures, all candidates as points, what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from siffra.config import Setting
from siffra.data.load import DataSource
from siffra.data.notes import Note
from siffra.lab.stats.comparison import Comparison, Estimate
from siffra.lab.stats.estimates import compare_accuracy
from siffra.lab.stats.levels import accuracies_of, sets_of
from siffra.lab.stats.summaries import Summary, summarise
from siffra.search.importance import Importance
from siffra.search.race import Candidate, Run
from siffra.search.references import Reference
from siffra.search.spec import SearchSpec
from siffra.training.run import Machine, Record
from siffra.training.test_time_averaging import VIEWS, Averaged

ERROR = 0.05
"""Of each interval."""


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate in one round: means over its seeds, on held-out images.

    `seconds` is training time; `is_whole` says whether it trained for the whole budget. `origin`
    is the recipe that the candidate started from, or empty.
    """

    candidate: int
    origin: str
    knobs: Mapping[str, Any]
    steps: int
    seeds: int
    seconds: float
    accuracy: Mapping[str, float]
    score: float
    is_whole: bool

    @classmethod
    def all_of(cls, candidate: Candidate, planned: float) -> "list[Point]":
        """A candidate's rounds, without runs from before its number of steps was corrected.

        Of runs that were made several at once, `seconds` is what was `planned` for their steps.
        """

        def seconds(run: Run) -> float:
            return run.seconds if run.at_once == 1 else planned * run.steps / candidate.steps

        points = []
        for steps in dict.fromkeys((candidate.short_steps, candidate.steps)):
            runs = [run for run in candidate.runs if run.steps == steps]
            if not runs:
                continue
            points.append(
                cls(
                    candidate=candidate.number,
                    origin=candidate.origin,
                    knobs=candidate.setting.knobs(),
                    steps=steps,
                    seeds=len(runs),
                    seconds=fmean(map(seconds, runs)),
                    accuracy={
                        name: fmean(run.accuracy[name] for run in runs) for name in runs[0].accuracy
                    },
                    score=fmean(run.score for run in runs),
                    is_whole=steps != candidate.short_steps,
                )
            )
        return points


@dataclass(frozen=True, slots=True)
class Average:
    """A finalist's figures with predictions averaged over views of each image.

    Predicting the test images takes `seconds`, and `plain_seconds` without averaging.
    """

    accuracy: Mapping[str, Summary]
    seconds: Summary
    plain_seconds: Summary

    @classmethod
    def of(cls, averaged: Sequence[Averaged]) -> "Average | None":
        """The figures of the runs that averages were tried on; None without any."""
        if not averaged:
            return None
        return cls(
            accuracy={
                name: summarise([each.accuracy[name] for each in averaged])
                for name in averaged[0].accuracy
            },
            seconds=summarise([each.seconds for each in averaged], "ratio"),
            plain_seconds=summarise([each.plain_seconds for each in averaged], "ratio"),
        )

    @property
    def times_as_long(self) -> float:
        """The factor by which predictions take longer."""
        return self.seconds.mean / self.plain_seconds.mean

    @property
    def seeds(self) -> int:
        """The number of runs."""
        return len(self.seconds.values)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON can hold them."""
        return {
            "views": [asdict(view) for view in VIEWS],
            "accuracy": _summaries(self.accuracy),
            "prediction_seconds": _summary(self.seconds),
            "plain_prediction_seconds": _summary(self.plain_seconds),
        }


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate trained on fresh seeds and scored on the test sets: `records`, one a seed.

    `average` is of those that it was tried on; None for a table, or where it was tried on none.
    `model` is the file of its network with seed 0.
    """

    candidate: int
    origin: str
    setting: Setting
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    score: Summary
    seconds: Summary
    average: Average | None = None
    model: Path = Path()

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        records: Sequence[Record],
        averaged: Sequence[Averaged],
        sets: Sequence[str],
        model: Path,
    ) -> "Finalist":
        """The figures of a candidate; `score` is the mean over the `sets`."""
        # A run that diverged is never right.
        scores = [fmean(record.accuracy[name] or 0.0 for name in sets) for record in records]
        return cls(
            candidate=candidate.number,
            origin=candidate.origin,
            setting=records[0].setting if records else candidate.setting,
            records=tuple(records),
            accuracy=accuracies_of(records, sets_of(records)),
            score=summarise(scores),
            seconds=summarise([record.seconds for record in records], "ratio"),
            average=Average.of(averaged),
            model=model,
        )

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON can hold them; runs by their keys."""
        return {
            "candidate": self.candidate,
            "origin": self.origin,
            "knobs": self.setting.knobs(),
            "runs": [record.key for record in self.records],
            "seeds": [record.seed for record in self.records],
            "parameters": self.records[0].parameters if self.records else None,
            "accuracy": _summaries(self.accuracy),
            "score": _summary(self.score),
            "seconds": _summary(self.seconds),
            "averaged": self.average.as_json() if self.average else None,
        }


@dataclass(frozen=True, slots=True)
class RaceLead:
    """The winner's lead over candidate `over` in the race, on held-out images.

    It is a mean over the `seeds` that both have for the whole budget.
    """

    over: int
    mean: float
    seeds: int

    @classmethod
    def of(cls, winner: Candidate, other: Candidate) -> "RaceLead | None":
        """The lead over another candidate; None where they share no seed, or are the same."""
        led, trailed = ({run.seed: run.score for run in c.whole_runs} for c in (winner, other))
        shared = led.keys() & trailed.keys()
        if winner is other or not shared:
            return None
        return cls(other.number, fmean(led[seed] - trailed[seed] for seed in shared), len(shared))


@dataclass(frozen=True, slots=True)
class SearchResult:
    """All that a search found.

    Args:
        source: Where the data is from; None for data in memory.
        images: Training images.
        held_out: Validation images that candidates were judged by.
        spent: Seconds that the search took.
        candidates: How many there were, those that were only timed included.
        runs: Runs of the race.
        rivals: Whom the winner was compared with on the test sets.
        ahead: The winner's lead over the first rival in mean accuracy over the sets, paired by
            seed.
        points: Every candidate's rounds.
        references: The study's experiments.
        rivals_unscored: Rivals that there was no time to score on the test sets.
        lead_in_race: The winner's lead over the first rival, scored or not.
        lead_over_first: The winner's lead over the first candidate in the race; None if that is
            the winner, or they share no seed.
        has_views: Whether predictions can be averaged over views: not for rows of a table.
        is_exhausted: Whether nothing more could be proposed.
        unfit: Recipes that gave no network for this data and the fixed knobs.
        slow: Recipes of which too few steps fit the budget.
        untried: Recipes that there was no time to train.
        notes: Notes on the data.
    """

    spec: SearchSpec
    dataset: str
    source: DataSource | None
    images: int
    held_out: int
    machine: Machine
    engine: str
    engine_version: int
    spent: float
    candidates: int
    runs: int
    winner: Finalist
    rivals: tuple[Finalist, ...]
    ahead: Estimate | None
    points: tuple[Point, ...]
    importance: Importance
    references: tuple[Reference, ...] = ()
    rivals_unscored: tuple[Finalist, ...] = ()
    lead_in_race: RaceLead | None = None
    lead_over_first: float | None = None
    has_views: bool = True
    is_exhausted: bool = False
    unfit: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def front(self) -> tuple[int, ...]:
        """The indices of the points that nothing beats."""
        return front([(point.seconds, point.score) for point in self.points])

    @property
    def raced(self) -> int:
        """How many candidates were compared: those with a run."""
        return len({point.candidate for point in self.points})

    @property
    def timed_only(self) -> int:
        """How many candidates were timed, but trained neither in the race nor in the end."""
        finalists = {each.candidate for each in (self.winner, *self.rivals)}
        return self.candidates - len(finalists | {point.candidate for point in self.points})

    @property
    def not_averaged(self) -> tuple[Finalist, ...]:
        """The finalists that there was no time to average over views for."""
        finalists = (self.winner, *self.rivals) if self.has_views else ()
        return tuple(each for each in finalists if each.records and each.average is None)

    @property
    def is_over_budget(self) -> bool:
        """Whether the winner's mean training time exceeds the budget."""
        return self._is_over(self.winner)

    @property
    def rivals_over_budget(self) -> tuple[Finalist, ...]:
        """The rivals whose mean training time does."""
        return tuple(filter(self._is_over, self.rivals))

    def _is_over(self, finalist: Finalist) -> bool:
        return finalist.seconds.mean > self.spec.budget

    def as_json(self) -> dict[str, Any]:
        """Everything that was found, as JSON can hold it; the content of `search.json`."""
        ahead = self.ahead if self.ahead and len(self.ahead.values) > 1 else None
        return {
            "dataset": self.dataset,
            "images": self.images,
            "held_out": self.held_out,
            "spent": self.spent,
            "candidates": self.candidates,
            "raced": self.raced,
            "timed_only": self.timed_only,
            "runs": self.runs,
            "engine": f"{self.engine} {self.engine_version}",
            "data_notes": [note.as_json() for note in self.notes],
            "source": self.source.model_dump(mode="json") if self.source else None,
            "asked": asdict(self.spec),
            "machine": self.machine.model_dump(),
            "points": [asdict(point) for point in self.points],
            "front": list(self.front),
            "importance": dict(self.importance.shares),
            "importance_of": {
                "candidates": self.importance.candidates,
                "within": dict(self.importance.within),
                "unjudged": list(self.importance.unjudged),
            },
            "ahead": ahead and {"mean": ahead.value, "interval": [ahead.low, ahead.high]},
            "lead_in_race": asdict(self.lead_in_race) if self.lead_in_race else None,
            "over_budget": self.is_over_budget,
            "exhausted": self.is_exhausted,
            "unfit_recipes": list(self.unfit),
            "slow_recipes": list(self.slow),
            "untried_recipes": list(self.untried),
            "rivals_over_budget": [rival.candidate for rival in self.rivals_over_budget],
            "rivals_unscored": [rival.candidate for rival in self.rivals_unscored],
            "not_averaged": [finalist.candidate for finalist in self.not_averaged],
            "winner": self.winner.as_json(),
            "rivals": [rival.as_json() for rival in self.rivals],
            "study": [
                {
                    "name": dict(reference.name),
                    "reported": reference.is_reported,
                    "epochs": reference.epochs,
                    "accuracy": _summaries(reference.accuracy),
                    "seconds": _summary(reference.seconds),
                }
                for reference in self.references
            ],
        }


def front(places: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Indices of the (seconds, score) that no other beats or equals in both, by seconds."""
    order = sorted(range(len(places)), key=lambda i: (places[i][0], -places[i][1]))
    best, front = float("-inf"), []
    for i in order:
        if places[i][1] > best:
            best = places[i][1]
            front.append(i)
    return tuple(front)


def lead_on_test(winner: Finalist, rival: Finalist, sets: Sequence[str]) -> Estimate | None:
    """The winner's lead over a rival: the mean over the sets, paired by seed."""
    by_set = [compare_accuracy(winner.records, rival.records, name) for name in sets]
    if not by_set[0].differences:
        return None
    means = [
        fmean(differences) for differences in zip(*(c.differences for c in by_set), strict=True)
    ]
    floor = sum(comparison.floor**2 for comparison in by_set) ** 0.5 / len(sets)
    return Comparison(tuple(means), "difference", floor).estimate(ERROR)


def _summaries(by_set: Mapping[str, Summary]) -> dict[str, Any]:
    return {name: _summary(summary) for name, summary in by_set.items()}


def _summary(summary: Summary) -> dict[str, Any]:
    has_interval = len(summary.values) > 1
    return {
        "mean": summary.mean if summary.values else None,
        "interval": [summary.low, summary.high] if has_interval else None,
        "values": list(summary.values),
    }
