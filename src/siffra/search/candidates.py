"""Who takes part in the race: recipes first, then proposals, each of them timed."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from siffra.config import Setting
from siffra.config.durations import spell_seconds
from siffra.config.recipes import Recipe
from siffra.config.setting import override
from siffra.engine.network import network_for
from siffra.errors import ConfigError, SearchError
from siffra.search.constraints import under_fixed
from siffra.search.proposals import proposals
from siffra.search.race import SHORT, Candidate, ranking
from siffra.search.session import MUST, Session
from siffra.search.space import Parameters, parameters_of
from siffra.search.throughput import FEWEST_STEPS

_TIMINGS = 3
"""How often a recipe that seems too slow is timed: the machine may have been busy."""
_PREDICTING = 0.1
"""Predicting a batch takes about this share of training on it, or more."""
_PLAIN = (
    {"model": "dense", "neurons": 32, "learning_rate": 0.1, "batch_size": 64},
    {"model": "conv", "filters": 16, "kernel_size": 5, "learning_rate": 0.1, "batch_size": 64},
)
"""Where to start if no recipe can be used."""
_MOST_STARTS = 4
"""Candidates that are too slow before the search gives up."""
_MOST_REFUSED = 300
"""Proposals in a row that are no network, or not new, before the search gives up."""
_PARENTS = 5


class _NothingNewError(SearchError):
    """No proposal is worth a try."""


class Candidates:
    """Enters candidates into the race, and knows which of them can win it.

    `is_exhausted` says whether there is nothing more to propose.
    """

    def __init__(self, session: Session) -> None:
        self.is_exhausted = False
        self._session, self._study, self._time = session, session.study, session.time
        self._throughput = session.throughput
        # How often each candidate was timed since the search started or resumed.
        self._timings: Counter[int] = Counter()

    def start(self, recipes: Sequence[Recipe]) -> None:
        """Enter the recipes, in their order, or plain networks if none of them can be trained.

        Raises:
            SearchError: Nothing can be trained within the budget, or no network can be built.
        """
        known = {candidate.origin for candidate in self._study.candidates if candidate.origin}
        for recipe in recipes:
            is_affordable = self._time.spare() > self._time.cost(1.0)
            if recipe.name not in known and (is_affordable or not self.able()):
                self._enter_recipe(recipe)
        while self.time_again() and not self.able():
            pass
        for knobs in _PLAIN:
            if not self.able():
                self._enter_recipe(Recipe("", "", knobs, None, None))
        while not self.able() and len(self._study.candidates) < _MOST_STARTS:
            self._enter(*self._proposed())
        if not self.able():
            raise self._unable()

    def propose(self) -> bool:
        """Enter a new candidate; False if there is none, or no time to find one."""
        before = self._time.clock()
        try:
            setting, parameters = self._proposed()
        except _NothingNewError:
            self.is_exhausted = self._time.spare() > 0
            return False
        self._enter(setting, parameters, begun=before)
        return True

    def time_again(self) -> bool:
        """Time again the recipes that are too slow by the timings so far; False if there are none.

        A moment in which the machine was busy must not cost a recipe its place: it is timed again
        at once, later in the race, and when the search resumes.
        """
        is_timed = False
        for candidate in self._study.candidates:
            is_out = candidate.origin and not self._is_able(candidate)
            if is_out and self._timings[candidate.number] < _TIMINGS and self._can_time_again():
                steps = self._steps(candidate.number, candidate.setting)
                if steps > candidate.steps:
                    candidate.steps, candidate.short_steps = steps, short(steps)
                    self._study.save(candidate, self._time.spent)
                is_timed = True
        return is_timed

    def able(self) -> list[Candidate]:
        """The candidates that can be trained, and confirmed as the winner, within the time."""
        return [candidate for candidate in self._study.candidates if self._is_able(candidate)]

    def why_left_out(
        self, recipe: Recipe, finalists: Sequence[Candidate]
    ) -> Literal["unfit", "slow", "untried"] | None:
        """Why a recipe took no part; None if it did, or if another candidate is the same setting.

        An unfit one gives no network, of a slow one too few steps fit the budget, and for an
        untried one there was no time.
        """
        if not (start := self._start_of(recipe)):
            return "unfit"
        alike = [c for c in self._study.candidates if c.setting == start[0]]
        if not alike or not (alike[0].runs or alike[0] in finalists or alike[0].steps == 0):
            return "untried"
        return None if alike[0].steps else "slow"

    def _is_able(self, candidate: Candidate) -> bool:
        least = self._least_time(candidate) if candidate.steps else math.inf
        return least <= self._session.spec.time

    def _least_time(self, candidate: Candidate) -> float:
        """The fewest seconds in which a candidate can be confirmed as the winner."""
        setting, images = self._session.whole(candidate), len(self._session.dataset.train)
        trained = candidate.steps * min(setting.training.batch_size, images)
        budget = self._session.spec.budget
        predicting = _PREDICTING * budget * self._session.images_scored(setting) / trained
        return MUST * (budget + predicting)

    def _can_time_again(self) -> bool:
        if self.able():
            return self._time.spare() > self._time.cost(1.0)
        return self._time.left > MUST * self._time.final_cost

    def _enter_recipe(self, recipe: Recipe) -> None:
        """Enter a recipe, unless it gives no network, or is the same as another candidate."""
        if start := self._start_of(recipe):
            setting, parameters = start
            if all(setting != candidate.setting for candidate in self._study.candidates):
                self._enter(setting, parameters, recipe.name)

    def _start_of(self, recipe: Recipe) -> tuple[Setting, dict[str, Any]] | None:
        """As much of a recipe as is in the space and goes with the fixed knobs and the images."""
        for knobs in under_fixed(recipe.knobs, self._session.spec.fixed):
            try:
                parameters = Parameters(parameters_of(Setting.from_knobs(knobs)))
                setting = self._setting(self._session.space.knobs(parameters))
            except (KeyError, ConfigError):
                continue
            return setting, parameters.values
        return None

    def _setting(self, knobs: Mapping[str, object]) -> Setting:
        """The setting of these knobs with the fixed ones.

        Raises:
            ConfigError: It is not a network for these images.
        """
        setting = Setting.from_knobs(override(knobs, self._session.spec.fixed))
        network_for(setting.model, setting.training, self._session.dataset)
        return setting

    def _proposed(self) -> tuple[Setting, dict[str, Any]]:
        """The next proposal that is a network, is new, and may be quick enough.

        Raises:
            _NothingNewError: There is none among many, or none in the time that is left.
        """
        candidates = self._study.candidates
        known = {candidate.setting for candidate in candidates}
        parents = [candidate.parameters for candidate in ranking(candidates)[:_PARENTS]]
        refused: Exception | None = None
        study, space = self._study.optuna_study, self._session.space
        proposed = proposals(study, space, parents, seed=len(candidates))
        for parameters, knobs in itertools.islice(proposed, _MOST_REFUSED):
            try:
                setting = self._setting(knobs)
            except ConfigError as error:
                refused = error
            else:
                if setting not in known and self._throughput.may_fit(setting, self.able()):
                    return setting, parameters
            if known and self._time.spare() <= 0:
                break
        shape = "x".join(str(side) for side in self._session.dataset.image_shape)
        why = f"for example: {refused}" if refused else "all were tried, or far too slow."
        raise _NothingNewError(
            f"none of {_MOST_REFUSED} proposed networks can be trained on images of {shape}; "
            f"{why} Fix fewer knobs, or others."
        )

    def _enter(
        self,
        setting: Setting,
        parameters: dict[str, object],
        origin: str = "",
        begun: float | None = None,
    ) -> None:
        """Time a candidate, and enter it; with no steps if it is too slow.

        `begun` is when the search for it began, by the clock.
        """
        number = len(self._study.candidates)
        steps = self._steps(number, setting)
        candidate = Candidate(number, setting, parameters, origin, steps, short(steps))
        if begun is not None:
            candidate.entering = self._time.clock() - begun
            self._time.learn_entering(candidate.entering)
        self._study.add(candidate, self._time.spent)

    def _steps(self, number: int, setting: Setting) -> int:
        """How many steps of a candidate fit the budget, by a timing; 0 if too few do."""
        self._timings[number] += 1
        self._session.announce("timing")
        return self._throughput.steps(setting)

    def _unable(self) -> SearchError:
        """Why no candidate can win, in one line that says what to change."""
        spec = self._session.spec
        fixed = ", ".join(f"{name} = {value}" for name, value in spec.fixed.items())
        network, fewer = f"network with {fixed}" if fixed else "network", ", or fix fewer knobs"
        fewer = fewer if fixed else ""
        quick = [candidate for candidate in self._study.candidates if candidate.steps > 0]
        if quick:
            least = math.ceil(min(self._least_time(candidate) for candidate in quick))
            return SearchError(
                f"time: {spell_seconds(spec.time)} is too short to train a {network} {MUST} times "
                f"on this machine and to score it, which takes {spell_seconds(least)} or more; "
                f"give a longer --time{fewer}."
            )
        threads = "" if self._session.engine.threads > 1 else ", or more --threads"
        return SearchError(
            f"budget: in {spell_seconds(spec.budget)} no {network} makes {FEWEST_STEPS} steps on "
            "this machine, the least that a training can be judged by; give a longer --budget"
            f"{fewer}{threads}."
        )


def short(steps: int) -> int:
    """Steps of the first round, if this many fit the whole budget."""
    return max(1, int(steps * SHORT))
