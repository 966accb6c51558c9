"""Made-up tables of runs."""

from itertools import product
from typing import Any

WARMUP = """lr,warmup,seed,val_acc,val_loss
0.1,0,0,0.9731,0.110
0.1,0,1,0.9721,0.125
0.1,0,2,0.9741,0.131
0.1,5,0,0.9831,0.090
0.1,5,1,0.9811,0.082
0.1,5,2,0.9822,0.079
"""


def grid(rates: Any = (0.1, 0.3), seeds: Any = range(4), **more: Any) -> list[dict]:
    """A run for each rate and seed, with an accuracy and a loss that depend on both."""
    return [
        {
            "lr": lr,
            "seed": seed,
            "test_acc": round(0.9 + lr / 10 + seed / 1000, 4),
            "loss": round(0.5 - lr / 10 - seed / 1000, 4),
            **{name: value(lr, seed) if callable(value) else value for name, value in more.items()},
        }
        for lr, seed in product(rates, seeds)
    ]


def as_csv(rows: list[dict], delimiter: str = ",") -> str:
    lines = [delimiter.join(rows[0])]
    lines += [delimiter.join("" if v is None else str(v) for v in row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def codes(notes) -> list[str]:
    return [note.code for note in notes]
