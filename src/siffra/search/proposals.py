"""What to try next: most of a good candidate, and the rest drawn by Optuna.

A proposal keeps most parameters of a good candidate and draws the others with TPE (Bergstra et
al. 2011), as iterated racing draws around its elites (López-Ibáñez et al. 2016); now and then it
draws all of them. With the few dozen candidates that there is time for, a space of forty
parameters is not covered by drawing them all.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from siffra.search.space import Ask, Parameters

_FROM_NOTHING = 0.15
"""Share of the proposals that draw all parameters anew."""
_DRAWN = 3.0
"""How many parameters of a parent are drawn anew, on average."""
_FIRST_RANDOM = 6
"""Candidates to be seen before TPE models them."""


class Askable(Protocol):
    """A space that makes knobs of the parameters that it asks for."""

    def knobs(self, ask: Ask) -> dict[str, Any]:
        """Knobs, asked for one after the other."""
        ...


def proposals(
    study: optuna.Study, space: Askable, parents: Sequence[Mapping[str, object]], seed: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Parameters, and the knobs that they stand for, without end.

    Args:
        study: What TPE goes by.
        space: Where to look.
        parents: Parameters of good candidates, the best first; one of them is changed.
        seed: Of all that is drawn.
    """
    # A constant liar would store notes of each proposal with a trial, which is none yet.
    sampler = TPESampler(seed=seed, n_startup_trials=_FIRST_RANDOM, constant_liar=False)
    # A proposal becomes a trial only when it is accepted: hundreds may be refused, and asking
    # the study itself would write every parameter of each to the disk.
    proposed = create_trial(state=TrialState.RUNNING)
    rng = random.Random(seed)

    while True:
        # As a trial does it: what TPE models jointly is drawn at once, the rest one by one.
        space_of_all = sampler.infer_relative_search_space(study, proposed)
        drawn = sampler.sample_relative(study, proposed, space_of_all)

        def draw(
            name: str, distribution: BaseDistribution, drawn: dict[str, object] = drawn
        ) -> Any:
            if name in drawn:
                return drawn[name]
            return sampler.sample_independent(study, proposed, name, distribution)

        kept: dict[str, Any] = {}
        if parents and rng.random() >= _FROM_NOTHING:
            # The best one half of the time, the next a quarter, and so on.
            parent = parents[min(len(parents) - 1, int(-math.log2(1 - rng.random())))]
            share = _DRAWN / max(1, len(parent))
            kept = {name: value for name, value in parent.items() if rng.random() >= share}
        parameters = Parameters(kept, draw)
        knobs = space.knobs(parameters)
        yield parameters.values, knobs
