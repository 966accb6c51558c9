"""A search: accuracy against training seconds, all candidates and their front, set by set."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from siffra.lab.stats.summaries import Summary
from siffra.report.figures import style
from siffra.report.text.messages import Words, capital
from siffra.search.result import Point, SearchResult, front


def _dot(size: float, *, is_hollow: bool) -> Mapping[str, Any]:
    """How a candidate's points look; a hollow one is of a single run."""
    blue = style.OKABE_ITO[0]
    filled = {"mfc": blue, "mec": style.PAPER, "mew": 0.5, "zorder": 4}
    hollow = {"mfc": "none", "mec": blue, "mew": 0.9, "alpha": 0.6}
    return {"ls": "", "marker": "o", "ms": size, **(hollow if is_hollow else filled)}


_DOTS = {
    "search.part": _dot(3.0, is_hollow=True),
    "search.single_run": _dot(5.0, is_hollow=True),
    "search.several_seeds": _dot(5.5, is_hollow=False),
}
"""The points by what the legend calls them."""


def draw(result: SearchResult, words: Words) -> Figure:
    """One panel a set that was searched for."""
    sets = result.spec.sets
    seconds = [point.seconds for point in result.points]
    seconds += [each.seconds.mean for each in (result.winner, *result.rivals, *result.references)]
    figure, axes = style.panels(1, len(sets), height=4.1)
    for axis, name in zip(axes, sets, strict=True):
        _panel(axis, result, name)
        axis.set_title(capital(words(f"set.{name}")))
        axis.yaxis.set_major_formatter(style.percent_axis(words))
        style.seconds_axis(axis, seconds, words)
    axes[0].set_ylabel(words("figure.accuracy"))
    handles, labels = _legend(result, words)
    style.legend_below(figure, handles, labels)
    return figure


def _panel(axis: Axes, result: SearchResult, name: str) -> None:
    blue, orange, green = style.OKABE_ITO[:3]
    places = [(point.seconds, point.accuracy[name]) for point in result.points]
    kinds = [_kind(point) for point in result.points]
    for key, dot in _DOTS.items():
        if chosen := [place for place, kind in zip(places, kinds, strict=True) if kind == key]:
            axis.plot(*zip(*chosen, strict=True), **dot)
    line = [places[i] for i in front(places)]
    if line:
        axis.plot(*zip(*line, strict=True), color=blue, lw=1.1, drawstyle="steps-post", zorder=3)
    for reference in result.references:
        _cross(
            axis, reference.seconds, reference.accuracy[name], green, "s", 5,
            is_hollow=reference.is_reported,
        )  # fmt: skip
    for rival in result.rivals:
        _cross(axis, rival.seconds, rival.accuracy[name], style.INK, "*", 9)
    _cross(axis, result.winner.seconds, result.winner.accuracy[name], orange, "*", 9)
    heights = [y for _, y in places] + [result.winner.accuracy[name].mean]
    others = [each.accuracy[name].mean for each in (*result.references, *result.rivals)]
    # What failed would press all else together; the study is shown wherever it is.
    top, bottom = max(heights + others), min([_lower_quartile(heights), *others])
    room = max(top - bottom, 0.002)
    axis.set_ylim(bottom - 0.06 * room, min(1.0, top + 0.08 * room))


def _kind(point: Point) -> str:
    if not point.is_whole:
        return "search.part"
    return "search.several_seeds" if point.seeds > 1 else "search.single_run"


def _lower_quartile(heights: Sequence[float]) -> float:
    return sorted(heights)[len(heights) // 4]


def _cross(
    axis: Axes,
    seconds: Summary,
    accuracy: Summary,
    colour: str,
    marker: str,
    size: float,
    *,
    is_hollow: bool = False,
) -> None:
    axis.errorbar(
        seconds.mean,
        accuracy.mean,
        yerr=style.arms(accuracy),
        xerr=style.arms(seconds),
        color=colour,
        marker=marker,
        ms=size,
        mfc="none" if is_hollow else colour,
        mec=colour if is_hollow else style.PAPER,
        mew=1.3 if is_hollow else 0.6,
        lw=1.0,
        capsize=2,
        zorder=5,
    )


def _legend(result: SearchResult, words: Words) -> tuple[list[Line2D], list[str]]:
    blue, orange, green = style.OKABE_ITO[:3]
    kinds = {_kind(point) for point in result.points}
    shown: Mapping[str, Line2D | None] = {
        **{key: Line2D([], [], **dot) for key, dot in _DOTS.items() if key in kinds},
        "search.front_line": Line2D([], [], color=blue, lw=1.1) if kinds else None,
        "search.winner": Line2D([], [], ls="", marker="*", color=orange, ms=9),
        "search.rival": Line2D([], [], ls="", marker="*", color=style.INK, ms=9)
        if result.rivals
        else None,
        "search.study": Line2D([], [], ls="", marker="s", color=green, ms=5)
        if any(not each.is_reported for each in result.references)
        else None,
        "search.study_reported": Line2D(
            [], [], ls="", marker="s", mfc="none", mec=green, mew=1.3, ms=5
        )
        if any(each.is_reported for each in result.references)
        else None,
    }
    present = {key: handle for key, handle in shown.items() if handle}
    return list(present.values()), [words(key) for key in present]
