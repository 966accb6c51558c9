"""The search itself: candidates are timed, raced, and the winner is scored on the test sets.

At most a given time is spent looking, some of it kept back for the end: the winner is then trained
on seeds that had no part in its choice, and scored on test images that had none either, so that
its figures are not the luck by which it won. What was chosen before is not changed after that.
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from siffra.config import Setting
from siffra.config.recipes import Recipe
from siffra.config.setting import override
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine
from siffra.engine.network import network_for
from siffra.errors import ConfigError, SearchError
from siffra.search.allowance import Allowance
from siffra.search.asked import Asked, Doing, Now
from siffra.search.finals import MUST, Confirmed, Finals, scored
from siffra.search.journal import Journal
from siffra.search.laying import laid
from siffra.search.proposals import Seen, proposals
from siffra.search.race import ROUNDS, SHORT, Candidate, Ran, Turn, next_turn, ranking
from siffra.search.refusals import no_time, too_slow
from siffra.search.space import Given, Space, parameters_of
from siffra.search.timing import FEWEST_STEPS, Timing
from siffra.search.trial import try_out, with_steps
from siffra.store.store import Store

LEAST_TIME = 4
"""A search takes at least so many times its budget."""

_TIMINGS = 3
"""So often a recipe that is too slow is timed: the machine may be busy for a moment."""
_PREDICTING = 0.1
"""The share of a training step that it takes at least, or nearly, to predict its images."""
_MOST_CUT = 0.8
"""No correction cuts a number of steps to less than this share of it."""
_OFF = 1.2
"""By this factor the short round may miss its time; by more, and it is run once more."""
_PLAIN = (
    {"model": "dense", "neurons": 32, "learning_rate": 0.1, "batch_size": 64},
    {"model": "conv", "filters": 16, "kernel_size": 5, "learning_rate": 0.1, "batch_size": 64},
)
"""Where to start if no recipe will do."""
_MOST_STARTS = 4
"""Candidates in a row that are too slow, before the search gives up."""
_MOST_REFUSED = 300
"""Proposals in a row that no network can be made of, before the search gives up."""
_FEWEST_TO_LEARN = 8
"""Candidates that a round must have seen before proposals go by it."""
_PARENTS = 5


class _NothingNewError(SearchError):
    """No proposal was worth a try."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: the winner first, then whom it is set against.

    `candidates` are all that were tried. `unfit` names the recipes that no start could be made of,
    `slow` those of which too few steps fit the budget, `untried` those that time did not do for.
    `is_exhausted` tells whether it ended because there was nothing more to propose.
    """

    finalists: tuple[Confirmed, ...]
    candidates: tuple[Candidate, ...]
    spent: float
    is_exhausted: bool = False
    unfit: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()


class Search:
    """One search. `judged_by` has the held-out images by set; the test sets are in `dataset`."""

    def __init__(
        self,
        asked: Asked,
        dataset: Dataset,
        space: Space,
        judged_by: Mapping[str, Images],
        engine: Engine,
        store: Store,
        journal: Journal,
        on_event: Callable[[Now], None] = lambda now: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._dataset, self._space = asked, dataset, space
        self._judged_by, self._engine = judged_by, engine
        self._journal, self._on_event = journal, on_event
        is_over = asked.time <= journal.ended
        self._allowance = Allowance(asked.budget, asked.time, journal.spent, clock, is_over=is_over)
        self._timing = Timing(dataset, engine, self._allowance)
        self._timings: Counter[int] = Counter()
        self._is_exhausted = is_over and journal.is_exhausted
        self._finals = Finals(dataset, engine, store, journal, self._allowance, self._tell)

    def make(self, recipes: Sequence[Recipe]) -> Found:
        """Look until the time is over, then confirm the winner.

        Raises:
            SearchError: Nothing can be trained within the budget, or no network can be built.
        """
        self._recall()
        self._start(recipes)
        while self._allowance.spare > 0:
            if not self._step():
                break
        finalists = self._finalists()
        confirmed = self._finals.confirm(finalists)
        if not self._allowance.is_over:
            time, spent = self._asked.time, self._allowance.spent
            self._journal.add_end(time, spent, is_exhausted=self._is_exhausted)
        left_out = [(self._why_left_out(recipe, finalists), recipe.name) for recipe in recipes]
        return Found(
            finalists=confirmed,
            candidates=tuple(self._candidates),
            spent=self._journal.spent,
            is_exhausted=self._is_exhausted,
            unfit=tuple(name for why, name in left_out if why == "unfit"),
            slow=tuple(name for why, name in left_out if why == "slow"),
            untried=tuple(name for why, name in left_out if why == "untried"),
        )

    def _recall(self) -> None:
        """What runs and candidates took, where the search goes on: it is predicted as before."""
        for candidate in self._candidates:
            if candidate.entering:
                self._allowance.learn_entering(candidate.entering)
            for ran in candidate.runs:
                if ran.overhead:
                    self._learn(candidate, ran)
        for overhead in self._journal.overheads:
            self._allowance.learn_final(overhead)

    @property
    def _candidates(self) -> list[Candidate]:
        return self._journal.candidates

    # -------------------------------------------------------------------- candidates

    def _start(self, recipes: Sequence[Recipe]) -> None:
        """The shipped recipes are the first candidates, that for the nearest budget first."""
        known = {candidate.origin for candidate in self._candidates if candidate.origin}
        for recipe in recipes:
            affordable = self._allowance.spare > self._allowance.cost(1.0)
            if recipe.name not in known and (affordable or not self._able()):
                self._enter_recipe(recipe)
        while self._time_again() and not self._able():
            pass
        for knobs in _PLAIN:
            if not self._able():
                self._enter_recipe(Recipe("", "", knobs, None, None))
        while not self._able() and len(self._candidates) < _MOST_STARTS:
            parameters, setting = self._proposed(len(self._candidates))
            self._enter(setting, parameters)
        if not self._able():
            raise self._unable()

    def _unable(self) -> SearchError:
        quick = [candidate for candidate in self._candidates if candidate.steps > 0]
        if not quick:
            return too_slow(self._asked, self._engine.threads)
        return no_time(self._asked, min(self._least_time(candidate) for candidate in quick))

    def _enter_recipe(self, recipe: Recipe) -> None:
        """A recipe as a candidate, unless it is none, or the same as another."""
        if start := self._start_of(recipe):
            parameters, setting = start
            if all(setting != candidate.setting for candidate in self._candidates):
                self._enter(setting, parameters, recipe.name)

    def _start_of(self, recipe: Recipe) -> tuple[dict[str, Any], Setting] | None:
        """As much of a recipe as is in the space, with the fixed knobs, and fits the images."""
        for knobs in laid(recipe.knobs, self._asked.fixed):
            try:
                given = Given(parameters_of(Setting.from_knobs(knobs)))
                setting = self._setting(self._space.ask(given))
            except (KeyError, ConfigError):
                continue
            return given.answers, setting
        return None

    def _time_again(self) -> bool:
        """Time the recipes again that cannot take part by the timings so far; False if none is.

        A moment in which the machine was busy must not cost a recipe its place: it is timed again
        at once, and when the race has gone on, and when a search goes on another time.
        """
        is_timed = False
        for candidate in self._candidates:
            is_out = candidate.origin and not self._is_able(candidate)
            if is_out and self._timings[candidate.number] < _TIMINGS and self._can_time_again():
                steps = self._timed(candidate.number, candidate.setting)
                if steps > candidate.steps:
                    spent = self._allowance.spent
                    self._journal.correct_steps(candidate, steps, _short(steps), spent)
                is_timed = True
        return is_timed

    def _can_time_again(self) -> bool:
        allowed = self._allowance
        if self._able():
            return allowed.spare > allowed.cost(1.0)
        return allowed.left > MUST * allowed.final_cost

    def _why_left_out(
        self, recipe: Recipe, finalists: Sequence[Candidate]
    ) -> Literal["unfit", "slow", "untried"] | None:
        """Why a recipe took no part; None if it did, were it as another one that comes to it."""
        if not (start := self._start_of(recipe)):
            return "unfit"
        alike = [c for c in self._candidates if c.setting == start[1]]
        if not alike or not (alike[0].runs or alike[0] in finalists or alike[0].steps == 0):
            return "untried"
        return None if alike[0].steps else "slow"

    def _able(self) -> list[Candidate]:
        return [candidate for candidate in self._candidates if self._is_able(candidate)]

    def _is_able(self, candidate: Candidate) -> bool:
        return candidate.steps > 0 and self._least_time(candidate) <= self._asked.time

    def _least_time(self, candidate: Candidate) -> float:
        """Seconds that it takes at the very least to have a candidate as the winner."""
        whole = with_steps(candidate.setting, candidate.steps, len(self._dataset.train))
        trained = candidate.steps * min(whole.training.batch_size, len(self._dataset.train))
        predicting = _PREDICTING * self._asked.budget * scored(whole, self._dataset) / trained
        return MUST * (self._asked.budget + predicting)

    def _setting(self, knobs: Mapping[str, Any]) -> Setting:
        setting = Setting.from_knobs(override(knobs, self._asked.fixed))
        network_for(setting.model, setting.training, self._dataset)
        return setting

    def _proposed(self, number: int) -> tuple[dict[str, Any], Setting]:
        """The next proposal that is a network, is new, and may well be quick enough.

        Raises:
            _NothingNewError: There is none among many, or not in the time that is left.
        """
        known = {candidate.setting for candidate in self._candidates}
        parents = [candidate.parameters for candidate in ranking(self._candidates)[:_PARENTS]]
        seen = self._seen()
        refused: Exception | None = None
        proposed = proposals(self._space, seen, parents, number)
        for parameters, knobs in itertools.islice(proposed, _MOST_REFUSED):
            try:
                setting = self._setting(knobs)
            except ConfigError as error:
                refused = error
            else:
                if setting not in known and self._timing.may_be_quick_enough(setting, self._able()):
                    return parameters, setting
            if known and self._allowance.spare <= 0:
                break
        shape = "x".join(str(side) for side in self._dataset.image_shape)
        why = f"such as: {refused}" if refused else "all were tried, or far too slow."
        raise _NothingNewError(
            f"no network of {_MOST_REFUSED} that were proposed can be trained on images of {shape}"
            f"; {why} Fix fewer knobs, or others."
        )

    def _seen(self) -> list[Seen]:
        """What proposals go by: the furthest round that enough candidates have been through."""
        for number in reversed(range(len(ROUNDS))):
            ran = [c for c in self._candidates if c.has_run(number)]
            if len(ran) >= _FEWEST_TO_LEARN or number == 0:
                return [Seen(c.parameters, c.score(number)) for c in ran]
        return []

    def _enter(
        self,
        setting: Setting,
        parameters: Mapping[str, Any],
        origin: str = "",
        begun: float | None = None,
    ) -> None:
        """Time a candidate, and let it into the race; with no steps where it is too slow.

        To propose it has `begun` at that time of the clock.
        """
        number, clock = len(self._candidates), self._allowance.clock
        steps = self._timed(number, setting)
        entered = Candidate(number, setting, dict(parameters), origin, steps, _short(steps))
        if begun is not None:
            entered.entering = clock() - begun
            self._allowance.learn_entering(entered.entering)
        self._journal.add_candidate(entered, self._allowance.spent)

    def _timed(self, number: int, setting: Setting) -> int:
        """How many steps of a candidate fit the budget, by a timing; 0 where they are too few."""
        self._timings[number] += 1
        self._tell("timing", None, 0)
        return self._timing.steps(setting)

    # -------------------------------------------------------------------------- race

    def _step(self) -> bool:
        """Make the next run, or let in a new candidate; False if there is no time, or none new."""
        turn = next_turn(self._able())
        spare = self._allowance.spare_beside(self._finalists_to_come())
        if turn:
            if spare < self._allowance.cost(ROUNDS[turn.round].share):
                return False
            self._run(turn)
            return True
        # A new candidate is of no use unless it can be trained to the end.
        if spare < self._allowance.newcomer_cost:
            return False
        if self._time_again():
            return True
        before = self._allowance.clock()
        try:
            parameters, setting = self._proposed(len(self._candidates))
        except _NothingNewError:
            self._is_exhausted = self._allowance.spare > 0
            return False
        self._enter(setting, parameters, begun=before)
        return True

    def _finalists_to_come(self) -> int:
        """How many finalists to keep time for: what beats the recipes is set beside one of them."""
        ahead = ranking(self._candidates)[:1]
        has_recipe = any(candidate.origin for candidate in self._able())
        return 2 if has_recipe and ahead and not ahead[0].origin else 1

    def _run(self, turn: Turn) -> None:
        candidate = turn.candidate
        self._tell("trying", candidate, turn.seed)
        before = self._allowance.clock()
        setting = with_steps(candidate.setting, turn.steps, len(self._dataset.train))
        clock = self._allowance.clock
        tried = try_out(setting, self._dataset, turn.seed, self._engine, self._judged_by, clock)
        overhead = clock() - before - tried.seconds
        accuracy, seconds, scoring = tried.accuracy, tried.seconds, tried.scoring
        ran = Ran(turn.steps, turn.seed, accuracy, seconds, overhead, scoring)
        self._journal.add_run(candidate, ran, self._allowance.spent)
        if turn.round == 0:
            self._correct(candidate, tried.seconds / turn.steps)
        self._learn(candidate, ran)

    def _learn(self, candidate: Candidate, ran: Ran) -> None:
        leader, *_ = [*ranking(self._candidates), candidate]
        self._allowance.learn(ran.overhead, self._final_overhead(leader))

    def _final_overhead(self, leader: Candidate) -> float:
        """Seconds beside its training that a run of the leader's will take in the end.

        Scoring grows with the images, far more of which are scored then; the rest does not.
        """
        whole = with_steps(leader.setting, leader.steps, len(self._dataset.train))
        times_as_many = scored(whole, self._dataset) / sum(map(len, self._judged_by.values()))
        scoring = min(run.scoring for run in leader.runs)
        return times_as_many * scoring + median(run.overhead - run.scoring for run in leader.runs)

    def _correct(self, candidate: Candidate, seconds_per_step: float) -> None:
        """Go by the time of the short round, which is longer than what the steps were timed by.

        After it they stay what they are: one run that a busy machine made long must not undo
        those that were made. They may grow, and shrink not by much at once, for the machine may
        be busy now. Where the first timing was far off, the round was no quarter of the budget
        and could not be compared with the others': it is run once more.
        """
        least = int(_MOST_CUT * candidate.steps)
        # Who is in the race stays in it, were it only for a search to have a winner.
        steps = max(self._allowance.steps(seconds_per_step), least, FEWEST_STEPS)
        short = candidate.short_steps
        missed = seconds_per_step * short / self._allowance.planned(SHORT)
        if len(candidate.runs) == 1 and not 1 / _OFF <= missed <= _OFF:
            short = _short(steps)
        if (steps, short) != (candidate.steps, candidate.short_steps):
            self._journal.correct_steps(candidate, steps, short, self._allowance.spent)

    def _finalists(self) -> list[Candidate]:
        """The winner, and the best of the shipped recipes; or the next best, if there is none."""
        ranked = ranking(self._candidates) or self._able()
        winner, others = ranked[0], ranked[1:]
        shipped = [other for other in others if other.origin]
        rivals = others if winner.origin else shipped or others
        return [winner, *rivals[:1]]

    def _tell(self, doing: Doing, candidate: Candidate | None, seed: int) -> None:
        ranked = ranking(self._candidates)
        best = ranked[0].score(ranked[0].furthest) if ranked else None
        tried = len(self._candidates)
        spent = min(self._allowance.spent, self._asked.time)
        self._on_event(Now(doing, candidate, seed, tried, best, spent, self._asked.time))


def _short(steps: int) -> int:
    """The steps of the first round, where so many fit the whole budget."""
    return max(1, int(steps * SHORT))
