"""What a search came to, made up: its page and its tables are tested without any search."""

from collections.abc import Sequence
from typing import Any

from made_runs import MACHINE

from siffra.data.load import DataSource
from siffra.search.importance import Importance
from siffra.search.result import Finalist, Point, SearchResult
from siffra.search.spec import SearchSpec


def make_search(
    points: Sequence[Point], winner: Finalist, sets: tuple[str, ...], **others: Any
) -> SearchResult:
    """Of ten minutes, for 5 s of training on MNIST; without `others`, the winner has no rival."""
    fields: dict[str, Any] = {
        "rivals": (),
        "ahead": None,
        "importance": Importance({}, 1, {}, ()),
    }
    return SearchResult(
        spec=SearchSpec(5.0, 600.0, sets, {}),
        dataset="mnist",
        source=DataSource(),
        images=48_000,
        held_out=5_000,
        machine=MACHINE,
        engine="native",
        engine_version=3,
        spent=590.0,
        candidates=9,
        runs=12,
        winner=winner,
        points=tuple(points),
        **(fields | others),
    )
