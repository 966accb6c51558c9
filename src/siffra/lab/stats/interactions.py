"""Does the best value of one knob depend on another? From levels' records to an interaction.

Two statements can be shown of a question that tries all combinations of two knobs:

- *it depends*: no value of the knob is the best at every value of the other. A value that were
  would lose nowhere; so each has to lose somewhere, by an interval that allows for all the
  places where it could have seemed to.
- *it does not*: one value is, wherever the other knob is set, within the margin of the best.

Both are intersection-union tests (R. L. Berger, Multiparameter hypothesis testing and acceptance
sampling, 1982): each part is tested at the full alpha, and all must be shown. The alternatives
within a part are shared out by Bonferroni. Crossing lines are asked for, not unequal slopes:
what a user wants to know is whether the choice of one knob can be left alone when the other is
turned (M. Gail and R. Simon, Testing for qualitative interactions, 1985).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from siffra.lab.plan.plan import Level, Question
from siffra.lab.stats.comparison import Comparison, Estimate
from siffra.lab.stats.decisions import FEWEST_SEEDS
from siffra.lab.stats.estimates import compare_accuracy
from siffra.lab.stats.families import Decision
from siffra.lab.stats.levels import validation_score
from siffra.training.run import Record

ON = "val"
"""The set by which knobs are chosen: the test sets have no part in it."""
MARGIN = 0.002
"""Of accuracy; a loss within it does not matter."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Where a value of a knob is worst off: with the other knob at `at`, against the value `to`.

    `estimate` is the accuracy of `value` minus that of `to`, on validation.
    """

    value: Any
    at: Any
    to: Any
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Interaction:
    """Whether the best value of one `knob` depends on the value of another, `by`.

    - "depends": no value of `knob` is the best at every value of `by`; each loses somewhere,
      beyond chance (`losses` has one for each value).
    - "same": the value `common` is, wherever `by` is set, within `margin` of the best.
    - "inconclusive": neither was shown.

    Best is best on validation. `best` has the value with the highest mean there, for each value
    of `by`; `losses` has where each value of `knob` loses most clearly.
    """

    knob: str
    by: str
    verdict: Literal["depends", "same", "inconclusive"]
    margin: float
    best: tuple[tuple[Any, Any], ...]
    common: Any
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class InteractionTest:
    """A grid of levels, to be judged: `duels[i, j, k]` is value i minus value j at `ats[k]`."""

    knob: str
    by: str
    values: tuple[Any, ...]
    ats: tuple[Any, ...]
    means: np.ndarray
    """What levels stand at, (values, ats): accuracy on validation, nothing for what diverged."""
    duels: dict[tuple[int, int, int], Comparison]

    @property
    def seeds(self) -> int:
        """How many seeds all the cells have."""
        return min(duel.judged for duel in self.duels.values())

    @property
    def p_inside(self) -> float:
        """The p-value of "one value is nowhere worse than another by the margin"."""
        # Any of the values may be it.
        return min(1.0, len(self.values) * min(map(self._shortfall, range(len(self.values)))))

    @property
    def p_outside(self) -> float:
        """The p-value of "every value loses somewhere"."""
        return min(1.0, self._places * max(map(self._loss, range(len(self.values)))))

    def judge(self, decision: Decision) -> Interaction:
        """The verdict at the alphas of the `decision`."""
        is_shown = decision.grade == "shown"
        same = is_shown and decision.kind == "inside"
        depends = is_shown and decision.kind == "outside"
        common = min(range(len(self.values)), key=self._shortfall)
        # Two-sided, as intervals are.
        alpha = min(1.0, 2 * decision.outside / self._places)
        return Interaction(
            knob=self.knob,
            by=self.by,
            verdict="same" if same else "depends" if depends else "inconclusive",
            margin=MARGIN,
            best=tuple(
                (at, self.values[int(self.means[:, k].argmax())]) for k, at in enumerate(self.ats)
            ),
            common=self.values[common] if same else None,
            losses=tuple(self._clearest_loss(i, alpha) for i in range(len(self.values))),
        )

    @property
    def _places(self) -> int:
        """Where a value can lose: against each of the others at each value of the other knob."""
        return len(self.ats) * (len(self.values) - 1)

    def _against(self, i: int) -> dict[tuple[int, int], Comparison]:
        return {(j, k): duel for (value, j, k), duel in self.duels.items() if value == i}

    def _loss(self, i: int) -> float:
        """The one-sided p-value of value i's clearest loss."""
        return min(_p_of_loss(duel) for duel in self._against(i).values())

    def _shortfall(self, i: int) -> float:
        """The one-sided p-value of "value i loses less than the margin everywhere"."""
        return max(_p_of_no_loss(duel) for duel in self._against(i).values())

    def _clearest_loss(self, i: int, alpha: float) -> Loss:
        duels = self._against(i)
        j, k = min(duels, key=lambda place: _p_of_loss(duels[place]))
        estimate = duels[j, k].estimate(alpha)
        return Loss(self.values[i], self.ats[k], self.values[j], estimate)


def interaction_tests(
    question: Question, records: Sequence[Sequence[Record]]
) -> tuple[InteractionTest, ...]:
    """Both ways to ask about a question of two knobs; none if it is not a full grid, or has gaps.

    `records` are those of each level, one a seed.
    """
    if len(question.vary) != 2 or not all(len(runs) > 1 for runs in records):
        return ()
    first, second = question.vary
    tests = (_test(question.levels, records, *pair) for pair in ((first, second), (second, first)))
    return tuple(test for test in tests if test)


def _test(
    levels: Sequence[Level], records: Sequence[Sequence[Record]], knob: str, by: str
) -> InteractionTest | None:
    if not all(knob in level.knobs and by in level.knobs for level in levels):
        return None
    values, ats = _distinct(levels, knob), _distinct(levels, by)
    cells = {
        (values.index(level.knobs[knob]), ats.index(level.knobs[by])): runs
        for level, runs in zip(levels, records, strict=True)
    }
    if len(values) < 2 or len(ats) < 2 or len(cells) < len(values) * len(ats):
        return None
    trained = [
        [run for i in range(len(values)) for run in cells[i, k] if not run.diverged]
        for k in range(len(ats))
    ]
    if not all(trained):
        return None
    duels: dict[tuple[int, int, int], Comparison] = {}
    for i, j in combinations(range(len(values)), 2):
        for k in range(len(ats)):
            duels[i, j, k] = compare_accuracy(cells[i, k], cells[j, k], ON)
            duels[j, i, k] = duels[i, j, k].reversed()
    means = np.array(
        [
            [validation_score(run.accuracy for run in cells[i, k]) for k in range(len(ats))]
            for i in range(len(values))
        ]
    )
    return InteractionTest(knob, by, tuple(values), tuple(ats), means, duels)


def _distinct(levels: Sequence[Level], knob: str) -> list[Any]:
    values: list[Any] = []
    for level in levels:
        if level.knobs[knob] not in values:  # lists of widths are no keys of a dict
            values.append(level.knobs[knob])
    return values


def _p_of_loss(duel: Comparison) -> float:
    return duel.p_below(0.0) if duel.seeds >= FEWEST_SEEDS else 1.0


def _p_of_no_loss(duel: Comparison) -> float:
    # Where runs failed, what is seen of those that train is not all that may be lost.
    return duel.p_above(-MARGIN) if duel.seeds >= FEWEST_SEEDS and not duel.failed else 1.0
