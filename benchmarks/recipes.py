"""The recipes that siffra brings: their lengths fitted to a machine, what they do measured.

`python -m benchmarks.recipes NAME...` trains each with ten seeds and writes what was measured into
its file. `--fit` first changes its number of steps to what its budget allows on this machine, and
`--take FILE` its knobs to those of another recipe, as `siffra search` leaves one. Nothing else
should run meanwhile.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from siffra import recipes
from siffra.api import make_engine
from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import load_dataset
from siffra.engine.base import Engine
from siffra.errors import SiffraError
from siffra.recipes import Recipe, find_recipe, shipped_names
from siffra.run import Record, run
from siffra.search.recipe_file import recipe_text, write_recipe
from siffra.search.trial import seconds_per_step, with_steps
from siffra.store import default_store_path, open_store

FOLDER = Path(recipes.__file__).parent
SETS = ("test", "rotated", "moved")
_TIMED = 0.3
"""The share of a budget for which steps are timed."""


def fitted(setting: Setting, budget: float, fill: float, dataset: Dataset, engine: Engine):
    """`setting` with as many steps as `fill` of the budget has room for here."""
    a_step = seconds_per_step(setting, dataset, engine, _TIMED * budget)
    return with_steps(setting, max(1, math.floor(fill * budget / a_step)), len(dataset.train))


def measured(setting: Setting, seeds: int, dataset: Dataset, engine: Engine) -> list[Record]:
    """Train and score `setting` with each seed; the runs replace those that are stored."""
    records = []
    with open_store(default_store_path()) as store:
        for seed in range(seeds):
            record, _ = run(setting, dataset, seed, engine)
            store.add(record, replace=True)
            records.append(record)
            scores = "  ".join(f"{name} {record.accuracy[name]:.2%}" for name in SETS)
            print(f"  seed {seed}: {record.seconds:6.2f} s  {scores}", file=sys.stderr)
    return records


def _means(records: Sequence[Record]) -> str:
    scores = (sum(r.accuracy[name] for r in records) / len(records) for name in SETS)
    seconds = sum(r.seconds for r in records) / len(records)
    told = "  ".join(f"{name} {score:.2%}" for name, score in zip(SETS, scores, strict=True))
    return f"{told}  in {seconds:.2f} s, n = {len(records)}"


def _remake(name: str, source: Recipe, options: argparse.Namespace) -> None:
    dataset, engine = load_dataset(), make_engine(options.threads)
    budget = find_recipe(name).budget or 0.0
    setting = Setting.from_knobs(source.knobs, where=source.source)
    if options.fit:
        setting = fitted(setting, budget, options.fill, dataset, engine)
    print(f"{name}: {setting.training.epochs:.4g} epochs", file=sys.stderr)
    records = measured(setting, options.seeds, dataset, engine)
    print(f"{name}: {_means(records)}")
    if not options.dry_run:
        text = recipe_text(name, budget, setting, records, len(dataset.train))
        write_recipe(FOLDER / f"{name}.toml", text)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description="Fit and measure the recipes of siffra.")
    parser.add_argument("names", nargs="*", default=shipped_names(), metavar="NAME")
    parser.add_argument("--fit", action="store_true", help="fit the steps to the budget here")
    parser.add_argument("--fill", type=float, default=0.97, help="how much of it (default 0.97)")
    parser.add_argument("--take", type=Path, help="take the knobs of this recipe", metavar="FILE")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    options = parser.parse_args()
    try:
        for name in options.names:
            _remake(name, find_recipe(options.take or name), options)
    except SiffraError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
