"""How many steps of a candidate fit the budget here: some are made and timed."""

from collections.abc import Sequence
from statistics import median

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.search.allowance import Allowance
from siffra.search.pace import Pace
from siffra.search.race import Candidate
from siffra.search.trial import seconds_per_step

FEWEST_STEPS = 24
"""Steps in the whole budget; what makes fewer here does not take part."""

_WORTH = 0.04
"""The share of a budget that is spent on timing a candidate."""


class Timing:
    """Times candidates on a data set, and tells by those that were which are not worth it."""

    def __init__(self, dataset: Dataset, engine: Engine, allowance: Allowance) -> None:
        self._dataset, self._engine, self._allowance = dataset, engine, allowance
        self._pace = Pace(dataset, engine)

    def steps(self, setting: Setting) -> int:
        """How many steps of it fit the budget, by a timing; 0 where they are too few."""
        worth = _WORTH * self._allowance.budget
        most = self._allowance.planned() / FEWEST_STEPS
        a_step = self._pace.least(setting)
        if a_step <= most:
            carefully = self._pace.most(setting) > most
            a_step = seconds_per_step(
                setting, self._dataset, self._engine, worth, most, carefully=carefully
            )
            self._pace.learn(setting, a_step)
        steps = self._allowance.steps(a_step)
        return steps if steps >= FEWEST_STEPS else 0

    def may_be_quick_enough(self, setting: Setting, able: Sequence[Candidate]) -> bool:
        """Whether it would make enough steps at the rate of arithmetic that is usual for its kind.

        Where none of its kind is among those that are `able` to, at the best rate that was seen.
        """
        budget = self._allowance.budget
        rates = [c.steps * self._pace.work(c.setting) / budget for c in able]
        kind = type(setting.model)
        alike = [rate for rate, c in zip(rates, able, strict=True) if type(c.setting.model) is kind]
        if not rates:
            return True
        rate = median(alike) if alike else max(rates)
        return budget * rate >= FEWEST_STEPS * self._pace.work(setting)
