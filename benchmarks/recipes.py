"""The recipes that siffra brings: found, fitted to a machine, measured, and set beside the study.

`python -m benchmarks.recipes digits-5s --find 10m --write` searches for what trains best in this
recipe's budget here, from the shipped recipes on, fits the number of steps to the budget, trains
it with ten seeds, and writes knobs and figures into the recipe's file. Without `--find` the recipe
stays what it is, and with `--fit` it is given the steps that fit; `--take FILE` takes the knobs of
another, as `siffra search` leaves one. `study` stands for the study's own experiments, so that they
are measured by the same clock. `--page` writes the table of docs/search.md from what was kept.
Nothing else should run meanwhile. A search that was stopped goes on where it was.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.recipes_page import keep_study, kept_study, with_table
from siffra.api import make_engine
from siffra.config import Setting
from siffra.config.durations import seconds_of
from siffra.config.recipes import (
    Interval,
    Measured,
    Recipe,
    find_recipe,
    shipped_file,
    shipped_names,
)
from siffra.data.dataset import Dataset
from siffra.data.load import load_dataset
from siffra.data.shifted import SHIFTED
from siffra.engine.base import Engine
from siffra.errors import SearchError, SiffraError
from siffra.lab.plan.format import EXPERIMENTS
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.search.recipe_file import measured_in, recipe_text
from siffra.search.result import Average
from siffra.search.search import search
from siffra.search.spec import SearchEvent, SearchSpec
from siffra.search.throughput import seconds_per_step, with_steps
from siffra.search.validation import chosen_sets
from siffra.store.store import default_store_path, open_store
from siffra.system.atomic_write import write_whole
from siffra.training.run import run
from siffra.training.test_time_averaging import try_averaging

STUDY = "study"
DOCS = Path(__file__).parents[1] / "docs"
PAGE, KEPT = "search.md", "search-study.json"
_TIMED = 0.3
"""The share of a budget for which steps are timed."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What everything is measured with."""

    dataset: Dataset
    engine: Engine
    seeds: int


def find_better(recipe: Recipe, seconds: float, bench: Bench) -> Setting | None:
    """What a search of so many `seconds` comes to, from this recipe and the shipped ones on.

    None where that is the recipe itself, or what was below it in the race on the same seeds.
    """
    tried = 0

    def show(event: SearchEvent) -> None:
        nonlocal tried
        if event.tried > tried:
            tried = event.tried
            best = "" if event.best is None else f", best {event.best:.2%} on validation"
            _say(f"  candidate {tried}{best}, {event.time - event.spent:.0f} s left")

    others = [find_recipe(name) for name in shipped_names() if name != recipe.name]
    result = search(
        SearchSpec(recipe.budget or 0.0, seconds, chosen_sets(None, bench.dataset), {}),
        bench.dataset,
        bench.engine,
        default_store_path(),
        recipes=[recipe, *others],
        on_event=show,
    )
    winner, lead = result.winner, result.lead_over_first
    _say(f"  candidate {winner.candidate} has won{winner.origin and f': {winner.origin}'}")
    if winner.origin == recipe.name or lead is None or lead < 0:
        return None
    _say(f"  on the same seeds it leads by {100 * lead:.2f} percentage points on validation")
    return winner.setting


def fitted(setting: Setting, budget: float, fill: float, bench: Bench) -> Setting:
    """`setting` with as many steps as `fill` of the budget has room for here."""
    a_step = seconds_per_step(setting, bench.dataset, bench.engine, _TIMED * budget)
    return with_steps(setting, max(1, math.floor(fill * budget / a_step)), len(bench.dataset.train))


def measured(setting: Setting, bench: Bench) -> Measured | None:
    """Train and score `setting` with each seed, with and without averages over views.

    The runs replace those that are stored, for their times.
    """
    records, averaged = [], []
    with open_store(default_store_path()) as store:
        for seed in range(bench.seeds):
            record, network = run(setting, bench.dataset, seed, bench.engine)
            store.add(record, replace=True)
            records.append(record)
            averaged.append(try_averaging(network, bench.dataset))
            _say(f"  seed {seed}: {record.seconds:6.2f} s  {_in_percent(record.accuracy)}")
    return measured_in(records, len(bench.dataset.train), Average.of(averaged))


