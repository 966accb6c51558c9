"""Answers as a little HTML, for a notebook's output cell; the full page is `report.html`.

Styles stand in the tags, since notebooks drop style sheets when they are shown elsewhere.
"""

import math
import sys
import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Self

from siffra.lab.execute.events import Event
from siffra.lab.plan.plan import Plan
from siffra.lab.stats.summaries import Summary
from siffra.report.model import Question, Report
from siffra.report.render.terminal import (
    busy_lines,
    failure_lines,
    fixed_line,
    levels_table,
    plot_range,
    plotted,
)
from siffra.report.text import numbers
from siffra.report.text.messages import Words
from siffra.report.text.progress import Telling
from siffra.report.text.tables import added_table
from siffra.report.text.verdicts import score

_COLOURS = {
    "supported": "#00694b",
    "refuted": "#a93d00",
    "no_difference": "#0059a8",
    "inconclusive": "#6b5600",
}
_OTHER, _BLUE = "#59636e", "#0072b2"
_WIDTH, _HEIGHT, _EDGE = 240, 18, 6
"""Of a level's strip, in pixels."""
_SELDOM = 0.25
"""Seconds between two changes of a progress line."""


def lab_html(report: Report) -> str:
    """Every question with its answer, its levels' runs as points, and coloured verdicts."""
    words = report.words
    parts = [_question(question, report) for question in report.questions]
    if len(parts) > 1:
        opening = " ".join(filter(None, (report.summary, report.most_wrong_text)))
        parts.insert(0, f"<p><b>{escape(report.title)}</b> {escape(opening)}</p>")
    if report.limits:
        limits = "".join(f"<li>{escape(limit)}</li>" for limit in report.limits)
        parts.append(f"<p>{escape(words('head.limits'))}:</p><ul>{limits}</ul>")
    return "".join(parts)


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; everything in it is text."""
    return _table(map(escape, headings), (map(escape, cells) for cells in rows))


class NotebookProgress:
    """A line in a notebook's output cell that changes while runs are made, and then goes.

    Use it as a context manager, and as the function to which events are told, of the `plan`, or of
    runs that no plan has (None).
    """

    def __init__(self, words: Words, plan: Plan | None) -> None:
        self._words, self._telling = words, Telling(words, plan)
        self._shown = -math.inf
        self._handle: Any = None

    @staticmethod
    def is_wanted() -> bool:
        """Whether this is a notebook: an IPython with a kernel."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        return getattr(shell, "kernel", None) is not None

    def __enter__(self) -> Self:
        display = sys.modules["IPython.display"]
        self._handle = display.display(display.HTML(""), display_id=True)
        return self

    def __call__(self, event: Event) -> None:
        """Show where the lab stands; what went wrong is shown at once and stays a while."""
        now, trouble = time.monotonic(), self._telling.trouble(event)
        if now - self._shown < _SELDOM and not trouble:
            return
        self._shown = now
        progress, words = event.progress, self._words
        parts = [f"{progress.done}/{progress.total} {words('progress.unit')}"]
        if progress.seconds_left is not None:
            parts.append(words("progress.left", time=numbers.span(words, progress.seconds_left)))
        parts += filter(None, [self._telling.decided(event)])
        share = progress.done / max(progress.total, 1)
        bar = f'<progress value="{share:.3f}" style="vertical-align:middle"></progress>'
        line = trouble or self._telling.line(event)
        self._show(
            f"<div>{bar} {escape(', '.join(parts))}<br>"
            f'<span style="opacity:.65">{escape(line)}&nbsp;</span></div>'
        )

    def __exit__(self, *_: object) -> None:
        self._show("")

    def _show(self, html: str) -> None:
        self._handle.update(sys.modules["IPython.display"].HTML(html))


def _question(question: Question, report: Report) -> str:
    words = report.words
    is_scored = report.is_claimed and bool(question.claims)
    scored = f" <b>{escape(score(words, question.claims))}</b>" if is_scored else ""
    headings, rows = levels_table(question, words)
    strips, title = _strips(question, words)
    if strips:
        headings = [headings[0], title, *headings[1:]]
    table = _table(
        map(escape, headings),
        (
            [escape(row[0]), *([strips[i]] if strips else []), *map(escape, row[1:])]
            for i, row in enumerate(rows)
        ),
        left=2 if strips else 1,
    )
    notes = (*busy_lines(question, words), *failure_lines(question))
    verdicts = [
        (claim.code, claim.verdict_text, f"{claim.compared_first}: {claim.evidence}.")
        for claim in question.claims
    ]
    verdicts += [(found.code, found.verdict_text, found.finding) for found in question.interactions]
    listed = "".join(
        f'<li style="margin:.25em 0">{_badge(code, verdict)} {escape(text)}</li>'
        for code, verdict, text in verdicts
    )
    return (
        f"<p><b>{escape(question.ask)}</b>{scored} {escape(question.answer)}</p>"
        f"{_added(question, words)}{table}"
        f"{''.join(f'<p>{escape(line)}</p>' for line in notes)}"
        f'<ul style="list-style:none;padding:0">{listed}</ul>'
        f'<p style="opacity:.65">{escape(fixed_line(question, words))}</p>'
    )


def _badge(code: str, text: str) -> str:
    """A verdict in its colour: filled if it is shown, an outline if it is less."""
    colour = _COLOURS.get(code.removeprefix("likely_"), _OTHER)
    is_shown = code in ("supported", "refuted", "no_difference")
    fill = f"background:{colour};color:#fff" if is_shown else ""
    return (
        f'<span style="display:inline-block;border:1.5px solid {colour};border-radius:1em;'
        f'padding:0 .6em;font-size:85%;font-weight:600;{fill}">{escape(text)}</span>'
    )


def _strips(question: Question, words: Words) -> tuple[list[str], str]:
    """Every level's runs as points on one scale, with mean and interval; and what they show."""
    title, measured = plotted(question, words)
    summaries = [summary.as_estimated() for summary in measured]
    if not any(summary.values for summary in summaries):
        return [], ""
    low, high = plot_range(summaries)
    return [_strip(summary, low, high) for summary in summaries], title


def _strip(summary: Summary, low: float, high: float) -> str:
    def x(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return f"{_EDGE + share * (_WIDTH - 2 * _EDGE):.1f}"

    middle = _HEIGHT / 2
    marks = [
        f'<circle cx="{x(value)}" cy="{middle}" r="3" fill="{_BLUE}" fill-opacity=".45"/>'
        for value in summary.values
    ]
    if math.isfinite(summary.low):
        marks.append(
            f'<path d="M{x(summary.low)} {middle}H{x(summary.high)}" stroke="{_BLUE}"'
            ' stroke-width="2"/>'
        )
    if summary.values:
        marks.append(
            f'<path d="M{x(summary.mean)} 2V{_HEIGHT - 2}" stroke="{_BLUE}" stroke-width="3"/>'
        )
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{"".join(marks)}</svg>'


def _added(question: Question, words: Words) -> str:
    table = added_table(words, question)
    if table is None:
        return ""
    title, note = escape(words("head.added")), escape(question.added_text)
    return f"<p>{title}:</p>{html_table(*table.texts)}<p>{note}</p>"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> str:
    """A table of HTML, the first `left` columns to the left."""

    def row(cells: Iterable[str], tag: str) -> str:
        return (
            "<tr>"
            + "".join(
                f'<{tag} style="text-align:{"left" if number < left else "right"}">{cell}</{tag}>'
                for number, cell in enumerate(cells)
            )
            + "</tr>"
        )

    return f"<table>{row(headings, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
