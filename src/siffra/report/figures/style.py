"""How every figure looks: sizes, colours, panels, and how it is written to SVG and PNG.

Colours are those of M. Okabe & K. Ito, Color Universal Design, 2008, which colour-blind people
can tell apart; sequences use cividis (Nunez et al. 2018). Nothing here touches pyplot.
"""

import io
import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from siffra.config.metrics import Metric
from siffra.lab.stats.summaries import Summary
from siffra.report.drawing import FAINT, INK, OKABE_ITO, PAPER, Drawing
from siffra.report.text import numbers
from siffra.report.text.labels import spans_decades
from siffra.report.text.messages import Words

Dashes = Literal["-", "--", "-.", ":"]
DASHES: tuple[Dashes, ...] = ("-", "--", "-.", ":")
MARKERS = "os^vPX*<>h"
DIVERGING = LinearSegmentedColormap.from_list(
    "diverging",
    [
        (0.0, to_rgba(OKABE_ITO[1])),
        (0.5, to_rgba(OKABE_ITO[1], 0.0)),
        (0.5, to_rgba(OKABE_ITO[0], 0.0)),
        (1.0, to_rgba(OKABE_ITO[0])),
    ],
)
"""From orange, below nothing, to blue; nothing is the page's own colour."""
WIDTH = 8.0
"""Inches; every figure is this wide, so that text is equally large in all."""

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.parse_math": False,  # a `$` in a lab's own names is a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "siffra",
}
_PNG_DPI = 144
_SHORT_NAMES = 24
"""Characters that stand beside each other under one of three axes."""
_LINE = 0.062
"""Of a panel's height, what a line of small text takes."""
_COLOURS = 256
"""Of a PNG."""
_LARGE = 400_000
"""Bytes."""


_TURN = threading.RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """Within this, Matplotlib draws as siffra does; for one thread at a time.

    Its style is the process': of two threads that each restored it, one would leave ours behind.
    """
    with _TURN, mpl.rc_context(_RC):
        yield


def panels(
    rows: int, columns: int, height: float, heights: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure `height` inches high with axes, row by row; all as large, or rows of `heights`."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.04, hspace=0.06)  # type: ignore[union-attr]
    axes = figure.subplots(
        rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights} if heights else None
    )
    return figure, list(axes.flat)


