"""The page's pictures, as SVG; equal studies give equal files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.method.order import SEEDS, Pair
from benchmarks.method.power import DESIGNS, Decided, Power

_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#777777"
_LINES = ((_ORANGE, "--"), (_ORANGE, "-"), (_BLUE, "--"), (_BLUE, "-"), (_GREEN, "-"))
"""Of the designs, in order."""


def draw_order(pairs: Sequence[Pair], path: Path) -> None:
    """Wrong orders against the true difference: of single runs, and of verdicts."""
    figure, axes = _figure()
    gaps = [100 * pair.gap for pair in pairs]
    axes.plot(
        gaps, [100 * pair.wrong for pair in pairs], "o", color=_ORANGE, label="one run of each"
    )
    axes.plot(
        gaps,
        [100 * pair.claimed for pair in pairs],
        "o",
        color=_BLUE,
        label=f"shown by siffra, {SEEDS} seeds",
    )
    axes.axhline(50, color=_GREY, linewidth=0.8, linestyle=":")
    axes.annotate("a coin", (max(gaps), 50), (0, 3), textcoords="offset points", ha="right")
    axes.set_xlabel("true difference between two networks (percentage points of accuracy)")
    axes.set_ylabel("wrong way round (%)")
    axes.set_ylim(-2, 55)
    _save(figure, path)


def draw_power(rows: Sequence[Power], path: Path) -> None:
    """The share of differences that are shown."""
    figure, axes = _figure()
    for design, (colour, style) in zip(DESIGNS, _LINES, strict=True):
        own = [row for row in rows if row.design == design]
        axes.plot(
            [row.size for row in own],
            [100 * row.shown for row in own],
            color=colour,
            linestyle=style,
            label=design,
        )
    axes.set_xlabel("true difference (standard deviations of the difference of a pair)")
    axes.set_ylabel("shown (%)")
    axes.set_ylim(0, 102)
    _save(figure, path)


def draw_decided(rows: Sequence[Decided], path: Path) -> None:
    """How many of a student's claims are decided, with so many seeds of all or by looks."""
    figure, axes = _figure()
    seeds, taken = [row.seeds for row in rows], [row.taken for row in rows]
    axes.plot(taken, [row.by_looks for row in rows], "o-", color=_GREEN, label="shown, by looks")
    axes.plot(seeds, [row.shown for row in rows], "o-", color=_BLUE, label="shown, one look")
    axes.plot(seeds, [row.likely for row in rows], "o--", color=_BLUE, label="at least likely")
    axes.axhline(rows[0].claims, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("seeds of a claim's levels, on average")
    axes.set_ylabel(f"claims decided, of {rows[0].claims}")
    axes.set_ylim(0, rows[0].claims + 2)
    _save(figure, path)


def _figure() -> tuple[Figure, Axes]:
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    with mpl.rc_context({"svg.hashsalt": "siffra"}):
        figure.savefig(path, metadata={"Date": None})
