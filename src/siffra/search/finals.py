"""The end of a search: the winner is trained on seeds that chose nothing and scored on test sets.

Beside it stands whom it is set against, on the same seeds. What was chosen before is not changed
by what they score.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, Fitted
from siffra.search.allowance import FEWEST_FINALS, Allowance
from siffra.search.asked import Doing
from siffra.search.clock import has_clock
from siffra.search.journal import Journal
from siffra.search.race import Candidate
from siffra.search.trial import with_steps
from siffra.store.store import Store
from siffra.training.model_file import load_model, save_model
from siffra.training.run import Record, curve_images, run, run_key
from siffra.training.test_time_averaging import VIEWS, Averaged, predict_averaged, try_averaging

MOST_FINALS = 10
"""Seeds that a finalist is scored with."""
MUST = 2
"""Seeds that the winner is scored with even if the time is over: one has no interval."""
_FEW = 100
"""Images whose views tell how long those of all will take."""
_CAUTION = 1.25
"""Averages are thought to take longer by this factor than by what they are predicted from."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A finalist with its `records`, one a seed; `averaged` has some of those seeds, or none.

    `model` is the file of its network with seed 0.
    """

    candidate: Candidate
    records: tuple[Record, ...]
    averaged: Mapping[int, Averaged]
    model: Path


class Finals:
    """The runs of the finalists; `tell` is called before each."""

    def __init__(
        self,
        dataset: Dataset,
        engine: Engine,
        store: Store,
        journal: Journal,
        allowance: Allowance,
        tell: Callable[[Doing, Candidate, int], None],
    ) -> None:
        self._dataset, self._engine, self._store = dataset, engine, store
        self._journal, self._allowance, self._tell = journal, allowance, tell
        self._fitted: dict[str, Fitted] = {}
        self._averages: dict[int, float] = {}

    def confirm(self, finalists: Sequence[Candidate]) -> tuple[Confirmed, ...]:
        """Train the winner, and whom it is set against, on new seeds; score them on test."""
        winner, *rivals = finalists
        made: dict[int, list[Record]] = {candidate.number: [] for candidate in finalists}
        self._keep_to_budget(winner, must=True)
        # The winner's first seeds come before any rival's: time may be short.
        for seed in range(FEWEST_FINALS):
            self._record(winner, seed, must=seed < MUST)
        for rival in rivals:
            self._keep_to_budget(rival, must=False)
        for seed, candidate in itertools.product(range(MOST_FINALS), finalists):
            record = self._record(candidate, seed, must=candidate is winner and seed < MUST)
            made[candidate.number] += [record] if record else []
        if not self._dataset.features:
            self._average(finalists)
        return tuple(self._confirmed(c, made[c.number]) for c in finalists)

    def _keep_to_budget(self, candidate: Candidate, *, must: bool) -> None:
        """Settle for fewer steps where the first runs of a finalist are longer than the budget.

        Nobody has looked by then at what they score, so that no figure depends on it. Where
        there is no time to make them anew, the answer says that they are too long.
        """
        budget, allowed = self._allowance.budget, self._allowance
        runs = [self._record(candidate, seed, must=must) for seed in range(MUST)]
        seconds = [record.seconds for record in runs if record]
        is_settled = candidate.final_steps > 0
        if is_settled or len(seconds) < MUST or fmean(seconds) <= budget:
            return
        if allowed.left < MUST * allowed.final_cost:
            return
        steps = allowed.steps(fmean(seconds) / self._steps(candidate))
        self._journal.settle_steps(candidate, max(1, steps), allowed.spent)

    def _record(self, candidate: Candidate, seed: int, *, must: bool) -> Record | None:
        record = self._stored(candidate, seed)
        if record is None and (must or self._room(candidate, seed) > self._allowance.final_cost):
            return self._made(candidate, seed)
        return record

    def _room(self, candidate: Candidate, seed: int) -> float:
        """Seconds that are left for this run.

        One average is to have its turn, but not before there are seeds enough to tell the noise.
        """
        kept = self._averaging(candidate) if seed >= FEWEST_FINALS else 0.0
        return self._allowance.left - kept

    def _averaging(self, candidate: Candidate) -> float:
        """Predicted seconds of averages over views of a network of the candidate's.

        By the time that it takes to score; where that fits, by the views of a few images, for
        to make them may take longer than to score them.
        """
        if self._dataset.features:
            return 0.0
        if candidate.number in self._averages:
            return self._averages[candidate.number]
        tests = sum(len(self._dataset.sets[name]) for name in ("test", *self._dataset.shifted))
        predicted = len(VIEWS) * tests + len(self._dataset.test)
        an_image = self._allowance.final_overhead / scored(self._setting(candidate), self._dataset)
        takes = _CAUTION * predicted * an_image
        fitted = self._network(candidate, 0) if takes < self._allowance.left else None
        if fitted:
            takes = _CAUTION * predicted * self._seconds_of_a_view(fitted)
            self._averages[candidate.number] = takes
        return takes

    def _seconds_of_a_view(self, fitted: Fitted) -> float:
        few = self._dataset.val.x[:_FEW]
        predict_averaged(fitted, few[:1])  # what is to be compiled is compiled before
        before = self._allowance.clock()
        predict_averaged(fitted, few)
        return (self._allowance.clock() - before) / (len(VIEWS) * len(few))

    def _confirmed(self, candidate: Candidate, records: Sequence[Record]) -> Confirmed:
        known = self._journal.averaged
        averaged = {record.seed: known[record.key] for record in records if record.key in known}
        return Confirmed(candidate, tuple(records), averaged, self._model_path(candidate))

    def _setting(self, candidate: Candidate) -> Setting:
        """What the candidate is trained as in the end."""
        return with_steps(candidate.setting, self._steps(candidate), len(self._dataset.train))

    def _steps(self, candidate: Candidate) -> int:
        """The steps that it raced with, or fewer if most of its whole runs took too long."""
        whole = candidate.whole_seconds
        if candidate.final_steps:
            return candidate.final_steps
        if not whole or median(whole) <= self._allowance.planned():
            return candidate.steps
        return max(1, self._allowance.steps(median(whole) / candidate.steps))

    def _key(self, candidate: Candidate, seed: int) -> str:
        dataset = self._dataset.split_for(seed)
        return run_key(self._setting(candidate), dataset, seed, self._engine)

    def _stored(self, candidate: Candidate, seed: int) -> Record | None:
        """A run that need not be made: its times must be by this search's clock, too."""
        if seed == 0 and not self._model_path(candidate).exists():
            return None
        record = self._store.get(self._key(candidate, seed))
        return record if record and has_clock(record, self._engine) else None

    def _made(self, candidate: Candidate, seed: int) -> Record:
        self._tell("confirming", candidate, seed)
        # As `siffra train` has it: where each seed draws another split, so do these.
        setting, dataset = self._setting(candidate), self._dataset.split_for(seed)
        before = self._allowance.clock()
        record, fitted = run(setting, dataset, seed, self._engine)
        overhead = self._allowance.clock() - before - record.seconds
        self._allowance.learn_final(overhead)
        if seed == 0:
            save_model(self._model_path(candidate), fitted, record, dataset)
        # What is stored by another clock has the same bits, but not the same times.
        self._store.add(record, replace=True)
        self._journal.add_final(candidate, seed, overhead, self._allowance.spent)
        self._fitted[record.key] = fitted
        return record

    def _average(self, finalists: Sequence[Candidate]) -> None:
        """Try averages over views in the time that is left: they decide nothing, so they wait."""
        for seed in range(MOST_FINALS):
            for candidate in finalists:
                key = self._key(candidate, seed)
                if key in self._journal.averaged or not (fitted := self._network(candidate, seed)):
                    continue
                if self._averaging(candidate) < self._allowance.left:
                    self._tell("averaging", candidate, seed)
                    before = self._allowance.clock()
                    averaged = try_averaging(fitted, self._dataset)
                    takes = self._allowance.clock() - before
                    self._averages[candidate.number] = _CAUTION * takes
                    self._journal.add_average(key, averaged, self._allowance.spent)

    def _network(self, candidate: Candidate, seed: int) -> Fitted | None:
        """A finalist's network: one trained just now, or the first, which is in a file."""
        path = self._model_path(candidate)
        fitted = self._fitted.get(self._key(candidate, seed))
        if fitted or seed > 0 or not path.exists():
            return fitted
        saved = load_model(path)
        return self._engine.load(
            saved.setting.model, saved.image_shape, saved.classes, saved.weights
        )

    def _model_path(self, candidate: Candidate) -> Path:
        return self._journal.folder / f"{self._key(candidate, 0)[:16]}.safetensors"


def scored(setting: Setting, dataset: Dataset) -> int:
    """How many images a run is scored on, those after each epoch included."""
    whole = sum(len(images) for name, images in dataset.sets.items() if name != "train")
    whole += min(len(dataset.train), len(dataset.val))
    after_each = sum(len(images) for images in curve_images(dataset).values())
    return whole + math.ceil(setting.training.epochs) * after_each
