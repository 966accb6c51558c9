"""What a search found: the winner and its figures, all candidates as points, what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.data.notes import Note
from siffra.engine.base import Engine
from siffra.lab.stats.estimates import Comparison, Estimate, Summary, compare_accuracy, summarise
from siffra.lab.stats.levels import accuracies_of, sets_of
from siffra.search.asked import Asked
from siffra.search.finals import Confirmed
from siffra.search.importance import Importance, importance
from siffra.search.race import Candidate
from siffra.search.search import Found
from siffra.search.space import Space
from siffra.search.study import Reference
from siffra.training.run import Machine, Record, this_machine
from siffra.training.test_time_averaging import VIEWS, Averaged

ERROR = 0.05
"""Of each interval."""


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate trained for so many steps: means over its seeds, on held-out images.

    `seconds` is training alone; `is_whole` tells whether it was for the whole budget. `origin`
    names the recipe that the candidate started from, or is empty.
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


@dataclass(frozen=True, slots=True)
class Average:
    """A finalist's figures with predictions averaged over views of each image.

    To predict the test images takes `seconds` so, and `plain_seconds` without averaging.
    """

    accuracy: Mapping[str, Summary]
    seconds: Summary
    plain_seconds: Summary

    @property
    def times_as_long(self) -> float:
        """By which factor predictions take longer."""
        return self.seconds.mean / self.plain_seconds.mean

    @property
    def seeds(self) -> int:
        """Of how many runs these are the figures."""
        return len(self.seconds.values)


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate trained on fresh seeds and scored on the test sets: `records`, one a seed.

    `average` is of those that it was tried on; None for a table, or where it was tried on none.
    """

    candidate: int
    origin: str
    setting: Setting
    records: tuple[Record, ...]
    accuracy: Mapping[str, Summary]
    score: Summary
    seconds: Summary
    average: Average | None = None


@dataclass(frozen=True, slots=True)
class RaceLead:
    """By how much the winner led candidate `over` in the race, on held-out images.

    The mean over the `seeds` for the whole budget that both have.
    """

    over: int
    mean: float
    seeds: int


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """All that a search found. `front` has the indices of the points that nothing beats.

    `rivals` are whom the winner is set against, `rivals_unscored` those that there was no time to
    score on the test sets, and `ahead` is by how much it leads the first in the mean accuracy
    over the sets, paired by seed. `held_out` counts the validation images that candidates were
    judged by, `spent` the seconds that looking took. `source` says where the data is from; it is
    None for what is in memory alone. `lead_in_race` is the winner's over the first rival, scored
    or not, `lead_over_first` over the first candidate; None where that is the winner, or they
    share no seed. `has_views` tells whether predictions can be averaged over views of an image:
    not over those of a table's row. `unfit` names the recipes of which no network came, with what
    was fixed and on this data, `slow` those of which too few steps fit the budget to take part,
    and `untried` those that there was no time to train. `is_exhausted` tells whether nothing
    more could be proposed, and `notes` are those on the data.
    """

    asked: Asked
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
    front: tuple[int, ...]
    importance: Importance
    study: tuple[Reference, ...]
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
    def raced(self) -> int:
        """How many candidates were compared: those that have been trained at all."""
        return len({point.candidate for point in self.points})

    @property
    def timed_only(self) -> int:
        """How many candidates were never trained, neither in the race nor in the end."""
        finalists = {each.candidate for each in (self.winner, *self.rivals)}
        return self.candidates - len(finalists | {point.candidate for point in self.points})

    @property
    def not_averaged(self) -> tuple[Finalist, ...]:
        """The finalists that there was no time to try averages over views on."""
        finalists = (self.winner, *self.rivals) if self.has_views else ()
        return tuple(each for each in finalists if each.records and each.average is None)

    @property
    def is_over_budget(self) -> bool:
        """Whether the winner took longer to train than it was to, in the mean over its seeds."""
        return self._is_over(self.winner)

    @property
    def rivals_over_budget(self) -> tuple[Finalist, ...]:
        """The rivals that took longer."""
        return tuple(filter(self._is_over, self.rivals))

    def _is_over(self, finalist: Finalist) -> bool:
        return finalist.seconds.mean > self.asked.budget