def study(bench: Bench) -> dict[str, Measured]:
    """The study's experiments, as long as it trained them, by their names."""
    lab = read_lab()
    plan = plan_lab(lab, bench.dataset, LabOptions(preset="full", only=(EXPERIMENTS,)))
    figures = {}
    for experiment in plan.experiments:
        if experiment.reported:
            name = experiment.name["en"]
            _say(name)
            if seen := measured(experiment.setting, bench):
                figures[name] = seen
    return figures


def remade(name: str, recipe: Recipe, options: argparse.Namespace, bench: Bench) -> str:
    """A recipe's text, found and fitted as the `options` say, with what was measured of it."""
    budget = recipe.budget or 0.0
    source = find_recipe(options.take) if options.take else recipe
    setting = Setting.from_knobs(source.knobs, where=source.source)
    if options.find:
        better = find_better(recipe, options.find, bench)
        if better is None:
            print(f"{name}: kept; nothing was found that is better")
        setting = better or setting
    if options.find or options.fit:
        setting = fitted(setting, budget, options.fill, bench)
    _say(f"{name}: {setting.training.epochs:.4g} epochs")
    figures = measured(setting, bench)
    if figures:
        print(f"{name}: {_in_percent(_means(figures.accuracy))}  in {figures.seconds.mean:.2f} s")
        if figures.averaged:
            print(f"{name}, averaged over views: {_in_percent(_means(figures.averaged.accuracy))}")
    return recipe_text(recipe.name, recipe.budget, setting, len(bench.dataset.train), figures)


def _means(accuracy: dict[str, Interval]) -> dict[str, float]:
    return {name: interval.mean for name, interval in accuracy.items()}


def _in_percent(accuracy: Mapping[str, float | None]) -> str:
    known = ((name, accuracy.get(name)) for name in ("test", *SHIFTED))
    return "  ".join(f"{name} {share:.2%}" for name, share in known if share is not None)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _file_of(name: str) -> Path:
    return shipped_file(name) if name in shipped_names() else Path(name)


def _measure(options: argparse.Namespace) -> None:
    recipes = {name: find_recipe(name) for name in options.names if name != STUDY}
    if not options.names:
        return
    bench = Bench(load_dataset(), make_engine(options.threads), options.seeds)
    for name in options.names:
        if name == STUDY:
            figures = study(bench)
            if options.write:
                keep_study(DOCS / KEPT, figures)
            continue
        text = remade(name, recipes[name], options, bench)
        if options.write:
            write_whole(_file_of(name), text.encode(), SearchError)


def _write_page() -> None:
    rows = {f"`{name}`": find_recipe(name).measured for name in shipped_names()}
    page = DOCS / PAGE
    text = with_table(page.read_text("utf-8"), rows | kept_study(DOCS / KEPT))
    page.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recipes",
        description="Find, fit and measure the recipes of siffra.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help=f"recipes ({', '.join(shipped_names())}, or files), and `{STUDY}`",
    )  # fmt: skip
    parser.add_argument("--find", metavar="SPAN", help="search for so long, as 10m, and then fit")
    parser.add_argument("--fit", action="store_true", help="fit the steps to the budget here")
    parser.add_argument("--fill", type=float, default=0.97, help="how much of it (default 0.97)")
    parser.add_argument("--take", type=Path, help="take the knobs of this recipe", metavar="FILE")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each (default 10)")
    parser.add_argument("--threads", type=int, help="threads (default: one per core)")
    parser.add_argument("--write", action="store_true", help="keep what was found and measured")
    parser.add_argument("--page", action="store_true", help=f"write the table of docs/{PAGE}")
    options = parser.parse_args(arguments)
    if not (options.names or options.page):
        parser.error("name a recipe, `study`, or --page.")
    try:
        options.find = options.find and seconds_of(options.find, "find")
        _measure(options)
        if options.page:
            _write_page()
    except SiffraError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
