"""The end of a search: the winner and its rival, trained on new seeds and scored on the test sets.

Neither is chosen by these scores.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from siffra.config import Setting
from siffra.engine.base import Fitted
from siffra.search.race import Candidate
from siffra.search.references import has_clock
from siffra.search.result import Finalist
from siffra.search.session import MUST, Session
from siffra.search.throughput import undisturbed
from siffra.search.time_budget import FEWEST_FINALS
from siffra.store.store import Store
from siffra.training.model_file import load_model, save_model
from siffra.training.run import Record, run, run_key
from siffra.training.test_time_averaging import VIEWS, predict_averaged, try_averaging

MOST_FINALS = 10
"""Seeds of each finalist, if time allows."""
_FEW = 100
"""Images by whose views the time for those of all images is predicted."""
_CAUTION = 1.25
"""Averages are assumed to take longer than predicted by this factor."""


class Confirmation:
    """Makes the finalists' runs, which are kept in the `store`."""

    def __init__(self, session: Session, store: Store) -> None:
        self._session, self._store = session, store
        self._dataset, self._engine = session.dataset, session.engine
        self._study, self._time = session.study, session.time
        self._fitted: dict[str, Fitted] = {}
        # By candidate: the overhead of its last run, since one with more epochs is scored more
        # often; and predicted seconds of averages over views.
        self._overheads: dict[int, float] = {}
        self._averages: dict[int, float] = {}

    def confirm(self, finalists: Sequence[Candidate]) -> tuple[Finalist, ...]:
        """Train and score the winner, which comes first, and its rivals, on the same seeds."""
        winner, *rivals = finalists
        made: dict[int, list[Record]] = {candidate.number: [] for candidate in finalists}
        self._keep_to_budget(winner, must=True)
        # The winner's first seeds come before any rival's: time may run out.
        for seed in range(FEWEST_FINALS):
            self._record(winner, seed, must=seed < MUST)
        for rival in rivals:
            self._keep_to_budget(rival, must=False)
        for seed, candidate in itertools.product(range(MOST_FINALS), finalists):
            record = self._record(candidate, seed, must=candidate is winner and seed < MUST)
            made[candidate.number] += [record] if record else []
        if not self._dataset.features:
            self._average(finalists)
        return tuple(self._finalist(c, made[c.number]) for c in finalists)

    def _keep_to_budget(self, candidate: Candidate, *, must: bool) -> None:
        """Settle for fewer steps if a finalist's first runs exceed the budget.

        This does not depend on their scores. If there is no time to repeat the runs, the report
        says that they exceed the budget.
        """
        time = self._time
        runs = [self._record(candidate, seed, must=must) for seed in range(MUST)]
        seconds, steps = [record.seconds for record in runs if record], self._steps(candidate)
        if candidate.final_steps > 0 or len(seconds) < MUST:
            return
        a_step = self._undisturbed(candidate, fmean(seconds) / steps)
        if a_step * steps <= time.budget or time.left < MUST * time.final_cost:
            return
        candidate.final_steps = max(1, time.steps(a_step))
        self._study.save(candidate, time.spent)

    def _record(self, candidate: Candidate, seed: int, *, must: bool) -> Record | None:
        record = self._stored(candidate, seed)
        if record is None and (must or self._room(candidate, seed) > self._cost(candidate)):
            return self._made(candidate, seed)
        return record

    def _cost(self, candidate: Candidate) -> float:
        """Predicted seconds of a run."""
        overhead = self._overheads.get(candidate.number, self._time.final_overhead)
        return self._time.budget + overhead

    def _room(self, candidate: Candidate, seed: int) -> float:
        """Seconds left for this run.

        Time for one average over views is reserved, once there are seeds enough for an interval.
        """
        kept = self._averaging(candidate) if seed >= FEWEST_FINALS else 0.0
        return self._time.left - kept

    def _averaging(self, candidate: Candidate) -> float:
        """Predicted seconds of averages over views with one of the candidate's networks.

        Predicted from scoring; if that fits into the time, from the views of a few images, since
        making them may take longer than scoring them.
        """
        if self._dataset.features:
            return 0.0
        if candidate.number in self._averages:
            return self._averages[candidate.number]
        tests = sum(len(self._dataset.sets[name]) for name in ("test", *self._dataset.shifted))
        predicted = len(VIEWS) * tests + len(self._dataset.test)
        an_image = self._time.final_overhead / self._session.images_scored(self._setting(candidate))
        takes = _CAUTION * predicted * an_image
        fitted = self._network(candidate, 0) if takes < self._time.left else None
        if fitted:
            takes = _CAUTION * predicted * self._seconds_of_a_view(fitted)
            self._averages[candidate.number] = takes
        return takes

    def _seconds_of_a_view(self, fitted: Fitted) -> float:
        few = self._dataset.val.x[:_FEW]
        predict_averaged(fitted, few[:1])  # compiles, which is not timed
        before = self._time.clock()
        predict_averaged(fitted, few)
        return (self._time.clock() - before) / (len(VIEWS) * len(few))

    def _finalist(self, candidate: Candidate, records: Sequence[Record]) -> Finalist:
        known = self._study.progress.averaged
        averaged = [known[record.key] for record in records if record.key in known]
        sets, model = self._session.spec.sets, self._model_path(candidate)
        return Finalist.of(candidate, records, averaged, sets, model)

    def _setting(self, candidate: Candidate) -> Setting:
        """The setting with the steps of the final runs."""
        return self._session.whole(candidate, self._steps(candidate))

    def _steps(self, candidate: Candidate) -> int:
        """The steps of the race, or fewer if the median of its full runs exceeds the plan.

        Those that were made one at a time: others had not the threads of the final runs.
        """
        steps = candidate.steps
        seconds = [run.seconds for run in candidate.whole_runs if run.at_once == 1]
        if candidate.final_steps:
            return candidate.final_steps
        a_step = self._undisturbed(candidate, median(seconds) / steps) if seconds else 0.0
        return max(1, self._time.steps(a_step)) if a_step * steps > self._time.planned() else steps

    def _undisturbed(self, candidate: Candidate, seconds: float) -> float:
        if not candidate.step_alone:
            candidate.step_alone = self._session.throughput.alone(candidate.setting)
            self._study.save(candidate, self._time.spent)
        return undisturbed(seconds, candidate.step_alone)

    def _key(self, candidate: Candidate, seed: int) -> str:
        dataset = self._dataset.split_for(seed)
        return run_key(self._setting(candidate), dataset, seed, self._engine)

    def _stored(self, candidate: Candidate, seed: int) -> Record | None:
        """A run from the store, if it was timed as this search times its runs."""
        if seed == 0 and not self._model_path(candidate).exists():
            return None
        record = self._store.get(self._key(candidate, seed))
        return record if record and has_clock(record, self._engine) else None

    def _made(self, candidate: Candidate, seed: int) -> Record:
        self._session.announce("confirming", candidate, seed)
        # As in `siffra train`: each seed may draw a split of its own.
        setting, dataset = self._setting(candidate), self._dataset.split_for(seed)
        before = self._time.clock()
        record, fitted = run(setting, dataset, seed, self._engine)
        # What a busy machine adds to its training is beside the budget, too.
        overhead = self._time.clock() - before - min(record.seconds, self._time.budget)
        self._time.learn_final(overhead)
        self._overheads[candidate.number] = overhead
        if seed == 0:
            save_model(self._model_path(candidate), fitted, record, dataset)
        # A run stored under other conditions has the same bits, but not the same times.
        self._store.add(record, replace=True)
        self._study.add_overhead(overhead, self._time.spent)
        self._fitted[record.key] = fitted
        return record

    def _average(self, finalists: Sequence[Candidate]) -> None:
        """Try averages over views in the time that is left: last, since they decide nothing."""
        for seed in range(MOST_FINALS):
            for candidate in finalists:
                key = self._key(candidate, seed)
                if key in self._study.progress.averaged or not (
                    fitted := self._network(candidate, seed)
                ):
                    continue
                if self._averaging(candidate) < self._time.left:
                    self._session.announce("averaging", candidate, seed)
                    before = self._time.clock()
                    averaged = try_averaging(fitted, self._dataset)
                    takes = self._time.clock() - before
                    self._averages[candidate.number] = _CAUTION * takes
                    self._study.add_average(key, averaged, self._time.spent)

    def _network(self, candidate: Candidate, seed: int) -> Fitted | None:
        """A finalist's network: trained in this process, or that of seed 0 from its file."""
        path = self._model_path(candidate)
        fitted = self._fitted.get(self._key(candidate, seed))
        if fitted or seed > 0 or not path.exists():
            return fitted
        saved = load_model(path)
        return self._engine.load(
            saved.setting.model, saved.image_shape, saved.classes, saved.weights
        )

    def _model_path(self, candidate: Candidate) -> Path:
        return self._study.folder / f"{self._key(candidate, 0)[:16]}.safetensors"
