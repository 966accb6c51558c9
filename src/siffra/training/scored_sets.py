"""What a run is scored on, and when: made once for each data set, for all of its runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from siffra.config import Setting, SteplessModel
from siffra.data.dataset import Dataset, Images

CURVE_IMAGES = 1500
"""How many images of each set are scored after every epoch, at most.

Scoring should cost no more than a tenth of training: for a convolution, whose time is its forward
pass, four sets of so many are that.
"""
LONG = 20
"""A training of so many epochs, at a constant rate, no longer has a trend worth an epoch."""


@dataclass(frozen=True, slots=True)
class ScoredSets:
    """Images by set: those scored after every epoch, and the `whole` sets that a record is about.

    The curves are of every set but training's, whose accuracy an epoch has anyway. Of the training
    set, as many are scored in the end as validation has.
    """

    curves: Mapping[str, Images]
    whole: Mapping[str, Images]


_SCORED: WeakKeyDictionary[Dataset, ScoredSets] = WeakKeyDictionary()
"""The same `Images` for every run on a data set: an engine keeps what it has made of them."""


def scored_sets(dataset: Dataset) -> ScoredSets:
    """What every run on `dataset` is scored on."""
    scored = _SCORED.get(dataset)
    if scored is None:
        sets = dataset.sets
        curves = {name: sets[name].some(CURVE_IMAGES) for name in sets if name != "train"}
        whole = {**sets, "train": dataset.train.some(len(dataset.val))}
        _SCORED[dataset] = scored = ScoredSets(curves, whole)
    return scored


def late_epochs(setting: Setting) -> int:
    """The last tenth of the epochs of a long training at a constant rate; 0 for any other.

    From step to step such a network may wander about a level that hardly moves. The mean over those
    epochs has the expectation of the last one, and up to a half less of its variance between seeds.
    Where weights are averaged anyway there is nothing to gain.
    """
    training = setting.training
    if isinstance(setting.model, SteplessModel) or training.schedule != "constant" or training.ema:
        return 0
    return int(training.epochs) // 10 if training.epochs >= LONG else 0