def answer(
    asked: Asked,
    found: Found,
    dataset: Dataset,
    source: DataSource | None,
    held_out: int,
    space: Space,
    engine: Engine,
    study: Sequence[Reference] = (),
) -> SearchAnswer:
    """Put together what a search `found`."""
    points = [point for candidate in found.candidates for point in _points(candidate)]
    winner, *rivals = (_finalist(confirmed, asked) for confirmed in found.finalists)
    chosen, *others = (confirmed.candidate for confirmed in found.finalists)
    first = next(candidate for candidate in found.candidates if candidate.steps > 0)
    over_first = _lead_in_race(chosen, first)
    return SearchAnswer(
        asked=asked,
        dataset=dataset.name,
        notes=dataset.notes,
        source=source,
        images=len(dataset.train),
        held_out=held_out,
        machine=this_machine(engine.threads),
        engine=engine.name,
        engine_version=engine.version,
        spent=found.spent,
        candidates=len(found.candidates),
        runs=sum(len(candidate.runs) for candidate in found.candidates),
        winner=winner,
        rivals=tuple(rival for rival in rivals if rival.records),
        ahead=_ahead(winner, rivals[0], asked.sets) if rivals else None,
        points=tuple(points),
        front=front([(point.seconds, point.score) for point in points]),
        importance=importance(space, found.candidates, chosen, asked.fixed),
        study=tuple(study),
        rivals_unscored=tuple(rival for rival in rivals if not rival.records),
        lead_in_race=_lead_in_race(chosen, others[0]) if others else None,
        lead_over_first=over_first.mean if over_first else None,
        has_views=not dataset.features,
        is_exhausted=found.is_exhausted,
        unfit=found.unfit,
        slow=found.slow,
        untried=found.untried,
    )