def row(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, `height` inches a row: one row of up to three, or several."""
    return _in_columns(count, count if count <= 3 else 2 if count == 4 else 3, height)


def pairs(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, two in each row, which is `height` inches high."""
    return _in_columns(count, 2, height)


def _in_columns(count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    rows = -(-count // columns)
    figure, axes = panels(rows, columns, height * rows)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def name_accuracy(axes: Sequence[Axes], words: Words) -> None:
    """Write what the vertical axes show beside those that are leftmost."""
    for axis in axes:
        if axis.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
            axis.set_ylabel(words("figure.accuracy"))


def name_metric(axis: Axes, metric: Metric, words: Words) -> None:
    """Title and scale of a panel of a metric of trainings that siffra does not do itself."""
    axis.set_title(metric.name)
    is_fraction = metric.unit == "fraction"
    axis.set_ylabel("%" if is_fraction else metric.unit or metric.name)
    axis.yaxis.set_major_formatter(percent_axis(words) if is_fraction else _plain_axis(words, axis))


def fit_names(axis: Axes, names: Sequence[str]) -> None:
    """Tilt the names below an axis where they would run into each other."""
    if max(map(len, names)) > 2 and sum(map(len, names)) > _SHORT_NAMES:
        for label in axis.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


def finish(figure: Figure, name: str) -> Drawing:
    """Write a figure out."""
    with house_style(), warnings.catch_warnings():
        # A lab may be written in letters that this font lacks; a page's fonts have them.
        warnings.filterwarnings("ignore", r"Glyph \d+")
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": "siffra"})
        if file.tell() <= _LARGE:
            return Drawing(name, "svg", file.getvalue())
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_PNG_DPI)
        return Drawing(name, "png", _in_few_colours(file))


def _in_few_colours(png: io.BytesIO) -> bytes:
    """An image with a palette: a figure has few colours, and a quarter of the bytes."""
    file, about = io.BytesIO(), PngInfo()
    about.add_text("Software", "siffra")
    image = Image.open(png).convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
    image.save(file, format="png", optimize=True, pnginfo=about)
    return file.getvalue()


def colours(n: int) -> list[str]:
    """`n` colours that can be told apart: Okabe and Ito's, or, if too many, a sequence."""
    if n <= len(OKABE_ITO):
        return list(OKABE_ITO[:n])
    steps = np.linspace(0.2, 0.9, n)
    return [to_hex(c) for c in mpl.colormaps["cividis"](steps)]


def dashes(number: int) -> Dashes:
    """How line `number` is dashed."""
    return DASHES[number % len(DASHES)]


def percent_axis(words: Words) -> Formatter:
    """Ticks of fractions, written in per cent."""
    return FuncFormatter(lambda value, _: words.exact(round(100 * value, 6)))


def number_axis(words: Words) -> Formatter:
    """Ticks in the report's language."""
    return FuncFormatter(lambda value, _: words.exact(round(value, 9)))


def _plain_axis(words: Words, axis: Axes) -> Formatter:
    """Ticks of whatever size, to as many digits as tell them apart."""

    def text(value: float, _: int | None) -> str:
        low, high = axis.get_ylim()
        digits = 3 - math.floor(math.log10(abs(high - low)))
        return numbers.plain(words, round(value, digits))

    return FuncFormatter(text)


def cell_text(axis: Axes, column: int, row: int, text: str, colour: str, size: float = 8) -> None:
    """Write into a cell of a matrix."""
    written = axis.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    written.set_in_layout(False)  # it lies inside its axes, and measuring hundreds takes seconds


def colour_bar(
    shown: Sequence[QuadMesh | AxesImage],
    title: str,
    ticks: Formatter,
    where: Literal["right", "bottom"] = "right",
) -> None:
    """What the colours of some panels mean, all alike, beside or below them."""
    figure, beside = shown[0].get_figure(root=True), [cast(Axes, each.axes) for each in shown]
    assert figure is not None
    aspect = 36 if len(beside) > 1 and where == "bottom" else 18
    bar = figure.colorbar(
        shown[0], ax=beside, location=where, format=ticks, aspect=aspect, pad=0.03, shrink=0.9
    )
    bar.set_label(title, fontsize=8)
    bar.ax.tick_params(length=2, labelsize=7.5)
    bar.outline.set_visible(False)
    assert bar.solids is not None
    bar.solids.set_rasterized(True)  # 256 quads otherwise


def name_ends(axis: Axes, last: float, ends: Sequence[float], names: Sequence[str]) -> None:
    """Write each line's name right of where it ends, at (`last`, one of `ends`).

    Names that would run into each other are pushed apart; a piece of the line leads to its own.
    """
    low, high = axis.get_ylim()
    first = axis.get_xlim()[0]
    axis.set(ylim=(low, high), xlim=(first, last))
    known = [i for i, end in enumerate(ends) if math.isfinite(end)]
    places = spread([ends[i] for i in known], (high - low) * _LINE)
    lead, palette = 0.05 * (last - first), colours(len(ends))
    for i, place in zip(known, places, strict=True):
        way = [last, last + lead], [ends[i], place]
        axis.plot(*way, color=palette[i], lw=1.0, scalex=False, scaley=False, clip_on=False)
        axis.text(last + 1.3 * lead, place, names[i], va="center", fontsize=7.5)


def spread(heights: Sequence[float], least: float) -> list[float]:
    """The heights, moved as little as sets them `least` apart; their order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    # Runs of neighbours that touch move as one, around their mean.
    runs: list[list[float]] = []
    for i in order:
        runs.append([heights[i]])
        while len(runs) > 1 and _middle(runs[-1]) - _middle(runs[-2]) < least * (
            (len(runs[-1]) + len(runs[-2])) / 2
        ):
            runs[-2:] = [runs[-2] + runs[-1]]
    places = [
        _middle(run) + least * (i - (len(run) - 1) / 2) for run in runs for i in range(len(run))
    ]
    return [place for _, place in sorted(zip(order, places, strict=True))]


def _middle(run: Sequence[float]) -> float:
    return math.fsum(run) / len(run)


def legend_below(figure: Figure, handles: Sequence[object], labels: Sequence[str], title: str = ""):
    """One legend for the whole figure, outside its axes."""
    longest = max(len(label) for label in labels)
    columns = max(1, min(len(labels), 8, int(105 / (longest + 7))))
    figure.legend(
        handles,  # type: ignore[arg-type]
        labels,
        loc="outside lower center",
        ncols=columns,
        title=title or None,
        handlelength=1.8,
        columnspacing=1.4,
    )


def legend_of_lines(
    figure: Figure, names: Sequence[str], title: str = "", marker: str = ""
) -> None:
    """`legend_below` of lines in their colours and dashes, one a name."""
    look = {"marker": marker or None, "ms": 4}
    handles = [
        Line2D([], [], color=colour, linestyle=dashes(i), **look)
        for i, colour in enumerate(colours(len(names)))
    ]
    legend_below(figure, handles, names, title)


def arms(summary: Summary) -> list[list[float]] | None:
    """The two arms of an error bar; None without an interval."""
    if not math.isfinite(summary.low):
        return None
    return [[summary.mean - summary.low], [summary.high - summary.mean]]


def seconds_axis(axis: Axes, seconds: Sequence[float], words: Words) -> None:
    """Ticks below times, which may be spread over decades."""
    axis.set_xlabel(words("figure.seconds"))
    if spans_decades(seconds):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axis.xaxis.set_major_formatter(number_axis(words))


def picture(axis: Axes, image: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """An image of a data set, framed: ink on paper where it is grey (n, n, 1), else as it is."""
    pixels = image / 255 if image.dtype == np.uint8 else image
    left, _, _, top = extent
    if pixels.shape[2] == 1:
        # In blue, to be seen on a white page and on a dark one; its strength is the ink's.
        ink = np.empty((*pixels.shape[:2], 4))
        ink[..., :3], ink[..., 3] = to_rgb(OKABE_ITO[0]), pixels[..., 0]
        pixels = ink
    # Not resampled: a page shows the pixels themselves.
    axis.imshow(np.clip(pixels, 0, 1), extent=extent, interpolation="none", zorder=2)
    axis.add_patch(frame((left, top)))


def frame(corner: tuple[float, float]) -> Rectangle:
    """A faint square with sides of 1."""
    return Rectangle(corner, 1, 1, fill=False, ec=FAINT, lw=0.6, zorder=3)
