"""Runs that fail: how large their share is, and whether two shares differ.

A run fails that collapses (its network gives nearly every image one class) or diverges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from scipy.special import betaincinv

from siffra.lab.stats.comparison import Comparison

CONFIDENCE = 0.95


class Share(NamedTuple):
    """So many `failed` of so many `runs`, with an interval for the share (NaN without a run)."""

    failed: int
    runs: int

    def of(self, runs: int | None) -> "Share":
        """As many of so many `runs` as to be expected by this share (None: of its own)."""
        return self if runs is None else Share(round(self.failed * runs / self.runs), runs)

    @property
    def value(self) -> float:
        """The share."""
        return self.failed / self.runs if self.runs else math.nan

    def interval(self, alpha: float = 1 - CONFIDENCE) -> tuple[float, float]:
        """The interval of Clopper and Pearson 1934, wrong with a probability of at most `alpha`.

        With none failed, or all, the other end is one-sided at that alpha.
        """
        k, n = self.failed, self.runs
        if n == 0:
            return math.nan, math.nan
        tail = alpha if k in (0, n) else alpha / 2
        low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
        high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
        return low, high


_NO_RUNS = Share(0, 0)


def fisher(a: Share, b: Share) -> float:
    """The two-sided p-value of Fisher's exact test (1934) of two shares being the same.

    All tables with these margins that are no likelier than this one count.
    """
    failed, runs = a.failed + b.failed, a.runs + b.runs
    ways = [
        math.comb(a.runs, k) * math.comb(b.runs, failed - k)
        for k in range(max(0, failed - b.runs), min(failed, a.runs) + 1)
    ]
    this = math.comb(a.runs, a.failed) * math.comb(b.runs, b.failed)
    return sum(way for way in ways if way <= this) / math.comb(runs, failed)


@dataclass(frozen=True)
class ShareComparison(Comparison):
    """The shares of runs that fail at two levels, by Fisher's exact test.

    `differences` has, for each pair, 1, 0 or -1: whether the level failed, the other, or both.
    """

    level: Share = _NO_RUNS
    against: Share = _NO_RUNS

    @cached_property
    def centre(self) -> float:
        """The difference of the two shares; NaN without runs on either side."""
        return self.level.value - self.against.value

    @property
    def freedom(self) -> float:
        """None: it is not a t interval."""
        return math.nan

    def interval(self, alpha: float) -> tuple[float, float]:
        """From an interval at alpha / 2 of either share (Bonferroni)."""
        (low, high), (least, most) = (
            self.level.interval(alpha / 2),
            self.against.interval(alpha / 2),
        )
        return low - most, high - least

    def p_above(self, bound: float, *, seeds: int | None = None) -> float:
        """See `Comparison.p_above`; half of Fisher's p-value. No other bound than 0 has a test."""
        return self._half(seeds) if self.centre > 0 == bound else 1.0

    def p_below(self, bound: float, *, seeds: int | None = None) -> float:
        return self._half(seeds) if self.centre < 0 == bound else 1.0

    def _half(self, seeds: int | None) -> float:
        return fisher(self.level.of(seeds), self.against.of(seeds)) / 2


def compare_failures(level: Sequence[bool], against: Sequence[bool]) -> ShareComparison:
    """The shares of runs that failed on either side: one truth a seed, or a run."""
    pairs = zip(level, against, strict=False)
    return ShareComparison(
        differences=tuple(float(ours) - float(theirs) for ours, theirs in pairs),
        scale="difference",
        level=Share(sum(level), len(level)),
        against=Share(sum(against), len(against)),
    )
