"""A search from beginning to end: candidates race, and the winner is scored on the test sets.

Some of the time is reserved for the end: the winner is then trained on new seeds and scored on
test images, neither of which had a part in its choice, so that its figures do not contain the luck
by which it won. These scores change no choice.

A search is kept beside the store, in a folder named by what decides it: the budget, the sets, the
data, the machine, the recipes that it starts from. The same search resumes there, also with more
time.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

from siffra.config.recipes import Recipe, find_recipe, shipped_names
from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.search.candidates import Candidates, short
from siffra.search.confirmation import Confirmation
from siffra.search.importance import importance
from siffra.search.race import SHORT, Candidate, Run, Turn, keeps_busy, next_turn, ranking
from siffra.search.references import study_references
from siffra.search.result import Finalist, Point, RaceLead, SearchResult, lead_on_test
from siffra.search.session import Session
from siffra.search.space import SPACE, Space
from siffra.search.spec import SearchEvent, SearchSpec
from siffra.search.study import SearchStudy
from siffra.search.throughput import FEWEST_STEPS, Throughput, undisturbed
from siffra.search.time_budget import TimeBudget
from siffra.search.trials import Trials, runs_at_once
from siffra.search.validation import held_out
from siffra.store.schema import beside
from siffra.store.store import open_store
from siffra.system.cpu import bare_name
from siffra.training.run import Machine, this_machine

_PER_SECOND, _FEWEST_JUDGES = 1000, 2000
"""Validation images that candidates are judged by: per second of the budget, and at least."""
_MOST_CUT = 0.8
"""A correction leaves at least this share of the steps."""
_OFF = 1.2
"""If the short round misses its time by more than this factor, it is repeated."""


def search(
    spec: SearchSpec,
    dataset: Dataset,
    engine: Engine,
    store: Path,
    *,
    source: DataSource | None = None,
    recipes: Sequence[Recipe] | None = None,
    on_event: Callable[[SearchEvent], None] = lambda event: None,
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Find what trains best in `spec.budget` seconds on this machine.

    Args:
        spec: What is searched for; its sets are as `chosen_sets` gives them.
        dataset: What candidates train on and are judged by.
        engine: What trains.
        store: The file of finished runs; the search is kept beside it.
        source: Where the data set is from; None for one in memory.
        recipes: Where to start; None for the shipped ones.
        on_event: Called before every run.
        clock: Seconds from any origin.

    Raises:
        SiffraError: What is asked for cannot be searched; the text says what to change.
    """
    most = max(_FEWEST_JUDGES, int(_PER_SECOND * spec.budget))
    judged_by = held_out(dataset, source.seed if source else 0, spec.sets, most)
    space = Space.of(dataset, spec.fixed)
    starts = [find_recipe(name) for name in shipped_names()] if recipes is None else recipes
    starts = sorted(starts, key=lambda recipe: _distance(recipe, spec.budget))
    folder = _folder(beside(store, ".searches"), spec, dataset, engine, starts)
    with open_store(store) as runs, SearchStudy(folder, space) as study:
        is_over = spec.time <= study.progress.ended
        left = TimeBudget(spec.budget, spec.time, study.progress.spent, clock, is_over=is_over)
        with closing(Throughput(dataset, engine, left)) as throughput:
            session = Session(spec, dataset, space, engine, study, left, throughput, on_event)
            result = _Search(session, Confirmation(session, runs), judged_by).run(starts)
        references = study_references(runs.records(dataset=dataset.name), dataset, source, engine)
    return replace(result, source=source, references=tuple(references))


