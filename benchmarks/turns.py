"""How far times by turns can be trusted: equal settings timed against each other, idle and busy.

Whatever their ratio is beside 1 is an error. A try is what a claim rests on at its first look, the
geometric mean of a few rounds.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean, pstdev, stdev

from benchmarks.load import busy_process
from siffra.bench.workloads import LEARNING_RATE
from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.data.dataset import Dataset

ROUNDS, TRIES = 5, 100
"""Rounds of a try, and tries."""
AIM, WITHIN = 0.95, 0.05
"""So large a share of tries should be within so much of 1, on a busy machine too."""
TURNS = {
    "dense": ("dense 784-32-10, batch 140", {"neurons": 32, "batch_size": 140}),
    "conv": ("convolution of 16 8x8, batch 140", {"model": "conv", "batch_size": 140}),
    "digits-1s": ("the recipe digits-1s", find_recipe("digits-1s").knobs),
}


@dataclass(frozen=True, slots=True)
class Errors:
    """The logarithms of the ratios of equal settings, round by round."""

    title: str
    is_busy: bool
    rounds: tuple[float, ...]

    @property
    def tries(self) -> list[float]:
        """The logarithm of each try's ratio."""
        starts = range(0, len(self.rounds) - ROUNDS + 1, ROUNDS)
        return [fmean(self.rounds[start : start + ROUNDS]) for start in starts]

    @property
    def share(self) -> float:
        """Of the tries, those within `WITHIN`."""
        return fmean(abs(math.expm1(abs(ratio))) <= WITHIN for ratio in self.tries)

    @property
    def bias(self) -> tuple[float, float]:
        """The mean of all rounds and its standard error: a lean to one side, which adds up."""
        return fmean(self.rounds), stdev(self.rounds) / math.sqrt(len(self.rounds))


def measure_turns(
    names: Sequence[str], dataset: Dataset, tries: int, say: Callable[[str], None]
) -> Iterator[Errors]:
    """Time each of `names` in `TURNS` against itself, idle and beside a busy process."""
    from siffra.engine.native.engine import NativeEngine
    from siffra.training.timing import time_by_turns

    engine = NativeEngine(1)
    for name in names:
        title, knobs = TURNS[name]
        setting = Setting.from_knobs({"learning_rate": LEARNING_RATE, **knobs})
        for is_busy in (False, True):
            say(f"{title}: {'with a busy process' if is_busy else 'idle'}")
            ratios = []
            with busy_process(3600.0) if is_busy else nullcontext():
                for number in range(tries * ROUNDS):
                    timing = time_by_turns([setting, setting], dataset, engine, number)
                    ratios.append(math.log(timing.seconds[0] / timing.seconds[1]))
            yield Errors(title, is_busy, tuple(ratios))


def lines(errors: Iterable[Errors]) -> Iterator[str]:
    """Each as a line."""
    for each in errors:
        machine = "one core busy" if each.is_busy else "idle"
        mean, standard_error = each.bias
        yield (
            f"{each.title}, {machine}: {each.share:.0%} of {len(each.tries)} tries within "
            f"{WITHIN:.0%} of 1; a round is off by {pstdev(each.rounds):.1%}, a try by "
            f"{pstdev(each.tries):.1%}, all {len(each.rounds)} rounds by {mean:+.2%} "
            f"± {standard_error:.2%}" + f"; the aim is {AIM:.0%}" * (each.share < AIM)
        )
