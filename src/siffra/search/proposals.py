"""Optuna proposes: the next candidate, from what was seen of the earlier ones.

A proposal keeps most parameters of a good candidate and draws the others with TPE (Bergstra et
al. 2011), as iterated racing draws around its elites (López-Ibáñez et al. 2016); now and then it
draws all of them. With the few dozen candidates that there is time for, a space of forty
parameters is not covered by drawing them all.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siffra.errors import SearchError
from siffra.search.space import Asks, Space

try:
    import optuna
except ModuleNotFoundError as error:
    raise SearchError(
        "search: Optuna is not installed; `pip install 'siffra[search]'` brings it."
    ) from error
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

_FROM_NOTHING = 0.15
"""Share of the proposals that draw all parameters anew."""
_DRAWN = 3.0
"""How many parameters of a parent are drawn anew, on average."""
_FIRST_RANDOM = 6
"""Candidates to be seen before TPE models them."""
_BETTER = 0.1
"""The share of the candidates that are called the better ones."""

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A candidate's parameters and how good it was (more is better)."""

    parameters: Parameters
    score: float


def proposals(
    space: Space, seen: Sequence[Seen], parents: Sequence[Parameters], number: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The next parameters, and the knobs that they stand for; then others, without end.

    Args:
        space: Where to look.
        seen: What TPE goes by.
        parents: Good candidates, the best first; one of them is changed.
        number: Seeds all that is drawn, so that the same number proposes the same.
    """
    study = _study(space, seen, number)
    rng = random.Random(number)
    while True:
        if parents and rng.random() >= _FROM_NOTHING:
            # The best one half of the time, the next a quarter, and so on.
            rank = min(len(parents) - 1, int(-math.log2(1 - rng.random())))
            parent = parents[rank]
            share = _DRAWN / max(1, len(parent))
            study.enqueue_trial({k: v for k, v in parent.items() if rng.random() >= share})
        trial = study.ask()
        knobs = space.ask(trial)
        yield trial.params, knobs


def importances(space: Space, seen: Sequence[Seen], names: Sequence[str]) -> dict[str, float]:
    """How much each of these parameters mattered, as shares that add up to 1.

    PED-ANOVA (Watanabe et al. 2023): how far the better candidates' values of a parameter differ
    from all candidates'. All must have the parameters, with more than one value of each. What was
    seen was not drawn evenly, so this is a hint, not a finding. There are none where no candidates
    are the better ones: where even the worst is as good as the last of the best tenth.
    """
    scores = sorted((each.score for each in seen), reverse=True)
    if not names or scores[math.ceil(_BETTER * len(scores)) - 1] == scores[-1]:
        return {}
    study = _study(space, seen, 0)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BETTER)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(names))


def _study(space: Space, seen: Sequence[Seen], seed: int) -> "optuna.Study":
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_FIRST_RANDOM)
    before = optuna.logging.get_verbosity()  # whoever uses Optuna beside us has it as it was
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize", sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)
    for each in seen:
        described = _Distributions(each.parameters)
        space.ask(described)
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(each.parameters),
                distributions=described.distributions,
                value=each.score,
            )
        )
    return study


class _Distributions(Asks):
    """Answers with known parameters, and keeps from which distribution each was asked."""

    def __init__(self, known: Parameters) -> None:
        self._known = known
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        return self._from(name, CategoricalDistribution(choices))

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1) -> int:
        return self._from(name, IntDistribution(low, high, step=step))

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        return self._from(name, FloatDistribution(low, high, log=log))

    def _from(self, name: str, distribution: BaseDistribution) -> Any:
        self.distributions[name] = distribution
        return self._known[name]