class _Search:
    """One search. `judged_by` has the held-out images by set."""

    def __init__(
        self, session: Session, confirmation: Confirmation, judged_by: Mapping[str, Images]
    ) -> None:
        self._session, self._spec = session, session.spec
        self._study, self._time = session.study, session.time
        self._confirmation, self._judged_by = confirmation, judged_by
        self._candidates = Candidates(session)
        self._trials = Trials(session.dataset, session.engine, judged_by, self._time.clock)

    def run(self, recipes: Sequence[Recipe]) -> SearchResult:
        """Race until the time is up, then confirm the winner.

        Raises:
            SearchError: Nothing can be trained within the budget, or no network can be built.
        """
        self._recall()
        self._candidates.start(recipes)
        if self._time.spare() > 0:
            self._share_threads()
        with closing(self._trials):
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
        """Learn from stored runs and candidates how long new ones will take."""
        for candidate in self._study.candidates:
            if candidate.entering:
                self._time.learn_entering(candidate.entering)
            for run in candidate.runs:
                if run.overhead:
                    self._learn(candidate, run)
        for overhead in self._study.progress.overheads:
            self._time.learn_final(overhead)

    def _share_threads(self) -> None:
        """Decide by the first candidate whether runs are made several at once."""
        home = self._candidates.able()[0]
        pace = self._session.throughput.pace(home)
        at_once = runs_at_once(self._session.engine, self._spec, pace)
        if at_once > 1:
            self._time.at_once = self._trials.at_once = at_once
            self._time.learn_pace(pace)

    def _step(self) -> bool:
        """Make the next runs; False if there is no time, or no new candidate."""
        turns = self._next_turns()
        self._trials.make(turns, self._announce, self._take)
        return bool(turns)

    def _next_turns(self) -> list[Turn]:
        """Runs to make at once, of which none waits for the score of another.

        New candidates are entered for that: they are timed while nothing else runs.
        """
        turns: list[Turn] = []
        while not keeps_busy(turns, self._trials.at_once):
            shares = [turn.share for turn in turns]
            spare = self._time.spare(self._finalists_to_come())
            if turn := next_turn(self._candidates.able(), turns):
                if spare < self._time.cost(*shares, turn.share):
                    break
                turns.append(turn)
            # A new candidate is useless unless there is time for its run of the whole budget.
            elif spare < self._time.newcomer_cost(*shares) or not self._enter():
                break
        return turns

    def _enter(self) -> bool:
        return self._candidates.time_again() or self._candidates.propose()

    def _finalists_to_come(self) -> int:
        """How many finalists to reserve time for: what beats the recipes is compared with one."""
        ahead = ranking(self._study.candidates)[:1]
        has_recipe = any(candidate.origin for candidate in self._candidates.able())
        return 2 if has_recipe and ahead and not ahead[0].origin else 1

    def _finalists(self) -> list[Candidate]:
        """The winner and its rival: the best recipe, or the next best if the winner is one."""
        winner, *others = ranking(self._study.candidates) or self._candidates.able()
        shipped = [other for other in others if other.origin]
        rivals = others if winner.origin else shipped or others
        return [winner, *rivals[:1]]

    def _announce(self, turn: Turn) -> None:
        self._session.announce("trying", turn.candidate, turn.seed)

    def _take(self, turn: Turn, run: Run) -> None:
        """Keep a run, and learn from it."""
        candidate = turn.candidate
        candidate.runs.append(run)
        if turn.stage == 0 and run.at_once == 1:
            throughput, seconds = self._session.throughput, run.seconds / turn.steps
            self._correct(candidate, undisturbed(seconds, throughput.alone(candidate.setting)))
        self._study.save(candidate, self._time.spent)
        self._learn(candidate, run)

    def _correct(self, candidate: Candidate, seconds_per_step: float) -> None:
        """Correct the number of steps by the short round, which is a longer timing.

        After it they are fixed: one run that a busy machine made long must not undo those made
        before. They may grow, but shrink only a little: on several threads a busy machine may make
        a run look longer than it is. If the
        first timing was far off, the round was not a quarter of the budget and does not compare
        with those of others: it is repeated.
        """
        least = int(_MOST_CUT * candidate.steps)
        missed = seconds_per_step * candidate.short_steps / self._time.planned(SHORT)
        # A candidate stays in the race, so that a search has a winner in any case.
        candidate.steps = max(self._time.steps(seconds_per_step), least, FEWEST_STEPS)
        if len(candidate.runs) == 1 and not 1 / _OFF <= missed <= _OFF:
            candidate.short_steps = short(candidate.steps)

    def _learn(self, candidate: Candidate, run: Run) -> None:
        """Learn from a run what the overhead of the next, and of final runs, will be.

        Scoring grows with the number of images, which is far larger for final runs; the rest of
        the overhead does not.
        """
        leader, *_ = [*ranking(self._study.candidates), candidate]
        images = self._session.images_scored(self._session.whole(leader))
        times_as_many = images / sum(map(len, self._judged_by.values()))
        scoring = min(each.scoring for each in leader.runs)
        rest = median(each.overhead - each.scoring for each in leader.runs)
        self._time.learn_run(run.overhead, times_as_many * scoring + rest)
        if run.at_once == self._trials.at_once:
            share = run.steps / max(candidate.steps, 1)
            self._time.learn_pace(max(1.0, run.seconds / (self._time.budget * share)))

    def _result(self, chosen: Sequence[Candidate], finalists: Sequence[Finalist]) -> SearchResult:
        session, candidates = self._session, self._study.candidates
        winner, *rivals = finalists
        leader, *others = chosen
        first = next(candidate for candidate in candidates if candidate.steps > 0)
        over_first = RaceLead.of(leader, first)
        planned = self._time.planned()
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
            points=tuple(point for each in candidates for point in Point.all_of(each, planned)),
            importance=importance(session.space, candidates, leader),
            rivals_unscored=tuple(rival for rival in rivals if not rival.records),
            lead_in_race=RaceLead.of(leader, others[0]) if others else None,
            lead_over_first=over_first.mean if over_first else None,
            has_views=not session.dataset.features,
        )


def _distance(recipe: Recipe, budget: float) -> float:
    """The factor between a recipe's budget and the one asked for, at least 1."""
    other = recipe.budget or budget
    return max(other / budget, budget / other)


def _folder(
    searches: Path, spec: SearchSpec, dataset: Dataset, engine: Engine, starts: Sequence[Recipe]
) -> Path:
    """The search's folder; or one from when CPUs had bare names."""
    machine = this_machine(engine.threads)
    bare = machine.model_copy(update={"cpu": bare_name(machine.cpu)})
    new, old = (searches / _name(spec, dataset, engine, starts, each) for each in (machine, bare))
    return old if old.exists() else new


def _name(
    spec: SearchSpec, dataset: Dataset, engine: Engine, starts: Sequence[Recipe], machine: Machine
) -> str:
    """A hash of what decides a search's results, whatever its time."""
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
