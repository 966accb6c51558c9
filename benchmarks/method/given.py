"""How often `siffra.judge` shows something in tables of runs whose levels do not differ.

`python -m benchmarks.method.given` prints a line for each kind of table. Values have a mean of 0 at
every level, so that whatever is shown is wrong.
"""

import math
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import typer

import siffra

Draw = Callable[[random.Random], float]


def _t3(rng: random.Random) -> float:
    return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3)


def _skewed(rng: random.Random) -> float:
    return rng.lognormvariate(0, 1) - math.exp(0.5)


def _two_humped(rng: random.Random) -> float:
    return rng.gauss(-1.4 if rng.random() < 0.3 else 0.6, 0.1)


VALUES: dict[str, Draw] = {
    "normal": lambda rng: rng.gauss(0, 1),
    "exponential": lambda rng: rng.expovariate(1) - 1,
    "t with 3 degrees of freedom": _t3,
    "lognormal": _skewed,
    "two humps, 30 : 70": _two_humped,
}
_SIZES, _SPREADS = (5, 6, 7, 8, 10, 12, 20), (0.5, 1.0, 3.0)
_LIMIT = 0.05


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of table: levels may be `unlike` in their number of runs, and in their `spread`."""

    values: str
    paired: bool
    unlike: bool
    spread: bool = False

    def __str__(self) -> str:
        marks = {"paired": self.paired, "unequal n": self.unlike, "unequal spread": self.spread}
        return ", ".join([self.values, *(name for name, holds in marks.items() if holds)])


KINDS = tuple(
    Kind(values, paired, unlike, spread)
    for values in VALUES
    for paired in (True, False)
    for unlike, spread in ((False, False), (True, False), (True, True))
)


def table(kind: Kind, rng: random.Random) -> list[dict[str, Any]]:
    """A row a run, of 2 to 6 levels; the runs of a pair share half of their variance."""
    draw, levels = VALUES[kind.values], rng.randint(2, 6)
    size = rng.choice(_SIZES)
    shared = [rng.gauss(0, 1) for _ in range(max(_SIZES))]
    return [
        {
            "level": level,
            "seed": seed if kind.paired else seed + 100 * level,
            "loss": spread * draw(rng) + (shared[seed] if kind.paired else 0.0),
        }
        for level in range(levels)
        for runs in (rng.choice(_SIZES) if kind.unlike else size,)
        for spread in (rng.choice(_SPREADS) if kind.spread else 1.0,)
        for seed in range(runs)
    ]


def shows(rows: list[dict[str, Any]]) -> bool:
    """Whether anything is shown, and not just likely."""
    metric = siffra.Metric("loss", "lower")
    result = siffra.judge(rows, by="level", seed="seed", metric=metric)
    claims = (claim for question in result.answers.questions for claim in question.claims)
    return any(claim.grade == "shown" for claim in claims)


def wrong(kind: Kind, tables: int) -> int:
    """In how many of so many tables something is shown; the same every time."""
    rng = random.Random(str(kind))
    return sum(shows(table(kind, rng)) for _ in range(tables))


def _counted(tables: int) -> Iterator[tuple[Kind, int]]:
    with ProcessPoolExecutor() as executor:
        yield from zip(KINDS, executor.map(wrong, KINDS, [tables] * len(KINDS)), strict=True)


def main(tables: Annotated[int, typer.Option(help="Of each kind.")] = 1000) -> None:
    """Count the tables in which something is shown that is not there."""
    error = math.sqrt(_LIMIT * (1 - _LIMIT) / tables)
    typer.echo(f"at most {_LIMIT:.0%} are promised; the standard error is {error:.1%}")
    for kind, count in _counted(tables):
        typer.echo(f"{count / tables:6.1%}  {kind}")


if __name__ == "__main__":
    typer.run(main)
