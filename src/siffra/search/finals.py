"""The end of a search: the winner is trained on seeds that chose nothing and scored on test sets.

Beside it stands whom it is set against, on the same seeds. What was chosen before is not changed
by what they score.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, Fitted
from siffra.model_file import save_model
from siffra.run import Record, run, run_key
from siffra.search.allowance import FEWEST_FINALS, Allowance
from siffra.search.asked import Doing
from siffra.search.clock import has_clock
from siffra.search.journal import Journal
from siffra.search.race import Candidate
from siffra.search.trial import with_steps
from siffra.store import Store
from siffra.views import Averaged, try_averaging

MOST_FINALS = 10
"""Seeds that a finalist is scored with."""


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
        self._averaging = 0.0
        """Seconds that it took to try averages over views, the last time."""

    def confirm(self, finalists: Sequence[Candidate]) -> tuple[Confirmed, ...]:
        """Train the winner, and whom it is set against, on new seeds; score them on test."""
        made: dict[int, list[Record]] = {candidate.number: [] for candidate in finalists}
        self._keep_to_budget(finalists[0])
        for seed in range(MOST_FINALS):
            for candidate in finalists:
                must = candidate is finalists[0] and seed < FEWEST_FINALS
                record = self._record(candidate, seed, must=must)
                made[candidate.number] += [record] if record else []
        return tuple(self._confirmed(c, made[c.number]) for c in finalists)

    def _keep_to_budget(self, winner: Candidate) -> None:
        """Settle for fewer steps where the first runs of the winner are longer than the budget.

        Nobody has looked by then at what they score, so that no figure depends on it. Where
        there is no time to make them anew, the answer says that they are too long.
        """
        budget, allowed = self._allowance.budget, self._allowance
        records = [self._record(winner, seed, must=True) for seed in range(FEWEST_FINALS)]
        seconds = fmean(record.seconds for record in records if record)
        is_settled = winner.final_steps > 0
        if seconds <= budget or is_settled or allowed.left < FEWEST_FINALS * allowed.cost(1.0):
            return
        steps = allowed.steps(seconds / self._steps(winner))
        self._journal.settle_steps(winner, max(1, steps), allowed.spent)

    def _record(self, candidate: Candidate, seed: int, *, must: bool) -> Record | None:
        record = self._stored(candidate, seed)
        if record is None and (must or self._has_time()):
            return self._made(candidate, seed)
        return record

    def _has_time(self) -> bool:
        return self._allowance.left > self._allowance.cost(1.0) + self._averaging

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
        record, fitted = run(setting, dataset, seed, self._engine)
        if seed == 0:
            save_model(self._model_path(candidate), fitted, record, dataset)
        averaged = self._averaged(fitted, seed)
        spent = self._allowance.spent
        self._journal.add_final(candidate, seed, record.key, averaged, spent)
        # What is stored by another clock has the same bits, but not the same times.
        self._store.add(record, replace=True)
        return record

    def _averaged(self, fitted: Fitted, seed: int) -> Averaged | None:
        """Averages over views; of images, and but for the first seed, if there is time for it."""
        if self._dataset.features or (seed > 0 and self._allowance.left < self._averaging):
            return None
        before = self._allowance.clock()
        averaged = try_averaging(fitted, self._dataset)
        self._averaging = self._allowance.clock() - before
        return averaged

    def _model_path(self, candidate: Candidate) -> Path:
        return self._journal.folder / f"{self._key(candidate, 0)[:16]}.safetensors"
