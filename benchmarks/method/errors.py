"""How many labs show something that is wrong, and how many of all verdicts are.

Each cell is judged by siffra's own functions and by the twin, on the same labs; the twin then
judges more of them, in other orders.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from benchmarks.method import twin
from benchmarks.method.draws import SEEDS, Cell, Drawn, of_time
from benchmarks.method.power import Judge
from benchmarks.method.twin import LOOKS, OPEN, Judged

DESIGNS: Mapping[str, tuple[int, ...]] = {"5 seeds": (5,), "looks at 5 to 40": LOOKS}
BATCH = 250
"""Labs drawn at once."""


@dataclass
class Counts:
    """Of so many `labs`: in how many any shown verdict is wrong, and shares of wrong verdicts.

    `false_share` adds up the labs' shares of wrong verdicts, likely ones included, among all
    (0 where there are none).
    """

    labs: int = 0
    wrong: int = 0
    wrong_claims: int = 0
    false_share: float = 0.0
    claims: int = 0
    shown: int = 0
    verdicts: int = 0

    def add(self, wrong_shown: np.ndarray, wrong_likely: np.ndarray, judged: Judged) -> None:
        """Count more labs, (labs, claims) each."""
        verdicts = judged.likely != OPEN
        self.labs += len(verdicts)
        self.wrong += int(wrong_shown.any(axis=1).sum())
        self.wrong_claims += int(wrong_shown.sum())
        self.claims += verdicts.size
        shares = wrong_likely.sum(axis=1) / np.maximum(1, verdicts.sum(axis=1))
        self.false_share += float(shares.sum())
        self.verdicts += int(verdicts.sum())
        self.shown += int((judged.shown != OPEN).sum())

    def share(self) -> tuple[float, float, float]:
        """Of labs that show something wrong, with Clopper and Pearson's 95 % interval."""
        return share(self.wrong, self.labs)


def share(count: int, of: int) -> tuple[float, float, float]:
    """A share with Clopper and Pearson's 95 % interval."""
    found = binomtest(count, of).proportion_ci(method="exact")
    return count / of, float(found.low), float(found.high)


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A cell at a design: by siffra's functions, and by the twin, which agrees so often.

    `agreed` of the `compared` claims have the same verdict, grade and look by both.
    """

    cell: str
    design: str
    siffra: Counts
    twin: Counts
    compared: int
    agreed: int


@dataclass(frozen=True, slots=True)
class OrderRate:
    """A cell judged in another order by the twin: the cheapest claim first, or without a stop."""

    cell: str
    cheapest_first: Counts
    never_stopping: Counts


def study_errors(
    cells: Mapping[str, Cell], judge: Judge, labs: int, more: int, say: Callable[[str], None]
) -> list[ErrorRate]:
    """Every cell at every design: `labs` by siffra's functions, `more` times that by the twin."""
    rows = []
    for name, cell in cells.items():
        for design, looks in DESIGNS.items():
            say(f"errors: {name}, {design}")
            ours, theirs = Counts(), Counts()
            compared = agreed = 0
            for drawn in _drawn(cell, labs * more, min(labs, BATCH)):
                by_twin = twin.judge(drawn.labs, looks)
                _add(theirs, drawn, by_twin)
                if ours.labs < labs:
                    judged = judge(drawn.labs, looks)
                    _add(ours, drawn, judged)
                    agrees = _agrees(judged, by_twin)
                    compared, agreed = compared + agrees.size, agreed + int(agrees.sum())
            rows.append(ErrorRate(name, design, ours, theirs, compared, agreed))
    return rows


def study_orders(
    cells: Mapping[str, Cell], labs: int, say: Callable[[str], None]
) -> list[OrderRate]:
    """Every cell with looks, by the twin: as `siffra lab` orders them, and without any stop."""
    rows = []
    for name, cell in cells.items():
        say(f"order: {name}")
        cheapest, never = Counts(), Counts()
        rng = np.random.default_rng(12)
        for drawn in _drawn(cell, labs, BATCH):
            count, claims = drawn.labs.differences.shape[:2]
            seconds = np.exp(1.5 * rng.standard_normal((count, claims)))
            # From nothing beyond the first look to all that there is.
            budget = rng.random(count) * seconds.sum(axis=1) * (LOOKS[-1] - LOOKS[0])
            _add(cheapest, drawn, twin.judge_cheapest_first(drawn.labs, seconds, budget))
            differs, same = twin.judge_never_stopping(drawn.labs)
            wrong = drawn.wrong(differs.shown, differs) | drawn.wrong(same.shown, same)
            never.add(wrong, wrong, differs)
        rows.append(OrderRate(name, cheapest, never))
    return rows


def study_calibration(batches: int) -> dict[float, float]:
    """By alpha, how often one claim's sequential p-value is no higher where nothing differs.

    The runs are normal, 20,000 claims a batch: what t tests at the bounds of normal scores err.
    """
    rng = np.random.default_rng(15)
    alphas = (0.05, 0.001)
    found = dict.fromkeys(alphas, 0.0)
    for _ in range(batches):
        p = twin.sequential(of_time(rng.standard_normal((20_000, 1, SEEDS)))).out[-1]
        for alpha in alphas:
            found[alpha] += float((p <= alpha).mean()) / batches
    return found


def _drawn(cell: Cell, labs: int, batch: int) -> Iterator[Drawn]:
    rng = np.random.default_rng(11)
    for done in range(0, labs, batch):
        yield cell(rng, min(batch, labs - done))


def _add(counts: Counts, drawn: Drawn, judged: Judged) -> None:
    counts.add(drawn.wrong(judged.shown, judged), drawn.wrong(judged.likely, judged), judged)


def _agrees(ours: Judged, theirs: Judged) -> np.ndarray:
    """Claims with the same verdict in either grade, decided at the same look."""
    verdicts = (ours.shown == theirs.shown) & (ours.likely == theirs.likely)
    return verdicts & (ours.look == theirs.look)
