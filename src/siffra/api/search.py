"""`run_search`: the best model for the seconds that there are, in Python as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from siffra.api import DataLike, Knobs, expect_report, loaded, make_engine
from siffra.config.durations import seconds_of
from siffra.report.render.search_page import search_text, write_search
from siffra.search.result import SearchResult
from siffra.search.search import search
from siffra.search.spec import SearchEvent, SearchSpec
from siffra.search.validation import chosen_sets
from siffra.store.store import default_store_path

TIME = "10m"
"""How long a search looks, unless it is told."""


def run_search(
    budget: str | float,
    *,
    time: str | float = TIME,
    sets: Sequence[str] | None = None,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
    out: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[SearchEvent], None] = lambda event: None,
    **knobs: Unpack[Knobs],
) -> SearchReport:
    """Find what trains best in `budget` seconds on this machine.

    A search that was stopped goes on where it was, and so does one that is given more time.

    Args:
        budget: Training time, as `"15s"` or in seconds; compiling and scoring are apart.
        time: The most that looking takes, as `"10m"` or in seconds.
        sets: The sets whose mean accuracy counts; None for the test set and all shifted ones.
            Candidates are judged on validation images, shifted alike; the sets themselves are
            for the winner alone.
        data: See `siffra.api.DataLike`.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads to compute with (default: one per core).
        store: The file of finished runs; the search is kept beside it.
        out: Write the report, the winner's recipe and its model to this folder.
        language: Of the report: `en` or `sv`.
        on_event: Called before every run with a `siffra.search.spec.SearchEvent`.
        **knobs: Knobs that every candidate is to have, see `Knobs`.

    Raises:
        SiffraError: What is asked for cannot be searched; the text says what to change.
    """
    expect_report(out, language)
    dataset, source = loaded(data)
    spec = SearchSpec(
        seconds_of(budget, "budget"),
        seconds_of(time, "time"),
        chosen_sets(sets, dataset),
        dict(knobs),
    )
    trainer = make_engine(threads, engine)
    path = Path(store) if store else default_store_path()
    report = SearchReport(search(spec, dataset, trainer, path, source=source, on_event=on_event))
    if out is not None:
        report.write(out, language)
    return report


@dataclass(frozen=True, slots=True)
class SearchReport:
    """A search's `result`, to be shown or written."""

    result: SearchResult

    def write(self, out: Path | str, language: str = "en") -> list[Path]:
        """Write the report, the winner's recipe and its model to the folder `out`."""
        return write_search(self.result, Path(out), language)

    def as_json(self) -> dict[str, Any]:
        """The content of the report's `search.json`."""
        return self.result.as_json()

    def text(self, language: str = "en") -> str:
        """What was found, in lines for a terminal."""
        return search_text(self.result, language)

    def __str__(self) -> str:
        return self.text()
