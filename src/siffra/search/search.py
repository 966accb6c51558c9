"""A search from beginning to end: candidates race, and the winner is scored on the test sets.

At most a given time is spent looking, some of it kept back for the end: the winner is then trained
on seeds that had no part in its choice, and scored on test images that had none either, so that
its figures are not the luck by which it won. What was chosen before is not changed after that.

What a search has done is kept beside the store, in a folder named by what decides it: the budget,
the sets, the data, the machine, the recipes that it starts from. The same search is gone on with;
with more time, too.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from siffra.config.recipes import Recipe, find_recipe, shipped_names
from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource, load_dataset
from siffra.engine.base import Engine
from siffra.search.candidates import Candidates, short
from siffra.search.confirmation import Confirmation
from siffra.search.importance import importance
from siffra.search.race import ROUNDS, SHORT, Candidate, Run, Turn, next_turn, ranking
from siffra.search.references import study_references
from siffra.search.result import Finalist, Point, RaceLead, SearchResult, lead_on_test
from siffra.search.session import Session
from siffra.search.space import SPACE, Space
from siffra.search.spec import SearchEvent, SearchSpec
from siffra.search.study import SearchStudy
from siffra.search.throughput import FEWEST_STEPS
from siffra.search.time_budget import TimeBudget
from siffra.search.validation import chosen_sets, held_out, try_out
from siffra.store.schema import beside
from siffra.store.store import open_store
from siffra.system.cpu import bare_name
from siffra.training.run import Machine, this_machine

_PER_SECOND, _FEWEST_JUDGES = 1000, 2000
"""Validation images that candidates are judged by: so many for each second of the budget."""
_MOST_CUT = 0.8
"""No correction cuts a number of steps to less than this share of it."""
_OFF = 1.2
"""By this factor the short round may miss its time; by more, and it is run once more."""


def search(
    budget: float,
    seconds: float,
    *,
    sets: Sequence[str] | None,
    fixed: Mapping[str, Any],
    source: DataSource | None,
    engine: Engine,
    store: Path,
    dataset: Dataset | None = None,
    recipes: Sequence[Recipe] | None = None,
    on_event: Callable[[SearchEvent], None] = lambda event: None,
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Look for what trains best in `budget` seconds here, for at most so many `seconds`.

    Args:
        budget: Training seconds, as siffra counts them: compiling and scoring are apart.
        seconds: The most that looking takes, all of it.
        sets: Whose mean accuracy counts: `test`, `moved` and what other shifted sets there are,
            or some of them; None for all.
        fixed: Knobs that every candidate has.
        source: The data set; None for one that is in no file, but only in `dataset`.
        engine: What trains.
        store: The file of finished runs; the search is kept beside it.
        dataset: The data set, if it is loaded already.
        recipes: Where to start; without it, the shipped ones.
        on_event: Called before every run with what is going on.
        clock: Seconds, from whenever.

    Raises:
        SiffraError: What is asked for cannot be searched; the text says what to change.
    """
    dataset = dataset or load_dataset(source)
    spec = SearchSpec(budget, seconds, chosen_sets(sets, dataset), dict(fixed))
    most = max(_FEWEST_JUDGES, int(_PER_SECOND * budget))
    judged_by = held_out(dataset, source.seed if source else 0, spec.sets, most)
    space = Space.of(dataset, spec.fixed)
    starts = [find_recipe(name) for name in shipped_names()] if recipes is None else recipes
    starts = sorted(starts, key=lambda recipe: _distance(recipe, budget))
    folder = _folder(beside(store, ".searches"), spec, dataset, engine, starts)
    with open_store(store) as runs, SearchStudy(folder, space) as study:
        is_over = seconds <= study.progress.ended
        left = TimeBudget(budget, seconds, study.progress.spent, clock, is_over=is_over)
        session = Session(spec, dataset, space, engine, study, left, on_event)
        result = _Search(session, Confirmation(session, runs), judged_by).run(starts)
        references = study_references(runs.records(dataset=dataset.name), dataset, source, engine)
    return replace(result, source=source, references=tuple(references))


