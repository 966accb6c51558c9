"""Which knobs mattered, judged among which candidates, and which cannot be judged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna

from siffra.config import Setting
from siffra.search.race import Candidate
from siffra.search.space import Space, quiet_optuna

FEWEST = 16
"""Fewer candidates say nothing."""
_BETTER = 0.1
"""The share of candidates that count as the better ones."""

_ALIKE = (("model", "optimizer"), ("model",), ())
"""What candidates share with the winner, if enough of them do.

Others have other parameters: with one dense network among them, filters cannot be judged.
"""


@dataclass(frozen=True, slots=True)
class Importance:
    """How much each parameter mattered among this many `candidates`.

    `shares` add up to 1; there are none where too few candidates were seen. `within` has the
    knobs that all these candidates share with the winner. `unjudged` are those of the winner's
    parameters that not all of them have, or that are the same in all.
    """

    shares: Mapping[str, float]
    candidates: int
    within: Mapping[str, str]
    unjudged: tuple[str, ...]


def importance(space: Space, candidates: Sequence[Candidate], winner: Candidate) -> Importance:
    """What mattered in the first round, among candidates like the winner if there are enough.

    Args:
        space: Where the candidates were proposed.
        candidates: All of them; those that have finished the round count.
        winner: The candidate that the others are compared with.
    """
    ran = [candidate for candidate in candidates if candidate.has_run(0)]
    for names in _ALIKE:
        within = {name: _kind(winner.setting)[name] for name in names}
        alike = [c for c in ran if within.items() <= _kind(c.setting).items()]
        if len(alike) < FEWEST:
            continue
        shared = set.intersection(*(set(candidate.parameters) for candidate in alike))
        varied = [n for n in sorted(shared) if len({c.parameters[n] for c in alike}) > 1]
        if shares := _importances(space, alike, varied):
            known = {*shares, *within}
            unjudged = tuple(name for name in winner.parameters if name not in known)
            return Importance(shares, len(alike), within, unjudged)
    return Importance({}, len(ran), {}, ())


def _importances(
    space: Space, candidates: Sequence[Candidate], names: Sequence[str]
) -> dict[str, float]:
    """How much each of these parameters mattered, as shares that add up to 1.

    PED-ANOVA (Watanabe et al. 2023): how far the better candidates' values of a parameter differ
    from all candidates'. All must have the parameters, with more than one value of each. The
    candidates were not drawn evenly, so this is a hint, not a finding. There are none where no
    candidates are the better ones: where even the worst is as good as the last of the best tenth.
    """
    scores = sorted((candidate.score(0) for candidate in candidates), reverse=True)
    if not names or scores[math.ceil(_BETTER * len(scores)) - 1] == scores[-1]:
        return {}
    with quiet_optuna():
        study = optuna.create_study(direction="maximize")
    study.add_trials([space.trial(c.parameters, value=c.score(0)) for c in candidates])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BETTER)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(names))


def _kind(setting: Setting) -> dict[str, str]:
    return {"model": setting.knobs()["model"], "optimizer": setting.training.optimizer}
