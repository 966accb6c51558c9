"""The table of real runs that the study resamples: how it is made, and read.

`runs.csv` has a row for each run: final accuracy by set, and after each epoch the accuracy on
the test images of a curve and the seconds. It was made by
`python -m benchmarks.method --make-runs`, which takes minutes on an idle machine.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TABLE = Path(__file__).with_name("runs.csv")
COLLAPSED = 0.115
"""Of the test images 11.35 % are of the most frequent class."""
SETS = ("val", "test", "moved", "rotated")

CONFIGURATIONS: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "dense": ({"epochs": 10}, 200),
    "long": ({"epochs": 30}, 200),
    "four neurons": ({"neurons": 4, "epochs": 1}, 200),
    "batch of 6": ({"batch_size": 6, "learning_rate": 0.9, "epochs": 1}, 200),
    "hardly trained": ({"learning_rate": 0.0001, "epochs": 1}, 200),
    "six layers": ({"layers": 6, "epochs": 3}, 120),
    "conv": ({"model": "conv", "learning_rate": 0.1, "batch_size": 45, "epochs": 4}, 80),
    **{f"neurons = {n}": ({"neurons": n, "epochs": 3}, 80) for n in (28, 32, 36, 40, 48, 64)},
}
"""By name: the knobs that differ from siffra's defaults, and the number of seeds."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one configuration: arrays of (runs,), and (runs, epochs) for the curves."""

    name: str
    accuracy: Mapping[str, np.ndarray]
    curve: np.ndarray
    epoch_seconds: np.ndarray

    @property
    def collapsed(self) -> np.ndarray:
        """Which runs give (nearly) all images one class: by their accuracy, as no share is kept."""
        return self.accuracy["test"] < COLLAPSED

    @property
    def seconds(self) -> np.ndarray:
        """Training time of each run."""
        return self.epoch_seconds.sum(axis=1)


def read_runs() -> dict[str, Runs]:
    """The table, by configuration."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: _runs(name, [r for r in rows if r["runs"] == name]) for name in CONFIGURATIONS}


def make_runs(say: Callable[[str], None]) -> None:
    """Train every configuration with all its seeds, and write the table."""
    from siffra.api import make_engine
    from siffra.config import Setting
    from siffra.data.load import DataSource, load_dataset
    from siffra.training.run import run

    engine, dataset = make_engine(), load_dataset(DataSource())
    settings = {
        name: Setting.from_knobs(dict(knobs)) for name, (knobs, _) in CONFIGURATIONS.items()
    }
    for setting in settings.values():
        engine.prepare(setting.model, setting.training, dataset)
    rows = []
    # All of a seed before the next, as in a lab: a slow phase of the machine hits all alike.
    for seed in range(max(seeds for _, seeds in CONFIGURATIONS.values())):
        say(f"seed {seed}")
        for name in (name for name, (_, seeds) in CONFIGURATIONS.items() if seed < seeds):
            record, _ = run(settings[name], dataset.split_for(seed), seed, engine)
            rows.append(
                {
                    "runs": name,
                    "seed": seed,
                    **{on: f"{record.accuracy[on]:.6g}" for on in SETS},
                    "curve": " ".join(f"{e.accuracy['test']:.6g}" for e in record.epochs),
                    "epoch_seconds": " ".join(f"{e.seconds:.4g}" for e in record.epochs),
                }
            )
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _runs(name: str, rows: list[dict[str, str]]) -> Runs:
    def numbers(column: str) -> np.ndarray:
        return np.array([[float(word) for word in row[column].split()] for row in rows])

    return Runs(
        name=name,
        accuracy={on: numbers(on)[:, 0] for on in SETS},
        curve=numbers("curve"),
        epoch_seconds=numbers("epoch_seconds"),
    )
