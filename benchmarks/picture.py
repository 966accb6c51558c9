"""The page's pictures: a row for each workload with a dot for each library, and how time grows."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.growth import Growth
from benchmarks.peers import PEERS
from benchmarks.session import Session

_COLOURS = {
    "siffra": "#0072b2",
    "keras": "#d55e00",
    "keras-tuned": "#8c4000",
    "pytorch": "#e69f00",
    "torch-compile": "#cc79a7",
    "jax": "#009e73",
    "products": "#999999",
}
_STYLE: Any = {"svg.hashsalt": "siffra", "font.size": 9}
_COLUMNS = 3
_IN_A_ROW = 4
"""Libraries that the legend names in one row."""


def draw_works(session: Session, path: Path) -> None:
    """Write the picture as SVG; equal sessions give equal files."""
    results = list(reversed(session.results))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 0.8 + 0.42 * len(results)), layout="constrained")
        axes = figure.subplots()
        for peer in session.peers:
            rows = [(r.timings[peer], y) for y, r in enumerate(results) if peer in r.timings]
            axes.errorbar(
                [timing.median for timing, _ in rows],
                [y for _, y in rows],
                xerr=_distances([timing.seconds for timing, _ in rows]),
                fmt="|" if peer == "products" else "o",
                color=_COLOURS[peer],
                label=PEERS[peer].title,
            )
        axes.set_xscale("log")
        axes.set_yticks(range(len(results)), [result.workload.title for result in results])
        axes.set_xlabel("seconds (median; lines from the fastest to the slowest)")
        axes.grid(axis="x", which="major", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            loc="outside upper center", ncols=min(len(session.peers), _IN_A_ROW), frameon=False
        )
        figure.savefig(path, metadata={"Date": None})


def draw_growth(grown: Sequence[Growth], path: Path) -> None:
    """Write a log-log plot for each sweep, with the machine's limits, as SVG."""
    rows = -(-len(grown) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 0.6 + 2.4 * rows), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, growth in zip(panels, grown, strict=False):
            _panel(axes, growth)
        for axes in panels[len(grown) :]:
            axes.set_axis_off()
        named = {}
        for axes in panels:
            handles, labels = axes.get_legend_handles_labels()
            named |= dict(zip(labels, handles, strict=True))
        figure.legend(
            list(named.values()), list(named), loc="outside upper center", ncols=6, frameon=False
        )
        figure.supylabel("seconds an epoch")
        figure.savefig(path, metadata={"Date": None})


def _panel(axes: Any, growth: Growth) -> None:
    for peer in PEERS:
        points = [(p.value, p.seconds[peer]) for p in growth.points if peer in p.seconds]
        if points:
            axes.plot(
                *zip(*points, strict=True), ".-", color=_COLOURS[peer], label=PEERS[peer].title
            )
    values = [point.value for point in growth.points]
    axes.plot(values, [p.computing for p in growth.points], "k--", lw=1, label="matrix peak")
    axes.plot(values, [p.reading for p in growth.points], "k:", lw=1, label="memory")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(values, [f"{value:,}" for value in values])
    axes.minorticks_off()
    axes.set_title(textwrap.fill(growth.sweep.title, 38), fontsize=8)
    axes.grid(which="major", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _distances(rows: list[list[float]]) -> list[list[float]]:
    middles = [sorted(seconds)[len(seconds) // 2] for seconds in rows]
    below = [middle - min(row) for middle, row in zip(middles, rows, strict=True)]
    above = [max(row) - middle for middle, row in zip(middles, rows, strict=True)]
    return [below, above]