class _Search:
    """One search. `judged_by` has the held-out images by set; the test sets are in its dataset."""

    def __init__(
        self, session: Session, confirmation: Confirmation, judged_by: Mapping[str, Images]
    ) -> None:
        self._session, self._spec = session, session.spec
        self._study, self._time = session.study, session.time
        self._confirmation, self._judged_by = confirmation, judged_by
        self._candidates = Candidates(session)

    def run(self, recipes: Sequence[Recipe]) -> SearchResult:
        """Look until the time is over, then confirm the winner.

        Raises:
            SearchError: Nothing can be trained within the budget, or no network can be built.
        """
        self._recall()
        self._candidates.start(recipes)
        while self._time.spare() > 0 and self._step():
            pass
        chosen = self._finalists()
        finalists = self._confirmation.confirm(chosen)
        if self._time.is_over:
            is_exhausted = self._study.progress.is_exhausted
        else:
            is_exhausted = self._candidates.is_exhausted
            self._study.end(self._spec.time, self._time.spent, is_exhausted=is_exhausted)
        left_out = {
            recipe.name: self._candidates.why_left_out(recipe, chosen) for recipe in recipes
        }
        return replace(
            self._result(chosen, finalists),
            is_exhausted=is_exhausted,
            unfit=tuple(name for name, why in left_out.items() if why == "unfit"),
            slow=tuple(name for name, why in left_out.items() if why == "slow"),
            untried=tuple(name for name, why in left_out.items() if why == "untried"),
        )

    def _recall(self) -> None:
        """What runs and candidates took, where the search goes on: it is predicted as before."""
        for candidate in self._study.candidates:
            if candidate.entering:
                self._time.learn_entering(candidate.entering)
            for run in candidate.runs:
                if run.overhead:
                    self._learn(candidate, run)
        for overhead in self._study.progress.overheads:
            self._time.learn_final(overhead)

    def _step(self) -> bool:
        """Make the next run, or let in a new candidate; False if there is no time, or none new."""
        turn = next_turn(self._candidates.able())
        spare = self._time.spare(self._finalists_to_come())
        if turn:
            if spare < self._time.cost(ROUNDS[turn.stage].share):
                return False
            self._run(turn)
            return True
        # A new candidate is of no use unless it can be trained to the end.
        if spare < self._time.newcomer_cost:
            return False
        return self._candidates.time_again() or self._candidates.propose()

    def _finalists_to_come(self) -> int:
        """How many finalists to keep time for: what beats the recipes is set beside one of them."""
        ahead = ranking(self._study.candidates)[:1]
        has_recipe = any(candidate.origin for candidate in self._candidates.able())
        return 2 if has_recipe and ahead and not ahead[0].origin else 1

    def _finalists(self) -> list[Candidate]:
        """The winner, and the best of the shipped recipes; or the next best, if there is none."""
        winner, *others = ranking(self._study.candidates) or self._candidates.able()
        shipped = [other for other in others if other.origin]
        rivals = others if winner.origin else shipped or others
        return [winner, *rivals[:1]]

    def _run(self, turn: Turn) -> None:
        candidate = turn.candidate
        self._session.announce("trying", candidate, turn.seed)
        run = try_out(
            candidate.setting, turn.steps, turn.seed, self._session.dataset, self._session.engine,
            self._judged_by, self._time.clock,
        )  # fmt: skip
        candidate.runs.append(run)
        if turn.stage == 0:
            self._correct(candidate, run.seconds / turn.steps)
        self._study.save(candidate, self._time.spent)
        self._learn(candidate, run)

    def _correct(self, candidate: Candidate, seconds_per_step: float) -> None:
        """Go by the time of the short round, which is longer than what the steps were timed by.

        After it they stay what they are: one run that a busy machine made long must not undo
        those that were made. They may grow, and shrink not by much at once, for the machine may
        be busy now. Where the first timing was far off, the round was no quarter of the budget
        and could not be compared with the others': it is run once more.
        """
        least = int(_MOST_CUT * candidate.steps)
        missed = seconds_per_step * candidate.short_steps / self._time.planned(SHORT)
        # Who is in the race stays in it, were it only for a search to have a winner.
        candidate.steps = max(self._time.steps(seconds_per_step), least, FEWEST_STEPS)
        if len(candidate.runs) == 1 and not 1 / _OFF <= missed <= _OFF:
            candidate.short_steps = short(candidate.steps)

    def _learn(self, candidate: Candidate, run: Run) -> None:
        """What a run took beside its training tells what the next, and the final ones, will.

        Scoring grows with the images, far more of which are scored in the end; the rest does not.
        """
        leader, *_ = [*ranking(self._study.candidates), candidate]
        images = self._session.images_scored(self._session.whole(leader))
        times_as_many = images / sum(map(len, self._judged_by.values()))
        scoring = min(each.scoring for each in leader.runs)
        rest = median(each.overhead - each.scoring for each in leader.runs)
        self._time.learn_run(run.overhead, times_as_many * scoring + rest)

    def _result(self, chosen: Sequence[Candidate], finalists: Sequence[Finalist]) -> SearchResult:
        session, candidates = self._session, self._study.candidates
        winner, *rivals = finalists
        leader, *others = chosen
        first = next(candidate for candidate in candidates if candidate.steps > 0)
        over_first = RaceLead.of(leader, first)
        return SearchResult(
            spec=self._spec,
            dataset=session.dataset.name,
            notes=session.dataset.notes,
            source=None,
            images=len(session.dataset.train),
            held_out=len(next(iter(self._judged_by.values()))),
            machine=this_machine(session.engine.threads),
            engine=session.engine.name,
            engine_version=session.engine.version,
            spent=self._study.progress.spent,
            candidates=len(candidates),
            runs=sum(len(candidate.runs) for candidate in candidates),
            winner=winner,
            rivals=tuple(rival for rival in rivals if rival.records),
            ahead=lead_on_test(winner, rivals[0], self._spec.sets) if rivals else None,
            points=tuple(point for each in candidates for point in Point.all_of(each)),
            importance=importance(session.space, candidates, leader),
            rivals_unscored=tuple(rival for rival in rivals if not rival.records),
            lead_in_race=RaceLead.of(leader, others[0]) if others else None,
            lead_over_first=over_first.mean if over_first else None,
            has_views=not session.dataset.features,
        )


