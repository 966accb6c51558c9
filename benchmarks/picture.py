"""The page's picture: a row for each work, a dot for each library, seconds on a log scale."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.peers import PEERS
from benchmarks.report import Report

_COLOURS = {
    "siffra": "#0072b2",
    "keras": "#d55e00",
    "pytorch": "#e69f00",
    "torch-compile": "#cc79a7",
    "jax": "#009e73",
    "products": "#999999",
}


def draw(report: Report, path: Path) -> None:
    """Write the picture as SVG; equal reports give equal files."""
    results = list(reversed(report.results))
    with mpl.rc_context({"svg.hashsalt": "siffra", "font.size": 9}):
        figure = Figure(figsize=(7.5, 0.8 + 0.42 * len(results)), layout="constrained")
        axes = figure.subplots()
        for peer in report.peers:
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
        axes.set_yticks(range(len(results)), [result.work.title for result in results])
        axes.set_xlabel("seconds (median; lines from the fastest to the slowest)")
        axes.grid(axis="x", which="major", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=len(report.peers), frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _distances(rows: list[list[float]]) -> list[list[float]]:
    middles = [sorted(seconds)[len(seconds) // 2] for seconds in rows]
    below = [middle - min(row) for middle, row in zip(middles, rows, strict=True)]
    above = [max(row) - middle for middle, row in zip(middles, rows, strict=True)]
    return [below, above]