def front(places: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Indices of the (seconds, score) that no other beats or equals in both, by seconds."""
    order = sorted(range(len(places)), key=lambda i: (places[i][0], -places[i][1]))
    best, found = float("-inf"), []
    for i in order:
        if places[i][1] > best:
            best = places[i][1]
            found.append(i)
    return tuple(found)


def as_json(found: SearchAnswer) -> dict[str, Any]:
    """Everything that was found, as JSON can hold it; runs by their keys."""
    plain = ("dataset", "images", "held_out", "spent", "candidates", "raced", "timed_only", "runs")
    told: dict[str, Any] = {name: getattr(found, name) for name in plain}
    told["engine"] = f"{found.engine} {found.engine_version}"
    told["data_notes"] = [note.as_json() for note in found.notes]
    told["source"] = found.source.model_dump(mode="json") if found.source else None
    told["asked"] = asdict(found.asked)
    told["machine"] = found.machine.model_dump()
    told["points"] = [asdict(point) for point in found.points]
    told["front"] = list(found.front)
    told["importance"] = dict(found.importance.shares)
    told["importance_of"] = {
        "candidates": found.importance.candidates,
        "within": dict(found.importance.within),
        "unjudged": list(found.importance.unjudged),
    }
    told["ahead"] = None
    if found.ahead and len(found.ahead.values) > 1:
        ahead = found.ahead
        told["ahead"] = {"mean": ahead.value, "interval": [ahead.low, ahead.high]}
    told["lead_in_race"] = asdict(found.lead_in_race) if found.lead_in_race else None
    told["over_budget"] = found.is_over_budget
    told["exhausted"] = found.is_exhausted
    told["unfit_recipes"] = list(found.unfit)
    told["slow_recipes"] = list(found.slow)
    told["untried_recipes"] = list(found.untried)
    told["rivals_over_budget"] = [rival.candidate for rival in found.rivals_over_budget]
    told["rivals_unscored"] = [rival.candidate for rival in found.rivals_unscored]
    told["not_averaged"] = [finalist.candidate for finalist in found.not_averaged]
    told["winner"] = _finalist_json(found.winner)
    told["rivals"] = [_finalist_json(rival) for rival in found.rivals]
    told["study"] = [
        {
            "name": dict(reference.name),
            "reported": reference.is_reported,
            "epochs": reference.epochs,
            "accuracy": {name: _summary(s) for name, s in reference.accuracy.items()},
            "seconds": _summary(reference.seconds),
        }
        for reference in found.study
    ]
    return told


def _points(candidate: Candidate) -> list[Point]:
    """A candidate's rounds; runs from before its number of steps was corrected count no more."""
    found = []
    for steps in dict.fromkeys((candidate.short_steps, candidate.steps)):
        runs = [run for run in candidate.runs if run.steps == steps]
        if not runs:
            continue
        names = runs[0].accuracy
        found.append(
            Point(
                candidate=candidate.number,
                origin=candidate.origin,
                knobs=candidate.setting.knobs(),
                steps=steps,
                seeds=len(runs),
                seconds=sum(run.seconds for run in runs) / len(runs),
                accuracy={n: sum(run.accuracy[n] for run in runs) / len(runs) for n in names},
                score=sum(run.score for run in runs) / len(runs),
                is_whole=steps != candidate.short_steps,
            )
        )
    return found


def _lead_in_race(winner: Candidate, other: Candidate) -> RaceLead | None:
    own, its = ({r.seed: r.score for r in c.runs if r.steps == c.steps} for c in (winner, other))
    shared = own.keys() & its.keys()
    if winner is other or not shared:
        return None
    return RaceLead(other.number, fmean(own[seed] - its[seed] for seed in shared), len(shared))


def _finalist(confirmed: Confirmed, asked: Asked) -> Finalist:
    candidate, records = confirmed.candidate, confirmed.records
    setting = records[0].setting if records else candidate.setting
    return Finalist(
        candidate=candidate.number,
        origin=candidate.origin,
        setting=setting,
        records=records,
        accuracy=_accuracies(records),
        score=summarise([_score(record, asked.sets) for record in records]),
        seconds=summarise([record.seconds for record in records], "ratio"),
        average=average_of(list(confirmed.averaged.values())),
    )


def average_of(averaged: Sequence[Averaged]) -> Average | None:
    """The figures of runs that averages were tried on; None without any."""
    if not averaged:
        return None
    return Average(
        accuracy={
            name: summarise([each.accuracy[name] for each in averaged])
            for name in averaged[0].accuracy
        },
        seconds=summarise([each.seconds for each in averaged], "ratio"),
        plain_seconds=summarise([each.plain_seconds for each in averaged], "ratio"),
    )


def _score(record: Record, sets: Sequence[str]) -> float:
    """The mean accuracy over the sets; a run that diverged is never right."""
    return sum(record.accuracy[name] or 0.0 for name in sets) / len(sets)


def _accuracies(records: Sequence[Record]) -> dict[str, Summary]:
    return accuracies_of(records, sets_of(records))


def _ahead(winner: Finalist, rival: Finalist, sets: Sequence[str]) -> Estimate | None:
    """The winner's lead over a rival: the mean over the sets, paired by seed."""
    by_set = [compare_accuracy(winner.records, rival.records, name) for name in sets]
    if not by_set[0].differences:
        return None
    means = [sum(each) / len(sets) for each in zip(*(c.differences for c in by_set), strict=True)]
    floor = sum(comparison.floor**2 for comparison in by_set) ** 0.5 / len(sets)
    return Comparison(tuple(means), "difference", floor).estimate(ERROR)


def _finalist_json(finalist: Finalist) -> dict[str, Any]:
    return {
        "candidate": finalist.candidate,
        "origin": finalist.origin,
        "knobs": finalist.setting.knobs(),
        "runs": [record.key for record in finalist.records],
        "seeds": [record.seed for record in finalist.records],
        "parameters": finalist.records[0].parameters if finalist.records else None,
        "accuracy": {name: _summary(s) for name, s in finalist.accuracy.items()},
        "score": _summary(finalist.score),
        "seconds": _summary(finalist.seconds),
        "averaged": _average_json(finalist.average),
    }


def _average_json(average: Average | None) -> dict[str, Any] | None:
    if average is None:
        return None
    return {
        "views": [asdict(view) for view in VIEWS],
        "accuracy": {name: _summary(s) for name, s in average.accuracy.items()},
        "prediction_seconds": _summary(average.seconds),
        "plain_prediction_seconds": _summary(average.plain_seconds),
    }


def _summary(summary: Summary) -> dict[str, Any]:
    low, high = summary.low, summary.high
    is_known = len(summary.values) > 1
    return {
        "mean": summary.mean if summary.values else None,
        "interval": [low, high] if is_known else None,
        "values": list(summary.values),
    }