def _distance(recipe: Recipe, budget: float) -> float:
    """How far a recipe's budget is from the one asked for, as a factor."""
    other = recipe.budget or budget
    return max(other / budget, budget / other)


def _folder(
    searches: Path, spec: SearchSpec, dataset: Dataset, engine: Engine, starts: Sequence[Recipe]
) -> Path:
    """The search's own folder; or the one that it has from when CPUs had bare names."""
    machine = this_machine(engine.threads)
    bare = machine.model_copy(update={"cpu": bare_name(machine.cpu)})
    new, old = (searches / _name(spec, dataset, engine, starts, each) for each in (machine, bare))
    return old if old.exists() else new


def _name(
    spec: SearchSpec, dataset: Dataset, engine: Engine, starts: Sequence[Recipe], machine: Machine
) -> str:
    """What decides a search's results, and not how long it looks, in one word."""
    described = {
        "budget": spec.budget,
        "sets": spec.sets,
        "fixed": dict(spec.fixed),
        "data": dataset.fingerprint,
        "engine": [engine.name, engine.version],
        "machine": [machine.cpu, machine.cores, machine.threads],
        "space": SPACE,
        "starts": {recipe.name: [recipe.budget, dict(recipe.knobs)] for recipe in starts},
    }
    canonical = json.dumps(described, sort_keys=True, default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
